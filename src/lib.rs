//! toolgate: an MCP gateway.
pub mod json;
pub mod mcp;
pub mod policy;
pub mod record;
pub mod sessions;
pub mod upstream;
