//! `events`: what changes, line by line.

use super::Out;
use super::names::Names;
use crate::args::Args;
use crate::control::protocol::EventView;
use crate::control::{Ask, Client};

/// Prints events until the node stops.
///
/// # Errors
/// No node answers, or it stopped.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let names = if args.has("numeric") { Names::none() } else { Names::load() };
    let mut client = Client::connect(&super::socket(args)).await?;
    // The first answer only says that events come from now on.
    client.ask(Ask::Events).await?;
    loop {
        let mut answer = client.next().await?;
        if answer.event.is_none() {
            continue;
        }
        if args.has("json") {
            super::print_json(out, &mut answer)?;
        } else if let Some(event) = &answer.event {
            writeln!(out, "{}", line(event, &names))?;
        }
        out.flush()?;
    }
}

fn line(e: &EventView, names: &Names) -> String {
    let (secs, msecs) = (e.at_msecs / 1000 % 86_400, e.at_msecs % 1000);
    let text = text(e, names);
    format!("{:02}:{:02}:{:02}.{msecs:03} {text}", secs / 3600, secs / 60 % 60, secs % 60)
}

/// What happened, in words.
pub(crate) fn text(e: &EventView, names: &Names) -> String {
    let who = |mac: Option<crate::control::protocol::Mac>| mac.map_or_else(String::new, |m| names.show(m.0));
    let link = e.hard_ifname.as_deref().unwrap_or("an interface");
    let (neigh, orig, client) = (who(e.neigh_address), who(e.orig_address), who(e.tt_address));
    let vlan = || e.tt_vid.filter(|v| *v >= 0).map(|v| format!(" in VLAN {v}")).unwrap_or_default();
    match e.what.as_str() {
        "neighbor_new" => format!("new neighbor {neigh} on {link}"),
        "neighbor_gone" => format!("lost neighbor {neigh} on {link}"),
        "neighbor_silent" => format!("neighbor {neigh} on {link} does not answer, other ways are used"),
        "neighbor_back" => format!("neighbor {neigh} on {link} is heard again"),
        "not_forwarding" => format!(
            "neighbor {neigh} on {link} does not forward what is for {orig}: 0 of {} probes through it were answered, {} \
             of {} through {}; its way there is taken for worse until it does",
            e.lost.unwrap_or(0),
            e.other_answered.unwrap_or(0),
            e.other_asked.unwrap_or(0),
            who(e.other_address)
        ),
        "forwards_again" => format!("neighbor {neigh} on {link} forwards what is for {orig} again"),
        "originator_new" => format!("new originator {orig}"),
        "originator_gone" => format!("lost originator {orig}"),
        "client_roamed" => {
            let vid = e.tt_vid.filter(|v| *v >= 0).map(|v| format!(" in VLAN {v}")).unwrap_or_default();
            let way = if e.to_us == Some(true) { "came to us" } else { "left us" };
            format!("client {client}{vid} {way}")
        }
        "address_flip" => {
            let vid = e.tt_vid.filter(|v| *v >= 0).map(|v| format!(" in VLAN {v}")).unwrap_or_default();
            let at = if orig.is_empty() { "here".to_owned() } else { format!("at {orig}") };
            let end = if e.replaced == Some(true) {
                "; it is believed, the other was silent"
            } else {
                "; none is believed for now"
            };
            let ip = e.ip_address.map_or_else(|| "an address".to_owned(), |ip| ip.to_string());
            format!("{ip}{vid} was with {}, {client} {at} claims it{end}", who(e.old_tt_address))
        }
        "other_algorithm" => format!("neighbor {neigh} on {link} speaks another routing algorithm"),
        "table_full" => format!("the table of {} is full", e.table.as_deref().unwrap_or("something")),
        "algorithm_changed" => format!(
            "{} from now on: {}",
            e.algo_name.as_deref().unwrap_or("another algorithm"),
            e.why.as_deref().unwrap_or("unknown reason")
        ),
        "backbone_new" => format!("{orig} is on our LAN too{}", vlan()),
        "backbone_gone" => format!("{orig} is no longer heard on our LAN{}", vlan()),
        "backbone_distrusted" => format!(
            "{orig} does not say what it claims on our LAN{}; it blocked broadcasts for a minute in all and is not \
             waited for any longer",
            vlan()
        ),
        "loop_detected" => format!(
            "our LAN{} and the mesh form a loop: a node that does not avoid loops joins them a second time",
            vlan()
        ),
        "address_twice" => format!(
            "two devices seem to speak in the name of {orig}; what does not fit came from {neigh} on {link}: a copied \
             MAC, a clone of a node, or somebody who pretends to be it"
        ),
        "metric_implausible" => format!(
            "neighbor {neigh} on {link} announces a better way to {orig} than there can be; traffic may go to it that \
             should not"
        ),
        "client_contested" => format!(
            "{orig} announces our client {client}{}{}: a loop, a copied MAC, or somebody who pretends to be it",
            vlan(),
            if e.refused == Some(true) { " and was not believed" } else { ", again and again" }
        ),
        what if what.starts_with("gateway_") => gateway(e, &orig, &who(e.orig_before)),
        "line_rate" => {
            let offer = super::table::bandwidth(e.bandwidth_down.unwrap_or(0), e.bandwidth_up.unwrap_or(0));
            format!("the line to the Internet carries {offer}")
        }
        "line_silent" => {
            "nobody behind the line to the Internet answers: how fast it is cannot be found out".to_owned()
        }
        "line_answers" => "somebody behind the line to the Internet answers again".to_owned(),
        "line_shaper" => {
            format!("somebody else shapes the line to the Internet, with {}", e.why.as_deref().unwrap_or("something"))
        }
        "no_link" => "no hard interface is left".to_owned(),
        other => other.to_owned(),
    }
}

