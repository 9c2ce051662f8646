//! Puts what a child writes to standard error into the log.
//!
//! It never lets a child flood the log or fill memory: long lines are cut, and beyond a rate they are only counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{MissedTickBehavior, interval};

/// Bytes of a line that are logged: a traceback's line fits, a dumped document does not.
const LINE_LEN_MAX: usize = 4 << 10;

/// Lines logged a second: a traceback with room to spare.
const LINES_A_SECOND: u32 = 100;

/// Cuts a stream into lines of bounded length and decides which of them are logged.
#[derive(Debug)]
pub(super) struct Log {
    buffer: BytesMut,
    /// The rest of a line that was cut is being skipped.
    is_skipping: bool,
    room: u32,
    suppressed: u64,
}

impl Log {
    pub(super) fn new() -> Log {
        Log {
            buffer: BytesMut::new(),
            is_skipping: false,
            room: LINES_A_SECOND,
            suppressed: 0,
        }
    }

    /// Takes what was read, and gives the lines that are to be logged.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut logged = Vec::new();
        self.buffer.extend_from_slice(piece);
        loop {
            let end = memchr::memchr(b'\n', &self.buffer);
            if end.is_none() && self.buffer.len() <= LINE_LEN_MAX {
                return logged;
            }
            let length = end.unwrap_or(self.buffer.len());
            let shown = length.min(LINE_LEN_MAX);
            if !self.is_skipping {
                self.admit(shown, &mut logged);
            }
            self.is_skipping = end.is_none();
            self.buffer.advance(end.map_or(length, |end| end + 1));
        }
    }

    /// Called once a second: makes room again, and tells how many lines were left out.
    pub(super) fn refill(&mut self) -> Option<u64> {
        self.room = LINES_A_SECOND;
        let suppressed = std::mem::take(&mut self.suppressed);
        (suppressed > 0).then_some(suppressed)
    }

    fn admit(&mut self, shown: usize, logged: &mut Vec<String>) {
        let line = self.buffer[..shown].trim_ascii_end();
        if line.is_empty() {
            return;
        }
        if self.room == 0 {
            self.suppressed += 1;
            return;
        }
        self.room -= 1;
        logged.push(String::from_utf8_lossy(line).into_owned());
    }
}

/// Logs until the pipe ends.
pub(super) async fn log(server: Arc<str>, mut pipe: impl AsyncRead + Unpin) {
    let mut log = Log::new();
    let mut piece = BytesMut::with_capacity(LINE_LEN_MAX);
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        piece.clear();
        tokio::select! {
            read = pipe.read_buf(&mut piece) => if read.unwrap_or(0) == 0 { break },
            _ = seconds.tick() => tell_suppressed(&server, log.refill()),
        }
        for line in log.take(&piece) {
            tracing::info!(%server, line, "stderr");
        }
    }
    for line in log.take(b"\n") {
        tracing::info!(%server, line, "stderr");
    }
    tell_suppressed(&server, log.refill());
}

fn tell_suppressed(server: &str, suppressed: Option<u64>) {
    if let Some(lines) = suppressed {
        tracing::warn!(server, lines, "stderr was too fast to be logged");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_logged() {
        let mut log = Log::new();
        let flood = "x\n".repeat(1_000);
        let logged: usize = flood
            .as_bytes()
            .chunks(7)
            .map(|piece| log.take(piece).len())
            .sum();
        assert_eq!(logged, LINES_A_SECOND as usize);
        assert_eq!(log.refill(), Some(900));
        assert_eq!(log.take(b"again\n"), ["again"]);
        assert_eq!(log.refill(), None);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_is_no_line_of_its_own() {
        let mut log = Log::new();
        let long = [b'x'; 10 * LINE_LEN_MAX];
        let mut logged: Vec<String> = long
            .chunks(1_000)
            .flat_map(|piece| log.take(piece))
            .collect();
        logged.extend(log.take(b"rest\nnext\n"));
        assert_eq!(logged.len(), 2, "the cut line and the next one");
        assert!(logged[0].len() <= LINE_LEN_MAX);
        assert_eq!(logged[1], "next");
        assert!(log.buffer.len() <= LINE_LEN_MAX, "memory is bounded");
    }
}
