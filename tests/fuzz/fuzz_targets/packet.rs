//! Whole frames: whatever was accepted comes out again, everything prints one line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packet::bla::ClaimFrame;
use packet::eth::{ClientFrame, EthHeader};
use packet::pcap::Reader;
use packet::pretty::LINE_MAX;
use packet::{Packet, Pretty, consts};
use std::fmt::Write;

fuzz_target!(|frame: &[u8]| {
    let mut line = String::with_capacity(LINE_MAX);
    write!(line, "{}", Pretty(frame)).expect("printing never fails");
    assert!(!line.is_empty() && line.len() <= LINE_MAX && line.is_ascii() && !line.contains(['\n', '\r']), "{line}");

    if let Ok((eth, bytes)) = EthHeader::parse(frame)
        && eth.ethertype.get() == consts::ETHERTYPE
        && let Ok(packet) = Packet::parse(bytes)
    {
        same(bytes, packet.len(), |out| packet.emit(out));
        assert_eq!(Packet::parse(&bytes[..packet.len()]), Ok(packet));
        assert_eq!(packet.packet_type(), bytes[0]);
        if let Some(Ok(client)) = packet.client_frame().map(ClientFrame::parse) {
            assert!(client.priority(packet.client_frame().unwrap_or_default()) < 8);
        }
    }
    if let Ok(claim) = ClaimFrame::parse(frame) {
        let len = if claim.tci.is_some() { ClaimFrame::TAGGED_LEN } else { ClaimFrame::LEN };
        same(frame, len, |out| claim.emit(out));
    }
    if let Ok(reader) = Reader::new(frame) {
        assert!(reader.count() <= frame.len());
    }
});

/// What was accepted emits back unchanged, and not into too little room.
fn same(bytes: &[u8], len: usize, emit: impl Fn(&mut [u8]) -> Result<usize, packet::Error>) {
    let mut out = vec![0xaa; len];
    assert_eq!(emit(&mut out), Ok(len));
    assert_eq!(out, bytes[..len]);
    if len > 0 {
        assert!(emit(&mut out[..len - 1]).is_err());
    }
}
