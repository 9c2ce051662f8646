//! The JSON-RPC envelope: what kind of message a body is, and where its parts stand.
//!
//! It never repairs a message: what a server might read differently from the gateway is refused here, before any policy
//! is asked. Sources: JSON-RPC 2.0; MCP base protocol, all revisions.

use std::ops::Range;

use crate::json::{Document, Kind, Value, folds_to};

/// What a parsed message is, as spans into its body; owned, so that it may cross an await.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Request, notification or response.
    pub shape: Shape,
    /// Which method, as far as the gateway cares.
    pub method: Method,
    /// The raw `id` in the body.
    pub id: Option<Range<usize>>,
    /// `params._meta.progressToken`, raw.
    pub progress_token: Option<Range<usize>>,
    /// `params.requestId` of `notifications/cancelled`, raw.
    pub cancels: Option<Range<usize>>,
    /// Whether `params._meta` names a protocol version, as every request since 2026-07-28 must.
    pub is_modern: bool,
}

/// The three kinds of JSON-RPC message. A batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// It has a method and an id, and is answered.
    Request,
    /// It has a method and no id.
    Notification,
    /// It answers a request of the server's.
    Response,
}

/// The methods that some part of the gateway treats specially, and two for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `tools/call`
    ToolsCall,
    /// `tools/list`
    ToolsList,
    /// `resources/list`, `resources/templates/list`, `prompts/list`
    OtherList,
    /// `initialize`
    Initialize,
    /// `notifications/initialized`
    Initialized,
    /// `notifications/cancelled`
    Cancelled,
    /// `notifications/progress`
    Progress,
    /// `ping`
    Ping,
    /// `server/discover`
    Discover,
    /// Another method that a revision of the specification lets a client send.
    Other,
    /// A method of no revision: refused.
    Unknown,
    /// None: a response.
    None,
}

/// What a client may send in some revision, besides the methods that have a variant of their own.
const OTHER_METHODS: &[&str] = &[
    "completion/complete",
    "logging/setLevel",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
];

impl Method {
    /// The method with exactly this name.
    pub fn named(name: &str) -> Method {
        match name {
            "tools/call" => Method::ToolsCall,
            "tools/list" => Method::ToolsList,
            "prompts/list" | "resources/list" | "resources/templates/list" => Method::OtherList,
            "initialize" => Method::Initialize,
            "notifications/initialized" => Method::Initialized,
            "notifications/cancelled" => Method::Cancelled,
            "notifications/progress" => Method::Progress,
            "ping" => Method::Ping,
            "server/discover" => Method::Discover,
            name if OTHER_METHODS.contains(&name) => Method::Other,
            _ => Method::Unknown,
        }
    }

    /// Whether its reply lists what a policy may hide a part of.
    pub fn is_list(self) -> bool {
        matches!(self, Method::ToolsList | Method::OtherList)
    }

    /// A label for logs and metrics, from a closed list.
    pub fn label(self) -> &'static str {
        match self {
            Method::ToolsCall => "tools/call",
            Method::ToolsList => "tools/list",
            Method::OtherList => "other list",
            Method::Initialize => "initialize",
            Method::Initialized => "notifications/initialized",
            Method::Cancelled => "notifications/cancelled",
            Method::Progress => "notifications/progress",
            Method::Ping => "ping",
            Method::Discover => "server/discover",
            Method::Other => "other",
            Method::Unknown => "unknown",
            Method::None => "response",
        }
    }
}

/// A well-formed message, borrowed from its document.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// What it is, and where its parts stand.
    pub envelope: Envelope,
    /// The method's name; empty in a response.
    pub name: &'a str,
    /// Its `params`, an object or nothing.
    pub params: Option<Value<'a>>,
}

/// Why a body is well-formed JSON but no message that may pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Invalid {
    /// The JSON-RPC error code for the reply.
    pub code: i64,
    /// What is wrong, without any of the agent's own text.
    pub what: &'static str,
    /// The raw `id`, where it could be read.
    pub id: Option<Range<usize>>,
}

const INVALID_REQUEST: i64 = -32600;
const INVALID_PARAMS: i64 = -32602;

/// Keys that nothing but themselves may look like, in the envelope and in `params`.
const ENVELOPE_KEYS: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];
const PARAMS_KEYS: &[&str] = &[
    "name",
    "arguments",
    "_meta",
    "uri",
    "requestId",
    "cursor",
    "task",
];

/// Reads a body's envelope. Errors are JSON-RPC `-32600` (invalid request) or `-32602` (invalid params).
pub fn parse<'a>(document: &'a Document<'a>) -> Result<Message<'a>, Invalid> {
    let root = document.root();
    let invalid = |what| Invalid {
        code: INVALID_REQUEST,
        what,
        id: None,
    };
    match root.kind() {
        Kind::Object => {}
        Kind::Array => {
            return Err(invalid(
                "batches are not accepted: send one message in each request",
            ));
        }
        _ => return Err(invalid("a message must be a JSON object")),
    }
    refuse_lookalikes(root, ENVELOPE_KEYS)
        .map_err(|()| invalid("a key of the message looks like a JSON-RPC key without being it"))?;
    let id = root.member("id").map(readable_id).transpose()?;
    let invalid = |what| Invalid {
        code: INVALID_REQUEST,
        what,
        id: id.clone(),
    };
    if root.member("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("`jsonrpc` must be \"2.0\""));
    }
    let Some(method) = root.member("method") else {
        return response(root, id);
    };
    let name = method
        .as_str()
        .ok_or_else(|| invalid("`method` must be a string"))?;
    if root.member("result").is_some() || root.member("error").is_some() {
        return Err(invalid(
            "a message with `method` has neither `result` nor `error`",
        ));
    }
    request(root, name, id)
}

