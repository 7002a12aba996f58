//! `monitor`: mesh frames as they pass, or as they stand in a capture file.

use super::Out;
use super::names::Names;
use crate::args::table::FRAME_TYPE_NAMES;
use crate::args::{Args, UsageError};
use crate::control::{Ask, Client};
use crate::sys::mmsg::{RxBatch, RxNote};
use crate::sys::packet as options;
use crate::sys::ready::watch_read;
use anyhow::Context as _;
use config::suggest;
use mesh_core::Frame;
use packet::consts::{ETHERTYPE, packet_type};
use packet::pcap::Reader;
use packet::pretty::Pretty;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Frames fetched with one system call.
const BATCH: usize = 32;
/// Longest frame shown as a whole, in bytes; jumbo frames fit.
const FRAME: usize = 10_240;
/// Receive buffer of each socket in bytes.
const BUFFER: usize = 1 << 20;
/// Frames that wait for a slow terminal.
const QUEUE: usize = 1024;

/// Which frames are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filter(u32);

/// A frame and where it was seen.
struct Seen {
    interface: usize,
    at: SystemTime,
    frame: Vec<u8>,
    note: RxNote,
}

/// Shows frames until there are no more, or enough.
///
/// # Errors
/// The file cannot be read, an interface cannot be listened to, a flag makes no sense.
pub(super) async fn run(args: &Args, out: Out<'_>) -> anyhow::Result<()> {
    let filter = Filter::new(args)?;
    let most = args.parsed::<u64>("count", "a whole number above 0")?.unwrap_or(u64::MAX);
    let names = if args.has("numeric") { Names::none() } else { Names::load() };
    if let Some(file) = args.value("read") {
        return read(Path::new(file), filter, most, &names, out);
    }
    let interfaces = interfaces(args).await?;
    // Receive buffers stay on their thread.
    LocalSet::new().run_until(live(&interfaces, filter, most, &names, out)).await
}

/// Shows frames as they pass.
async fn live(interfaces: &[String], filter: Filter, most: u64, names: &Names, out: Out<'_>) -> anyhow::Result<()> {
    let (to, mut seen) = mpsc::channel(QUEUE);
    for (number, name) in interfaces.iter().enumerate() {
        let socket = open(name).with_context(|| format!("cannot listen on {name}"))?;
        tokio::task::spawn_local(listen(number, socket, to.clone()));
    }
    drop(to);
    let width = interfaces.iter().map(String::len).max().unwrap_or(0);
    let mut shown = 0;
    while shown < most {
        let Some(Seen { interface, at, frame, note }) = seen.recv().await else {
            anyhow::bail!("no interface is left to listen on");
        };
        if !filter.takes(&frame) {
            continue;
        }
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = clock(at.as_secs(), at.subsec_nanos());
        if interfaces.len() > 1 {
            let name = interfaces.get(interface).map_or("", String::as_str);
            line.push_str(&format!(" {name:width$}"));
        }
        let note = match note {
            RxNote::OuterTag => " [outer VLAN tag]",
            RxNote::Truncated => " [cut off]",
            RxNote::Plain | RxNote::ChecksumMissing => "",
        };
        writeln!(out, "{line} {}{note}", names.replace(&Pretty(&frame).to_string()))?;
        if seen.is_empty() {
            out.flush()?;
        }
        shown += 1;
    }
    Ok(())
}

/// The interfaces of `-i`, or those of the running node.
async fn interfaces(args: &Args) -> anyhow::Result<Vec<String>> {
    let named: Vec<String> = args.values("interface").map(str::to_owned).collect();
    if !named.is_empty() {
        return Ok(named);
    }
    let mut client =
        Client::connect(&super::socket(args)).await.context("without -i the node's interfaces are used")?;
    let links = client.ask(Ask::Interfaces).await?.interfaces.unwrap_or_default();
    let used: Vec<String> = links.into_iter().filter(|l| l.active).map(|l| l.hard_ifname).collect();
    anyhow::ensure!(!used.is_empty(), "the node uses no hard interface; name one with -i");
    Ok(used)
}

/// A socket that hears every mesh frame that comes in or goes out.
fn open(name: &str) -> anyhow::Result<AsyncFd<OwnedFd>> {
    let index = nix::net::if_::if_nametoindex(name).context("there is no such interface")?;
    // Protocol 0: nothing arrives before the socket is bound.
    let socket = match Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None::<Protocol>) {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => anyhow::bail!("needs CAP_NET_RAW; try sudo"),
        other => other?,
    };
    socket.attach_filter(&mesh_frames())?;
    options::enable_auxdata(&socket)?;
    // As much as is allowed.
    let _ = socket.set_recv_buffer_size(BUFFER);
    options::bind(&socket, index, ALL)?;
    Ok(watch_read(socket.into())?)
}

/// All ethertypes: only then the kernel shows what goes out. Source: packet(7).
const ALL: u16 = 3;

/// Frames with the mesh ethertype. Source: linux/filter.h.
fn mesh_frames() -> [SockFilter; 4] {
    [
        SockFilter::new(0x28, 0, 0, 12),                   // load the half word at 12
        SockFilter::new(0x15, 0, 1, u32::from(ETHERTYPE)), // equal: on, else: over the next
        SockFilter::new(0x06, 0, 0, 0x0004_0000),          // take it whole
        SockFilter::new(0x06, 0, 0, 0),                    // leave it
    ]
}

