//! toolgate: an MCP gateway.
pub mod clock;
pub mod counters;
pub mod json;
pub mod policy;
pub mod record;
pub mod store;
