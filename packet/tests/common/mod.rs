//! Reads the captured frames in `tests/vectors/`.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use packet::eth::EthHeader;
use packet::pcap::Reader;
use packet::{Packet, consts};
use std::fs;
use std::path::PathBuf;

pub fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors"))
}

/// The frames of one capture.
pub fn capture(name: &str) -> Vec<Vec<u8>> {
    let file = fs::read(vectors().join(name).with_extension("pcap")).unwrap();
    Reader::new(&file).unwrap().map(|record| record.unwrap().frame.to_vec()).collect()
}

/// Every capture with its frames, by name.
pub fn captures() -> Vec<(String, Vec<Vec<u8>>)> {
    let mut names: Vec<_> = fs::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "pcap"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 19, "captures in tests/vectors");
    names.into_iter().map(|name| (name.clone(), capture(&name))).collect()
}

/// One block of `frames.txt`.
pub struct Block {
    pub title: String,
    pub bytes: Vec<u8>,
    /// The line that people see; `None` for the blocks that hold a header only.
    pub line: Option<String>,
}

pub fn blocks() -> Vec<Block> {
    let text = fs::read_to_string(vectors().join("frames.txt")).unwrap();
    let mut all = Vec::new();
    for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
        let mut lines = paragraph.lines().filter(|line| !line.starts_with('#'));
        let Some(title) = lines.next() else { continue };
        let mut block = Block { title: title.to_owned(), bytes: Vec::new(), line: None };
        for line in lines {
            match line.strip_prefix("= ") {
                Some(pretty) => block.line = Some(pretty.to_owned()),
                None => block.bytes.extend(line.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap())),
            }
        }
        all.push(block);
    }
    assert_eq!(all.len(), 30, "blocks in frames.txt");
    all
}

/// What follows the Ethernet header of a mesh frame; `None` for other frames.
pub fn mesh(frame: &[u8]) -> Option<&[u8]> {
    let (eth, payload) = EthHeader::parse(frame).unwrap();
    (eth.ethertype.get() == consts::ETHERTYPE).then_some(payload)
}

/// The packet in a frame that must be a mesh frame.
pub fn packet(frame: &[u8]) -> Packet<'_> {
    Packet::parse(mesh(frame).unwrap()).unwrap()
}
