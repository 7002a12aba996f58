//! OpenWrt's configuration: `/etc/config/meshwork`, and the interfaces of `/etc/config/network` that are ours.
//!
//! Both become the tree that a TOML file becomes, and go through the same checks. What differs is the answer to a
//! mistake: a router on a roof falls back to the default of that one option, says so, and stays on the mesh.
//!
//! `/etc/config/meshwork` has the tables and keys of the TOML file as section types and options. A section that is
//! not a `mesh` says with `option mesh NAME` which one it belongs to, unless there is only one.
//!
//! `/etc/config/network` has the option names that users of batman-adv know, under protocols of our own:
//! `meshwork` (the mesh interface), `meshwork_hardif` (a hard interface), `meshwork_vlan`.

pub(crate) mod home;
pub mod import;
mod network;
pub mod parse;
mod tree;

use crate::checked::{Config, Overrides};
use crate::error::{Place, Problem};
use crate::keys;
use crate::raw::Table;

/// Protocol of a mesh interface in `/etc/config/network`.
pub const PROTO: &str = "meshwork";
/// Protocol of a hard interface.
pub const PROTO_HARDIF: &str = "meshwork_hardif";
/// Protocol of a VLAN on a mesh interface.
pub const PROTO_VLAN: &str = "meshwork_vlan";

/// The two files, and what runs at the moment.
#[derive(Debug, Clone, Default)]
pub struct Files<'t> {
    /// Text of `/etc/config/meshwork`.
    pub meshwork: &'t str,
    /// Text of `/etc/config/network`.
    pub network: &'t str,
    /// Interfaces of netifd, each with the device that it has; a radio's is known to nobody else.
    pub devices: Vec<(String, String)>,
}

/// What is wrong with one option, in the words of `uci show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// File and line, `/etc/config/network:12`.
    pub place: String,
    /// The option, `network.bat0.orig_interval`; empty where a line makes no sense at all.
    pub option: String,
    /// What was found, what is allowed, and what holds now.
    pub text: String,
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let option = if self.option.is_empty() { String::new() } else { format!("{}: ", self.option) };
        write!(f, "{}: {option}{}", self.place, self.text)
    }
}

/// Names of all meshes that the files describe and that are not switched off, in the order of the files.
pub fn meshes(files: &Files<'_>) -> Vec<String> {
    tree::Sources::read(files).meshes()
}

/// The configuration of one mesh. Where something is wrong, the default of that option stands in for it; what cannot
/// have a default (a hard interface without a name) is left out.
pub fn load(files: &Files<'_>, mesh: &str, overrides: &Overrides) -> (Config, Vec<Complaint>) {
    let sources = tree::Sources::read(files);
    let (table, mut problems) = sources.tree(mesh);
    let (config, wrong) = lenient(&table, overrides);
    problems.extend(wrong);
    let complaints = problems.into_iter().map(|problem| sources.complaint(problem)).collect();
    (config, complaints)
}

/// As [`Config::check`], but what is wrong is left out instead of refused.
fn lenient(table: &Table, overrides: &Overrides) -> (Config, Vec<Problem>) {
    let (config, mut problems) = crate::check::run_lenient(table, overrides);
    for problem in &mut problems {
        if let Some(key) = keys::KEYS.iter().find(|k| format!("{}.{}", k.table, k.name) == problem.key)
            && problem.text.starts_with("found")
            && matches!(problem.place, Place::File(_))
        {
            let needed =
                matches!((key.table, key.name), ("link" | "radio", "interface") | ("radio", "mesh_id" | "channel"));
            let instead = if needed {
                format!("this {} is left out", key.table)
            } else {
                key.default().unwrap_or_else(|| "what the node finds by itself".to_owned())
            };
            problem.text = format!("{}; until then: {instead}", problem.text);
        }
    }
    (config, problems)
}
