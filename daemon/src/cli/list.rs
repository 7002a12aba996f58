//! Commands that print what a node knows: once, or again and again.

use super::names::Names;
use super::{Out, share, status, table};
use crate::args::{Args, Id, UsageError};
use crate::control::json::{self, Value};
use crate::control::protocol::{Mac, Response};
use crate::control::{Ask, Client};
use nix::net::if_::if_nametoindex;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Runs one of them.
///
/// # Errors
/// No node answers, or a flag makes no sense. With `--watch` a node that is gone is waited for.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let socket = super::socket(args);
    let filter = Filter::new(args)?;
    let names = if has(args, "numeric") { Names::none() } else { Names::load() };
    let Some(interval) = watch(args)? else {
        let response = ask(&socket, args.command.id).await?;
        return show(args, filter.apply(response), &names, out);
    };
    loop {
        match ask(&socket, args.command.id).await {
            Ok(response) => {
                if !args.has("json") {
                    // Clears the screen, as batctl does.
                    out.write_all(b"\x1b[2J\x1b[0;0f")?;
                }
                show(args, filter.apply(response), &names, out)?;
                out.flush()?;
            }
            Err(error) => eprintln!("{error:#}"),
        }
        tokio::time::sleep(interval).await;
    }
}

/// Time between two rounds, `None` for a single one.
fn watch(args: &Args) -> Result<Option<Duration>, UsageError> {
    match args.value("watch") {
        None => Ok(None),
        Some("") => Ok(Some(Duration::from_secs(1))),
        Some(_) => args.seconds("watch"),
    }
}

fn has(args: &Args, flag: &str) -> bool {
    args.command.all_flags().any(|f| f.long == flag) && args.has(flag)
}

async fn ask(socket: &Path, id: Id) -> anyhow::Result<Response> {
    let question = match id {
        Id::Status => Ask::Status,
        Id::Neighbors => Ask::Neighbors,
        Id::Originators => Ask::Originators,
        Id::Interfaces => Ask::Interfaces,
        Id::Dat => Ask::Dat,
        Id::Claims | Id::Backbones => Ask::Bla,
        Id::Gateways => Ask::Gateways,
        Id::Multicast => Ask::Multicast,
        Id::Statistics => Ask::Statistics,
        Id::Share => Ask::Share,
        _ => Ask::Clients,
    };
    Ok(Client::connect(socket).await?.ask(question).await?)
}

fn show(args: &Args, mut response: Response, names: &Names, out: Out<'_>) -> anyhow::Result<()> {
    if args.has("json") {
        return super::print_json(out, &mut response);
    }
    let text = text(args, &response, names).ok_or_else(|| anyhow::anyhow!("the node sent another answer"))?;
    Ok(out.write_all(text.as_bytes())?)
}

/// The table for people; `None` if the answer does not hold it.
fn text(args: &Args, r: &Response, names: &Names) -> Option<String> {
    let header = !args.has("no-header");
    let node = r.node.as_ref()?;
    let head = |extra: &str| if header { table::head(node, extra) } else { String::new() };
    let local = || {
        let ttvn = format!(", TTVN: {}", node.tt_ttvn);
        Some(head(&ttvn) + &table::local_clients(r.local_clients.as_deref()?, names, header))
    };
    let global = || Some(head("") + &table::global_clients(r.global_clients.as_deref()?, names, header));
    match args.command.id {
        Id::Status => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
            Some(status::page(node, r.status.as_ref()?, header, now))
        }
        Id::Neighbors => Some(head("") + &table::neighbors(r.neighbors.as_deref()?, table::five(node), names, header)),
        Id::Originators => {
            Some(head("") + &table::originators(r.originators.as_deref()?, table::five(node), names, header))
        }
        Id::Gateways => {
            let is_v = node.algo_name == "BATMAN_V";
            let shared = r.line.as_ref().map_or_else(String::new, table::line);
            Some(head("") + &table::gateways(r.gateways.as_deref()?, is_v, names, header) + &shared)
        }
        Id::Multicast => {
            let own = if header { table::multicast(r.multicast.as_ref()?) } else { String::new() };
            Some(head("") + &own + &table::mcast_flags(r.mcast_flags.as_deref()?, names, header))
        }
        Id::Interfaces => Some(table::interfaces(r.interfaces.as_deref()?)),
        Id::Dat => {
            Some(head("") + &table::addresses(node, r.dat_cache.as_deref()?, r.nd_cache.as_deref()?, names, header))
        }
        Id::Claims => Some(head("") + &table::claims(r.bla_claims.as_deref()?, names, header)),
        Id::Backbones => Some(head("") + &table::backbones(r.bla_backbones.as_deref()?, names, header)),
        Id::Statistics => Some(table::statistics(r.statistics.as_ref()?, args.has("all"))),
        Id::Share => Some(share::page(r.share.as_ref()?, names, header, args.has("all"))),
        Id::LocalClients => local(),
        Id::GlobalClients => global(),
        _ => Some(format!("{}{}{}", local()?, if header { "\n" } else { "" }, global()?)),
    }
}

/// What is left out, and the order of the rest.
struct Filter {
    id: Id,
    interface: Option<String>,
    newer_than: Option<Duration>,
    /// Groups or single stations only.
    groups: Option<bool>,
}

