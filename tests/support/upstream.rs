//! An MCP server that records every byte of every request and answers as a test tells it to, on plain threads and sockets.
//!
//! It never repairs a request: what it shows is what came. It tells when the gateway has left a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::PATIENCE;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// Request line and headers with all line ends.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Recorded {
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn is_call(&self) -> bool {
        self.json()["method"] == "tools/call"
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

/// What the upstream does with a request.
pub(crate) enum Answer {
    /// Sends these bytes, head and all, and waits for the next request.
    Whole(Vec<u8>),
    /// Closes the connection without a word.
    Cut,
    /// Sends bytes whenever the test gives some, and closes when it gives no more.
    Steps(Receiver<Vec<u8>>),
}

/// The test's end of an answer in steps.
pub(crate) struct Steps(Sender<Vec<u8>>);

impl Steps {
    /// An answer that the test gives piece by piece.
    pub(crate) fn new() -> (Steps, Answer) {
        let (sender, receiver) = channel();
        (Steps(sender), Answer::Steps(receiver))
    }

    pub(crate) fn raw(&self, bytes: impl Into<Vec<u8>>) {
        // The upstream's thread ends when the gateway has left; the test finds that out by itself.
        let _ = self.0.send(bytes.into());
    }

    /// The head of a stream of events, to be followed by `event`s.
    pub(crate) fn open(&self) {
        self.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    }

    /// Text of the stream, as one chunk.
    pub(crate) fn event(&self, text: &str) {
        self.raw(format!("{:x}\r\n{text}\r\n", text.len()));
    }

    /// The stream's orderly end.
    pub(crate) fn end(self) {
        self.raw("0\r\n\r\n");
    }
}

/// A reply in one piece.
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Whole(
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}")
            .into_bytes(),
    )
}

pub(crate) fn json_reply(body: &str) -> Answer {
    whole("200 OK", "content-type: application/json\r\n", body)
}

/// Answers as a small MCP server with these tools would.
pub(crate) fn serving(tools: &[&str]) -> impl Fn(&Recorded) -> Answer + Send + Sync + use<> {
    let tools: Vec<Value> = tools
        .iter()
        .map(|tool| json!({ "name": tool, "inputSchema": { "type": "object" } }))
        .collect();
    move |request| {
        let message = request.json();
        if message["id"].is_null() {
            return whole("202 Accepted", "", "");
        }
        let result = match message["method"].as_str() {
            Some("tools/list") => json!({ "tools": tools }),
            Some("tools/call") => json!({ "content": [{ "type": "text", "text": "ran" }] }),
            _ => json!({}),
        };
        json_reply(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
    }
}

/// The recording upstream. It ends with the test's process.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Recorded>,
    /// Connections that the gateway left before their answer was complete.
    left: usize,
    connections: usize,
}

type Script = Arc<dyn Fn(&Recorded) -> Answer + Send + Sync>;

impl Upstream {
    pub(crate) fn start(script: impl Fn(&Recorded) -> Answer + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let upstream = Upstream {
            address,
            seen: Arc::default(),
        };
        let (taking, script): (_, Script) = (upstream.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, script) = (taking.clone(), script.clone());
                thread::spawn(move || upstream.serve(stream, &script));
            }
        });
        upstream
    }

    /// The upstream of the most tests: it knows `work` and answers at once.
    pub(crate) fn working() -> Upstream {
        Upstream::start(serving(&["work"]))
    }

    /// One whose answers are given by the test in steps: a new `Steps` for each call, in the order of their arrival.
    pub(crate) fn stepping() -> (Upstream, Receiver<Steps>) {
        let (sender, receiver) = channel();
        let sender = Mutex::new(sender);
        let upstream = Upstream::start(move |_request| {
            let (steps, answer) = Steps::new();
            let told = sender.lock().expect("no test panics here").send(steps);
            // A test that is over asks for no more steps.
            let _ = told;
            answer
        });
        (upstream, receiver)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.seen
            .0
            .lock()
            .expect("no thread panicked")
            .requests
            .clone()
    }

    /// How many tool calls have come.
    pub(crate) fn calls(&self) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.is_call())
            .count()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.seen.0.lock().expect("no thread panicked").connections
    }

    /// Waits for this many requests in all and gives them.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Recorded> {
        self.wait("requests came", |seen| seen.requests.len() >= count);
        self.requests()
    }

    /// Waits until the gateway has left this many connections whose answers were not complete.
    pub(crate) fn wait_for_leaving(&self, count: usize) {
        self.wait("the gateway left", |seen| seen.left >= count);
    }

    fn wait(&self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let seen = self.seen.0.lock().expect("no thread panicked");
        let waited = self
            .seen
            .1
            .wait_timeout_while(seen, PATIENCE, |seen| !is_there(seen));
        let has_timed_out = waited.expect("no thread panicked").1.timed_out();
        assert!(!has_timed_out, "waited in vain until {what}");
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.0.lock().expect("no thread panicked"));
        self.seen.1.notify_all();
    }

    fn serve(&self, stream: TcpStream, script: &Script) {
        let _ = stream.set_nodelay(true);
        self.note(|seen| seen.connections += 1);
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            self.note(|seen| seen.requests.push(request.clone()));
            match script(&request) {
                Answer::Whole(bytes) => {
                    if reader.get_mut().write_all(&bytes).is_err() {
                        return;
                    }
                }
                Answer::Cut => return,
                Answer::Steps(steps) => {
                    if !send_steps(reader.get_mut(), &steps) {
                        self.note(|seen| seen.left += 1);
                    }
                    return;
                }
            }
        }
    }
}

/// Whether the answer could be given to its end.
fn send_steps(stream: &mut TcpStream, steps: &Receiver<Vec<u8>>) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(10)));
    loop {
        match steps.recv_timeout(Duration::from_millis(10)) {
            Ok(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return false;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => {
                let is_gone = match stream.peek(&mut [0]) {
                    Ok(read) => read == 0,
                    Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
                };
                if is_gone {
                    return false;
                }
            }
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Recorded> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut recorded = Recorded {
        head,
        body: Vec::new(),
    };
    let length = recorded
        .header("content-length")
        .map_or(0, |length| length.parse().expect("a length"));
    assert!(
        recorded.header("transfer-encoding").is_none(),
        "the gateway knows the length of what it forwards"
    );
    recorded.body = vec![0; length];
    reader.read_exact(&mut recorded.body).ok()?;
    Some(recorded)
}
