//! Child processes as servers: a small one in Python that does what each test asks for.

mod eras;
mod lives;
mod sharing;

use std::sync::Arc;

use tokio::runtime::Handle;

use super::*;

/// Speaks JSON-RPC by lines; its first argument says how it treats `server/discover`. Everything it hears it remembers,
/// and the tool `heard` gives it back.
const SERVER: &str = r#"
import json, os, subprocess, sys, threading

heard, held = [], []
lock = threading.Lock()

def send(message):
    with lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

def result(id, value):
    send({"jsonrpc": "2.0", "result": value, "id": id})

def error(id, code):
    send({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}})

def notify(method, params):
    send({"jsonrpc": "2.0", "method": method, "params": params})

def discover(id):
    mode = sys.argv[1]
    if mode == "modern":
        result(id, {"supportedVersions": ["2026-07-28"]})
    elif mode == "dies":
        os._exit(1)
    elif mode != "silent":
        error(id, int(mode))

def tool(id, name, arguments, meta):
    if name == "echo":
        result(id, {"echo": arguments})
    elif name == "heard":
        result(id, {"heard": heard, "pid": os.getpid()})
    elif name == "hold":
        held.append((id, arguments))
    elif name == "release":
        while held:
            other, value = held.pop()
            result(other, {"held": value})
        result(id, {})
    elif name == "progress":
        for step in (1, 2):
            notify("notifications/progress", {"progressToken": meta["progressToken"], "progress": step})
        if arguments.get("and_wait"):
            held.append((id, arguments))
        else:
            result(id, {"done": True})
    elif name == "announce":
        for step in range(arguments.get("times", 1)):
            notify("notifications/message", {"level": "info", "data": step})
        result(id, {})
    elif name == "ask":
        send({"jsonrpc": "2.0", "id": "s1", "method": arguments["method"]})
        result(id, {})
    elif name == "long":
        result(id, {"x": "x" * arguments["length"]})
    elif name == "die":
        os._exit(3)

for line in sys.stdin:
    message = json.loads(line)
    heard.append(message)
    method, id, params = message.get("method"), message.get("id"), message.get("params", {})
    if method == "initialize":
        if sys.argv[1] == "dies early":
            os._exit(4)
        if sys.argv[1] == "refuses":
            error(id, -32603)
        else:
            result(id, {"protocolVersion": params["protocolVersion"], "serverInfo": {"name": "fake"}})
    elif method == "server/discover":
        discover(id)
    elif method == "tools/call":
        tool(id, params["name"], params.get("arguments", {}), params.get("_meta", {}))
    elif method == "subscriptions/listen":
        meta = {"io.modelcontextprotocol/subscriptionId": id}
        notify("notifications/subscriptions/acknowledged", {"_meta": meta})
        result(id, {"_meta": meta})
    elif method and id is not None:
        error(id, -32601)
"#;

/// A server and this test's way to it.
struct Fixture {
    server: Server,
    upstream: Upstream,
}

fn fixture(mode: &str) -> Fixture {
    fixture_with(mode, Times::default())
}

fn fixture_with(mode: &str, times: Times) -> Fixture {
    let args = ["-u", "-c", SERVER, mode].map(str::to_owned).to_vec();
    started("python3", args, times)
}

fn started(command: &str, args: Vec<String>, times: Times) -> Fixture {
    let spec = ServerSpec {
        name: "fake".into(),
        transport: Transport::Stdio(ChildCommand {
            command: command.into(),
            args,
            env: Vec::new(),
            cwd: None,
        }),
        times,
    };
    let sessions = Arc::new(Sessions::new(crate::sessions::SESSIONS_MAX));
    let server = Server::new(spec, sessions, &Handle::current()).unwrap();
    let upstream = Upstream::new(&server);
    Fixture { server, upstream }
}

impl Fixture {
    async fn send(&self, outgoing: Outgoing) -> Result<Response<ReplyBody>, ForwardError> {
        call(&self.upstream, outgoing).await
    }

    /// A request whose answer is there in one piece.
    async fn ask(&self, outgoing: Outgoing) -> String {
        let response = self.send(outgoing).await.expect("it is answered");
        assert_eq!(header(&response, "content-type"), Some("application/json"));
        text(response).await
    }

    /// What the process has heard, one message after another.
    async fn heard(&self) -> Vec<serde_json::Value> {
        self.report().await["result"]["heard"]
            .as_array()
            .unwrap()
            .clone()
    }

    async fn pid(&self) -> u64 {
        self.report().await["result"]["pid"].as_u64().unwrap()
    }

    async fn report(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask(tool("0", "heard", "{}")).await).unwrap()
    }

    /// Asks for what the process has heard until it is as wanted.
    async fn heard_at_last(
        &self,
        is_wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        in_time(async {
            loop {
                if let Some(found) = self
                    .heard()
                    .await
                    .into_iter()
                    .find(|message| is_wanted(message))
                {
                    return found;
                }
            }
        })
        .await
    }
}

/// A call of a tool, with a raw id.
fn tool(id: &str, name: &str, arguments: &str) -> Outgoing {
    post(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#
    ))
}

fn tool_with_progress(id: &str, token: &str, arguments: &str) -> Outgoing {
    post(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"_meta":{{"progressToken":{token}}},"name":"progress","arguments":{arguments}}}}}"#
    ))
}

fn initialize(id: &str, client: &str) -> Outgoing {
    post(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"{client}","version":"1"}}}}}}"#
    ))
}

fn initialized() -> Outgoing {
    post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
}

fn modern(id: &str, method: &str, params: &str) -> Outgoing {
    post(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}{params}}}}}"#
    ))
}

fn methods(heard: &[serde_json::Value]) -> Vec<&str> {
    heard
        .iter()
        .map(|message| message["method"].as_str().unwrap_or("-"))
        .collect()
}
