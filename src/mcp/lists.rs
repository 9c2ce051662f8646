//! Replies that list tools, resources, templates or prompts.
//!
//! A list is never passed on unread: what cannot be filtered is an error, not the whole list.

use std::ops::Range;

use crate::json::{Document, Kind, Value};

/// A reply that lists something, read and filtered.
#[derive(Debug)]
pub struct ListReply {
    /// The reply without what was not kept; `None` if it can pass as it came.
    pub filtered: Option<Vec<u8>>,
    /// Whether another page follows.
    pub has_next: bool,
}

/// One element of a list, by what names it.
#[derive(Debug, Clone, Copy)]
pub enum Listed<'a> {
    /// A tool: its name and its definition.
    Tool(&'a str, Value<'a>),
    /// A resource's URI.
    Resource(&'a str),
    /// A resource template (RFC 6570).
    Template(&'a str),
    /// A prompt's name.
    Prompt(&'a str),
}

/// Members of a result that are lists, and the member of an element that names it.
const LISTS: [(&str, &str); 4] = [
    ("tools", "name"),
    ("resources", "uri"),
    ("resourceTemplates", "uriTemplate"),
    ("prompts", "name"),
];

/// Whether a message is a result that lists something, on whatever stream it comes.
pub fn is_list(document: &Document<'_>) -> bool {
    let result = document.root().member("result");
    result.is_some_and(|result| LISTS.iter().any(|(list, _)| result.member(list).is_some()))
}

/// Whether it lists tools.
pub fn is_tools_list(document: &Document<'_>) -> bool {
    let result = document.root().member("result");
    result.is_some_and(|result| result.member("tools").is_some())
}

/// Reads a reply that lists something and keeps only the elements for which `keep` says so; every other byte of what
/// stays is kept, but that `cacheScope` says `private`. A JSON-RPC error passes as it is. `None`: this cannot be read as
/// either.
pub fn list_reply<'a>(
    document: &'a Document<'_>,
    mut keep: impl FnMut(Listed<'a>) -> bool,
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
    if !is_list(document) {
        return None;
    }
    let result = root.member("result")?;
    let mut edits = Vec::new();
    for (list, name) in LISTS {
        if let Some(elements) = result.member(list) {
            edits.extend(filtered((list, name), elements, &mut keep)?);
        }
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

/// What replaces a list of which not all is kept; outer `None`: the list cannot be read.
fn filtered<'a>(
    (list, name): (&str, &str),
    elements: Value<'a>,
    keep: &mut impl FnMut(Listed<'a>) -> bool,
) -> Option<Option<(Range<usize>, String)>> {
    if elements.kind() != Kind::Array {
        return None;
    }
    let mut kept = Vec::new();
    let mut is_whole = true;
    for element in elements.elements() {
        let name = element.member(name).and_then(Value::as_str)?;
        let listed = match list {
            "tools" => Listed::Tool(name, element),
            "resources" => Listed::Resource(name),
            "resourceTemplates" => Listed::Template(name),
            _ => Listed::Prompt(name),
        };
        match keep(listed) {
            true => kept.push(element.raw()),
            false => is_whole = false,
        }
    }
    let replaced = (elements.span(), format!("[{}]", kept.join(",")));
    Some((!is_whole).then_some(replaced))
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

    fn filtered(body: &str) -> Option<(String, Vec<Box<str>>)> {
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader
            .read(body.as_bytes())
            .expect("the test's body is JSON");
        let mut tools = Vec::new();
        let reply = list_reply(&document, |listed| {
            let (Listed::Tool(name, _)
            | Listed::Resource(name)
            | Listed::Template(name)
            | Listed::Prompt(name)) = listed;
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
    fn resources_templates_and_prompts_are_filtered_like_tools() {
        for (list, name) in [
            ("resources", "uri"),
            ("resourceTemplates", "uriTemplate"),
            ("prompts", "name"),
        ] {
            let body =
                format!(r#"{{"result":{{"{list}":[{{"{name}":"a"}},{{"{name}":"secret"}}]}}}}"#);
            let (text, names) = filtered(&body).expect("a list");
            assert_eq!(
                text,
                format!(r#"{{"result":{{"{list}":[{{"{name}":"a"}}]}}}}"#)
            );
            assert_eq!(names.len(), 2);
            let unnamed = format!(r#"{{"result":{{"{list}":[{{"{name}":7}}]}}}}"#);
            assert!(filtered(&unnamed).is_none(), "{unnamed}");
        }
    }
}
