//! What an agent's client calls itself.
//!
//! It never proves anything: the name is the client's own claim.

use super::message::{Message, Method};
use crate::json::Value;

/// Since 2026-07-28 each request may say who sends it, under this key of `_meta`.
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";

/// `clientInfo.name` of an `initialize`, or of a request since 2026-07-28.
pub fn client_name<'a>(message: &Message<'a>) -> Option<&'a str> {
    let params = message.params?;
    let info = match message.envelope.method {
        Method::Initialize => params.member("clientInfo")?,
        _ => params.member("_meta")?.member(CLIENT_INFO)?,
    };
    info.member("name").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Duplicates, Reader};
    use crate::mcp::parse;

    #[test]
    fn a_client_names_itself_once_or_in_each_request() {
        for (method, params, name) in [
            (
                "initialize",
                r#"{"clientInfo":{"name":"a","version":"1"}}"#,
                Some("a"),
            ),
            ("initialize", r#"{"clientInfo":{"name":7}}"#, None),
            (
                "tools/call",
                r#"{"name":"t","_meta":{"io.modelcontextprotocol/clientInfo":{"name":"b"}}}"#,
                Some("b"),
            ),
            (
                "tools/call",
                r#"{"name":"t","clientInfo":{"name":"c"}}"#,
                None,
            ),
        ] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            let mut reader = Reader::new(Duplicates::Refused);
            let document = reader.read(body.as_bytes()).expect("JSON");
            let message = parse(&document).expect("a message");
            assert_eq!(client_name(&message), name, "{body}");
        }
    }
}
