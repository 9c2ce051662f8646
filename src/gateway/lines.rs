//! The lines of a stdio client: of bounded length, and each one line for every reader.
//!
//! It never keeps more of a line than may pass, and never passes on what stands after the last line's end.

use bytes::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// What some servers' readers take for the end of a line (Python's text streams, Node's `readline`), and what says the
/// same in JSON: the first can stand only between tokens, the others only in strings.
const OTHER_LINE_ENDS: [(char, &str); 4] = [
    ('\r', " "),
    ('\u{85}', "\\u0085"),
    ('\u{2028}', "\\u2028"),
    ('\u{2029}', "\\u2029"),
];

/// The line as one that every reader takes for one: in what follows such an end a server could see a message of its
/// own, which nobody has judged.
fn one_line(line: Vec<u8>) -> Bytes {
    let ends = OTHER_LINE_ENDS.map(|(end, _)| end);
    match std::str::from_utf8(&line) {
        Ok(text) if text.contains(ends) => {
            let replaced = OTHER_LINE_ENDS
                .iter()
                .fold(text.to_owned(), |text, (end, same)| {
                    text.replace(*end, same)
                });
            replaced.into()
        }
        // What is not UTF-8 is refused when it is read.
        _ => line.into(),
    }
}

/// Lines of bounded length.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// The rest of a line that was too long is still to come.
    is_skipping: bool,
    max: usize,
}

/// What was read.
pub(super) enum Line {
    Whole(Bytes),
    TooLong,
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads lines of at most `max` bytes.
    pub(super) fn new(input: R, max: usize) -> Lines<R> {
        Lines {
            input: BufReader::new(input),
            line: Vec::new(),
            is_skipping: false,
            max,
        }
    }

    /// The next line that is not blank, with its end. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> std::io::Result<Line> {
        loop {
            if self.is_skipping {
                skip_line(&mut self.input).await?;
                self.is_skipping = false;
                return Ok(Line::TooLong);
            }
            let room = (self.max + 1).saturating_sub(self.line.len()) as u64;
            let read = (&mut self.input)
                .take(room)
                .read_until(b'\n', &mut self.line)
                .await?;
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                if !line.trim_ascii().is_empty() {
                    return Ok(Line::Whole(one_line(line)));
                }
            } else if read == 0 && self.line.len() <= self.max {
                // What stands after the last line end was never finished.
                return Ok(Line::End);
            } else if self.line.len() > self.max {
                self.line = Vec::new();
                self.is_skipping = true;
            }
        }
    }
}

/// Reads on to the end of a line without keeping it.
async fn skip_line(input: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<()> {
    loop {
        let buffer = input.fill_buf().await?;
        let end = memchr::memchr(b'\n', buffer);
        let (used, is_done) = (
            end.map_or(buffer.len(), |end| end + 1),
            end.is_some() || buffer.is_empty(),
        );
        input.consume(used);
        if is_done {
            return Ok(());
        }
    }
}
