//! What a configuration file holds before anybody asks whether it makes sense: a tree of values,
//! each with its place.
//!
//! The tree is not bound to TOML. Sources whose values have no type of their own (the command
//! line, UCI) put [`Setting::Word`]s into it and go through the same checks.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
pub use toml::Spanned;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a decimal point.
    Float(f64),
    /// Quoted text.
    Text(String),
    /// Text from a source without types; read as whatever the setting needs.
    Word(String),
    /// `[a, b]` or repeated `[[table]]`s.
    List(Vec<Spanned<Self>>),
    /// `{ a = 1 }` or a `[table]`.
    Table(Table),
}

/// Keys and values of a table; each key is there once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table(pub Vec<(Spanned<String>, Spanned<Setting>)>);

/// Reads a TOML file into the tree.
///
/// # Errors
/// What is no TOML, with its place in [`toml::de::Error::span`].
pub fn from_toml(text: &str) -> Result<Table, toml::de::Error> {
    toml::from_str(text)
}

impl fmt::Display for Setting {
    /// What was found, for an error message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Integer(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{v:?}"),
            Self::Text(v) => write!(f, "{v:?}"),
            Self::Word(v) => write!(f, "{v}"),
            Self::List(v) => write!(f, "a list of {}", v.len()),
            Self::Table(_) => write!(f, "a table"),
        }
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Table;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }
        from.deserialize_map(Any)
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Setting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false, a number, text, a list or a table")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Setting, E> {
                Ok(Setting::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Setting, E> {
                Ok(Setting::Integer(v))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Setting, E> {
                Ok(Setting::Float(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Setting, E> {
                Ok(Setting::Text(v.to_owned()))
            }
            fn visit_string<E>(self, v: String) -> Result<Setting, E> {
                Ok(Setting::Text(v))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Setting, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Setting::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Setting, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Setting::Table(Table(entries)))
            }
        }
        from.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let text = "[mesh]\nname = \"mesh0\"\n[[link]]\nwifi = true\n";
        let table = from_toml(text).unwrap();
        let (key, mesh) = table.0.iter().find(|(k, _)| k.get_ref() == "mesh").unwrap();
        assert_eq!(&text[key.span()], "mesh");
        let Setting::Table(mesh) = mesh.get_ref() else { panic!("{mesh:?}") };
        assert_eq!(&text[mesh.0[0].0.span()], "name");
        assert_eq!(&text[mesh.0[0].1.span()], "\"mesh0\"");
        let (_, links) = table.0.iter().find(|(k, _)| k.get_ref() == "link").unwrap();
        let Setting::List(links) = links.get_ref() else { panic!("{links:?}") };
        let Setting::Table(link) = links[0].get_ref() else { panic!("{links:?}") };
        assert_eq!(&text[link.0[0].1.span()], "true");
    }
}
