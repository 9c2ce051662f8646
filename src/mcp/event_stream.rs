//! Finds the events in a stream of server-sent events (WHATWG HTML §9.2.6), fed in pieces of any size.
//!
//! It never changes a byte: the raw events, one after another, are the stream. It never keeps more than one event's bound.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// How long one event may be unless told otherwise, in bytes: four times the largest request, so that a reply may be larger.
pub const EVENT_LEN_MAX: usize = 16 << 20;

/// An event stream in the making.
#[derive(Debug)]
pub struct EventStream {
    event_len_max: usize,
    buffer: BytesMut,
    /// Everything before it has been looked at.
    scanned: usize,
    line_start: usize,
    /// The last line ended with CR: an LF right behind it ends no further line.
    is_after_cr: bool,
    is_first_line: bool,
    data: Vec<DataLine>,
}

/// One event as it came, up to and with the blank line that ends it; also a block of comments or of `id:` and `retry:` alone.
#[derive(Debug, Clone)]
pub struct Event {
    raw: Bytes,
    data: Vec<DataLine>,
}

/// Where a `data` line stands in its event.
#[derive(Debug, Clone)]
struct DataLine {
    start: usize,
    value: Range<usize>,
}

/// An event longer than it may be; nothing after it can be told apart any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event longer than {event_len_max} bytes")]
pub struct EventTooLong {
    /// The bound, in bytes.
    pub event_len_max: usize,
}

impl Default for EventStream {
    fn default() -> EventStream {
        EventStream::new(EVENT_LEN_MAX)
    }
}

impl EventStream {
    /// A stream whose events may have `event_len_max` bytes.
    pub fn new(event_len_max: usize) -> EventStream {
        EventStream {
            event_len_max,
            buffer: BytesMut::new(),
            scanned: 0,
            line_start: 0,
            is_after_cr: false,
            is_first_line: true,
            data: Vec::new(),
        }
    }

    /// Takes the next piece. Ask [`EventStream::next_event`] until it has no more before feeding again.
    pub fn feed(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next complete event; `None` until more is fed.
    pub fn next_event(&mut self) -> Result<Option<Event>, EventTooLong> {
        while let Some(offset) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.scanned..]) {
            let line_end = self.scanned + offset;
            self.scanned = line_end + 1;
            let is_cr = self.buffer[line_end] == b'\r';
            if !is_cr && self.is_after_cr && line_end == self.line_start {
                self.line_start = self.scanned;
                self.is_after_cr = false;
                continue;
            }
            self.is_after_cr = is_cr;
            if self.is_blank(line_end) {
                return self.cut_event().map(Some);
            }
            self.note_line(line_end);
        }
        self.scanned = self.buffer.len();
        self.check_length(self.scanned).map(|()| None)
    }

    /// What was fed and belongs to no complete event: a client would drop it, a gateway passes it on.
    pub fn into_rest(self) -> Bytes {
        self.buffer.freeze()
    }

    fn is_blank(&self, line_end: usize) -> bool {
        self.text_start() == line_end
    }

    /// Where the current line's text begins: behind the byte order mark that a stream may begin with.
    fn text_start(&self) -> usize {
        let has_mark =
            self.is_first_line && self.buffer[self.line_start..].starts_with(b"\xef\xbb\xbf");
        self.line_start + if has_mark { 3 } else { 0 }
    }

    fn note_line(&mut self, line_end: usize) {
        let start = self.text_start();
        let line = &self.buffer[start..line_end];
        let value = match line.strip_prefix(b"data") {
            Some([]) => Some(line_end),
            Some([b':', b' ', ..]) => Some(start + 6),
            Some([b':', ..]) => Some(start + 5),
            _ => None,
        };
        if let Some(value) = value {
            self.data.push(DataLine {
                start,
                value: value..line_end,
            });
        }
        self.is_first_line = false;
        self.line_start = self.scanned;
    }

    fn cut_event(&mut self) -> Result<Event, EventTooLong> {
        let mut end = self.scanned;
        if self.is_after_cr && self.buffer.get(end) == Some(&b'\n') {
            end += 1;
            self.is_after_cr = false;
        }
        self.check_length(end)?;
        self.scanned = 0;
        self.line_start = 0;
        self.is_first_line = false;
        Ok(Event {
            raw: self.buffer.split_to(end).freeze(),
            data: std::mem::take(&mut self.data),
        })
    }

    fn check_length(&self, length: usize) -> Result<(), EventTooLong> {
        if length > self.event_len_max {
            let event_len_max = self.event_len_max;
            return Err(EventTooLong { event_len_max });
        }
        Ok(())
    }
}

impl Event {
    /// Every byte of it, as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// What its last `id` line says, from which on the stream can be asked for again: empty where it takes an earlier one
    /// back, `None` where it has none.
    pub fn id(&self) -> Option<&[u8]> {
        let lines = self.raw.split(|byte| matches!(byte, b'\n' | b'\r'));
        let mut ids = lines.filter_map(|line| match line.strip_prefix(b"id")? {
            [] => Some(&[][..]),
            [b':', b' ', id @ ..] | [b':', id @ ..] => Some(id),
            _ => None,
        });
        // What has a NUL in it is no id.
        ids.rfind(|id| !id.contains(&0))
    }