fn gateway(e: &EventView, orig: &str, before: &str) -> String {
    let offer = super::table::bandwidth(e.bandwidth_down.unwrap_or(0), e.bandwidth_up.unwrap_or(0));
    match e.what.as_str() {
        "gateway_new" => format!("new gateway {orig}, {offer}"),
        "gateway_changed" => format!("gateway {orig} offers {offer} now"),
        "gateway_implausible" => format!("gateway {orig} promises {offer}, which is not believed"),
        "gateway_gone" => format!("gateway {orig} is gone"),
        "gateway_selected" if orig.is_empty() => format!("no gateway is left after {before}"),
        "gateway_selected" if before.is_empty() => format!("gateway {orig} is selected"),
        "gateway_selected" => format!("gateway {orig} is selected instead of {before}"),
        "gateway_missing" => "a client asks for an address by DHCP, but there is no gateway".to_owned(),
        "gateway_withdrawn" => "our own Internet does not work, we are no gateway for others".to_owned(),
        "gateway_announced" => "our own Internet works, we are a gateway for others".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_like_sentences() {
        let mut names = Names::none();
        names.read("02:00:00:00:00:05 roof");
        for (json, text) in [
            (
                r#"{"what":"neighbor_new","at_msecs":3661007,"hard_ifname":"wlan0","neigh_address":"02:00:00:00:00:05"}"#,
                "01:01:01.007 new neighbor roof on wlan0",
            ),
            (
                r#"{"what":"not_forwarding","at_msecs":0,"hard_ifname":"wlan0","neigh_address":"02:00:00:00:00:05","orig_address":"02:00:00:00:00:07","lost":24,"other_address":"02:00:00:00:00:06","other_asked":24,"other_answered":23}"#,
                "00:00:00.000 neighbor roof on wlan0 does not forward what is for 02:00:00:00:00:07: 0 of 24 probes through it were answered, 23 of 24 through 02:00:00:00:00:06; its way there is taken for worse until it does",
            ),
            (
                r#"{"what":"forwards_again","at_msecs":0,"hard_ifname":"wlan0","neigh_address":"02:00:00:00:00:05","orig_address":"02:00:00:00:00:07"}"#,
                "00:00:00.000 neighbor roof on wlan0 forwards what is for 02:00:00:00:00:07 again",
            ),
            (
                r#"{"what":"client_roamed","at_msecs":0,"tt_address":"02:00:00:00:00:06","tt_vid":7,"to_us":true}"#,
                "00:00:00.000 client 02:00:00:00:00:06 in VLAN 7 came to us",
            ),
            (
                r#"{"what":"client_roamed","at_msecs":0,"tt_address":"02:00:00:00:00:06","tt_vid":-1,"to_us":false}"#,
                "00:00:00.000 client 02:00:00:00:00:06 left us",
            ),
            (
                r#"{"what":"address_flip","at_msecs":0,"ip_address":"10.0.0.1","tt_vid":-1,"tt_address":"02:00:00:00:00:07","old_tt_address":"02:00:00:00:00:06","orig_address":"02:00:00:00:00:05","replaced":false}"#,
                "00:00:00.000 10.0.0.1 was with 02:00:00:00:00:06, 02:00:00:00:00:07 at roof claims it; none is believed for now",
            ),
            (
                r#"{"what":"address_flip","at_msecs":0,"ip_address":"fe80::1","tt_vid":3,"tt_address":"02:00:00:00:00:07","old_tt_address":"02:00:00:00:00:06","replaced":true}"#,
                "00:00:00.000 fe80::1 in VLAN 3 was with 02:00:00:00:00:06, 02:00:00:00:00:07 here claims it; it is believed, the other was silent",
            ),
            (
                r#"{"what":"backbone_new","at_msecs":0,"orig_address":"02:00:00:00:00:05","tt_vid":-1}"#,
                "00:00:00.000 roof is on our LAN too",
            ),
            (
                r#"{"what":"loop_detected","at_msecs":0,"tt_vid":7}"#,
                "00:00:00.000 our LAN in VLAN 7 and the mesh form a loop: a node that does not avoid loops joins them a second time",
            ),
            (
                r#"{"what":"gateway_selected","at_msecs":0,"orig_address":"02:00:00:00:00:05","orig_before":"02:00:00:00:00:06"}"#,
                "00:00:00.000 gateway roof is selected instead of 02:00:00:00:00:06",
            ),
            (
                r#"{"what":"gateway_new","at_msecs":0,"orig_address":"02:00:00:00:00:05","bandwidth_down":205,"bandwidth_up":50}"#,
                "00:00:00.000 new gateway roof, 20.5/5.0 MBit",
            ),
            (
                r#"{"what":"client_contested","at_msecs":0,"orig_address":"02:00:00:00:00:05","tt_address":"02:00:00:00:00:06","tt_vid":-1,"refused":true}"#,
                "00:00:00.000 roof announces our client 02:00:00:00:00:06 and was not believed: a loop, a copied MAC, or somebody who pretends to be it",
            ),
            (r#"{"what":"from_the_future","at_msecs":0}"#, "00:00:00.000 from_the_future"),
        ] {
            assert_eq!(line(&crate::control::json::from_text(json).unwrap(), &names), text);
        }
    }
}
