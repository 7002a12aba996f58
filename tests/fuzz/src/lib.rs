//! What the `core` target is made of: [`script`] turns the fuzzer's bytes into a story of frames,
//! time and interfaces; [`node`] lives through it and checks what must always hold.

pub mod node;
pub mod script;