    /// What its `data` lines say, joined by LF; `None` if it has none.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        match &self.data[..] {
            [] => None,
            [only] => Some(Cow::Borrowed(&self.raw[only.value.clone()])),
            lines => {
                let values: Vec<&[u8]> = lines
                    .iter()
                    .map(|line| &self.raw[line.value.clone()])
                    .collect();
                Some(Cow::Owned(values.join(&b'\n')))
            }
        }
    }

    /// The event with other data and everything else as it was: `data` goes to the first `data` line, the others are left
    /// out. `data` is JSON: a line end in it can only stand between tokens and becomes a space.
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let Some((first, others)) = self.data.split_first() else {
            return self.raw.to_vec();
        };
        let mut event = Vec::with_capacity(self.raw.len() + data.len());
        event.extend_from_slice(&self.raw[..first.start]);
        event.extend_from_slice(b"data: ");
        let flat = |&byte: &u8| {
            if matches!(byte, b'\n' | b'\r') {
                b' '
            } else {
                byte
            }
        };
        event.extend(data.iter().map(flat));
        let mut kept_to = first.value.end;
        for line in others {
            event.extend_from_slice(&self.raw[kept_to..line.start]);
            kept_to = self.next_line(line.value.end);
        }
        event.extend_from_slice(&self.raw[kept_to..]);
        event
    }

    fn next_line(&self, line_end: usize) -> usize {
        let is_pair = self.raw[line_end..].starts_with(b"\r\n");
        line_end + if is_pair { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    fn events_of(stream: &str, cuts: &[usize]) -> (Vec<Event>, Bytes) {
        let mut scanner = EventStream::new(1 << 20);
        let mut events = Vec::new();
        let mut rest = stream.as_bytes();
        let cuts = cuts
            .iter()
            .copied()
            .cycle()
            .take(if cuts.is_empty() { 0 } else { usize::MAX });
        for cut in cuts.take_while(|_| true) {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(cut.clamp(1, rest.len()));
            scanner.feed(piece);
            while let Some(event) = scanner.next_event().unwrap() {
                events.push(event);
            }
            rest = after;
        }
        (events, scanner.into_rest())
    }

    /// The data of all events, as an independent reader sees them.
    fn oracle(stream: &str) -> Vec<String> {
        use http_body_util::Full;
        let body = Full::new(Bytes::from(stream.to_owned()));
        let mut events = pin!(sse_stream::SseStream::new(body));
        let mut found = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = poll_next(events.as_mut(), &mut cx) {
            found.extend(event.unwrap().data);
        }
        found
    }

    fn poll_next(
        stream: std::pin::Pin<&mut sse_stream::SseStream<http_body_util::Full<Bytes>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<sse_stream::Sse, sse_stream::Error>>> {
        let _: Option<Infallible> = None;
        futures_core::Stream::poll_next(stream, cx)
    }

    proptest! {
        #[test]
        fn any_stream_in_any_pieces_has_the_events_that_an_independent_reader_sees(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "", "", "", "data", "data:", "data: ", "data:  two", "data: {\"a\":1}", "data:x:y", "datax: no",
                    " data: no", "DATA: no", "id: 7", "event: message", "retry: 10", ": comment", ":", "data: é",
                ]),
                0..24,
            ),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 24),
            cuts in prop::collection::vec(1usize..9, 1..6),
        ) {
            let stream: String = lines.iter().zip(&ends).flat_map(|(line, end)| [*line, *end]).collect();
            let (events, rest) = events_of(&stream, &cuts);
            let data: Vec<String> = events
                .iter()
                .filter_map(|event| event.data())
                .map(|data| String::from_utf8(data.into_owned()).unwrap())
                .collect();
            prop_assert_eq!(data, oracle(&stream));
            let mut whole: Vec<u8> = events.iter().flat_map(|event| event.raw().to_vec()).collect();
            whole.extend_from_slice(&rest);
            prop_assert_eq!(whole, stream.into_bytes(), "a byte was lost or changed");
        }
    }

    #[test]
    fn other_data_leaves_every_other_byte_as_it_was() {
        let table = [
            (
                "id: 1\nevent: message\ndata: old\nretry: 5\n\n",
                "id: 1\nevent: message\ndata: N W\nretry: 5\n\n",
            ),
            (
                "data:old\r\n: c\r\ndata: more\r\ndata\r\nid: 2\r\n\r\n",
                "data: N W\r\n: c\r\nid: 2\r\n\r\n",
            ),
            ("data: a\rdata: b\r\r", "data: N W\r\r"),
            ("\u{feff}data: a\n\n", "\u{feff}data: N W\n\n"),
            (": only a comment\n\n", ": only a comment\n\n"),
        ];
        for (stream, expected) in table {
            let (events, _) = events_of(stream, &[usize::MAX]);
            let changed = String::from_utf8(events[0].with_data(b"N\nW")).unwrap();
            assert_eq!(changed, expected, "{stream:?}");
        }
    }

    #[test]
    fn an_event_longer_than_the_bound_is_an_error_whether_it_is_complete_or_not() {
        for stream in [
            "data: 0123456789\n\n",
            "data: 0123456789",
            "id: 1\nid: 2\nid: 3\nid: 4",
        ] {
            let mut scanner = EventStream::new(12);
            scanner.feed(stream.as_bytes());
            let expected = Err(EventTooLong { event_len_max: 12 });
            assert_eq!(scanner.next_event().map(|_| ()), expected, "{stream:?}");
        }
        let mut scanner = EventStream::new(12);
        scanner.feed(b"data: 1\n\ndata: 2\n\n");
        assert!(scanner.next_event().unwrap().is_some());
        assert!(
            scanner.next_event().unwrap().is_some(),
            "the bound is for one event, not for all"
        );
    }
}
