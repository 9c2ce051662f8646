//! What answers a request: which message is it, and how does a tool call end with it.
//!
//! It never takes a notification or a request of the server's for an answer, and never reads what a tool returned.

use crate::json::{Document, Kind, Value};

/// A request's id as it is compared: servers may write a string with other escapes than their client did.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// A string, unescaped.
    Text(Box<str>),
    /// An integer as it is written shortest, or the text of another number.
    Number(Box<str>),
}

impl RequestId {
    /// The id that a value is; `None` for what no request has.
    pub fn of(value: Value<'_>) -> Option<RequestId> {
        match value.as_number() {
            Some(text) => Some(RequestId::number(text)),
            None => value.as_str().map(|text| RequestId::Text(text.into())),
        }
    }

    /// The id that a raw piece of JSON is, as it stood in a message that was read.
    pub fn read(raw: &str) -> Option<RequestId> {
        match raw.starts_with('"') {
            true => serde_json::from_str(raw).ok().map(RequestId::Text),
            false => Some(RequestId::number(raw)),
        }
    }

    fn number(text: &str) -> RequestId {
        let integer = text.parse::<i128>().map(|integer| integer.to_string());
        RequestId::Number(integer.map_or_else(|_| text.into(), String::into))
    }
}

/// How a tool call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With a result, also one that asks for input: the request is over.
    Result,
    /// With a result that says of itself that it is an error.
    ErrorResult,
    /// With a JSON-RPC error.
    Error,
    /// With a task: the tool goes on running (tasks of 2025-11-25 and 2026-07-28).
    Task,
}

/// The id of the request that a message answers; `None` for a message that answers none.
pub fn answered_id(document: &Document<'_>) -> Option<RequestId> {
    let root = document.root();
    let id = root.member("id")?;
    RequestId::of(id).filter(|_| root.member("method").is_none())
}

/// How a message answers the request with this id; `None` if it does not. An error without an id answers it too: it
/// stands where the answer is to stand, and its server could not read the id.
pub fn answer(document: &Document<'_>, id: &RequestId) -> Option<Answer> {
    let root = document.root();
    if root.kind() != Kind::Object || root.member("method").is_some() {
        return None;
    }
    let answered = root.member("id").filter(|id| id.kind() != Kind::Null);
    let result = root.member("result");
    if result.is_none() && root.member("error").is_some() {
        let is_it = answered.is_none_or(|answered| RequestId::of(answered).as_ref() == Some(id));
        return is_it.then_some(Answer::Error);
    }
    let (result, answered) = (result?, RequestId::of(answered?)?);
    let kind = result.member("resultType").and_then(Value::as_str);
    let is_task = kind == Some("task") || result.member("task").is_some();
    let is_error = result.member("isError").and_then(Value::as_bool) == Some(true);
    (answered == *id).then_some(match (is_task, is_error) {
        (true, _) => Answer::Task,
        (false, true) => Answer::ErrorResult,
        (false, false) => Answer::Result,
    })
}

