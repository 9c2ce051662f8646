//! Takes connections: one listener socket for each worker, and a worker's life from its first connection to its end.
//!
//! It never lets a slow or silent peer hold a place for ever, and never ends a call in flight before the drain's bound.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::routes;
use super::worker::Worker;

/// How long a request's head may take, and how long a connection may be idle: longer than any client waits between
/// two calls of one task, short enough that ten thousand dead peers are gone in a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a new connection may take until the head of its first request is there: it costs its sender nothing, so
/// that whoever takes longer has nothing to say. hyper waits for ever for the rest of what could become HTTP/2.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Connections waiting to be taken, for each worker.
const BACKLOG: i32 = 1024;
/// HTTP/2 streams of one connection at a time.
const STREAMS_MAX: u32 = 128;
/// All headers of an HTTP/2 request together, in bytes.
const HEADERS_MAX: u32 = 32 << 10;

/// The sockets of all workers, on one address.
#[derive(Debug)]
pub struct Listeners {
    pub(super) sockets: Vec<std::net::TcpListener>,
    address: SocketAddr,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}; is another gateway running there? choose another address with --listen"
)]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl Listeners {
    /// Opens one socket for each worker. Port 0 chooses a free port, the same for all.
    pub fn bind(address: SocketAddr, workers: usize) -> Result<Listeners, ListenError> {
        let open = |address| bind(address).map_err(|source| ListenError { address, source });
        // With SO_REUSEPORT a second gateway could take half of another's connections. One without tells.
        let probe = std::net::TcpListener::bind(address)
            .map_err(|source| ListenError { address, source })?;
        drop(probe);
        let first = open(address)?;
        let address = first
            .local_addr()
            .map_err(|source| ListenError { address, source })?;
        let mut sockets = vec![first];
        for _ in 1..workers {
            sockets.push(open(address)?);
        }
        Ok(Listeners { sockets, address })
    }

    /// The address, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves connections until the gateway drains, and returns when the last has ended or the drain's bound is reached.
pub(super) async fn run(
    worker: Rc<Worker>,
    socket: std::net::TcpListener,
    open: Arc<AtomicUsize>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let connections = TaskTracker::new();
    let stopping = worker.shared.stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.draining.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => take(&worker, stream, &open, &connections),
            // Out of descriptors, say: it passes, and spinning would not help.
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    // They end with the draining; their lines must be there before the journal closes.
    worker.parked.close();
    worker.parked.wait().await;
    Ok(())
}

fn take(
    worker: &Rc<Worker>,
    stream: TcpStream,
    open: &Arc<AtomicUsize>,
    connections: &TaskTracker,
) {
    let place = Place::take(worker, open);
    if place.is_none() {
        worker.shared.metrics.connections_refused.increment(1);
        let busy = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n";
        // Best effort: the peer may be gone already.
        let _ = stream.try_write(busy);
        return;
    }
    let worker = worker.clone();
    connections.spawn_local(async move {
        let _place = place;
        let ending = worker.shared.stopping.ending.clone();
        tokio::select! {
            () = connection(worker, stream) => {}
            () = ending.cancelled() => {}
        }
    });
}

async fn connection(worker: Rc<Worker>, stream: TcpStream) {
    // Small replies must not wait for the peer's acknowledgement of the ones before (Nagle).
    let _ = stream.set_nodelay(true);
    let draining = worker.shared.stopping.draining.clone();
    let has_asked = Rc::new(Cell::new(false));
    let asking = has_asked.clone();
    let service = service_fn(move |request| {
        asking.set(true);
        routes::serve(worker.clone(), request)
    });
    let builder = builder();
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = silent(&has_asked) => return,
    };
    if let Err(error) = ended {
        tracing::debug!(error = &*error, "a connection ended early");
    }
}

/// Returns if a new connection has not asked for anything in time.
async fn silent(has_asked: &Cell<bool>) {
    tokio::time::sleep(FIRST_HEAD_TIMEOUT).await;
    if has_asked.get() {
        std::future::pending().await
    }
}

fn builder() -> Builder<LocalExecutor> {
    let mut builder = Builder::new(LocalExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX);
    builder
}

/// Runs hyper's tasks on the thread that took the connection.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// One connection's place among `connections_max`.
#[derive(Debug)]
struct Place {
    worker: Rc<Worker>,
    open: Arc<AtomicUsize>,
}

impl Place {
    fn take(worker: &Rc<Worker>, open: &Arc<AtomicUsize>) -> Option<Place> {
        let max = worker.shared.snapshot.load().settings.connections_max;
        if open.fetch_add(1, Ordering::Relaxed) >= max {
            open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        worker.shared.metrics.connections.increment(1.0);
        Some(Place {
            worker: worker.clone(),
            open: open.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.worker.shared.metrics.connections.decrement(1.0);
    }
}
