//! What a configuration file holds before anybody asks whether it makes sense: a tree of values,
//! each with its place.
//!
//! The tree is not bound to TOML. Sources whose values have no type of their own (the command
//! line, UCI) put [`Setting::Word`]s into it and go through the same checks.

use std::fmt;
use std::ops::Range;
pub use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a decimal point, as it was written: no setting takes one.
    Float(String),
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

/// Why a text is no TOML, or holds what no setting can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The bytes of the file that it is about.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub text: String,
}

/// Reads a TOML file into the tree.
///
/// # Errors
/// What is no TOML, with its place.
pub fn from_toml(text: &str) -> Result<Table, Unreadable> {
    match DeTable::parse(text) {
        Ok(tree) => table(tree.into_inner()),
        Err(e) => Err(Unreadable { span: e.span().unwrap_or(0..0), text: e.message().replace('\n', ", ") }),
    }
}

// By hand and not with serde, whose readers cost a router 10 kB.
fn table(tree: DeTable<'_>) -> Result<Table, Unreadable> {
    let mut entries = Vec::new();
    for (key, value) in tree {
        let at = key.span();
        entries.push((Spanned::new(at, key.into_inner().into_owned()), setting(value)?));
    }
    Ok(Table(entries))
}

fn setting(value: Spanned<DeValue<'_>>) -> Result<Spanned<Setting>, Unreadable> {
    let span = value.span();
    let bad = |text: &str| Unreadable { span: span.clone(), text: text.to_owned() };
    let setting = match value.into_inner() {
        DeValue::String(text) => Setting::Text(text.into_owned()),
        DeValue::Boolean(yes) => Setting::Bool(yes),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => Setting::Integer(number),
            Err(_) => return Err(bad("the number is out of range")),
        },
        DeValue::Float(digits) => Setting::Float(digits.as_str().to_owned()),
        DeValue::Datetime(_) => return Err(bad("found a date, no setting is one")),
        DeValue::Array(items) => Setting::List(items.into_iter().map(setting).collect::<Result<_, _>>()?),
        DeValue::Table(tree) => Setting::Table(table(tree)?),
    };
    Ok(Spanned::new(span, setting))
}

impl fmt::Display for Setting {
    /// What was found, for an error message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Integer(v) => write!(f, "{v}"),
            Self::Text(v) => write!(f, "{v:?}"),
            Self::Float(v) | Self::Word(v) => write!(f, "{v}"),
            Self::List(v) => write!(f, "a list of {}", v.len()),
            Self::Table(_) => write!(f, "a table"),
        }
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
