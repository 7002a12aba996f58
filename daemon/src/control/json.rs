//! The JSON form of what [`super::protocol`] shows, from one list of names per type.
//!
//! A list of names serves writer and reader alike, and both are one function for all types: code made for each type
//! took a fifth of a router's program.

use super::protocol::Mac;
use mesh_core::sorted::SortedMap;
use serde_json::Value as Tree;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What has a form in JSON.
pub trait Value {
    /// What stands for a key that is missing.
    fn blank() -> Self
    where
        Self: Sized;

    /// It is what a marked key leaves out: missing, off, zero, without elements.
    fn is_blank(&self) -> bool {
        false
    }

    /// It is missing: its key is never written.
    fn is_missing(&self) -> bool {
        false
    }

    /// Its fields, if it is an object.
    fn object(&mut self) -> Option<&mut dyn Object> {
        None
    }

    /// Writes what is no object.
    fn write(&mut self, _to: &mut Vec<u8>) {}

    /// Reads what is no object.
    ///
    /// # Errors
    /// What was found and what belongs there.
    fn read(&mut self, _from: &Tree) -> Result<(), String> {
        Ok(())
    }
}

/// Takes the names and the fields of an object.
pub type Visit<'a> = dyn FnMut(&[&str], &mut [&mut dyn Value]) + 'a;

/// Something with named fields.
pub trait Object {
    /// Names and fields in the same order. A name with `?` is left out when the field is blank, as
    /// one that may be missing always is; the fields of one with `*` stand among ours.
    fn fields(&mut self, visit: &mut Visit<'_>);
}

/// Writes a value.
pub fn write(value: &mut dyn Value, to: &mut Vec<u8>) {
    let Some(object) = value.object() else { return value.write(to) };
    to.push(b'{');
    write_fields(object, &mut true, to);
    to.push(b'}');
}

/// A value as text.
pub fn text(value: &mut dyn Value) -> Vec<u8> {
    let mut to = Vec::new();
    write(value, &mut to);
    to
}

/// A value as a tree, to be put into a larger one.
pub fn tree(value: &mut dyn Value) -> Tree {
    serde_json::from_slice(&text(value)).unwrap_or_default()
}

/// A value out of text, for tests.
#[cfg(test)]
pub(crate) fn from_text<T: Value>(text: &str) -> Result<T, String> {
    let mut value = T::blank();
    read(&mut value, &serde_json::from_str(text).map_err(|e| e.to_string())?)?;
    Ok(value)
}

fn write_fields(object: &mut dyn Object, first: &mut bool, to: &mut Vec<u8>) {
    object.fields(&mut |names, values| {
        for (name, value) in names.iter().zip(values) {
            let (name, mark) = marked(name);
            if mark == Some('*') {
                if let Some(inner) = value.object() {
                    write_fields(inner, first, to);
                }
                continue;
            }
            if value.is_missing() || (mark.is_some() && value.is_blank()) {
                continue;
            }
            if !std::mem::take(first) {
                to.push(b',');
            }
            write_text(name, to);
            to.push(b':');
            write(*value, to);
        }
    });
}

fn marked(name: &str) -> (&str, Option<char>) {
    match name.as_bytes().last() {
        Some(b'?') => (name.trim_end_matches('?'), Some('?')),
        Some(b'*') => (name.trim_end_matches('*'), Some('*')),
        _ => (name, None),
    }
}

/// Reads a value out of a tree. Keys that are missing are blank, keys that are not known are
/// passed over.
///
/// # Errors
/// Which key does not hold what belongs there.
pub fn read(value: &mut dyn Value, from: &Tree) -> Result<(), String> {
    let Some(object) = value.object() else { return value.read(from) };
    if !from.is_object() {
        return Err(unfit(from, "an object"));
    }
    let mut result = Ok(());
    object.fields(&mut |names, values| {
        for (name, value) in names.iter().zip(values) {
            let (name, mark) = marked(name);
            let part = if mark == Some('*') { Some(from) } else { from.get(name) };
            if let (Some(part), Ok(())) = (part.filter(|part| !part.is_null()), &result) {
                result = read(*value, part).map_err(|e| format!("{name}: {e}"));
            }
        }
    });
    result
}

/// What was found in the place of something else.
pub(super) fn unfit(found: &Tree, allowed: &str) -> String {
    format!("found {found}, allowed: {allowed}")
}

/// Writes a JSON string.
pub fn write_text(text: &str, to: &mut Vec<u8>) {
    to.push(b'"');
    for &byte in text.as_bytes() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => {
                let _ = write!(to, "\\u{byte:04x}");
                continue;
            }
            _ => {
                to.push(byte);
                continue;
            }
        };
        to.extend_from_slice(&[b'\\', short]);
    }
    to.push(b'"');
}

/// Writes what prints itself as a JSON string; MAC and IP addresses need no escapes.
fn write_shown(shown: &dyn std::fmt::Display, to: &mut Vec<u8>) {
    let mut text = String::new();
    let _ = write!(text, "{shown}");
    write_text(&text, to);
}

fn read_shown<T: FromStr<Err: std::fmt::Display>>(from: &Tree, what: &str) -> Result<T, String> {
    from.as_str().ok_or_else(|| unfit(from, what))?.parse().map_err(|e: T::Err| e.to_string())
}

impl Value for bool {
    fn blank() -> Self {
        false
    }
    fn is_blank(&self) -> bool {
        !*self
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        to.extend_from_slice(if *self { b"true" } else { b"false" });
    }
    fn read(&mut self, from: &Tree) -> Result<(), String> {
        *self = from.as_bool().ok_or_else(|| unfit(from, "true or false"))?;
        Ok(())
    }
}

