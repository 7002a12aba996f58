//! Packet filters that are hooked in: the chains of nftables, and queueing disciplines that
//! filter or lose frames. Needs CAP_NET_ADMIN.

use crate::doctor::facts::{Chain, Firewall};
use crate::netlink::message::{Message, attrs, u32_at};
use crate::netlink::socket::Requests;
use crate::netlink::{LinkTable, RouteSocket};
use nix::sys::socket::SockProtocol;
use std::io::{self, ErrorKind};

/// Everything that is hooked in somewhere.
pub(super) fn read(links: &LinkTable) -> Firewall {
    let (chains, unread) = match chains() {
        Ok(chains) => (chains, None),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => (Vec::new(), Some("needs CAP_NET_ADMIN".to_owned())),
        // The kernel has no nftables: nothing is hooked in.
        Err(_) => (Vec::new(), None),
    };
    Firewall { unread, chains, queues: queues(links).unwrap_or_default() }
}

fn chains() -> io::Result<Vec<Chain>> {
    let mut socket = Requests::open(SockProtocol::NetlinkNetFilter)?;
    let mut chains: Vec<Chain> = Vec::new();
    socket.exchange(request(GETCHAIN), |kind, body| {
        if kind == NEWCHAIN {
            chains.extend(chain(body));
        }
    })?;
    if chains.is_empty() {
        return Ok(chains);
    }
    let mut drops: Vec<(&'static str, String)> = Vec::new();
    socket.exchange(request(GETRULE), |kind, body| {
        if kind == NEWRULE {
            drops.extend(dropping_rule(body));
        }
    })?;
    for chain in &mut chains {
        // A base chain may jump to any other of its table.
        chain.drops = drops.iter().filter(|(family, table)| *family == chain.family && *table == chain.table).count();
    }
    Ok(chains)
}

fn request(kind: u16) -> Message {
    // `struct nfgenmsg`: all families, version 0, no resource.
    Message::new(kind, DUMP).raw(&[0; NFGENMSG_LEN])
}

/// A chain that is hooked in somewhere. Source: linux/netfilter/nf_tables.h.
fn chain(body: &[u8]) -> Option<Chain> {
    let family = family(*body.first()?)?;
    let (mut table, mut name, mut drop_policy, mut hooked) = (String::new(), String::new(), false, None);
    for (kind, value) in attrs(body.get(NFGENMSG_LEN..)?) {
        match kind {
            CHAIN_TABLE => table = text(value),
            CHAIN_NAME => name = text(value),
            CHAIN_POLICY => drop_policy = big_endian(value)? == NF_DROP,
            CHAIN_HOOK => {
                let (mut number, mut devices) = (0, Vec::new());
                for (kind, value) in attrs(value) {
                    match kind {
                        HOOK_NUMBER => number = big_endian(value)?,
                        HOOK_DEVICE => devices.push(text(value)),
                        HOOK_DEVICES => devices.extend(attrs(value).map(|(_, name)| text(name))),
                        _ => {}
                    }
                }
                devices.dedup();
                hooked = Some((hook(family, number)?, devices));
            }
            _ => {}
        }
    }
    let (hook, devices) = hooked?;
    Some(Chain { family, table, name, hook, devices, drop_policy, drops: 0 })
}

/// Family and table of a rule that drops or rejects.
fn dropping_rule(body: &[u8]) -> Option<(&'static str, String)> {
    let family = family(*body.first()?)?;
    let (mut table, mut drops) = (String::new(), false);
    for (kind, value) in attrs(body.get(NFGENMSG_LEN..)?) {
        match kind {
            RULE_TABLE => table = text(value),
            RULE_EXPRESSIONS => drops = attrs(value).any(|(_, expression)| is_drop(expression)),
            _ => {}
        }
    }
    drops.then_some((family, table))
}

fn is_drop(expression: &[u8]) -> bool {
    let of = |kind: u16, bytes| attrs(bytes).find(|(k, _)| *k == kind).map(|(_, value)| value);
    match of(EXPR_NAME, expression).map(text).as_deref() {
        Some("reject") => true,
        Some("immediate") => {
            let verdict = of(EXPR_DATA, expression)
                .and_then(|data| of(IMMEDIATE_DATA, data))
                .and_then(|data| of(DATA_VERDICT, data))
                .and_then(|verdict| of(VERDICT_CODE, verdict));
            verdict.and_then(big_endian) == Some(NF_DROP)
        }
        _ => false,
    }
}

/// Queueing disciplines that filter what comes in, or lose frames on purpose.
fn queues(links: &LinkTable) -> io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let request = Message::new(RTM_GETQDISC, DUMP).raw(&[0; TCMSG_LEN]);
    RouteSocket::open()?.exchange(request, |kind, body| {
        if kind != RTM_NEWQDISC {
            return;
        }
        let link = u32_at(body, 4).and_then(|index| links.by_index(index));
        let kind = attrs(body.get(TCMSG_LEN..).unwrap_or_default()).find(|(k, _)| *k == TCA_KIND);
        if let (Some(link), Some(kind)) = (link, kind.map(|(_, value)| text(value)))
            && matches!(kind.as_str(), "ingress" | "clsact" | "netem" | "blackhole")
        {
            found.push((link.name.clone(), kind));
        }
    })?;
    Ok(found)
}

