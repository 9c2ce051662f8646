//! `tools/call`: what is called, and with what.
//!
//! It never reads a name or arguments that another reader could take for others.

use super::message::{Invalid, Message};
use crate::json::{Kind, Value};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Duplicates, Reader};
    use crate::mcp::parse;

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
