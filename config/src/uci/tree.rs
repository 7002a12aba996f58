//! From sections and options to the tree of values that all checks work on.

use super::parse::{Section, Slip, Value, Word, parse};
use super::{Complaint, Files, PROTO, PROTO_HARDIF, PROTO_VLAN, home, network};
use crate::check::truth;
use crate::error::{Place, Problem};
use crate::raw::{Setting, Spanned, Table};
use crate::{keys, suggest};
use std::ops::Range;

/// A table in the making.
pub(super) type Entries = Vec<(Spanned<String>, Spanned<Setting>)>;

/// What belongs to each of a few names.
struct Named<T>(Vec<(&'static str, T)>);

impl<T: Default> Named<T> {
    /// What belongs to a name, empty at first.
    fn of(&mut self, name: &'static str) -> &mut T {
        let at = self.0.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.0.push((name, T::default()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    fn sorted(mut self) -> Vec<(&'static str, T)> {
        self.0.sort_unstable_by_key(|(name, _)| *name);
        self.0
    }
}

/// Both files, taken apart. Places in the second one count on from the end of the first, so that one number tells
/// the file as well.
pub(super) struct Sources<'t> {
    texts: [(&'static str, &'t str); 2],
    meshwork: Vec<Section>,
    network: Vec<Section>,
    slips: Vec<Slip>,
    devices: &'t [(String, String)],
}

impl<'t> Sources<'t> {
    pub(super) fn read(files: &'t Files<'_>) -> Self {
        let (meshwork, mut slips) = parse(files.meshwork);
        let (mut network, more) = parse(files.network);
        let base = files.meshwork.len() + 1;
        let shift = |span: &mut Range<usize>| *span = span.start + base..span.end + base;
        for section in &mut network {
            section.name.iter_mut().for_each(|name| shift(&mut name.span));
            shift(&mut section.kind.span);
            for (key, value) in &mut section.options {
                shift(&mut key.span);
                match value {
                    Value::One(word) => shift(&mut word.span),
                    Value::Many(words) => words.iter_mut().for_each(|word| shift(&mut word.span)),
                }
            }
        }
        // Slips of the network file are its owner's business, except where they could have been ours: that
        // cannot be told, so they are all said.
        slips.extend(more.into_iter().map(|mut slip| {
            shift(&mut slip.span);
            slip
        }));
        let texts = [("meshwork", files.meshwork), ("network", files.network)];
        Self { texts, meshwork, network, slips, devices: &files.devices }
    }

    pub(super) fn meshes(&self) -> Vec<String> {
        let own = self.meshwork.iter().filter(|s| s.kind.text == "mesh");
        let network = self.network.iter().filter(|s| proto(s) == Some(PROTO));
        let mut names: Vec<String> = Vec::new();
        for section in own.chain(network).filter(|s| !off(s)) {
            if let Some(name) = mesh_name(section)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    /// The tree of one mesh, and what is wrong before anybody looked at a value.
    pub(super) fn tree(&self, mesh: &str) -> (Table, Vec<Problem>) {
        let mut tables: Named<Entries> = Named(Vec::new());
        let mut lists: Named<Vec<Spanned<Setting>>> = Named(Vec::new());
        let mut problems: Vec<Problem> = self
            .slips
            .iter()
            .map(|slip| Problem { place: Place::File(slip.span.clone()), key: String::new(), text: slip.text.clone() })
            .collect();
        let only = self.meshes().len() <= 1;
        let mut isolated: Vec<Spanned<Setting>> = Vec::new();
        for section in &self.meshwork {
            if section.kind.text == home::TYPE {
                home::check(section, &mut problems);
                continue;
            }
            let Some(table) = keys::tables().find(|t| *t == section.kind.text) else {
                let known: Vec<&str> = keys::tables().chain([home::TYPE]).collect();
                let near = suggest::closest(&section.kind.text, known.iter().copied());
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
                problems.push(Problem {
                    place: Place::File(section.kind.span.clone()),
                    key: String::new(),
                    text: format!("unknown section type{hint} Allowed: {}", known.join(", ")),
                });
                continue;
            };
            if table == "http" && off(section) {
                let entry =
                    (spanned(&section.kind, "listen".to_owned()), spanned(&section.kind, Setting::List(Vec::new())));
                join(tables.of(table), vec![entry], table, &mut problems);
                continue;
            }
            let of = if table == "mesh" { mesh_name(section) } else { section.get("mesh").map(|w| w.text.clone()) };
            if !of.map_or(only, |of| of == mesh) || off(section) {
                continue;
            }
            let mut entries = plain(section);
            if table == "mesh" && section.get("name").is_none() {
                entries.insert(0, named(section, mesh));
            }
            if matches!(table, "link" | "radio") {
                lists.of(table).push(spanned(&section.kind, Setting::Table(Table(entries))));
            } else {
                join(tables.of(table), entries, table, &mut problems);
            }
        }
        for section in self.network.iter().filter(|s| !off(s)) {
            match proto(section) {
                Some(PROTO) if mesh_name(section).as_deref() == Some(mesh) => {
                    for (table, mut entries) in network::mesh(section, &mut problems) {
                        if table == "mesh" {
                            entries.insert(0, named(section, mesh));
                        }
                        join(tables.of(table), entries, table, &mut problems);
                    }
                }
                Some(PROTO_HARDIF) if section.get("master").is_some_and(|m| m.text == mesh) => {
                    let name = section.name.as_ref().map_or("", |n| &n.text);
                    let (link, rest) = network::hardif(
                        section,
                        self.devices.iter().find(|(of, _)| of == name).map(|(_, device)| device),
                        &mut problems,
                    );
                    // A radio that netifd has not brought up has no device yet: it comes with the next reload.
                    if let Some(link) = link {
                        lists.of("link").push(spanned(&section.kind, Setting::Table(Table(link))));
                    }
                    let mesh = tables.of("mesh");
                    for entry in rest {
                        // The same for all hard interfaces of ours: the first one holds.
                        if !mesh.iter().any(|(key, _)| key.get_ref() == entry.0.get_ref()) {
                            mesh.push(entry);
                        }
                    }
                }
                Some(PROTO_VLAN) => {
                    if let Some((of, device, true)) = network::vlan(section, &mut problems)
                        && of == mesh
                    {
                        let number = device.text.rsplit('.').next().unwrap_or_default();
                        isolated.push(spanned(device, Setting::Word(number.to_owned())));
                    }
                }
                _ => {}
            }
        }
        isolate(tables.of("mesh"), isolated);
        let mut whole: Entries = Vec::new();
        for (name, entries) in tables.sorted() {
            whole.push((bare(name.to_owned()), bare(Setting::Table(Table(entries)))));
        }
        for (name, items) in lists.sorted() {
            whole.push((bare(name.to_owned()), bare(Setting::List(items))));
        }
        (Table(whole), problems)
    }

    /// A problem in the words of `uci show`.
    pub(super) fn complaint(&self, problem: Problem) -> Complaint {
        let span = match &problem.place {
            Place::Flag(flag) => {
                return Complaint { place: (*flag).to_owned(), option: problem.key, text: problem.text };
            }
            Place::File(span) => span.clone(),
        };
        let [(_, first), _] = self.texts;
        let base = first.len() + 1;
        let (which, start) = if span.start < base { (0, span.start) } else { (1, span.start - base) };
        let (file, text) = self.texts[which];
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        let sections = if which == 0 { &self.meshwork } else { &self.network };
        let option = option_at(file, sections, span.start).unwrap_or_default();
        Complaint { place: format!("/etc/config/{file}:{line}"), option, text: problem.text }
    }
}

/// `network.bat0.orig_interval`, for a place in one of its words.
fn option_at(file: &str, sections: &[Section], at: usize) -> Option<String> {
    let within = |word: &Word| word.span.contains(&at);
    for (i, section) in sections.iter().enumerate() {
        let title = || match &section.name {
            Some(name) => format!("{file}.{}", name.text),
            None => {
                let before = sections[..i].iter().filter(|s| s.kind.text == section.kind.text).count();
                format!("{file}.@{}[{before}]", section.kind.text)
            }
        };
        if within(&section.kind) || section.name.as_ref().is_some_and(within) {
            return Some(title());
        }
        for (key, value) in &section.options {
            let inside = match value {
                Value::One(word) => within(word),
                Value::Many(words) => words.iter().any(within),
            };
            if inside || within(key) {
                return Some(format!("{}.{}", title(), key.text));
            }
        }
    }
    None
}

/// The options of a section of `/etc/config/meshwork`, as they are.
fn plain(section: &Section) -> Entries {
    let ours = |key: &str| !matches!(key, "mesh" | "enabled" | "disabled");
    let options = section.options.iter().filter(|(key, _)| ours(&key.text));
    options.map(|(key, value)| (spanned(key, key.text.clone()), setting(value))).collect()
}

/// The value of an option, without a type.
pub(super) fn setting(value: &Value) -> Spanned<Setting> {
    match value {
        Value::One(word) => spanned(word, Setting::Word(word.text.clone())),
        Value::Many(words) => {
            let items = words.iter().map(|w| spanned(w, Setting::Word(w.text.clone()))).collect();
            let span = words.first().map_or(0, |w| w.span.start)..words.last().map_or(0, |w| w.span.end);
            Spanned::new(span, Setting::List(items))
        }
    }
}

/// `value`, which stands where `word` does.
pub(super) fn spanned<T>(word: &Word, value: T) -> Spanned<T> {
    Spanned::new(word.span.clone(), value)
}

fn bare<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn named(section: &Section, mesh: &str) -> (Spanned<String>, Spanned<Setting>) {
    let word = section.name.as_ref().unwrap_or(&section.kind);
    (spanned(word, "name".to_owned()), spanned(word, Setting::Word(mesh.to_owned())))
}

/// VLANs isolated one by one, beside what the mesh interface says of frames without tag.
fn isolate(mesh: &mut Entries, mut vlans: Vec<Spanned<Setting>>) {
    if vlans.is_empty() || mesh.iter().any(|(key, _)| key.get_ref() == "ap_isolation_vlans") {
        return;
    }
    match mesh.iter_mut().find(|(key, _)| key.get_ref() == "ap_isolation") {
        Some((_, value)) if truth(value.get_ref()) == Some(true) => {
            vlans.push(bare(Setting::Word("0".to_owned())));
        }
        Some((_, value)) => *value.get_mut() = Setting::Word("1".to_owned()),
        None => mesh.push((bare("ap_isolation".to_owned()), bare(Setting::Word("1".to_owned())))),
    }
    mesh.push((bare("ap_isolation_vlans".to_owned()), bare(Setting::List(vlans))));
}

/// Adds to a table what it does not hold yet; a second value for the same option is noted.
fn join(table: &mut Entries, more: Entries, name: &str, problems: &mut Vec<Problem>) {
    for (key, value) in more {
        match table.iter().find(|(k, _)| k.get_ref() == key.get_ref()) {
            None => table.push((key, value)),
            Some((_, old)) if old.get_ref() == value.get_ref() => {}
            Some((_, old)) => {
                let text = format!("found {}, but {} was said before and holds", value.get_ref(), old.get_ref());
                let key = format!("{name}.{}", key.get_ref());
                problems.push(Problem { place: Place::File(value.span()), key, text });
            }
        }
    }
}

fn proto(section: &Section) -> Option<&str> {
    section.get("proto").filter(|_| section.kind.text == "interface").map(|word| word.text.as_str())
}

fn mesh_name(section: &Section) -> Option<String> {
    section.get("name").or(section.name.as_ref()).map(|word| word.text.clone())
}

/// `enabled '0'` or, as netifd has it, `disabled '1'` or `auto '0'` in front of nothing else.
fn off(section: &Section) -> bool {
    let says = |key: &str, word: &str| section.get(key).is_some_and(|w| w.text == word);
    says("enabled", "0") || says("disabled", "1")
}
