//! What comes back from the store's thread.
//!
//! It never blocks by itself: whoever has a thread to spare calls [`Reply::wait`], whoever has not awaits it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::StoreError;

/// A reply on its way. The work is done whether or not anybody waits for it.
#[derive(Debug)]
#[must_use = "the store's answer may be an error"]
pub struct Reply<T>(Result<oneshot::Receiver<Result<T, StoreError>>, Option<StoreError>>);

pub(super) type Sender<T> = oneshot::Sender<Result<T, StoreError>>;

pub(super) fn channel<T>() -> (Sender<T>, Reply<T>) {
    let (sender, receiver) = oneshot::channel();
    (sender, Reply(Ok(receiver)))
}

impl<T> Reply<T> {
    pub(super) fn failed(error: StoreError) -> Reply<T> {
        Reply(Err(Some(error)))
    }

    /// Blocks until the reply is there. Not for threads that run futures: tokio panics there.
    pub fn wait(self) -> Result<T, StoreError> {
        match self.0 {
            Ok(receiver) => receiver.blocking_recv().unwrap_or(Err(StoreError::Closed)),
            Err(error) => Err(error.unwrap_or(StoreError::Closed)),
        }
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(receiver) => Pin::new(receiver)
                .poll(context)
                .map(|reply| reply.unwrap_or(Err(StoreError::Closed))),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(StoreError::Closed))),
        }
    }
}
