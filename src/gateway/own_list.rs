//! The gateway's own `tools/list`, put between a client's lines to a wrapped server, for a call whose rules need it.
//!
//! It is never seen by the client, and it never holds its call up for longer than [`WITHIN`].

use bytes::Bytes;
use uuid::Uuid;

use super::definitions::WITHIN;
use crate::catalogue::Tool;
use crate::clock::Timestamp;
use crate::json::{Duplicates, Reader};
use crate::mcp::{self, Listed};

/// How many pages are asked for; with more than this a server does not end.
const PAGES_MAX: u32 = 200;
/// What a request of the newer revisions must repeat from the call's `_meta`.
const META_PREFIX: &str = "io.modelcontextprotocol/";

/// A list that is being asked for, and the call that waits for it.
pub(super) struct OwnList {
    call: Bytes,
    /// Members of `params._meta`, as the call has them.
    meta: String,
    id: Uuid,
    page: u32,
    tools: Vec<Tool>,
    until: Timestamp,
}

/// What a line of the server's is to the list.
pub(super) enum Told {
    /// It is the client's affair.
    Nothing,
    /// Another page follows: what to send for it.
    More(Bytes),
    /// The list is whole.
    Whole,
    /// There will be no list.
    Failed,
}

impl OwnList {
    /// A list for this call, and the line that asks for its first page.
    pub(super) fn begin(call: Bytes, now: Timestamp) -> (OwnList, Bytes) {
        let list = OwnList {
            meta: meta(&call),
            call,
            id: Uuid::now_v7(),
            page: 1,
            tools: Vec::new(),
            until: now.plus(WITHIN),
        };
        let line = list.request(None);
        (list, line)
    }

    /// When it is given up.
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// The call that waited, and what the server listed.
    pub(super) fn into_parts(self) -> (Bytes, Vec<Tool>) {
        (self.call, self.tools)
    }

    /// Reads a line of the server's.
    pub(super) fn heard(&mut self, line: &Bytes) -> Told {
        // Duplicates could be read in two ways, by the gateway and by the server's own clients.
        let mut reader = Reader::new(Duplicates::Refused);
        let Ok(document) = reader.read(line) else {
            return Told::Nothing;
        };
        let root = document.root();
        let id = root.member("id").and_then(crate::json::Value::as_str);
        if id != Some(&*self.name()) || root.member("method").is_some() {
            return Told::Nothing;
        }
        let mut tools = Vec::new();
        let list = mcp::list_reply(&document, |listed| {
            if let Listed::Tool(_, tool) = listed {
                tools.extend(Tool::read(tool));
            }
            true
        });
        if list.is_none() || !mcp::is_tools_list(&document) || self.page >= PAGES_MAX {
            return Told::Failed;
        }
        self.tools.extend(tools);
        let result = root.member("result");
        let cursor = result.and_then(|result| result.member("nextCursor"));
        match cursor.filter(|cursor| cursor.as_str().is_some()) {
            None => Told::Whole,
            Some(cursor) => {
                self.page += 1;
                Told::More(self.request(Some(cursor.raw())))
            }
        }
    }

    /// The id of the page that is asked for: no client uses such a one.
    fn name(&self) -> String {
        format!("toolgate-{}-{}", self.id, self.page)
    }

    fn request(&self, cursor: Option<&str>) -> Bytes {
        let mut params: Vec<String> = Vec::new();
        params.extend(cursor.map(|cursor| format!(r#""cursor":{cursor}"#)));
        if !self.meta.is_empty() {
            params.push(format!(r#""_meta":{{{}}}"#, self.meta));
        }
        let (id, params) = (self.name(), params.join(","));
        format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"tools/list","params":{{{params}}}}}"#)
            .into_bytes()
            .into_iter()
            .chain(*b"\n")
            .collect()
    }
}

fn meta(call: &Bytes) -> String {
    let mut reader = Reader::new(Duplicates::Refused);
    let Ok(document) = reader.read(call) else {
        return String::new();
    };
    let params = document.root().member("params");
    let meta = params.and_then(|params| params.member("_meta"));
    let members = meta.into_iter().flat_map(|meta| meta.members());
    let of_protocol =
        members.filter(|(key, _)| key.as_str().is_some_and(|key| key.starts_with(META_PREFIX)));
    let members = of_protocol.map(|(key, value)| format!("{}:{}", key.raw(), value.raw()));
    members.collect::<Vec<_>>().join(",")
}
