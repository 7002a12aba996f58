//! `ping`, `traceroute` and `translate`.

use super::names::Names;
use super::resolve::mac_of;
use super::{Out, Quiet};
use crate::args::{Args, UsageError};
use crate::control::protocol::{AddressKind, EchoView, MAX_ECHO_WAIT_MSECS, Mac, Translation};
use crate::control::{Ask, Client};
use packet::MacAddr;
use packet::icmp::IcmpHeader;
use serde_json::json;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Probes for each hop of a traceroute.
const PROBES: usize = 3;
/// Most hops of a traceroute. Source: batctl.
const MAX_HOPS: u8 = 50;
/// The node cuts off who is silent for a minute; slow pings come back instead.
const RECONNECT: Duration = Duration::from_secs(30);
/// What a client frame of Ethernet and IP would add; batctl prints it too.
const OUTER: usize = 28;

/// Whom to ask: what was typed, and the node that it leads to.
pub(super) struct Target {
    pub(super) typed: String,
    pub(super) orig: MacAddr,
    pub(super) own: bool,
}

impl Target {
    pub(super) async fn find(client: &mut Client, args: &Args) -> anyhow::Result<Self> {
        let typed = args.operand(0).unwrap_or_default().to_owned();
        // A name is found even where addresses are to be printed.
        let mac = mac_of(&typed, &Names::load()).await?;
        if args.has("no-translate") {
            return Ok(Self { typed, orig: mac, own: false });
        }
        let found = translation(client, mac).await?;
        Ok(Self { typed, orig: found.orig_address.0, own: found.kind == AddressKind::Own })
    }
}

async fn translation(client: &mut Client, mac: MacAddr) -> anyhow::Result<Translation> {
    let answer = client.ask(Ask::Translate { address: Mac(mac) }).await?;
    answer.translation.ok_or_else(|| anyhow::anyhow!("the node sent another answer"))
}

fn names(args: &Args) -> Names {
    if args.has("numeric") { Names::none() } else { Names::load() }
}

/// Where a client is.
///
/// # Errors
/// Nobody knows it.
pub(super) async fn translate(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let mut client = Client::connect(&super::socket(args)).await?;
    let mac = mac_of(args.operand(0).unwrap_or_default(), &Names::load()).await?;
    let mut found = translation(&mut client, mac).await?;
    if args.has("json") {
        return super::print_json(out, &mut found);
    }
    Ok(writeln!(out, "{}", found.orig_address)?)
}

fn wait(args: &Args) -> Result<u64, UsageError> {
    let wait =
        args.seconds("timeout")?.unwrap_or(Duration::from_secs(1)).min(Duration::from_millis(MAX_ECHO_WAIT_MSECS));
    Ok(u64::try_from(wait.as_millis()).unwrap_or(MAX_ECHO_WAIT_MSECS).max(1))
}

/// Mesh echo.
///
/// # Errors
/// The host cannot be found, the node does not answer; [`Quiet`] if nobody answered the echo.
pub(super) async fn ping(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let count = args.parsed::<u64>("count", "a whole number above 0")?;
    if count == Some(0) {
        return Err(UsageError::new("--count: found 0, allowed: a whole number above 0").into());
    }
    let interval = args.seconds("interval")?.unwrap_or(Duration::from_secs(1));
    let timeout_msecs = wait(args)?;
    let record_route = args.has("record-route");
    let json = args.has("json");
    let (names, mut client) = (names(args), Client::connect(&super::socket(args)).await?);
    let target = Target::find(&mut client, args).await?;
    if target.own {
        anyhow::bail!("{} is this node itself, or one of its own clients", target.typed);
    }
    let length = if record_route { IcmpHeader::RECORD_ROUTE_LEN } else { IcmpHeader::LEN };
    if !json {
        writeln!(out, "PING {} ({}) {length}({}) bytes of data", target.typed, target.orig, length + OUTER)?;
        out.flush()?;
    }
    let mut stats = Stats::default();
    let mut last_route = Vec::new();
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    for number in 1.. {
        if count.is_some_and(|most| number > most) {
            break;
        }
        let seqno = u16::try_from(number % 65_536).unwrap_or(0);
        if interval > RECONNECT && number > 1 {
            client = Client::connect(&super::socket(args)).await?;
        }
        let round = async {
            let begun = tokio::time::Instant::now();
            let ask =
                Ask::Echo { address: Mac(target.orig), ttl: packet::consts::TTL, seqno, record_route, timeout_msecs };
            let answer = client.ask(ask).await?.echo;
            anyhow::Ok((begun, answer))
        };
        stats.sent += 1;
        let (begun, answer) = tokio::select! {
            done = round => done?,
            _ = int.recv() => break,
            _ = term.recv() => break,
        };
        let line = if json { String::new() } else { line(&target, answer.as_ref(), length, &names, &mut last_route) };
        out.write_all(line.as_bytes())?;
        out.flush()?;
        if let Some(answer) = answer.filter(|a| !a.ttl_exceeded) {
            stats.add(answer.rtt_usecs);
        }
        if count == Some(number) {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep_until(begun + interval) => {}
            _ = int.recv() => break,
            _ = term.recv() => break,
        }
    }
    if json {
        let (min, avg, max, mdev) = stats.summary();
        let summary = json!({
            "format": crate::control::FORMAT, "host": target.typed, "orig_address": target.orig.to_string(),
            "sent": stats.sent, "received": stats.received, "rtt_usecs": {"min": min, "avg": avg, "max": max, "mdev": mdev},
        });
        writeln!(out, "{summary}")?;
    } else {
        out.write_all(stats.text(&target.typed).as_bytes())?;
    }
    if stats.received > 0 { Ok(()) } else { Err(Quiet.into()) }
}