fn family(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => return None,
    })
}

/// Source: linux/netfilter.h, linux/netfilter_arp.h.
fn hook(family: &str, number: u32) -> Option<&'static str> {
    Some(match (family, number) {
        ("netdev", 0) | ("inet", 5) => "ingress",
        ("netdev", 1) => "egress",
        ("arp", 0) => "input",
        ("arp", 1) => "output",
        (_, 0) => "prerouting",
        (_, 1) => "input",
        (_, 2) => "forward",
        (_, 3) => "output",
        (_, 4) => "postrouting",
        _ => return None,
    })
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

fn big_endian(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?))
}

const DUMP: u16 = 0x300;
const NFGENMSG_LEN: usize = 4;
/// `NFNL_SUBSYS_NFTABLES` in the upper byte of the message type.
const NFTABLES: u16 = 10 << 8;
const NEWCHAIN: u16 = NFTABLES | 3;
const GETCHAIN: u16 = NFTABLES | 4;
const NEWRULE: u16 = NFTABLES | 6;
const GETRULE: u16 = NFTABLES | 7;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const HOOK_NUMBER: u16 = 1;
const HOOK_DEVICE: u16 = 3;
const HOOK_DEVICES: u16 = 4;
const RULE_TABLE: u16 = 1;
const RULE_EXPRESSIONS: u16 = 4;
const EXPR_NAME: u16 = 1;
const EXPR_DATA: u16 = 2;
const IMMEDIATE_DATA: u16 = 2;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const NF_DROP: u32 = 0;
const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;
/// `struct tcmsg`: family, padding, interface (at 4), handle, parent, info.
const TCMSG_LEN: usize = 20;
const TCA_KIND: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::HEADER_LEN;

    fn body(message: Message) -> Vec<u8> {
        message.finish(0).split_off(HEADER_LEN)
    }

    #[test]
    fn a_chain_is_read() {
        let message = Message::new(NEWCHAIN, 0)
            .raw(&[5, 0, 0, 0])
            .text(CHAIN_TABLE, "t")
            .text(CHAIN_NAME, "c")
            .nest(CHAIN_HOOK, |m| {
                m.attr(HOOK_NUMBER, &0u32.to_be_bytes()).nest(HOOK_DEVICES, |m| m.text(1, "eth0").text(1, "eth1"))
            })
            .attr(CHAIN_POLICY, &NF_DROP.to_be_bytes());
        let chain = chain(&body(message)).unwrap();
        assert_eq!(
            (chain.family, chain.table.as_str(), chain.name.as_str(), chain.hook),
            ("netdev", "t", "c", "ingress")
        );
        assert_eq!((chain.devices, chain.drop_policy), (vec!["eth0".to_owned(), "eth1".to_owned()], true));
    }

    #[test]
    fn a_chain_that_is_only_jumped_to_is_none() {
        let message = Message::new(NEWCHAIN, 0).raw(&[1, 0, 0, 0]).text(CHAIN_TABLE, "t").text(CHAIN_NAME, "c");
        assert_eq!(chain(&body(message)), None);
    }

    fn rule(name: &str, verdict: u32) -> Vec<u8> {
        body(Message::new(NEWRULE, 0).raw(&[2, 0, 0, 0]).text(RULE_TABLE, "t").nest(RULE_EXPRESSIONS, |m| {
            m.nest(1, |m| {
                m.text(EXPR_NAME, name).nest(EXPR_DATA, |m| {
                    m.nest(IMMEDIATE_DATA, |m| m.nest(DATA_VERDICT, |m| m.attr(VERDICT_CODE, &verdict.to_be_bytes())))
                })
            })
        }))
    }

    #[test]
    fn rules_that_drop() {
        assert_eq!(dropping_rule(&rule("immediate", NF_DROP)), Some(("ip", "t".to_owned())));
        assert_eq!(dropping_rule(&rule("immediate", 1)), None);
        assert_eq!(dropping_rule(&rule("reject", 1)), Some(("ip", "t".to_owned())));
        assert_eq!(dropping_rule(&rule("cmp", NF_DROP)), None);
    }
}