impl Filter {
    fn new(args: &Args) -> Result<Self, UsageError> {
        let value = |flag: &str| args.command.all_flags().any(|f| f.long == flag).then(|| args.value(flag)).flatten();
        let newer_than = if value("timeout").is_some() { args.seconds("timeout")? } else { None };
        let groups = match (has(args, "unicast"), has(args, "multicast")) {
            (true, true) => return Err(UsageError::new("--unicast and --multicast leave nothing together")),
            (true, false) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
        Ok(Self { id: args.command.id, interface: value("interface").map(str::to_owned), newer_than, groups })
    }

    fn apply(&self, mut r: Response) -> Response {
        let by = |name: &str| self.interface.as_deref().is_none_or(|wanted| wanted == name);
        let young = |msecs: u64| self.newer_than.is_none_or(|limit| Duration::from_millis(msecs) <= limit);
        let kind = |mac: Mac| self.groups.is_none_or(|groups| mac.0.is_multicast() == groups);
        if let Some(list) = &mut r.neighbors {
            list.retain(|n| by(&n.hard_ifname));
            list.sort_by(|a, b| (&a.hard_ifname, a.neigh_address).cmp(&(&b.hard_ifname, b.neigh_address)));
        }
        if let Some(list) = &mut r.originators {
            list.retain(|o| by(&o.hard_ifname) && young(o.last_seen_msecs));
            list.sort_by_key(|o| (o.orig_address, !o.best, std::cmp::Reverse((o.tq, o.throughput)), o.neigh_address));
        }
        if let Some(list) = &mut r.gateways {
            list.sort_by_key(|g| (!g.best, g.orig_address));
        }
        if let Some(list) = &mut r.local_clients {
            list.retain(|c| kind(c.tt_address));
            list.sort_by_key(|c| (c.tt_vid, c.tt_address));
        }
        if let Some(list) = &mut r.global_clients {
            list.retain(|c| kind(c.tt_address));
            list.sort_by_key(|c| (c.tt_vid, c.tt_address, !c.best, c.orig_address));
        }
        if let Some(list) = &mut r.dat_cache {
            list.sort_by_key(|a| (a.dat_cache_vid, a.dat_cache_ip4address));
        }
        if let Some(list) = &mut r.nd_cache {
            list.sort_by_key(|a| (a.nd_cache_vid, a.nd_cache_ip6address));
        }
        if let Some(list) = &mut r.bla_claims {
            list.sort_by_key(|c| (c.bla_vid, c.bla_address));
        }
        if let Some(list) = &mut r.bla_backbones {
            list.sort_by_key(|b| (b.bla_vid, !b.bla_own, b.bla_backbone));
        }
        match self.id {
            Id::Claims => r.bla_backbones = None,
            Id::Backbones => r.bla_claims = None,
            Id::LocalClients => r.global_clients = None,
            Id::GlobalClients => r.local_clients = None,
            _ => {}
        }
        r
    }
}

/// `neighbors_json` and its like: what batctl prints, bare.
///
/// # Errors
/// No node answers, or there is no such list.
pub(super) async fn bare_json(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let word = match args.called.as_str() {
        "json" => args.operand(0).ok_or_else(|| UsageError::new(LISTS))?,
        alias => alias,
    };
    let question = match word {
        "mesh_json" | "mj" => Ask::Mesh,
        "hardifs_json" | "hj" => Ask::Interfaces,
        "neighbors_json" | "nj" => Ask::Neighbors,
        "originators_json" | "oj" => Ask::Originators,
        "gateways_json" | "gwj" => Ask::Gateways,
        "mcast_flags_json" | "mfj" => Ask::Multicast,
        "transtable_local_json" | "tlj" | "transtable_global_json" | "tgj" => Ask::Clients,
        "dat_cache_json" | "dcj" => Ask::Dat,
        "bla_claim_json" | "clj" | "bla_backbone_json" | "bbj" => Ask::Bla,
        _ => return Err(UsageError::new(LISTS).into()),
    };
    let mut r = Client::connect(&super::socket(args)).await?.ask(question).await?;
    // batctl's interfaces are those in use.
    if let Some(list) = &mut r.interfaces {
        list.retain(|i| i.active);
    }
    let list: &mut dyn Value = match word {
        "mesh_json" | "mj" => &mut r.mesh,
        "hardifs_json" | "hj" => &mut r.interfaces,
        "neighbors_json" | "nj" => &mut r.neighbors,
        "gateways_json" | "gwj" => &mut r.gateways,
        "mcast_flags_json" | "mfj" => &mut r.mcast_flags,
        "originators_json" | "oj" => &mut r.originators,
        "dat_cache_json" | "dcj" => &mut r.dat_cache,
        "bla_claim_json" | "clj" => &mut r.bla_claims,
        "bla_backbone_json" | "bbj" => &mut r.bla_backbones,
        "transtable_local_json" | "tlj" => &mut r.local_clients,
        _ => &mut r.global_clients,
    };
    let mut text = String::from_utf8(json::text(list))?;
    // Gateways come with it.
    if !matches!(word, "gateways_json" | "gwj") {
        text = with_number(&text, "hard_if");
    }
    Ok(writeln!(out, "{}", with_number(&text, "mesh_if"))?)
}

/// Beside the name of an interface batctl prints its number, which this machine knows.
fn with_number(text: &str, key: &str) -> String {
    let mark = format!("\"{key}name\":\"");
    let mut parts = text.split(mark.as_str());
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = part.split('"').next().unwrap_or_default();
        if let Ok(index) = if_nametoindex(name) {
            out += &format!("\"{key}index\":{index},");
        }
        out += &mark;
        out += part;
    }
    out
}

const LISTS: &str = "which list? There are: mesh_json, hardifs_json, neighbors_json, originators_json, gateways_json, \
                     transtable_local_json, transtable_global_json, dat_cache_json, bla_claim_json, bla_backbone_json, \
                     mcast_flags_json";
