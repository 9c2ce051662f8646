//! Replies that list something: read whole, told to the catalogue, and passed on without what the grant may not see.
//!
//! A list that cannot be read is refused; it is never passed on unfiltered, on whatever stream it comes.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::body::Body;
use super::parked::Polled;
use super::snapshot::Server;
use super::{Shared, reply};
use crate::catalogue::{Known, Page, Tool};
use crate::grants::Grant;
use crate::json::{Duplicates, Reader};
use crate::mcp::{self, Event, EventStream, Listed, Method};
use crate::store::KeptCatalogue;
use crate::upstream::{ForwardError, ReplyBody};

/// The longest list in bytes: a hundred times the longest of a real server, and a bound on what one reply can hold.
const LIST_MAX: usize = mcp::EVENT_LEN_MAX;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Tools, from the first on.
    FirstPage,
    /// More tools. Only the catalogue's idea of a complete list hangs on it.
    LaterPage,
    /// Something else, whose answer need not have a list.
    Other,
}

impl Asked {
    /// What a request for a list asks for.
    pub(super) fn by(method: Option<Method>, body: &[u8]) -> Asked {
        match memchr::memmem::find(body, b"\"cursor\"") {
            _ if method == Some(Method::OtherList) => Asked::Other,
            Some(_) => Asked::LaterPage,
            None => Asked::FirstPage,
        }
    }
}

/// Reads lists for one grant at one server.
pub(super) struct ListScan {
    shared: Arc<Shared>,
    grant: Arc<Grant>,
    server: Arc<Server>,
    asked: Asked,
    reader: Reader,
    /// For streams on which answers to calls may come.
    polled: Option<Polled>,
}

impl std::fmt::Debug for ListScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListScan").finish_non_exhaustive()
    }
}

/// What is to be done with a message.
pub(super) enum Scanned {
    Passes,
    Filtered(Vec<u8>),
    Unreadable,
}

impl ListScan {
    pub(super) fn new(
        shared: Arc<Shared>,
        grant: Arc<Grant>,
        server: Arc<Server>,
        asked: Asked,
    ) -> ListScan {
        ListScan {
            shared,
            grant,
            server,
            asked,
            reader: Reader::new(Duplicates::Refused),
            polled: None,
        }
    }

    /// The same for a stream on which answers to calls may come.
    pub(super) fn polled_by(self, polled: Option<Polled>) -> ListScan {
        ListScan { polled, ..self }
    }

    /// Scans a message of a stdio server; tells the raw id of a reply too.
    pub(super) fn scan_reply(&mut self, line: &[u8]) -> (Scanned, Option<Range<usize>>) {
        let id = self.reader.read(line).ok().and_then(|document| {
            let root = document.root();
            root.member("id")
                .filter(|_| root.member("method").is_none())
                .map(|id| id.span())
        });
        (self.scan(line, false), id)
    }

    fn scan(&mut self, message: &[u8], must_be_list: bool) -> Scanned {
        let Ok(document) = self.reader.read(message) else {
            return Scanned::Unreadable;
        };
        if !must_be_list && !mcp::is_list(&document) {
            return Scanned::Passes;
        }
        let Some(seat) = self.grant.seat(&self.server.spec.name) else {
            return Scanned::Unreadable;
        };
        let mut tools = Vec::new();
        let keep = |listed: Listed<'_>| match listed {
            Listed::Tool(name, tool) => {
                tools.extend(Tool::read(tool));
                seat.policy.is_listed(name)
            }
            Listed::Resource(uri) => seat.policy.has_resource(uri),
            Listed::Template(template) => seat.policy.has_template(template),
            Listed::Prompt(name) => seat.policy.has_prompt(name),
        };
        let Some(list) = mcp::list_reply(&document, keep) else {
            return Scanned::Unreadable;
        };
        if mcp::is_tools_list(&document) {
            let page = Page {
                is_first: self.asked == Asked::FirstPage,
                is_last: !list.has_next,
                at: self.shared.clock.now(),
            };
            learn(&self.shared, &self.server.spec.name, tools, page);
        }
        list.filtered.map_or(Scanned::Passes, Scanned::Filtered)
    }
}

