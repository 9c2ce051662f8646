//! A client that speaks HTTP/1.1 byte by byte: what it sends is just what a test wrote.
//!
//! It never follows, retries, inflates or pools anything.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// One connection.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    framing: Framing,
}

enum Framing {
    Nothing,
    Length(usize),
    Chunked,
    ToTheEnd,
}

/// A reply; `body` is empty where only the head was read.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_nodelay(true))
            .expect("a fresh socket takes options");
        Wire {
            stream: BufReader::new(stream),
            framing: Framing::Nothing,
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.stream.get_mut().write_all(bytes.as_ref());
        sent.expect("the gateway reads what it is sent");
    }

    /// Reads a reply's head; its body is then read by `piece` or `rest`.
    pub(crate) fn head(&mut self) -> Reply {
        let line = self.line();
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status in {line:?}"));
        let mut reply = Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let pair = (name.to_ascii_lowercase(), value.trim().to_owned());
            reply.headers.push(pair);
        }
        self.framing = match (
            reply.header("content-length"),
            reply.header("transfer-encoding"),
        ) {
            _ if (100..200).contains(&status) || status == 204 => Framing::Nothing,
            (_, Some(_)) => Framing::Chunked,
            (Some(length), None) => Framing::Length(length.parse().expect("a length")),
            (None, None) => Framing::ToTheEnd,
        };
        reply
    }

    /// The next bytes of the body as they came, a chunk at a time; `None` at its end or where the connection broke.
    pub(crate) fn piece(&mut self) -> Option<Vec<u8>> {
        match self.framing {
            Framing::Nothing | Framing::Length(0) => None,
            Framing::Length(length) => {
                self.framing = Framing::Nothing;
                let mut body = vec![0; length];
                self.stream.read_exact(&mut body).ok().map(|()| body)
            }
            Framing::Chunked => {
                let size = usize::from_str_radix(self.line().trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).ok()?;
                chunk.truncate(size);
                if size == 0 {
                    self.framing = Framing::Nothing;
                }
                (size > 0).then_some(chunk)
            }
            Framing::ToTheEnd => {
                self.framing = Framing::Nothing;
                let mut body = Vec::new();
                self.stream.read_to_end(&mut body).ok().map(|_| body)
            }
        }
    }

    /// Pieces of the body until `text` has come; gives all of them.
    pub(crate) fn pieces_until(&mut self, text: &str) -> String {
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).contains(text) {
            let piece = self.piece();
            let so_far = String::from_utf8_lossy(&all).into_owned();
            all.extend(piece.unwrap_or_else(|| panic!("ended before {text:?}: {so_far:?}")));
        }
        String::from_utf8(all).expect("the body is text")
    }

    /// A whole reply.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        while let Some(piece) = self.piece() {
            reply.body.extend(piece);
        }
        reply
    }

    /// Whether the peer has closed, once all it sent was read; waits for it.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .is_ok_and(|_| rest.is_empty())
    }

    /// The client goes away.
    pub(crate) fn leave(self) {
        // It may be closed from the other side already.
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        read.expect("a line comes in time");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is text")
    }

    pub(crate) fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text)
            .unwrap_or_else(|_| panic!("not JSON ({}): {text:?}", self.status))
    }

    /// The facts of a denial; `None` where the call ran.
    pub(crate) fn denial(&self) -> Option<Value> {
        let json = self.json();
        json.pointer("/result/_meta/toolgate~1denial").cloned()
    }

    /// `limit`, `unavailable` …; `ran` where the server answered; `error` where there is no result at all.
    pub(crate) fn kind(&self) -> String {
        match self.denial() {
            Some(denial) => denial["kind"].as_str().expect("a kind").to_owned(),
            None if self.json().get("result").is_some() => "ran".to_owned(),
            None => "error".to_owned(),
        }
    }

    /// The code of the JSON-RPC error that every refusal bears.
    pub(crate) fn code(&self) -> i64 {
        let json = self.json();
        assert_eq!(json["jsonrpc"], "2.0", "{json}");
        json["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no error code: {json}"))
    }
}

/// An agent with a token, at one server.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) token: String,
}

impl Agent {
    /// A request with all that the gateway asks for, and `headers` besides, each ended by CR LF.
    pub(crate) fn request(&self, headers: &str, body: &str) -> String {
        let Agent {
            address,
            path,
            token,
        } = self;
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    }

    /// The same for `GET` and `DELETE`, which have no body.
    pub(crate) fn bare_request(&self, method: &str) -> String {
        let Agent {
            address,
            path,
            token,
        } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        )
    }

    /// Sends and leaves the connection open, to be read from.
    pub(crate) fn begin(&self, body: &str) -> Wire {
        let mut wire = Wire::to(self.address);
        wire.send(self.request("", body));
        wire
    }

    pub(crate) fn post(&self, body: &str) -> Reply {
        self.begin(body).reply()
    }

    /// Calls a tool without arguments.
    pub(crate) fn call(&self, tool: &str) -> Reply {
        self.post(&super::tools_call("1", tool, "{}"))
    }

    pub(crate) fn with_token(&self, token: &str) -> Agent {
        Agent {
            token: token.to_owned(),
            ..self.clone()
        }
    }
}
