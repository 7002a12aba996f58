//! Reads the text of a UCI file.
//!
//! A line that makes no sense is noted and passed over; all others count. So a slip of the pen costs one option
//! and not the node.

use std::ops::Range;

/// A word of the file and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it says, without its quotes.
    pub text: String,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What an option holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `option name value`.
    One(Word),
    /// `list name value`, one for each line.
    Many(Vec<Word>),
}

/// A section with its options, each name once; said twice, the last one holds, as in UCI itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its type, the word after `config`.
    pub kind: Word,
    /// Its name, where it has one.
    pub name: Option<Word>,
    /// Its options, in the order of the file.
    pub options: Vec<(Word, Value)>,
}

impl Section {
    /// The text of a single-valued option.
    pub fn get(&self, name: &str) -> Option<&Word> {
        self.options.iter().find(|(key, _)| key.text == name).and_then(|(_, value)| match value {
            Value::One(word) => Some(word),
            Value::Many(_) => None,
        })
    }
}

/// A line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    /// Where.
    pub span: Range<usize>,
    /// What was found, and what is allowed.
    pub text: String,
}

/// All sections of a file, and the lines that make no sense.
pub fn parse(text: &str) -> (Vec<Section>, Vec<Slip>) {
    let mut sections: Vec<Section> = Vec::new();
    let mut slips = Vec::new();
    // Options of a section whose own line is broken belong to nobody.
    let mut open = false;
    let mut at = 0;
    while at < text.len() {
        let (words, next, broken) = line(text, at);
        let span = at..next;
        at = next;
        if let Some(what) = broken {
            slips.push(Slip { span, text: what });
            continue;
        }
        let mut words = words.into_iter();
        let Some(first) = words.next() else { continue };
        let (one, two, more) = (words.next(), words.next(), words.next());
        match (first.text.as_str(), one, two, more) {
            // Its name is that of the file, which is known.
            ("package", Some(_), None, None) => {}
            ("config", Some(kind), name, None) => {
                sections.push(Section { kind, name, options: Vec::new() });
                open = true;
            }
            ("option" | "list", Some(key), Some(value), None) if open => {
                let Some(section) = sections.last_mut() else { continue };
                put(section, first.text == "list", key, value);
            }
            ("option" | "list", Some(_), Some(_), None) => {
                slips.push(Slip { span, text: "stands in no section; \"config TYPE 'NAME'\" begins one".to_owned() });
            }
            (word, ..) => {
                if word == "config" {
                    open = false;
                }
                let text = format!(
                    "found {word:?} with {}, allowed: config TYPE ['NAME'], option NAME 'VALUE', list NAME 'VALUE'",
                    count(text, &span)
                );
                slips.push(Slip { span, text });
            }
        }
    }
    (sections, slips)
}

fn count(text: &str, span: &Range<usize>) -> String {
    let words = line(text, span.start).0.len().saturating_sub(1);
    format!("{words} word{} after it", if words == 1 { "" } else { "s" })
}

fn put(section: &mut Section, list: bool, key: Word, value: Word) {
    let old = section.options.iter_mut().find(|(k, _)| k.text == key.text);
    match (old, list) {
        (Some((_, Value::Many(words))), true) => words.push(value),
        (Some((_, old)), true) => *old = Value::Many(vec![value]),
        (Some((_, old)), false) => *old = Value::One(value),
        (None, true) => section.options.push((key, Value::Many(vec![value]))),
        (None, false) => section.options.push((key, Value::One(value))),
    }
}