fn write_number(n: i128, to: &mut Vec<u8>) {
    let _ = write!(to, "{n}");
}

fn read_number(from: &Tree) -> Option<i128> {
    from.as_u64().map(i128::from).or_else(|| from.as_i64().map(i128::from))
}

macro_rules! numbers {
    ($($kind:ident)*) => {$(
        impl Value for $kind {
            fn blank() -> Self {
                0
            }
            fn is_blank(&self) -> bool {
                *self == 0
            }
            fn write(&mut self, to: &mut Vec<u8>) {
                write_number(*self as i128, to);
            }
            fn read(&mut self, from: &Tree) -> Result<(), String> {
                let n = read_number(from).and_then(|n| n.try_into().ok());
                *self = n.ok_or_else(|| unfit(from, concat!("a number of the kind ", stringify!($kind))))?;
                Ok(())
            }
        }
    )*}
}

numbers!(u8 u16 u32 u64 usize i32);

impl Value for String {
    fn blank() -> Self {
        Self::new()
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        write_text(self, to);
    }
    fn read(&mut self, from: &Tree) -> Result<(), String> {
        from.as_str().ok_or_else(|| unfit(from, "text"))?.clone_into(self);
        Ok(())
    }
}

/// What is a tree already; only ever written.
impl Value for Tree {
    fn blank() -> Self {
        Self::Null
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        let _ = write!(to, "{self}");
    }
}

/// Names that the program itself gives; only ever written.
impl Value for &'static str {
    fn blank() -> Self {
        ""
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        write_text(self, to);
    }
}

macro_rules! shown {
    ($($kind:ty, $blank:expr, $what:literal;)*) => {$(
        impl Value for $kind {
            fn blank() -> Self {
                $blank
            }
            fn write(&mut self, to: &mut Vec<u8>) {
                write_shown(self, to);
            }
            fn read(&mut self, from: &Tree) -> Result<(), String> {
                *self = read_shown(from, $what)?;
                Ok(())
            }
        }
    )*}
}

shown! {
    Mac, Mac(packet::MacAddr::ZERO), "a MAC address";
    Ipv4Addr, Ipv4Addr::UNSPECIFIED, "an IPv4 address";
    Ipv6Addr, Ipv6Addr::UNSPECIFIED, "an IPv6 address";
    IpAddr, IpAddr::V4(Ipv4Addr::UNSPECIFIED), "an IP address";
}

impl<T: Value> Value for Option<T> {
    fn blank() -> Self {
        None
    }
    fn is_blank(&self) -> bool {
        self.is_none()
    }
    fn is_missing(&self) -> bool {
        self.is_none()
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        match self {
            Some(value) => write(value, to),
            None => to.extend_from_slice(b"null"),
        }
    }
    fn read(&mut self, from: &Tree) -> Result<(), String> {
        if from.is_null() {
            *self = None;
            return Ok(());
        }
        read(self.insert(T::blank()), from)
    }
}

impl<T: Value> Value for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        to.push(b'[');
        for (i, item) in self.iter_mut().enumerate() {
            if i > 0 {
                to.push(b',');
            }
            write(item, to);
        }
        to.push(b']');
    }
    fn read(&mut self, from: &Tree) -> Result<(), String> {
        for part in from.as_array().ok_or_else(|| unfit(from, "a list"))? {
            let mut item = T::blank();
            read(&mut item, part)?;
            self.push(item);
        }
        Ok(())
    }
}

impl<T: Value> Value for SortedMap<String, T> {
    fn blank() -> Self {
        Self::new()
    }
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
    fn write(&mut self, to: &mut Vec<u8>) {
        to.push(b'{');
        for (i, (name, value)) in self.iter_mut().enumerate() {
            if i > 0 {
                to.push(b',');
            }
            write_text(name, to);
            to.push(b':');
            write(value, to);
        }
        to.push(b'}');
    }
    fn read(&mut self, from: &Tree) -> Result<(), String> {
        for (name, part) in from.as_object().ok_or_else(|| unfit(from, "an object"))? {
            let mut value = T::blank();
            read(&mut value, part)?;
            self.insert(name.clone(), value);
        }
        Ok(())
    }
}

/// Gives types their form: all fields in the order they are written, marked as [`Object::fields`]
/// says. A field that is not listed does not compile.
macro_rules! objects {
    ($($name:ident { $($field:ident $($mark:literal)?),* $(,)? })*) => {$(
        impl $crate::control::json::Value for $name {
            fn blank() -> Self {
                Self { $($field: $crate::control::json::Value::blank()),* }
            }
            fn object(&mut self) -> Option<&mut dyn $crate::control::json::Object> {
                Some(self)
            }
        }

        impl $crate::control::json::Object for $name {
            fn fields(&mut self, visit: &mut $crate::control::json::Visit<'_>) {
                let Self { $($field),* } = self;
                visit(&[$(concat!(stringify!($field) $(, $mark)?)),*], &mut [$($field),*]);
            }
        }
    )*}
}

/// Gives kinds without anything inside their names.
macro_rules! words {
    ($name:ident, $blank:ident { $($kind:ident $word:literal),* $(,)? }) => {
        impl $crate::control::json::Value for $name {
            fn blank() -> Self {
                Self::$blank
            }
            fn write(&mut self, to: &mut Vec<u8>) {
                let word = match self { $(Self::$kind => $word),* };
                $crate::control::json::write_text(word, to);
            }
            fn read(&mut self, from: &serde_json::Value) -> Result<(), String> {
                *self = match from.as_str() {
                    $(Some($word) => Self::$kind,)*
                    _ => return Err(format!("found {from}, allowed: {}", [$($word),*].join(", "))),
                };
                Ok(())
            }
        }
    };
}

pub(crate) use {objects, words};