fn request<'a>(
    root: Value<'a>,
    name: &'a str,
    id: Option<Range<usize>>,
) -> Result<Message<'a>, Invalid> {
    let invalid = |code, what| Invalid {
        code,
        what,
        id: id.clone(),
    };
    let params = root.member("params");
    if params.is_some_and(|params| params.kind() != Kind::Object) {
        return Err(invalid(INVALID_PARAMS, "`params` must be an object"));
    }
    if params.is_some_and(|params| refuse_lookalikes(params, PARAMS_KEYS).is_err()) {
        return Err(invalid(
            INVALID_REQUEST,
            "a key of `params` looks like one of MCP's without being it",
        ));
    }
    let method = Method::named(name);
    let shape = if id.is_some() {
        Shape::Request
    } else {
        Shape::Notification
    };
    if shape == Shape::Notification && !name.starts_with("notifications/") {
        return Err(invalid(INVALID_REQUEST, "this method needs an `id`"));
    }
    if shape == Shape::Request && name.starts_with("notifications/") {
        return Err(invalid(INVALID_REQUEST, "a notification has no `id`"));
    }
    let meta = params.and_then(|params| params.member("_meta"));
    let envelope = Envelope {
        shape,
        method,
        id: id.clone(),
        progress_token: meta
            .and_then(|meta| meta.member("progressToken"))
            .map(Value::span),
        cancels: params
            .filter(|_| method == Method::Cancelled)
            .and_then(|params| params.member("requestId"))
            .map(Value::span),
        is_modern: meta.is_some_and(|meta| {
            meta.member("io.modelcontextprotocol/protocolVersion")
                .is_some()
        }),
    };
    Ok(Message {
        envelope,
        name,
        params,
    })
}

fn response<'a>(root: Value<'a>, id: Option<Range<usize>>) -> Result<Message<'a>, Invalid> {
    let answers =
        usize::from(root.member("result").is_some()) + usize::from(root.member("error").is_some());
    if answers != 1 || id.is_none() {
        let what = "a message needs a `method`, or an `id` and one of `result` and `error`";
        return Err(Invalid {
            code: INVALID_REQUEST,
            what,
            id,
        });
    }
    let envelope = Envelope {
        shape: Shape::Response,
        method: Method::None,
        id,
        progress_token: None,
        cancels: None,
        is_modern: false,
    };
    Ok(Message {
        envelope,
        name: "",
        params: None,
    })
}

/// The longest `id` as it stands in the message, in bytes. Ids are kept as long as their calls last; a UUID has 38.
const ID_BYTES_MAX: usize = 1_024;

/// An id is a string or an integer (MCP base protocol, "Requests"); anything else some server would change.
fn readable_id(id: Value<'_>) -> Result<Range<usize>, Invalid> {
    let is_whole = |text: &str| !text.contains(['.', 'e', 'E']);
    let is_id = id.kind() == Kind::String || id.as_number().is_some_and(is_whole);
    let what = match is_id {
        true if id.span().len() <= ID_BYTES_MAX => return Ok(id.span()),
        true => "`id` must not be longer than 1024 bytes",
        false => "`id` must be a string or an integer",
    };
    Err(Invalid {
        code: INVALID_REQUEST,
        what,
        id: None,
    })
}

fn refuse_lookalikes(object: Value<'_>, protected: &[&str]) -> Result<(), ()> {
    let is_lookalike =
        |key: &str| !protected.contains(&key) && protected.iter().any(|name| folds_to(key, name));
    let found = object
        .members()
        .filter_map(|(key, _)| key.as_str())
        .any(is_lookalike);
    if found { Err(()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Duplicates, Reader};

    fn parsed<T>(body: &str, then: impl FnOnce(Result<Message<'_>, Invalid>) -> T) -> T {
        let mut reader = Reader::new(Duplicates::Refused);
        let document = reader
            .read(body.as_bytes())
            .expect("the test's body is JSON");
        then(parse(&document))
    }

    #[test]
    fn a_request_knows_where_its_parts_stand() {
        let body = r#"{"jsonrpc":"2.0","id": 9007199254740993 ,"method":"tools\/call","params":{"name":"x","_meta":{"progressToken":"p"}}}"#;
        parsed(body, |message| {
            let envelope = message.expect("a request").envelope;
            assert_eq!(
                (envelope.shape, envelope.method),
                (Shape::Request, Method::ToolsCall)
            );
            assert_eq!(envelope.id.map(|id| &body[id]), Some("9007199254740993"));
            assert_eq!(
                envelope.progress_token.map(|token| &body[token]),
                Some("\"p\"")
            );
        });
    }

    #[test]
    fn what_a_server_might_read_otherwise_is_refused() {
        let bad = [
            "[]",
            "1",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1e0,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments\u0000":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
        ];
        for body in bad {
            parsed(body, |message| assert!(message.is_err(), "{body} passed"));
        }
    }

    #[test]
    fn a_method_is_known_by_its_exact_name_only() {
        for name in [
            "Tools/Call",
            "tools/call ",
            "tools//call",
            "tools/call\u{0}",
            "rpc.discover",
            "",
        ] {
            assert_eq!(Method::named(name), Method::Unknown, "{name:?}");
        }
        assert_eq!(Method::named("resources/read"), Method::Other);
    }

    #[test]
    fn an_answer_to_the_server_is_a_response() {
        parsed(r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#, |message| {
            assert_eq!(message.expect("a response").envelope.shape, Shape::Response);
        });
    }
}
