//! Speaks the protocol: bytes → borrowed messages, values → bytes.
//!
//! It knows nothing of policies and grants, and never decides whether a message may pass.

mod answer;
mod client_info;
mod event_stream;
mod lists;
mod message;
mod reply;
mod revision;
mod subject;
mod tools;

pub use answer::{Answer, RequestId, answer, answered_id, with_meta};
pub use client_info::client_name;
pub use event_stream::{EVENT_LEN_MAX, Event, EventStream, EventTooLong};
pub use lists::{ListReply, Listed, is_list, is_tools_list, list_reply};
pub use message::{Envelope, Invalid, Message, Method, Shape, parse};
pub use reply::{denied_result, error};
pub use revision::{Era, HeaderMismatch, ModernHeaders};
pub use subject::{Subject, subjects};
pub use tools::ToolsCall;
