//! Settings as batctl prints them, for scripts that ask.

use super::Out;
use crate::args::batctl::SETTINGS;
use crate::args::{Args, UsageError};
use crate::control::protocol::MeshView;
use crate::control::{Ask, Client};

/// Prints one setting.
///
/// # Errors
/// No node answers, no such setting, or it is to be changed: that is done in the configuration.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let name = args.operand(0).unwrap_or_default();
    let known = SETTINGS.iter().find(|(long, ..)| *long == name);
    let (_, _, here) = known.ok_or_else(|| UsageError::new(format!("batctl has no setting {name:?}")))?;
    if let Some(value) = args.operand(1) {
        let text = format!("{name} is not changed to {value:?} here but in the configuration: {here}, then reload");
        return Err(UsageError::new(text).into());
    }
    let mut client = Client::connect(&super::socket(args)).await?;
    if name == "interface" {
        for interface in client.ask(Ask::Interfaces).await?.interfaces.unwrap_or_default() {
            let state = if interface.active { "active" } else { "inactive" };
            writeln!(out, "{}: {state}", interface.hard_ifname)?;
        }
        return Ok(());
    }
    let mesh = client.ask(Ask::Mesh).await?.mesh.ok_or_else(|| anyhow::anyhow!("the node sent another answer"))?;
    let text =
        text(name, &mesh).ok_or_else(|| UsageError::new(format!("there is no {name} here; near to it: {here}")))?;
    Ok(writeln!(out, "{text}")?)
}

fn text(name: &str, m: &MeshView) -> Option<String> {
    let on = |on: bool| Some(if on { "enabled" } else { "disabled" }.to_owned());
    let mbit = |units: u32| format!("{}.{}", units / 10, units % 10);
    match name {
        "aggregation" => on(m.aggregated_ogms_enabled),
        "ap_isolation" => on(m.ap_isolation_enabled),
        "bonding" => on(m.bonding_enabled),
        "bridge_loop_avoidance" => on(m.bridge_loop_avoidance_enabled),
        "distributed_arp_table" => on(m.distributed_arp_table_enabled),
        "fragmentation" => on(m.fragmentation_enabled),
        "multicast_forceflood" => on(m.multicast_forceflood_enabled),
        "multicast_mode" => on(!m.multicast_forceflood_enabled),
        "multicast_fanout" => Some(m.multicast_fanout.to_string()),
        "hop_penalty" => Some(m.hop_penalty.to_string()),
        "orig_interval" => Some(m.orig_interval.to_string()),
        "routing_algo" => Some(m.node.algo_name.clone()),
        "gw_mode" => Some(match m.gw_mode.as_str() {
            "client" if m.node.algo_name == "BATMAN_V" => {
                format!("client (selection class: {} MBit)", mbit(m.gw_sel_class))
            }
            "client" => format!("client (selection class: {})", m.gw_sel_class),
            "server" => {
                format!("server (announced bw: {}/{} MBit)", mbit(m.gw_bandwidth_down), mbit(m.gw_bandwidth_up))
            }
            other => other.to_owned(),
        }),
        _ => None,
    }
}
