//! Wakes a task at an instant, to some ten microseconds.
//!
//! Tokio's own timer is never used for pacing: it counts whole milliseconds, more than a call takes.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A kernel timer (timerfd) that the runtime polls like a socket.
#[derive(Debug)]
pub(crate) struct Timer {
    descriptor: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer on the current runtime; fails when the process has no descriptors left.
    #[expect(
        deprecated,
        reason = "its successor is unsafe; sound here, where an owned descriptor stays open as long as it is registered"
    )]
    pub(crate) fn new() -> io::Result<Timer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Timer {
            descriptor: AsyncFd::new(descriptor)?,
        })
    }

    /// Returns at `deadline`, or at once if that is past.
    pub(crate) async fn until(&self, deadline: Instant) -> io::Result<()> {
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return Ok(());
        }
        self.set(wait)?;
        let mut expirations = [0; 8];
        loop {
            let mut ready = self.descriptor.readable().await?;
            match ready.try_io(|fd| Ok(rustix::io::read(fd, &mut expirations)?)) {
                Ok(read) => return read.map(|_| ()),
                Err(_not_yet) => continue,
            }
        }
    }

    fn set(&self, wait: Duration) -> io::Result<()> {
        let value = Timespec::try_from(wait).map_err(io::Error::other)?;
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_never_wakes_early_and_can_be_used_again() {
        let timer = Timer::new().expect("a timer");
        for microseconds in [0, 1, 300, 2_000] {
            let deadline = Instant::now() + Duration::from_micros(microseconds);
            timer.until(deadline).await.expect("wakes");
            assert!(Instant::now() >= deadline, "woke before {microseconds} µs");
        }
    }
}