/// What one round of ping says.
fn line(target: &Target, answer: Option<&EchoView>, length: usize, names: &Names, last_route: &mut Vec<Mac>) -> String {
    let typed = &target.typed;
    let Some(a) = answer else { return format!("Reply from host {typed} timed out\n") };
    if a.ttl_exceeded {
        return format!("From {}: Time to live exceeded (icmp_seq {})\n", names.show(a.orig_address.0), a.seqno);
    }
    let time = format!("{}.{:02}", a.rtt_usecs / 1000, a.rtt_usecs % 1000 / 10);
    let mut out = format!("{length} bytes from {typed} icmp_seq={} ttl={} time={time} ms", a.seqno, a.ttl);
    if length == IcmpHeader::RECORD_ROUTE_LEN {
        if !a.route.is_empty() && a.route == *last_route {
            out.push_str("\t(same route)");
        } else {
            out.push_str("\nRR: ");
            for hop in &a.route {
                out.push_str(&format!("\t{}\n", names.show(hop.0)));
                // The turning point stands there once for both directions.
                if hop.0 == target.orig {
                    out.push_str(&format!("\t{}\n", names.show(hop.0)));
                }
            }
            last_route.clone_from(&a.route);
        }
    }
    out.push('\n');
    out
}

/// Round trip times in µs.
#[derive(Debug, Default)]
struct Stats {
    sent: u64,
    received: u64,
    min: u64,
    max: u64,
    sum: u128,
    squares: u128,
}

impl Stats {
    fn add(&mut self, usecs: u64) {
        self.min = if self.received == 0 { usecs } else { self.min.min(usecs) };
        self.max = self.max.max(usecs);
        self.received += 1;
        self.sum += u128::from(usecs);
        self.squares += u128::from(usecs) * u128::from(usecs);
    }

    /// Least, mean, most and standard deviation in µs, all 0 without an answer.
    fn summary(&self) -> (u64, u64, u64, u64) {
        let n = u128::from(self.received.max(1));
        let mean = self.sum / n;
        // n² times the variance, so that nothing is rounded before the root.
        let spread = (n * self.squares).saturating_sub(self.sum * self.sum);
        let deviation = spread.isqrt() / n;
        let narrow = |v: u128| u64::try_from(v).unwrap_or(u64::MAX);
        (self.min, narrow(mean), self.max, narrow(deviation))
    }

    fn text(&self, typed: &str) -> String {
        let loss = ((self.sent - self.received) * 100).checked_div(self.sent).unwrap_or(0);
        let (min, avg, max, mdev) = self.summary();
        let ms = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
        format!(
            "--- {typed} ping statistics ---\n{} packets transmitted, {} received, {loss}% packet loss\n\
             rtt min/avg/max/mdev = {}/{}/{}/{} ms\n",
            self.sent,
            self.received,
            ms(min),
            ms(avg),
            ms(max),
            ms(mdev)
        )
    }
}