/// The words of the line at `at`, where the next one begins, and what is wrong with it.
///
/// Quotes hold blanks and line ends together: '...' takes everything as it is; in "..." and outside of quotes a
/// backslash takes the next letter as it is.
fn line(text: &str, at: usize) -> (Vec<Word>, usize, Option<String>) {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = text[at..].char_indices().map(|(i, c)| (at + i, c)).peekable();
    while let Some((i, c)) = chars.next() {
        match c {
            '\n' => {
                words.extend(word);
                return (words, i + 1, None);
            }
            c if c.is_whitespace() => words.extend(word.take()),
            // Only where a word could begin: a colour or a channel list keeps its mark.
            '#' if word.is_none() => while chars.next_if(|&(_, c)| c != '\n').is_some() {},
            quote @ ('\'' | '"') => {
                let open = word.get_or_insert_with(|| Word { text: String::new(), span: i..i });
                let mut closed = false;
                while let Some((j, c)) = chars.next() {
                    if c == '\n' && begins_a_line(&text[j + 1..]) {
                        break;
                    }
                    open.span.end = j + c.len_utf8();
                    if c == quote {
                        closed = true;
                        break;
                    }
                    match c {
                        '\\' if quote == '"' => open.text.extend(chars.next().map(|(_, c)| c)),
                        c => open.text.push(c),
                    }
                }
                if !closed {
                    // More of the file would be one word: only this line is given up.
                    let next = text[i..].find('\n').map_or(text.len(), |n| i + n + 1);
                    return (Vec::new(), next, Some(format!("the quote {quote} is never closed")));
                }
            }
            c => {
                let open = word.get_or_insert_with(|| Word { text: String::new(), span: i..i });
                match c {
                    '\\' => open.text.extend(chars.next_if(|&(_, c)| c != '\n').map(|(_, c)| c)),
                    c => open.text.push(c),
                }
                open.span.end = chars.peek().map_or(text.len(), |&(j, _)| j);
            }
        }
    }
    words.extend(word);
    (words, text.len(), None)
}

/// Whether a text that a quote holds together looks like lines of their own: then the quote was forgotten.
fn begins_a_line(text: &str) -> bool {
    let first = text.trim_start().split(char::is_whitespace).next();
    matches!(first, Some("option" | "list" | "config" | "package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        line(text, 0).0.into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn quotes_and_comments() {
        assert_eq!(words("option a 'b c'"), ["option", "a", "b c"]);
        assert_eq!(words("\toption\ta\t\"b \\\"c\\\"\" # not this"), ["option", "a", "b \"c\""]);
        assert_eq!(words("option a b\\ c"), ["option", "a", "b c"]);
        assert_eq!(words("option a 'b'\"c\"d"), ["option", "a", "bcd"]);
        assert_eq!(words("option a b#c"), ["option", "a", "b#c"]);
        assert_eq!(words("option a ''"), ["option", "a", ""]);
        assert_eq!(words("option a 'two\nlines'"), ["option", "a", "two\nlines"]);
        assert_eq!(words("option a 'back\\slash'"), ["option", "a", "back\\slash"]);
    }

    #[test]
    fn sections_and_options() {
        let (sections, slips) = parse(
            "package network\n\nconfig interface 'bat0'\n\toption proto 'meshwork'\n\tlist x '1'\n\tlist x '2'\n\
             config device\n\toption mtu 1500\n\toption mtu 1532\n",
        );
        assert_eq!(slips, []);
        assert_eq!(sections.len(), 2);
        assert_eq!(sections[0].name.as_ref().unwrap().text, "bat0");
        assert_eq!(sections[0].get("proto").unwrap().text, "meshwork");
        assert!(matches!(&sections[0].options[1].1, Value::Many(words) if words.len() == 2));
        assert_eq!((sections[1].name.as_ref(), &*sections[1].get("mtu").unwrap().text), (None, "1532"));
    }

    #[test]
    fn a_broken_line_costs_only_itself() {
        let text =
            "option lost '1'\nconfig mesh 'a'\n\toption x 'y\n\toption hop_penalty '5'\n\toptoin y 1\n\toption z\n";
        let (sections, slips) = parse(text);
        assert_eq!(sections[0].get("hop_penalty").unwrap().text, "5");
        let said: Vec<_> = slips.iter().map(|s| (text[..s.span.start].matches('\n').count() + 1, &*s.text)).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].0 == 1 && said[0].1.contains("no section"), "{said:?}");
        assert!(said[1].0 == 3 && said[1].1.contains("never closed"), "{said:?}");
        assert_eq!((said[2].0, said[3].0), (5, 6));
    }

    #[test]
    fn no_text_panics() {
        for text in ["'", "\"", "\\", "config", "config ''", "option", "\u{e4}'\u{e4}", "#", "a\\", "\"\\"] {
            parse(text);
        }
    }
}
