//! Moves lines between a child's pipes and queues.
//!
//! It never keeps a line that is longer than it may be, and never reads on while nobody takes what was read.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Flow;

/// The longest line a child may write, in bytes: twice the longest request, as replies tend to be longer.
pub const LINE_LEN_MAX: usize = 8 << 20;

/// How much is read at once at least; a pipe holds 64 KiB.
const READ_LEN: usize = 64 << 10;

/// Why reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadEnd {
    /// The child closed its output, or it broke.
    Closed,
    /// A line over [`LINE_LEN_MAX`].
    TooLong,
}

/// Reads lines until the end; empty ones are left out, and a last one without an end counts.
pub(super) async fn read(
    mut pipe: impl AsyncRead + Unpin,
    lines: mpsc::Sender<Bytes>,
    flow: Arc<Flow>,
) -> ReadEnd {
    let mut buffer = BytesMut::new();
    let mut scanned = 0;
    loop {
        while let Some(offset) = memchr::memchr(b'\n', &buffer[scanned..]) {
            let line = buffer.split_to(scanned + offset + 1);
            scanned = 0;
            // Whoever dropped the queue is stopping the child; its pipe is emptied so that it does not hang.
            let _ = deliver(line.freeze(), &lines, &flow).await;
        }
        scanned = buffer.len();
        if scanned > LINE_LEN_MAX {
            return ReadEnd::TooLong;
        }
        buffer.reserve(READ_LEN);
        // A pipe that breaks is at its end.
        if pipe.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            let _ = deliver(buffer.freeze(), &lines, &flow).await;
            return ReadEnd::Closed;
        }
    }
}

async fn deliver(
    mut line: Bytes,
    lines: &mpsc::Sender<Bytes>,
    flow: &Flow,
) -> Result<(), mpsc::error::SendError<Bytes>> {
    let length = line.trim_ascii_end().len();
    line.truncate(length);
    if line.is_empty() {
        return Ok(());
    }
    flow.is_waiting_for_reader.store(true, Ordering::Relaxed);
    let sent = lines.send(line).await;
    flow.is_waiting_for_reader.store(false, Ordering::Relaxed);
    sent
}

/// Writes lines until there will be no more, or the child reads no more.
pub(super) async fn write(
    mut pipe: impl AsyncWrite + Unpin,
    mut lines: mpsc::Receiver<Bytes>,
    flow: Arc<Flow>,
) {
    while let Some(line) = lines.recv().await {
        flow.begun.fetch_add(1, Ordering::Relaxed);
        flow.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        let written = pipe.write_all(&line).await;
        if written.is_err() || pipe.flush().await.is_err() {
            return;
        }
    }
}