/// Hands on what a socket hears until it fails for good or nobody listens.
async fn listen(interface: usize, socket: AsyncFd<OwnedFd>, to: mpsc::Sender<Seen>) {
    let mut batch = RxBatch::new(BATCH);
    loop {
        let Ok(mut ready) = socket.readable().await else { return };
        let got = ready.try_io(|fd| batch.recv(fd.get_ref().as_fd(), || Frame::with_space(FRAME)));
        let Ok(got) = got else { continue };
        let n = match got {
            Ok(n) => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
            // Down is not gone: it may come up again.
            Err(e) if e.kind() == ErrorKind::NetworkDown => continue,
            Err(_) => return,
        };
        let at = SystemTime::now();
        for (frame, note) in (0..n).filter_map(|i| batch.take(i)) {
            if to.send(Seen { interface, at, frame: frame.bytes().to_vec(), note }).await.is_err() {
                return;
            }
        }
    }
}

/// Shows the frames of a capture file.
fn read(file: &Path, filter: Filter, most: u64, names: &Names, out: Out<'_>) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut shown = 0;
    for record in Reader::new(&bytes).with_context(|| file.display().to_string())? {
        let record = record.with_context(|| file.display().to_string())?;
        if shown >= most {
            break;
        }
        if filter.takes(record.frame) {
            let at = clock(record.seconds.into(), record.nanos);
            writeln!(out, "{at} {}", names.replace(&Pretty(record.frame).to_string()))?;
            shown += 1;
        }
    }
    Ok(())
}

/// Time of day in UTC.
fn clock(secs: u64, nanos: u32) -> String {
    let day = secs % 86_400;
    format!("{:02}:{:02}:{:02}.{:06}", day / 3600, day / 60 % 60, day % 60, nanos / 1000)
}

impl Filter {
    fn new(args: &Args) -> Result<Self, UsageError> {
        let only = args.value("only").map(|text| types("--only", text)).transpose()?.unwrap_or(u32::MAX);
        let except = args.value("except").map(|text| types("--except", text)).transpose()?.unwrap_or(0);
        Ok(Self(only & !except))
    }

    fn takes(self, frame: &[u8]) -> bool {
        self.0 & kind(frame) != 0
    }
}

/// `ogm,icmp`, or the sum of batctl's numbers.
fn types(flag: &str, text: &str) -> Result<u32, UsageError> {
    let all: u32 = FRAME_TYPE_NAMES.iter().map(|(_, bit)| bit).sum();
    if let Ok(sum) = text.parse::<u32>() {
        let good = sum > 0 && sum & !all == 0;
        return if good { Ok(sum) } else { Err(UsageError::new(format!("{flag}: found {sum}, allowed: 1 to {all}"))) };
    }
    let mut mask = 0;
    for word in text.split(',') {
        let bit = FRAME_TYPE_NAMES.iter().find(|(name, _)| *name == word).map(|(_, bit)| bit);
        mask |= bit.ok_or_else(|| {
            let known: Vec<&str> = FRAME_TYPE_NAMES.iter().map(|(name, _)| *name).collect();
            let hint = suggest::closest(word, known.iter().copied())
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            UsageError::new(format!("{flag}: unknown type {word:?}{hint} Types: {}", known.join(", ")))
        })?;
    }
    Ok(mask)
}

/// batctl's number for the type of a frame. Source: batctl, `tcpdump.c`.
fn kind(frame: &[u8]) -> u32 {
    const OTHER: u32 = 256;
    if frame.get(12..14) != Some(&ETHERTYPE.to_be_bytes()) {
        return OTHER;
    }
    match frame.get(14).copied() {
        Some(packet_type::OGM) => 1,
        Some(packet_type::OGM2) => 2,
        Some(packet_type::ELP) => 4,
        Some(packet_type::ICMP) => 8,
        Some(packet_type::UNICAST | packet_type::UNICAST_4ADDR) => 16,
        Some(packet_type::BCAST) => 32,
        Some(packet_type::UNICAST_TVLV) => 64,
        Some(packet_type::FRAG) => 128,
        Some(packet_type::CODED) => 512,
        Some(packet_type::MCAST) => 1024,
        Some(_) | None => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_name_and_by_number() {
        assert_eq!(types("--only", "ogm,icmp"), Ok(9));
        assert_eq!(types("--only", "9"), Ok(9));
        assert_eq!(types("--only", "2047"), Ok(2047));
        assert_eq!(types("--only", "2048").unwrap_err().to_string(), "--only: found 2048, allowed: 1 to 2047");
        assert!(types("--except", "unicst").unwrap_err().to_string().contains("did you mean unicast?"));
    }

    #[test]
    fn frames_by_type() {
        let mut frame = [0; 60];
        assert_eq!(kind(&frame), 256);
        frame[12..14].copy_from_slice(&ETHERTYPE.to_be_bytes());
        for (byte, bit) in
            [(0x00, 1), (0x01, 32), (0x02, 512), (0x03, 4), (0x04, 2), (0x05, 1024), (0x40, 16), (0x41, 128)]
        {
            frame[14] = byte;
            assert_eq!(kind(&frame), bit, "{byte:#x}");
        }
        assert_eq!(kind(&frame[..14]), 256);
        assert_eq!(kind(&[]), 256);
        // Every name has one bit, and all bits have names.
        assert_eq!(FRAME_TYPE_NAMES.iter().map(|(_, bit)| bit).sum::<u32>(), 2047);
    }

    #[test]
    fn times_of_day() {
        assert_eq!(clock(86_400 * 3 + 3661, 5_000), "01:01:01.000005");
    }
}
