//! `explain`: which way traffic to a node or client goes, why, and where that way is weak.

use super::Out;
use super::echo::Target;
use super::names::Names;
use crate::args::Args;
use crate::control::json;
use crate::control::protocol::{Interface, Neighbor, Originator};
use crate::control::{Ask, Client, FORMAT};
use crate::netlink::judge::MTU_RECOMMENDED;
use packet::MacAddr;
use serde_json::json;

/// Says which way traffic takes.
///
/// # Errors
/// Nobody knows the address, or no node answers.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let mut client = Client::connect(&super::socket(args)).await?;
    let target = Target::find(&mut client, args).await?;
    let ways = client.ask(Ask::Originators).await?.originators.unwrap_or_default();
    let neighbors = client.ask(Ask::Neighbors).await?.neighbors.unwrap_or_default();
    let interfaces = client.ask(Ask::Interfaces).await?.interfaces.unwrap_or_default();
    let ways = ways_to(target.orig, ways);
    let weak = ways.first().map(|w| weaknesses(w, &neighbors, &interfaces)).unwrap_or_default();
    if args.has("json") {
        return Ok(writeln!(out, "{}", answer(&target.typed, target.orig, target.own, &ways, &weak))?);
    }
    let names = if args.has("numeric") { Names::none() } else { Names::load() };
    let at = names.show(target.orig);
    if target.own {
        return Ok(writeln!(out, "{} is at this node; nothing travels through the mesh.", target.typed)?);
    }
    writeln!(out, "{} is reached at the node {at}.", target.typed)?;
    if ways.iter().all(|w| !w.best) {
        writeln!(out, "No way leads there at the moment; what is sent to it is dropped.")?;
    }
    for way in &ways {
        let mark = if way.best { '*' } else { ' ' };
        let lessened = way.share.map_or_else(String::new, |share| {
            format!(", {share} sixteenths of what it announces: frames get lost beyond it")
        });
        writeln!(
            out,
            " {mark} {} over {}: {}{lessened}",
            names.show(way.neigh_address.0),
            way.hard_ifname,
            metric(way)
        )?;
    }
    if let [best, next, ..] = ways.as_slice()
        && best.best
    {
        writeln!(out, "The first is in use: {}.", won(best, next))?;
    }
    for text in weak {
        writeln!(out, "Weak: {text}.")?;
    }
    Ok(())
}

/// The ways to one originator, the one in use first.
pub(crate) fn ways_to(orig: MacAddr, all: impl IntoIterator<Item = Originator>) -> Vec<Originator> {
    let mut ways: Vec<Originator> = all.into_iter().filter(|w| w.orig_address.0 == orig).collect();
    ways.sort_by_key(|w| (!w.best, std::cmp::Reverse((w.tq, w.throughput)), w.neigh_address));
    ways
}

/// What `--json` and the status endpoint say.
pub(crate) fn answer(typed: &str, orig: MacAddr, own: bool, ways: &[Originator], weak: &[String]) -> serde_json::Value {
    json!({
        "format": FORMAT, "typed": typed, "orig_address": orig.to_string(), "own": own, "ways": ways.iter().cloned().map(|mut way| json::tree(&mut way)).collect::<Vec<_>>(), "weak": weak,
    })
}

fn metric(way: &Originator) -> String {
    match (way.throughput, way.tq) {
        (Some(kbits), _) => format!("{}.{} Mbit/s", kbits / 1000, kbits % 1000 / 100),
        (None, tq) => format!("transmit quality {} of 255", tq.unwrap_or(0)),
    }
}

/// Why the first of two ways is in use.
fn won(best: &Originator, next: &Originator) -> String {
    if (best.tq, best.throughput) > (next.tq, next.throughput) {
        format!("{} against {}", metric(best), metric(next))
    } else {
        "the next one is no better by enough to change for it".to_owned()
    }
}

