//! Results and errors in the gateway's own name, as JSON-RPC bytes.
//!
//! The `id` is put in as the raw text that the agent sent, so that it comes back byte for byte.

use serde_json::{Value, json};

/// A JSON-RPC error; `id` is raw JSON, `null` where it could not be read.
pub fn error(id: Option<&str>, code: i64, message: &str, data: Option<Value>) -> Vec<u8> {
    let mut error = json!({ "code": code, "message": message });
    if let Some(data) = data {
        error["data"] = data;
    }
    envelope(id, "error", &error)
}

/// A tool result that says the call was not run: `isError`, one text for the model, and facts for programs in
/// `_meta` under `toolgate/denial`.
pub fn denied_result(id: &str, text: &str, facts: Value) -> Vec<u8> {
    let result = json!({
        "content": [{ "type": "text", "text": text }],
        "isError": true,
        "resultType": "complete",
        "_meta": { "toolgate/denial": facts },
    });
    envelope(Some(id), "result", &result)
}

fn envelope(id: Option<&str>, key: &str, value: &Value) -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","id":{},"{key}":{value}}}"#,
        id.unwrap_or("null")
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_comes_back_byte_for_byte() {
        for id in ["1", "9007199254740993", r#""a\u0041""#, r#""""#, "-0"] {
            let reply = denied_result(id, "[POLICY DENIED] x", json!({ "kind": "rule" }));
            let text = String::from_utf8(reply).expect("UTF-8");
            assert!(
                text.starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)),
                "{text}"
            );
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        }
        let text = String::from_utf8(error(None, -32700, "x", None)).expect("UTF-8");
        assert_eq!(
            text,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#
        );
    }
}
