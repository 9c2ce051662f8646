//! What a message other than a tool call is about: a resource, a template, a prompt.
//!
//! It never decides whether it may be: what cannot be read is an error, so that nothing passes unread.

use super::message::{Invalid, Message};
use crate::json::{Kind, Value};

/// How many things one message may name: more than any client subscribes to at once, and each is compared with globs.
const SUBJECTS_MAX: usize = 256;

/// One thing that a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A resource's URI.
    Resource(&'a str),
    /// A URI or a template: a completion may name either.
    Template(&'a str),
    /// A prompt's name.
    Prompt(&'a str),
}

/// All that a message names. Errors are JSON-RPC `-32602`.
pub fn subjects<'a>(message: &Message<'a>) -> Result<Vec<Subject<'a>>, Invalid> {
    let read = match message.name {
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            text(message.params, "uri").map(|uri| vec![Subject::Resource(uri)])
        }
        "prompts/get" => text(message.params, "name").map(|name| vec![Subject::Prompt(name)]),
        "completion/complete" => completed(message.params),
        "subscriptions/listen" => listened(message.params),
        _ => Some(Vec::new()),
    };
    read.ok_or_else(|| Invalid {
        code: -32602,
        what: "`params` does not say what this is about",
        id: message.envelope.id.clone(),
    })
}

fn text<'a>(object: Option<Value<'a>>, key: &str) -> Option<&'a str> {
    object?.member(key)?.as_str()
}

fn completed(params: Option<Value<'_>>) -> Option<Vec<Subject<'_>>> {
    let reference = params?.member("ref");
    let subject = match text(reference, "type")? {
        "ref/prompt" => Subject::Prompt(text(reference, "name")?),
        "ref/resource" => Subject::Template(text(reference, "uri")?),
        _ => return None,
    };
    Some(vec![subject])
}

/// `params.notifications.resourceSubscriptions`, since 2026-07-28.
fn listened(params: Option<Value<'_>>) -> Option<Vec<Subject<'_>>> {
    let wanted = params.and_then(|params| params.member("notifications"));
    let uris = wanted.and_then(|wanted| wanted.member("resourceSubscriptions"));
    let Some(uris) = uris.filter(|uris| uris.kind() != Kind::Null) else {
        return Some(Vec::new());
    };
    if uris.kind() != Kind::Array || uris.elements().nth(SUBJECTS_MAX).is_some() {
        return None;
    }
    uris.elements()
        .map(|uri| uri.as_str().map(Subject::Resource))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Duplicates, Reader};
    use crate::mcp::parse;

    #[test]
    fn a_message_that_names_too_much_is_refused() {
        for (count, is_read) in [(SUBJECTS_MAX, true), (SUBJECTS_MAX + 1, false)] {
            let uris = vec![r#""a:b""#; count].join(",");
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
            );
            let mut reader = Reader::new(Duplicates::Refused);
            let document = reader.read(body.as_bytes()).expect("JSON");
            let message = parse(&document).expect("a message");
            assert_eq!(subjects(&message).is_ok(), is_read, "{count}");
        }
    }

    #[test]
    fn a_message_names_what_it_is_about_or_is_refused() {
        for (method, params, expected) in [
            (
                "resources/read",
                r#"{"uri":"a:b"}"#,
                Ok(vec![Subject::Resource("a:b")]),
            ),
            ("resources/subscribe", r#"{"uri":7}"#, Err(-32602)),
            ("resources/read", "{}", Err(-32602)),
            (
                "prompts/get",
                r#"{"name":"p"}"#,
                Ok(vec![Subject::Prompt("p")]),
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/prompt","name":"p"}}"#,
                Ok(vec![Subject::Prompt("p")]),
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/resource","uri":"a:{b}"}}"#,
                Ok(vec![Subject::Template("a:{b}")]),
            ),
            (
                "completion/complete",
                r#"{"ref":{"type":"ref/else"}}"#,
                Err(-32602),
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":["a:b","a:c"]}}"#,
                Ok(vec![Subject::Resource("a:b"), Subject::Resource("a:c")]),
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{}}"#,
                Ok(vec![]),
            ),
            (
                "subscriptions/listen",
                r#"{"notifications":{"resourceSubscriptions":"a:b"}}"#,
                Err(-32602),
            ),
            ("tools/list", "{}", Ok(vec![])),
        ] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            let mut reader = Reader::new(Duplicates::Refused);
            let document = reader.read(body.as_bytes()).expect("JSON");
            let message = parse(&document).expect("a message");
            let found = subjects(&message).map_err(|invalid| invalid.code);
            assert_eq!(found, expected, "{body}");
        }
    }
}
