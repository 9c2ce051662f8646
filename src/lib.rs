//! toolgate: an MCP gateway.
pub mod json;
pub mod policy;
