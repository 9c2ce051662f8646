//! Speaks the protocol: bytes → borrowed messages, values → bytes.
//!
//! It knows nothing of policies and grants, and never decides whether a message may pass.

mod client_info;
mod event_stream;
mod message;
mod reply;
mod revision;
mod tools;

pub use client_info::client_name;
pub use event_stream::{EVENT_LEN_MAX, Event, EventStream, EventTooLong};
pub use message::{Envelope, Invalid, Message, Method, Shape, parse};
pub use reply::{denied_result, error};
pub use revision::{Era, HeaderMismatch, ModernHeaders};
pub use tools::{ListReply, ToolsCall, is_tools_list_result, tools_list_reply};
