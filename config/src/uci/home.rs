//! `config home` of `/etc/config/meshwork`: what clients of the mesh get from a router. The router's own scripts act
//! on it; here it is checked, so that a mistake is said where all others are.

use super::parse::{Section, Value, Word};
use crate::check::truth;
use crate::error::{Place, Problem};
use crate::raw::Setting;
use crate::suggest;
use std::net::Ipv4Addr;

/// The section type.
pub(super) const TYPE: &str = "home";

/// An option: its name, what may stand there, what stands in for a mistake.
type Row = (&'static str, fn(&str) -> bool, &'static str, &'static str);

const OPTIONS: &[Row] = &[
    ("enabled", yes_or_no, "0 or 1", "1"),
    ("share", yes_or_no, "0 or 1", "0"),
    ("mesh", interface, "the name of a mesh interface", "mesh0"),
    ("community", |t| (1..=32).contains(&t.len()), "the name of a mesh, 1 to 32 bytes", "meshwork"),
    ("name", label, "letters, digits and dashes, at most 63", "the router's host name"),
    ("network", network, "a private network of 8 to 21 bits, like 10.64.0.0/12", "that of the mesh's name"),
];

fn yes_or_no(text: &str) -> bool {
    truth(&Setting::Word(text.to_owned())).is_some()
}

fn interface(text: &str) -> bool {
    crate::check_interface(text).is_ok()
}

fn label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

pub(crate) fn network(text: &str) -> bool {
    let parts = text.split_once('/').map(|(base, bits)| (base.parse::<Ipv4Addr>(), bits.parse::<u32>()));
    let Some((Ok(base), Ok(bits))) = parts else { return false };
    (8..=21).contains(&bits) && base.is_private() && base.to_bits().trailing_zeros() >= 32 - bits
}

/// Says what is wrong in the section.
pub(super) fn check(section: &Section, problems: &mut Vec<Problem>) {
    for (key, value) in &section.options {
        let mut problem = |word: &Word, key: String, text: String| {
            problems.push(Problem { place: Place::File(word.span.clone()), key, text });
        };
        let name = format!("{TYPE}.{}", key.text);
        let Some((_, good, allowed, default)) = OPTIONS.iter().find(|(option, ..)| *option == key.text) else {
            let near = suggest::closest(&key.text, OPTIONS.iter().map(|(option, ..)| *option));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            problem(key, name, format!("unknown option{hint}"));
            continue;
        };
        match value {
            Value::One(word) if good(&word.text) => {}
            Value::One(word) => {
                problem(word, name, format!("found {:?}, allowed: {allowed}; until then: {default}", word.text));
            }
            Value::Many(_) => problem(key, name, format!("found a list, allowed: {allowed}; until then: {default}")),
        }
    }
}
