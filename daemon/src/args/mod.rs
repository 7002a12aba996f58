//! The command line: one table of commands and flags, and what is made of it.
//!
//! [`table`] says what there is. The parser ([`mod@parse`]), the help texts, the manual page and the
//! shell completions read nothing else, so a flag that exists is documented, completed, and
//! refused where it does not belong.

pub mod batctl;
#[cfg(feature = "desk")]
pub mod complete;
pub mod help;
#[cfg(feature = "desk")]
pub mod man;
mod parse;
pub mod table;

pub use parse::{Args, Parsed, UsageError, parse};
pub use table::{Command, Flag, Id, Value};
