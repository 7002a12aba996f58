//! Takes an existing batman-adv configuration over, and gives it back.
//!
//! Only the words that must change do: comments, order and everything else in the file stay as they are.

use super::parse::{Section, parse};
use super::{PROTO, PROTO_HARDIF, PROTO_VLAN};
use std::ops::Range;

/// Protocols of batman-adv's own handlers, and ours for the same.
const PROTOS: &[(&str, &str)] = &[("batadv", PROTO), ("batadv_hardif", PROTO_HARDIF), ("batadv_vlan", PROTO_VLAN)];

/// What batman-adv's handler takes where no algorithm is named. Written down, as nothing said means something
/// else here.
const ALGORITHM: &str = "BATMAN_IV";

/// One change in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Line, from 1.
    pub line: usize,
    /// Section and option in the words of `uci show`.
    pub option: String,
    /// What stood there; empty where nothing did.
    pub before: String,
    /// What stands there now.
    pub after: String,
}

/// The text of `/etc/config/network` with every batman-adv interface handed to us, and what changed.
pub fn take_over(network: &str) -> (String, Vec<Edit>) {
    rewrite(network, |from| PROTOS.iter().find(|(theirs, _)| *theirs == from).map(|(_, ours)| *ours), true)
}

/// The text of `/etc/config/network` with every interface of ours handed to batman-adv, and what changed.
pub fn give_back(network: &str) -> (String, Vec<Edit>) {
    rewrite(network, |from| PROTOS.iter().find(|(_, ours)| *ours == from).map(|(theirs, _)| *theirs), false)
}

fn rewrite(text: &str, to: impl Fn(&str) -> Option<&'static str>, algorithm: bool) -> (String, Vec<Edit>) {
    let (sections, _) = parse(text);
    let mut patches: Vec<(Range<usize>, String, Edit)> = Vec::new();
    for section in sections.iter().filter(|s| s.kind.text == "interface") {
        let Some(proto) = section.get("proto") else { continue };
        let Some(new) = to(&proto.text) else { continue };
        let edit = |option: &str, before: &str, after: &str| Edit {
            line: text[..proto.span.start].matches('\n').count() + 1,
            option: format!("network.{}.{option}", title(section)),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        patches.push((proto.span.clone(), format!("'{new}'"), edit("proto", &proto.text, new)));
        if algorithm && new == PROTO && section.get("routing_algo").is_none() {
            let end = proto.span.end;
            let indent = indent_of(text, proto.span.start);
            let line = format!("\n{indent}option routing_algo '{ALGORITHM}'");
            patches.push((end..end, line, edit("routing_algo", "", ALGORITHM)));
        }
    }
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    let mut edits = Vec::new();
    for (span, new, edit) in patches {
        out.push_str(&text[at..span.start]);
        out.push_str(&new);
        at = span.end;
        edits.push(edit);
    }
    out.push_str(&text[at..]);
    (out, edits)
}

fn title(section: &Section) -> &str {
    section.name.as_ref().map_or("@interface", |name| &name.text)
}

/// The blanks that the line at `at` begins with.
fn indent_of(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
    let line = &text[start..at];
    &line[..line.len() - line.trim_start().len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "# my mesh\nconfig interface 'bat0'\n\toption proto 'batadv'   # the kernel's\n\toption hop_penalty '15'\n\n\
        config interface lan\n\toption proto static\n\nconfig interface 'm0'\n\toption proto \"batadv_hardif\"\n\toption master bat0\n";

    #[test]
    fn there_and_back_again() {
        let (ours, edits) = take_over(THEIRS);
        assert_eq!(edits.len(), 3);
        assert_eq!((edits[0].line, &*edits[0].option, &*edits[0].after), (3, "network.bat0.proto", "meshwork"));
        assert!(
            ours.contains("option proto 'meshwork'\n\toption routing_algo 'BATMAN_IV'   # the kernel's\n"),
            "{ours}"
        );
        assert!(ours.contains("# my mesh") && ours.contains("proto static"));
        let (back, edits) = give_back(&ours);
        assert_eq!(edits.len(), 2);
        // The algorithm that held all the time may stay, and quotes may differ.
        let plain = |text: &str| text.replace('"', "'").replace("\n\toption routing_algo 'BATMAN_IV'", "");
        assert_eq!(plain(&back), plain(THEIRS));
    }

    #[test]
    fn a_file_without_batman_stays_as_it_is() {
        let text = "config interface 'lan'\n\toption proto 'static'\n";
        assert_eq!(take_over(text), (text.to_owned(), Vec::new()));
        assert_eq!(give_back(text), (text.to_owned(), Vec::new()));
    }

    #[test]
    fn an_algorithm_that_is_named_stays() {
        let (text, edits) = take_over("config interface b\n option proto batadv\n option routing_algo BATMAN_V\n");
        assert_eq!(edits.len(), 1);
        assert!(!text.contains("BATMAN_IV"));
    }
}
