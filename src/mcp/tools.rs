//! `tools/call` and `tools/list`: what is called, and what a list says.
//!
//! A list is never passed on unread: what cannot be filtered is an error, not the whole list.

use std::ops::Range;

use super::message::{Invalid, Message};
use crate::json::{Document, Kind, Value};

/// The longest tool name in bytes: twice what the specification recommends in its longest form, and it is journaled.
const NAME_MAX: usize = 256;

/// The parts of a `tools/call` that a policy judges.
#[derive(Debug, Clone, Copy)]
pub struct ToolsCall<'a> {
    /// The tool's name, unescaped, exact.
    pub tool: &'a str,
    /// Its arguments: an object, or absent.
    pub arguments: Option<Value<'a>>,
}

impl<'a> ToolsCall<'a> {
    /// Reads `params` of a `tools/call`. Errors are JSON-RPC `-32602`.
    pub fn of(message: &Message<'a>) -> Result<ToolsCall<'a>, Invalid> {
        let invalid = |what| Invalid {
            code: -32602,
            what,
            id: message.envelope.id.clone(),
        };
        let params = message
            .params
            .ok_or_else(|| invalid("`tools/call` needs `params`"))?;
        let tool = params.member("name").and_then(Value::as_str);
        let tool = tool.ok_or_else(|| invalid("`params.name` must be a string"))?;
        if tool.len() > NAME_MAX {
            return Err(invalid(
                "`params.name` is longer than any tool's name may be",
            ));
        }
        let arguments = params.member("arguments");
        if arguments.is_some_and(|arguments| arguments.kind() != Kind::Object) {
            return Err(invalid("`params.arguments` must be an object"));
        }
        Ok(ToolsCall { tool, arguments })
    }
}

/// A `tools/list` reply, read and filtered.
#[derive(Debug)]
pub struct ListReply {
    /// The reply without the tools that were not kept; `None` if it can pass as it came.
    pub filtered: Option<Vec<u8>>,
    /// Whether another page follows.
    pub has_next: bool,
}

/// Whether a message is a result that lists tools, on whatever stream it comes.
pub fn is_tools_list_result(document: &Document<'_>) -> bool {
    document
        .root()
        .member("result")
        .and_then(|result| result.member("tools"))
        .is_some()
}

/// Reads a `tools/list` reply and keeps only the tools for which `keep` says so, which is asked of each by its name and
/// its definition; every other byte of what stays is kept, but that `cacheScope` says `private`. A JSON-RPC error
/// passes as it is. `None`: this cannot be read as either.
pub fn tools_list_reply<'a>(
    document: &'a Document<'_>,
    mut keep: impl FnMut(&'a str, Value<'a>) -> bool,
) -> Option<ListReply> {
    let root = document.root();
    if root.kind() == Kind::Object
        && root.member("error").is_some()
        && root.member("result").is_none()
    {
        return Some(ListReply {
            filtered: None,
            has_next: false,
        });
    }
    let result = root.member("result")?;
    let list = result
        .member("tools")
        .filter(|list| list.kind() == Kind::Array)?;
    let mut kept = Vec::new();
    let mut is_whole = true;
    for tool in list.elements() {
        let name = tool.member("name").and_then(Value::as_str)?;
        match keep(name, tool) {
            true => kept.push(tool.raw()),
            false => is_whole = false,
        }
    }
    let mut edits = Vec::new();
    if !is_whole {
        edits.push((list.span(), format!("[{}]", kept.join(","))));
    }
    if let Some(scope) = result
        .member("cacheScope")
        .filter(|scope| scope.as_str() != Some("private"))
    {
        edits.push((scope.span(), "\"private\"".to_owned()));
    }
    let has_next = result
        .member("nextCursor")
        .is_some_and(|cursor| cursor.kind() != Kind::Null);
    Some(ListReply {
        filtered: edited(document.source(), edits),
        has_next,
    })
}

/// The source with some spans replaced; `None` if there is nothing to replace.
fn edited(source: &str, mut edits: Vec<(Range<usize>, String)>) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut bytes = Vec::with_capacity(source.len());
    let mut from = 0;
    for (span, text) in edits {
        bytes.extend_from_slice(&source.as_bytes()[from..span.start]);
        bytes.extend_from_slice(text.as_bytes());
        from = span.end;
    }
    bytes.extend_from_slice(&source.as_bytes()[from..]);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Duplicates, Reader};
    use crate::mcp::parse;

    fn filtered(body: &str) -> Option<(String, Vec<Box<str>>)> {
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader
            .read(body.as_bytes())
            .expect("the test's body is JSON");
        let mut tools = Vec::new();
        let reply = tools_list_reply(&document, |name, _| {
            tools.push(name.into());
            name != "secret"
        })?;
        let bytes = reply.filtered.unwrap_or_else(|| body.as_bytes().to_vec());
        Some((String::from_utf8(bytes).expect("UTF-8"), tools))
    }

    #[test]
    fn only_what_is_hidden_leaves_a_list() {
        let body = r#"{ "result":{"tools":[ {"name":"a", "x":1.0} , {"name":"\u0073ecret"},{"name":"b"} ],"nextCursor":"n"},"id":"\u0031","jsonrpc":"2.0" }"#;
        let (text, tools) = filtered(body).expect("a list");
        assert_eq!(
            text,
            r#"{ "result":{"tools":[{"name":"a", "x":1.0},{"name":"b"}],"nextCursor":"n"},"id":"\u0031","jsonrpc":"2.0" }"#
        );
        assert_eq!(tools.len(), 3, "the catalogue hears of all of them");
    }

    #[test]
    fn a_list_that_keeps_all_passes_byte_for_byte() {
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a"} ] } }"#;
        assert_eq!(filtered(body).map(|(text, _)| text).as_deref(), Some(body));
    }

    #[test]
    fn a_filtered_list_is_never_cached_for_others() {
        let (text, _) =
            filtered(r#"{"result":{"cacheScope":"public","tools":[{"name":"secret"}]}}"#)
                .expect("a list");
        assert_eq!(text, r#"{"result":{"cacheScope":"private","tools":[]}}"#);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_refused() {
        for body in [
            r#"{"result":{}}"#,
            r#"{"result":{"tools":{}}}"#,
            r#"{"result":{"tools":[{"name":7}]}}"#,
            r#"{"result":{"tools":["secret"]}}"#,
            "[]",
        ] {
            assert!(filtered(body).is_none(), "{body}");
        }
    }

    #[test]
    fn arguments_are_an_object_or_absent() {
        let mut reader = Reader::new(Duplicates::Refused);
        for (params, fine) in [
            (r#"{"name":"x"}"#, true),
            (r#"{"name":"x","arguments":{}}"#, true),
            (r#"{"name":"x","arguments":null}"#, false),
            (r#"{"name":"x","arguments":[]}"#, false),
            (r#"{"name":"x","arguments":"{}"}"#, false),
            (r#"{"name":7}"#, false),
            ("{}", false),
        ] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
            let document = reader.read(body.as_bytes()).expect("JSON");
            let message = parse(&document).expect("a message");
            assert_eq!(ToolsCall::of(&message).is_ok(), fine, "{params}");
        }
    }
}
