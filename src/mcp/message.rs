//! What a parsed message is: a copy of the words that another branch builds; replaced at the merge, never extended here.

use std::ops::Range;

/// What a parsed message is, as spans into its body; owned, so it may cross an await.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Request, notification or response.
    pub shape: Shape,
    /// The method, as far as it matters here.
    pub method: Method,
    /// The raw id in the body.
    pub id: Option<Range<usize>>,
    /// `params._meta.progressToken`, raw.
    pub progress_token: Option<Range<usize>>,
    /// `params.requestId` of `notifications/cancelled`, raw.
    pub cancels: Option<Range<usize>>,
    /// `params._meta` has `io.modelcontextprotocol/protocolVersion`.
    pub is_modern: bool,
}

/// The three shapes of a JSON-RPC message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Has a method and an id.
    Request,
    /// Has a method and no id.
    Notification,
    /// Has a result or an error.
    Response,
}

/// The methods that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `tools/call`
    ToolsCall,
    /// `tools/list`
    ToolsList,
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
    /// A response has none.
    None,
    /// Any other.
    Other,
}