/// What is weak about the first hop of a way, a clause each.
pub(crate) fn weaknesses(way: &Originator, neighbors: &[Neighbor], interfaces: &[Interface]) -> Vec<String> {
    let mut weak = Vec::new();
    let hop = neighbors.iter().find(|n| n.neigh_address == way.neigh_address && n.hard_ifname == way.hard_ifname);
    if let Some(n) = hop {
        if n.throughput_source.as_deref() == Some("assumed") {
            weak.push("nobody knows how fast the link is (the driver gives no rate); 1 Mbit/s is assumed".to_owned());
        }
        if let Some(d) = n.distrusted.iter().find(|d| d.orig_address == way.orig_address) {
            weak.push(format!(
                "{} does not forward what is for this node: {} of the last 16 probes through it were answered; {} of {} \
                 were through {} when that was found",
                n.neigh_address, d.share, d.other_answered, d.other_asked, d.other_address
            ));
        }
        if n.tq.is_some() && n.receive_count < 40 {
            weak.push(format!("we hear {} badly: {} of 64 messages", n.neigh_address, n.receive_count));
        }
        if n.tq.is_some() && u16::from(n.echo_count) * 4 < u16::from(n.receive_count) * 3 {
            weak.push(format!("{} hears us badly: {} of 64 messages came back", n.neigh_address, n.echo_count));
        }
    }
    let interface = interfaces.iter().find(|i| i.hard_ifname == way.hard_ifname);
    if let Some(percent) = interface.and_then(|i| i.channel_busy_percent).filter(|p| *p >= BUSY) {
        weak.push(format!("the channel of {} is busy for {percent} % of the time", way.hard_ifname));
    }
    let mtu = interface.and_then(|i| i.mtu);
    if let Some(mtu) = mtu.filter(|mtu| u32::try_from(*mtu).is_ok_and(|mtu| mtu < MTU_RECOMMENDED)) {
        weak.push(format!("the MTU of {} is {mtu}, which forces fragments", way.hard_ifname));
    }
    weak
}

/// A channel that is busy for so much of the time, in percent, leaves little.
const BUSY: u8 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_spots_are_named() {
        let way: Originator = crate::control::json::from_text(
            r#"{"hard_ifname":"e","orig_address":"02:00:00:00:00:03","best":true,"last_seen_msecs":1,
                "neigh_address":"02:00:00:00:00:02","tq":90,"tt_ttvn":1,"clients":1}"#,
        )
        .unwrap();
        let near = |rest: &str| -> Neighbor {
            let text =
                format!(r#"{{"hard_ifname":"e","last_seen_msecs":1,"neigh_address":"02:00:00:00:00:02",{rest}}}"#);
            crate::control::json::from_text(&text).unwrap()
        };
        let link = |mtu: u32| -> Interface {
            crate::control::json::from_text(&format!(r#"{{"mesh_ifname":"mesh0","hard_ifname":"e","mtu":{mtu}}}"#))
                .unwrap()
        };
        let good = near(r#""tq":255,"echo_count":64,"receive_count":64"#);
        assert!(weaknesses(&way, &[good], &[link(1532)]).is_empty());
        let bad = near(r#""tq":10,"echo_count":4,"receive_count":30"#);
        let weak = weaknesses(&way, &[bad], &[link(1500)]);
        assert_eq!(weak.len(), 3, "{weak:?}");
        assert!(weak[1].contains("hears us badly") && weak[2].contains("1500"), "{weak:?}");
        let hole = near(
            r#""tq":255,"echo_count":64,"receive_count":64,"distrusted":[{"orig_address":"02:00:00:00:00:03",
               "since_msecs":1,"lost":16,"other_address":"02:00:00:00:00:04","other_asked":17,"other_answered":16,"share":2}]"#,
        );
        let weak = weaknesses(&way, &[hole], &[link(1532)]);
        assert!(
            weak.len() == 1 && weak[0].contains("does not forward") && weak[0].contains("2 of the last 16"),
            "{weak:?}"
        );
        let busy = |percent: u8| -> Interface {
            let text = r#"{"mesh_ifname":"mesh0","hard_ifname":"e","mtu":1532,"channel_busy_percent":"#;
            crate::control::json::from_text(&format!("{text}{percent}}}")).unwrap()
        };
        let good = near(r#""tq":255,"echo_count":64,"receive_count":64"#);
        assert!(weaknesses(&way, std::slice::from_ref(&good), &[busy(49)]).is_empty());
        assert_eq!(weaknesses(&way, &[good], &[busy(83)]), ["the channel of e is busy for 83 % of the time"]);
        let blind = near(r#""throughput":1000,"throughput_source":"assumed","echo_count":0,"receive_count":0"#);
        assert!(weaknesses(&way, &[blind], &[link(1532)])[0].contains("driver gives no rate"));
    }
}
