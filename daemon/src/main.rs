//! Meshwork.
fn main() {}
