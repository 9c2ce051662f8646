//! Reads the answer to one request, which comes as JSON or somewhere in a stream of events.
//!
//! It never reads more than it may, and takes nothing for the answer that has another id.

use bytes::{Bytes, BytesMut};
use http::{Response, header};
use http_body_util::BodyExt;

use super::super::{ForwardError, ReplyBody};
use crate::json::{Duplicates, Kind, Reader, Value};
use crate::mcp::EventStream;

/// What came of a request.
pub(super) enum Answer {
    /// The reply, which has a result.
    Result(Bytes),
    /// An error, with its JSON-RPC code if it had one.
    Error(Option<i64>),
    /// Something else.
    None(&'static str),
    /// More than may be read.
    TooLong,
    /// Nothing more, because of this.
    Broken(ForwardError),
}

/// Reads until the answer with this id is there, at most `bytes_left` bytes, which what was read is taken from.
pub(super) async fn read(response: Response<ReplyBody>, id: u64, bytes_left: &mut usize) -> Answer {
    let is_success = response.status().is_success();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_stream = kind
        .get(.."text/event-stream".len())
        .is_some_and(|start| start.eq_ignore_ascii_case("text/event-stream"));
    let mut pieces = Pieces {
        body: response.into_body(),
        bytes_left,
    };
    let answer = match is_stream {
        true => pieces.event(id).await,
        false => pieces.whole(id).await,
    };
    match answer {
        // The status says enough, whatever the text beside it.
        Ok(Answer::None(_)) if !is_success => Answer::Error(None),
        Ok(answer) | Err(answer) => answer,
    }
}

struct Pieces<'b> {
    body: ReplyBody,
    bytes_left: &'b mut usize,
}

impl Pieces<'_> {
    /// The next piece; `Err` where nothing more can be read.
    async fn next(&mut self) -> Result<Option<Bytes>, Answer> {
        let Some(frame) = self.body.frame().await else {
            return Ok(None);
        };
        let piece = frame
            .map_err(Answer::Broken)?
            .into_data()
            .unwrap_or_default();
        *self.bytes_left = self
            .bytes_left
            .checked_sub(piece.len())
            .ok_or(Answer::TooLong)?;
        Ok(Some(piece))
    }

    async fn whole(&mut self, id: u64) -> Result<Answer, Answer> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        let mut reader = Reader::new(Duplicates::Kept);
        let answer = answer_in(whole.freeze(), id, &mut reader);
        Ok(answer.unwrap_or(Answer::None("what is no answer to it")))
    }

    async fn event(&mut self, id: u64) -> Result<Answer, Answer> {
        let mut reader = Reader::new(Duplicates::Kept);
        let mut events = EventStream::default();
        while let Some(piece) = self.next().await? {
            events.feed(&piece);
            while let Some(event) = events.next_event().map_err(|_| Answer::TooLong)? {
                let data = event.data().unwrap_or_default();
                let data = Bytes::copy_from_slice(&data);
                if let Some(answer) = answer_in(data, id, &mut reader) {
                    return Ok(answer);
                }
            }
        }
        Ok(Answer::None("a stream that ends without an answer"))
    }
}

/// The answer, if the message is one to this request. An error may have no id: a server that could not read the request
/// could not read that either.
fn answer_in(message: Bytes, id: u64, reader: &mut Reader) -> Option<Answer> {
    let document = reader.read(&message).ok()?;
    let root = document.root();
    let is_ours = root.member("id").and_then(Value::as_number) == Some(&*id.to_string());
    if let Some(error) = root.member("error") {
        let is_nobodys = root.member("id").is_none_or(|id| id.kind() == Kind::Null);
        let code = error.member("code").and_then(Value::as_number);
        let code = code.and_then(|code| code.parse().ok());
        return (is_ours || is_nobodys).then_some(Answer::Error(code));
    }
    let has_result = root.member("result").is_some();
    (is_ours && has_result).then(|| Answer::Result(message.clone()))
}
