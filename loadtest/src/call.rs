//! Makes the tool call that is sent and the reply that is right.
//!
//! It never parses: a reply is right when it is the expected one byte for byte. The reply holds a hash of the body that
//! the stub received, so a right reply also proves that the request arrived unchanged.

use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;

/// The tool that every call names.
pub(crate) const TOOL: &str = "search";

/// Ids start here, so that all of them have ten digits and all bodies one length.
const ID_FIRST: u64 = 1_000_000_000;

const HEAD: &str = r#"{"jsonrpc":"2.0","id":"#;
const MIDDLE: &str = r#","method":"tools/call","params":{"name":"search","arguments":{"query":"open invoices of the last quarter","customer":"cus_0042","amount":250,"reason":"monthly report","tags":["finance","report"],"note":""#;
const TAIL: &str = r#""}}}"#;

/// The smallest body: one with an empty note.
pub(crate) const BODY_MIN: usize = HEAD.len() + 10 + MIDDLE.len() + TAIL.len();

/// Bodies of one length that differ in their id.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    rest: String,
}

impl Script {
    /// Calls whose body has `body_bytes` bytes, or [`BODY_MIN`] where that is more.
    pub(crate) fn new(body_bytes: usize) -> Script {
        let note = "x".repeat(body_bytes.saturating_sub(BODY_MIN));
        Script {
            rest: format!("{MIDDLE}{note}{TAIL}"),
        }
    }

    /// The call with this number, counted from zero over all connections of a round.
    pub(crate) fn call(&self, number: u64) -> Call {
        let id = ID_FIRST + number;
        let body = format!("{HEAD}{id}{}", self.rest);
        Call {
            id,
            body: Bytes::from(body),
        }
    }
}

/// A call that names a customer like no other number's; a limit `by` customer opens a counter for it.
pub(crate) fn new_value(number: u64) -> Call {
    let id = ID_FIRST + number;
    let customer = MIDDLE.replace("cus_0042", &format!("flood_{number}"));
    let body = format!("{HEAD}{id}{customer}{TAIL}");
    Call {
        id,
        body: Bytes::from(body),
    }
}

/// One `tools/call`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    id: u64,
    /// The request's body.
    pub(crate) body: Bytes,
}

impl Call {
    /// Whether `reply` is the one reply that is right.
    pub(crate) fn is_answered_by(&self, reply: &[u8]) -> bool {
        reply == reply_to(&self.id.to_string(), &self.body).as_bytes()
    }
}

/// What the stub answers to a `tools/call`: `id` as it came, and what it received.
pub(crate) fn reply_to(id: &str, body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    let (length, hash) = (body.len(), hasher.finish());
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"received {length} bytes, hash {hash:016x}"}}],"isError":false}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_of_a_script_has_the_length_that_was_asked_for() {
        for bytes in [BODY_MIN, 300, 4_096] {
            for number in [0, 1, 999_999_999, 8_999_999_999] {
                assert_eq!(Script::new(bytes).call(number).body.len(), bytes);
            }
        }
        assert_eq!(Script::new(1).call(0).body.len(), BODY_MIN);
    }

    #[test]
    fn a_body_is_a_tools_call_with_its_own_id() {
        let call = Script::new(300).call(7);
        let body: serde_json::Value = serde_json::from_slice(&call.body).expect("valid JSON");
        assert_eq!(body["id"], ID_FIRST + 7);
        assert_eq!(body["method"], "tools/call");
        assert_eq!(body["params"]["name"], TOOL);
    }

    #[test]
    fn a_new_value_is_one_customer_to_a_number() {
        for number in [0, 42] {
            let call = new_value(number);
            let body: serde_json::Value = serde_json::from_slice(&call.body).expect("valid JSON");
            let customer = &body["params"]["arguments"]["customer"];
            assert_eq!(*customer, format!("flood_{number}"));
        }
    }

    #[test]
    fn only_the_reply_to_this_very_body_is_right() {
        let script = Script::new(300);
        let call = script.call(7);
        let id = (ID_FIRST + 7).to_string();
        assert!(call.is_answered_by(reply_to(&id, &call.body).as_bytes()));
        let others = [
            reply_to(&(ID_FIRST + 8).to_string(), &call.body),
            reply_to(&id, &script.call(8).body),
            reply_to(&id, b""),
            format!("{} ", reply_to(&id, &call.body)),
            String::new(),
        ];
        for other in others {
            assert!(!call.is_answered_by(other.as_bytes()), "accepted {other}");
        }
    }
}