/// The message with `value` under `key` in its result's `_meta`, in place of what stands there, and every other byte as
/// it was. `None` where there is no result, or one that has no room for it.
pub fn with_meta(document: &Document<'_>, key: &str, value: &str) -> Option<Vec<u8>> {
    let result = document.root().member("result")?;
    if result.kind() != Kind::Object {
        return None;
    }
    let key = serde_json::Value::from(key);
    let (span, text) = match result.member("_meta") {
        None => first_member(result, &format!(r#""_meta":{{{key}:{value}}}"#)),
        Some(meta) if meta.kind() != Kind::Object => return None,
        Some(meta) => match key.as_str().and_then(|key| meta.member(key)) {
            Some(foreign) => (foreign.span(), value.to_owned()),
            None => first_member(meta, &format!("{key}:{value}")),
        },
    };
    let source = document.source().as_bytes();
    Some([&source[..span.start], text.as_bytes(), &source[span.end..]].concat())
}

/// Where a first member goes into an object, and its text there.
fn first_member(object: Value<'_>, member: &str) -> (std::ops::Range<usize>, String) {
    let at = object.span().start + 1;
    let comma = match object.members().next() {
        Some(_) => ",",
        None => "",
    };
    (at..at, format!("{member}{comma}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Duplicates, Reader};

    fn read<T>(body: &str, then: impl FnOnce(&Document<'_>) -> T) -> T {
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader.read(body.as_bytes());
        then(&document.expect("the test's body is JSON"))
    }

    #[test]
    fn a_call_ends_with_its_own_answer_and_with_nothing_else() {
        use Answer::{Error, ErrorResult, Result, Task};
        for (body, expected) in [
            (r#"{"id":7,"result":{}}"#, Some(Result)),
            (r#"{"id":7,"result":{"isError":false}}"#, Some(Result)),
            (r#"{"id":7,"result":{"isError":"true"}}"#, Some(Result)),
            (
                r#"{"id":7,"result":{"resultType":"input_required"}}"#,
                Some(Result),
            ),
            (r#"{"id":7,"result":{"isError":true}}"#, Some(ErrorResult)),
            (r#"{"id":7,"error":{"code":1}}"#, Some(Error)),
            (r#"{"id":null,"error":{"code":1}}"#, Some(Error)),
            (r#"{"error":{"code":1}}"#, Some(Error)),
            (r#"{"id":7,"result":{"task":{"taskId":"t"}}}"#, Some(Task)),
            (r#"{"id":7,"result":{"resultType":"task"}}"#, Some(Task)),
            (r#"{"id":8,"result":{}}"#, None),
            (r#"{"id":8,"error":{}}"#, None),
            (r#"{"id":"7","result":{}}"#, None),
            (r#"{"id":null,"result":{}}"#, None),
            (r#"{"id":7,"method":"ping"}"#, None),
            (
                r#"{"method":"notifications/progress","params":{"result":{}}}"#,
                None,
            ),
            (r#"{"id":7}"#, None),
            ("[]", None),
        ] {
            let id = RequestId::read("7").expect("an id");
            assert_eq!(
                read(body, |document| answer(document, &id)),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn an_id_is_the_same_however_it_is_escaped() {
        for (sent, answered, is_same) in [
            (r#""a\u0041""#, r#""aA""#, true),
            ("-0", "0", true),
            ("9007199254740993", "9007199254740993", true),
            ("9007199254740993", "9007199254740992", false),
            ("1", r#""1""#, false),
        ] {
            let body = format!(r#"{{"id":{answered},"result":{{}}}}"#);
            let found = read(&body, answered_id);
            assert_eq!(found == RequestId::read(sent), is_same, "{sent} {answered}");
        }
    }

    #[test]
    fn what_is_added_to_a_result_changes_no_other_byte() {
        for (body, expected) in [
            (
                r#"{"result":{ } }"#,
                Some(r#"{"result":{"_meta":{"t/q":[1]} } }"#),
            ),
            (
                r#"{"result":{"x":1.0}}"#,
                Some(r#"{"result":{"_meta":{"t/q":[1]},"x":1.0}}"#),
            ),
            (
                r#"{"result":{"_meta": {"a":1e0}}}"#,
                Some(r#"{"result":{"_meta": {"t/q":[1],"a":1e0}}}"#),
            ),
            (
                r#"{"result":{"_meta":{}}}"#,
                Some(r#"{"result":{"_meta":{"t/q":[1]}}}"#),
            ),
            (
                r#"{"result":{"_meta":{"t\u002fq" : {"forged":1}, "b":2}}}"#,
                Some(r#"{"result":{"_meta":{"t\u002fq" : [1], "b":2}}}"#),
            ),
            (r#"{"result":{"_meta":null}}"#, None),
            (r#"{"result":[]}"#, None),
            (r#"{"error":{}}"#, None),
        ] {
            let changed = read(body, |document| with_meta(document, "t/q", "[1]"));
            let changed = changed.map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
            assert_eq!(changed.as_deref(), expected, "{body}");
        }
    }
}