/// Tells the catalogue of a page, and keeps a new list for the next start. Nobody waits for that: a list that is not
/// kept is only learnt again.
pub(super) fn learn(shared: &Shared, server: &str, tools: Vec<Tool>, page: Page) {
    let Some(known) = shared.catalogue.saw(server, tools, page) else {
        return;
    };
    drop(shared.store.save_catalogue(KeptCatalogue {
        server: server.into(),
        tools: Known::write(&known).into(),
        listed_at: page.at,
    }));
}

/// A list that comes as one JSON body.
pub(super) async fn whole(
    reply: Response<ReplyBody>,
    mut scan: ListScan,
    id: Option<&str>,
) -> Response<Body> {
    let (mut head, body) = reply.into_parts();
    let collected = Limited::new(body, LIST_MAX).collect().await;
    let Ok(bytes) = collected.map(|collected| collected.to_bytes()) else {
        return reply::json_reply(StatusCode::BAD_GATEWAY, reply::unreadable_list(id));
    };
    let must_be_list = head.status.is_success() && scan.asked != Asked::Other;
    let bytes = match scan.scan(&bytes, must_be_list) {
        Scanned::Passes => bytes,
        Scanned::Filtered(bytes) => bytes.into(),
        // Nobody can say what a page that cannot be read would show; its status is told all the same.
        Scanned::Unreadable => {
            let status = match head.status.is_success() {
                true => StatusCode::BAD_GATEWAY,
                false => head.status,
            };
            return reply::json_reply(status, reply::unreadable_list(id));
        }
    };
    head.headers
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Response::from_parts(head, Body::whole(bytes))
}

/// An event stream in which lists are filtered and everything else passes byte for byte. What stands after the last
/// whole event, which no client would read, is not passed on.
#[derive(Debug)]
pub(super) struct EventFilter {
    events: EventStream,
    scan: ListScan,
    /// The raw id of the request that is answered, if one is.
    id: Option<String>,
    is_broken: bool,
}

impl EventFilter {
    pub(super) fn new(scan: ListScan, id: Option<String>) -> EventFilter {
        EventFilter {
            events: EventStream::new(LIST_MAX),
            scan,
            id,
            is_broken: false,
        }
    }

    /// Why nothing more of the stream can be read, if that is so: it must end, or its client would wait for ever.
    pub(super) fn flaw(&self) -> Option<ForwardError> {
        self.is_broken.then(|| ForwardError::Protocol {
            upstream: self.scan.server.spec.name.clone(),
            what: "an event that is too long",
        })
    }

    /// What may go out now that `piece` has come.
    pub(super) fn feed(&mut self, piece: Bytes) -> Bytes {
        if self.is_broken {
            return Bytes::new();
        }
        self.events.feed(&piece);
        let mut out = BytesMut::new();
        loop {
            match self.events.next_event() {
                Ok(Some(event)) => self.event(&event, &mut out),
                Ok(None) => return out.freeze(),
                Err(error) => {
                    tracing::warn!(server = &*self.scan.server.spec.name, %error, "an event stream was cut");
                    self.is_broken = true;
                    return out.freeze();
                }
            }
        }
    }

    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        if let Some(polled) = &mut self.scan.polled {
            polled.saw(event);
        }
        let Some(data) = event.data().filter(|data| !data.is_empty()) else {
            return out.extend_from_slice(event.raw());
        };
        match self.scan.scan(&data, false) {
            Scanned::Passes => out.extend_from_slice(event.raw()),
            Scanned::Filtered(data) => out.extend_from_slice(&event.with_data(&data)),
            Scanned::Unreadable => {
                tracing::warn!(
                    server = &*self.scan.server.spec.name,
                    "an event that cannot be read was not passed on"
                );
                let refused = reply::unreadable_list(self.id.as_deref());
                out.extend_from_slice(&event.with_data(&refused));
            }
        }
    }
}