/// The nodes on the way.
///
/// # Errors
/// The host cannot be found, the node does not answer; [`Quiet`] if the end was not reached.
pub(super) async fn traceroute(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let timeout_msecs = wait(args)?;
    let json = args.has("json");
    let (names, mut client) = (names(args), Client::connect(&super::socket(args)).await?);
    let target = Target::find(&mut client, args).await?;
    if target.own {
        anyhow::bail!("{} is this node itself, or one of its own clients", target.typed);
    }
    if !json {
        let length = IcmpHeader::LEN;
        writeln!(out, "traceroute to {} ({}), {MAX_HOPS} hops max, {length} byte packets", target.typed, target.orig)?;
    }
    let mut hops = Vec::new();
    let (mut seqno, mut reached) = (0u16, false);
    for ttl in 1..=MAX_HOPS {
        let mut probes: [Option<EchoView>; PROBES] = [const { None }; PROBES];
        for probe in &mut probes {
            seqno = seqno.wrapping_add(1);
            let ask = Ask::Echo { address: Mac(target.orig), ttl, seqno, record_route: false, timeout_msecs };
            *probe = client.ask(ask).await?.echo;
        }
        reached = probes.iter().flatten().any(|a| !a.ttl_exceeded);
        if json {
            let rtts: Vec<Option<u64>> = probes.iter().map(|p| p.as_ref().map(|a| a.rtt_usecs)).collect();
            let who = probes.iter().flatten().next().map(|a| a.orig_address);
            hops.push(json!({"ttl": ttl, "orig_address": who, "rtt_usecs": rtts}));
        } else {
            out.write_all(hop(ttl, &probes, &names).as_bytes())?;
            out.flush()?;
        }
        if reached {
            break;
        }
    }
    if json {
        let summary = json!({
            "format": crate::control::FORMAT, "host": target.typed, "orig_address": target.orig.to_string(),
            "reached": reached, "hops": hops,
        });
        writeln!(out, "{summary}")?;
    }
    if reached { Ok(()) } else { Err(Quiet.into()) }
}

/// One hop of a traceroute.
fn hop(ttl: u8, probes: &[Option<EchoView>], names: &Names) -> String {
    let mut out = match probes.iter().flatten().next() {
        None => format!("{ttl:2}: *"),
        Some(a) => match names.name(a.orig_address.0) {
            Some(name) => format!("{ttl:2}: {name} ({})", a.orig_address),
            None => format!("{ttl:2}: {}", a.orig_address),
        },
    };
    for probe in probes {
        match probe {
            Some(a) => out.push_str(&format!("  {}.{:03} ms", a.rtt_usecs / 1000, a.rtt_usecs % 1000)),
            None => out.push_str("   *"),
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, last])
    }

    fn answer(rtt_usecs: u64, route: &[u8]) -> EchoView {
        let route = route.iter().map(|&i| Mac(mac(i))).collect();
        EchoView { orig_address: Mac(mac(9)), seqno: 3, ttl: 48, ttl_exceeded: false, rtt_usecs, route }
    }

    #[test]
    fn ping_lines_are_batctls() {
        let target = Target { typed: "roof".into(), orig: mac(9), own: false };
        let names = Names::none();
        let mut route = Vec::new();
        let mut say = |a: Option<&EchoView>, length| line(&target, a, length, &names, &mut route);
        assert_eq!(say(Some(&answer(1234, &[])), 20), "20 bytes from roof icmp_seq=3 ttl=48 time=1.23 ms\n");
        assert_eq!(say(None, 20), "Reply from host roof timed out\n");
        assert_eq!(
            say(Some(&EchoView { ttl_exceeded: true, ..answer(1, &[]) }), 20),
            "From 02:00:00:00:00:09: Time to live exceeded (icmp_seq 3)\n"
        );
        let there_and_back = answer(12_050, &[1, 9, 1]);
        assert_eq!(
            say(Some(&there_and_back), 116),
            "116 bytes from roof icmp_seq=3 ttl=48 time=12.05 ms\nRR: \t02:00:00:00:00:01\n\t02:00:00:00:00:09\n\
             \t02:00:00:00:00:09\n\t02:00:00:00:00:01\n\n"
        );
        assert_eq!(
            say(Some(&there_and_back), 116),
            "116 bytes from roof icmp_seq=3 ttl=48 time=12.05 ms\t(same route)\n"
        );
    }

    #[test]
    fn statistics_are_those_of_the_times() {
        let mut stats = Stats { sent: 4, ..Stats::default() };
        for usecs in [1000, 2000, 3000] {
            stats.add(usecs);
        }
        // Variance of 1, 2, 3 ms: 2/3 ms².
        assert_eq!(stats.summary(), (1000, 2000, 3000, 816));
        assert_eq!(
            stats.text("roof"),
            "--- roof ping statistics ---\n4 packets transmitted, 3 received, 25% packet loss\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms\n"
        );
        let nobody = Stats { sent: 2, ..Stats::default() };
        assert_eq!(
            nobody.text("x"),
            "--- x ping statistics ---\n2 packets transmitted, 0 received, 100% packet loss\n\
             rtt min/avg/max/mdev = 0.000/0.000/0.000/0.000 ms\n"
        );
    }

    #[test]
    fn a_hop_shows_all_probes() {
        let mut names = Names::none();
        let probes = [None, Some(answer(1500, &[])), Some(answer(20, &[]))];
        assert_eq!(hop(2, &probes, &names), " 2: 02:00:00:00:00:09   *  1.500 ms  0.020 ms\n");
        names.read("02:00:00:00:00:09 roof");
        assert_eq!(hop(12, &probes, &names), "12: roof (02:00:00:00:00:09)   *  1.500 ms  0.020 ms\n");
        assert_eq!(hop(3, &[None, None, None], &names), " 3: *   *   *   *\n");
    }
}
