//! Speaks the protocol: bytes → messages, values → bytes. It never decides anything.

mod event_stream;
mod message;

pub use event_stream::{EVENT_LEN_MAX, Event, EventStream, EventTooLong};
pub use message::{Envelope, Method, Shape};
