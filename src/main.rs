//! Starts toolgate.
fn main() {}
