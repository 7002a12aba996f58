//! Checked configuration of a node.
//!
//! What a person may write and what it means in units; nothing here opens a socket or knows the
//! state of a running node. The way of a value:
//!
//! ```text
//! file ──toml───▶ raw::Table ─┐
//!                             ├─▶ checked::Config ──▶ print (the file that says the same)
//! command line ─▶ Overrides ──┘                  └──▶ diff  (what a reload changes)
//! ```
//!
//! Everything wrong with a file is reported in one go, each with line, column, what was found and
//! what is allowed. [`keys::KEYS`] is the one list of settings: the printed form, the comparison
//! and the manual page come from it.
//!
//! ```
//! use config::{Config, Overrides};
//! let text = "[[link]]\ninterface = \"wlan0\"\nhop_penalty = 5\n";
//! let config = Config::parse("example.toml", text, &Overrides::default()).unwrap();
//! assert_eq!(config.links[0].hop_penalty, 5);
//! assert_eq!(Config::parse("printed", &config.to_string(), &Overrides::default()).unwrap(), config);
//! ```
#![forbid(unsafe_code)]

mod check;
pub mod checked;
pub mod community;
pub mod defaults;
pub mod diff;
pub mod error;
pub mod gateway;
pub mod giving;
pub mod http;
pub mod keys;
mod print;
pub mod radio;
pub mod raw;
pub mod suggest;
pub mod uci;
pub mod units;

pub use checked::{
    Algorithm, Config, Control, Io, Level, Limits, Link, Log, Measure, Mesh, Override, Overrides, Share, Wifi,
    check_interface, runtime_dir,
};
pub use community::{COMMUNITY_FILE, Community};
pub use diff::{Change, diff, live_part};
pub use error::{Errors, LoadError, Place, Problem};
pub use gateway::{Gateway, Mode as GatewayMode, Target, Wan};
pub use giving::{Give, Hours};
pub use http::{Http, Listen};
pub use radio::{Radio, RadioMode};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "/etc/meshwork.toml";
