//! What a line of a child says, as far as passing it on needs to know, and how ids are put in place of others.
//!
//! It never changes a byte of a message but the ids it is told to and line ends between tokens.

use std::ops::Range;

use bytes::Bytes;

use crate::json::{Flaw, Reader, Value};

/// The key by which a modern server says which `subscriptions/listen` a message is for.
const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// One message of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spoken {
    /// An answer to one of our requests.
    Reply {
        /// Where its id stands.
        id: Range<usize>,
        /// The id, which is a number as all of ours are.
        number: u64,
        /// The error's code, if it is an error; 0 if that has none.
        error_code: Option<i64>,
        /// Where the id stands a second time, as a subscription's.
        subscription: Option<Range<usize>>,
    },
    /// A request of its own.
    Request {
        /// Where its id stands.
        id: Range<usize>,
        /// Its method.
        method: String,
    },
    /// A notification, and which of our requests it is about, if it says.
    Notice(Option<Aim>),
}

/// Which request a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Aim {
    /// The request's number.
    pub(super) number: u64,
    /// Where that stands.
    pub(super) span: Range<usize>,
    /// By what the client knows it.
    pub(super) by: AimBy,
}

/// By what a client knows its request in a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AimBy {
    /// By the progress token that it gave.
    ProgressToken,
    /// By the request's id.
    Id,
}

/// A line that is no message for anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Not JSON.
    #[error("not JSON")]
    Json(#[source] Flaw),
    /// JSON, but neither a request nor a notification nor an answer to a request of ours.
    #[error("not a message")]
    Message,
}

/// Reads one line.
pub(super) fn read(reader: &mut Reader, line: &[u8]) -> Result<Spoken, Unreadable> {
    let document = reader.read(line).map_err(Unreadable::Json)?;
    let message = document.root();
    let id = message.member("id");
    match (message.member("method").and_then(Value::as_str), id) {
        (Some(method), Some(id)) => Ok(Spoken::Request {
            id: id.span(),
            method: method.to_owned(),
        }),
        (Some(method), None) => Ok(Spoken::Notice(aim(method, message))),
        (None, Some(id)) => reply(message, id).ok_or(Unreadable::Message),
        (None, None) => Err(Unreadable::Message),
    }
}

fn reply(message: Value<'_>, id: Value<'_>) -> Option<Spoken> {
    let error_code = message.member("error").map(|error| {
        let code = error.member("code").and_then(Value::as_number);
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    });
    Some(Spoken::Reply {
        id: id.span(),
        number: number(id)?,
        error_code,
        subscription: subscription(message.member("result")).map(Value::span),
    })
}

fn aim(method: &str, message: Value<'_>) -> Option<Aim> {
    let params = message.member("params")?;
    let (value, by) = if method == "notifications/progress" {
        (params.member("progressToken")?, AimBy::ProgressToken)
    } else {
        (subscription(Some(params))?, AimBy::Id)
    };
    Some(Aim {
        number: number(value)?,
        span: value.span(),
        by,
    })
}

fn subscription(holder: Option<Value<'_>>) -> Option<Value<'_>> {
    holder?.member("_meta")?.member(SUBSCRIPTION_KEY)
}

fn number(value: Value<'_>) -> Option<u64> {
    value.as_number()?.parse().ok()
}

/// The message with `edits` in place of what stands there, in the order of the message, and on one line: a line end in
/// JSON can only stand between tokens, where a space does as well.
pub(super) fn splice(message: &[u8], edits: &[(Range<usize>, &[u8])]) -> Vec<u8> {
    let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut spliced = Vec::with_capacity(message.len() + added + 1);
    let mut kept_to = 0;
    for (span, text) in edits {
        spliced.extend_from_slice(&message[kept_to..span.start]);
        spliced.extend_from_slice(text);
        kept_to = span.end;
    }
    spliced.extend_from_slice(&message[kept_to..]);
    for byte in &mut spliced {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    spliced
}

/// The same as a line for a child.
pub(super) fn spliced_line(message: &[u8], edits: &[(Range<usize>, &[u8])]) -> Bytes {
    let mut line = splice(message, edits);
    line.push(b'\n');
    Bytes::from(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Duplicates;

    fn spoken(line: &str) -> Result<Spoken, Unreadable> {
        read(&mut Reader::new(Duplicates::Kept), line.as_bytes())
    }

    #[test]
    fn a_line_is_an_answer_a_request_or_a_notification() {
        let reply = |number, error_code| {
            Ok(Spoken::Reply {
                id: 6..7,
                number,
                error_code,
                subscription: None,
            })
        };
        assert_eq!(spoken(r#"{"id":7,"result":{}}"#), reply(7, None));
        assert_eq!(
            spoken(r#"{"id":7,"error":{"code":-32601}}"#),
            reply(7, Some(-32601))
        );
        assert_eq!(spoken(r#"{"id":7,"error":null}"#), reply(7, Some(0)));
        let request = Spoken::Request {
            id: 6..9,
            method: "ping".into(),
        };
        assert_eq!(spoken(r#"{"id":"a","method":"ping"}"#), Ok(request));
        assert_eq!(
            spoken(r#"{"method":"notifications/message"}"#),
            Ok(Spoken::Notice(None))
        );
        for line in [
            "[]",
            "7",
            "{}",
            r#"{"id":"7","result":{}}"#,
            r#"{"id":null,"error":{}}"#,
        ] {
            assert_eq!(spoken(line), Err(Unreadable::Message), "{line}");
        }
        assert!(matches!(
            spoken("Server listening"),
            Err(Unreadable::Json(_))
        ));
    }

    #[test]
    fn a_notification_says_which_request_it_is_about() {
        let aim_of = |line: &str| match spoken(line) {
            Ok(Spoken::Notice(Some(aim))) => Some((aim.number, line[aim.span].to_owned(), aim.by)),
            other => panic!("{other:?}"),
        };
        let progress =
            r#"{"method":"notifications/progress","params":{"progress":1,"progressToken":12}}"#;
        assert_eq!(
            aim_of(progress),
            Some((12, "12".into(), AimBy::ProgressToken))
        );
        let event = r#"{"method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":5}}}"#;
        assert_eq!(aim_of(event), Some((5, "5".into(), AimBy::Id)));
    }

    #[test]
    fn splicing_changes_the_ids_and_the_line_ends_and_nothing_else() {
        let message = b"{\"id\": 9007199254740993,\r\n \"x\":\"\\n\", \"t\":\"tok\"}";
        let spliced = splice(message, &[(7..23, b"4"), (41..46, b"77")]);
        assert_eq!(
            String::from_utf8(spliced).unwrap(),
            "{\"id\": 4,   \"x\":\"\\n\", \"t\":77}"
        );
    }
}
