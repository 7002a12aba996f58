//! `home`: addresses and names for clients, beside a node.

use super::{Out, socket};
use crate::args::{Args, UsageError};
use crate::home::plan::{Network, Plan};
use crate::home::serve::{Setup, serve};
use crate::telemetry::Telemetry;
use config::Log;
use packet::MacAddr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// Says which addresses the node takes, or looks after them.
///
/// # Errors
/// A flag that makes no sense, an interface that is not there, a port that is taken.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let mesh = args.operand(0).unwrap_or_default();
    let interface = args.value_or_default("interface");
    let network = match args.value("network") {
        None => None,
        Some(text) => Some(Network::parse(text).ok_or_else(|| {
            UsageError::new(format!(
                "--network: found {text:?}, allowed: a private network of 8 to 21 bits, like 10.64.0.0/12"
            ))
        })?),
    };
    let current: Option<Ipv4Addr> = read(args, "address", "an IPv4 address")?;
    let mac: MacAddr = match read(args, "mac", "a MAC address")? {
        Some(mac) => mac,
        None => {
            let file = format!("/sys/class/net/{interface}/address");
            let text = std::fs::read_to_string(file).unwrap_or_default();
            text.trim()
                .parse()
                .map_err(|_| anyhow::anyhow!("{interface} is not there; say which address it will have with --mac"))?
        }
    };
    let plan = Plan::new(mesh, mac, network, current);
    if args.has("json") {
        return Ok(writeln!(out, "{}", plan.json())?);
    }
    if args.has("print") {
        return Ok(write!(out, "{}", plan.shell())?);
    }
    let name = args.value_or_default("name").to_ascii_lowercase();
    Telemetry::start(&Log::default())?;
    serve(Setup {
        interface: interface.to_owned(),
        name,
        domain: args.value_or_default("domain").to_ascii_lowercase(),
        network: plan.network,
        // What is in use is announced, also where a person chose it.
        address: current.unwrap_or(plan.address),
        address6: plan.address6,
        leases: PathBuf::from(args.value_or_default("leases")),
        hook: args.value("hook").map(PathBuf::from),
        socket: socket(args),
    })
    .await
}

fn read<T: FromStr>(args: &Args, flag: &str, allowed: &str) -> Result<Option<T>, UsageError> {
    let wrong = |text: &str| UsageError::new(format!("--{flag}: found {text:?}, allowed: {allowed}"));
    args.value(flag).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
}
