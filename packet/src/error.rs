//! Why bytes were refused.

use core::fmt;

/// Why a packet was not accepted. `Copy`, so that counting a refusal costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Fewer bytes than the header needs.
    Short {
        /// Bytes needed.
        need: usize,
        /// Bytes present.
        have: usize,
    },
    /// The version byte is not 15.
    Version(u8),
    /// The type byte names no packet that this parser knows.
    Type(u8),
    /// A length field points past the end, or is odd where only even values are allowed.
    Length {
        /// The value of the field.
        found: usize,
        /// The most that would fit.
        allowed: usize,
    },
    /// A field holds a value that the protocol does not allow there.
    Field(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Short { need, have } => write!(f, "too short: {have} bytes, needs {need}"),
            Self::Version(v) => write!(f, "version {v}, only 15 is spoken"),
            Self::Type(t) => write!(f, "unknown packet type 0x{t:02x}"),
            Self::Length { found, allowed } => write!(f, "length field says {found}, only {allowed} fit"),
            Self::Field(name) => write!(f, "impossible value in field {name}"),
        }
    }
}

impl core::error::Error for Error {}
