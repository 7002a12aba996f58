//! What the sockets and the mesh interface counted.

use mesh_core::queue::QueueCounts;

/// Counters of one hard interface, or of the mesh interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames received.
    pub rx_frames: u64,
    /// Their bytes, Ethernet header included.
    pub rx_bytes: u64,
    /// Receive calls that brought at least one frame; `rx_frames / rx_batches` is the mean batch.
    pub rx_batches: u64,
    /// Frames the kernel dropped because we were too slow to fetch them.
    pub rx_overrun: u64,
    /// Frames with an outer VLAN tag; dropped.
    pub rx_outer_tag: u64,
    /// Frames longer than the receive buffer; dropped.
    pub rx_truncated: u64,
    /// Frames whose inner checksum the sender had left to the hardware; completed here.
    pub rx_checksum: u64,
    /// Receive calls that failed.
    pub rx_errors: u64,
    /// Frames sent.
    pub tx_frames: u64,
    /// Their bytes, Ethernet header included.
    pub tx_bytes: u64,
    /// Frames dropped because the send queue was full.
    pub tx_full: u64,
    /// Frames the kernel refused for another reason; dropped.
    pub tx_errors: u64,
}

impl PortCounters {
    /// Adds everything of `other`.
    pub fn merge(&mut self, other: &Self) {
        let Self {
            rx_frames,
            rx_bytes,
            rx_batches,
            rx_overrun,
            rx_outer_tag,
            rx_truncated,
            rx_checksum,
            rx_errors,
            tx_frames,
            tx_bytes,
            tx_full,
            tx_errors,
        } = self;
        *rx_frames += other.rx_frames;
        *rx_bytes += other.rx_bytes;
        *rx_batches += other.rx_batches;
        *rx_overrun += other.rx_overrun;
        *rx_outer_tag += other.rx_outer_tag;
        *rx_truncated += other.rx_truncated;
        *rx_checksum += other.rx_checksum;
        *rx_errors += other.rx_errors;
        *tx_frames += other.tx_frames;
        *tx_bytes += other.tx_bytes;
        *tx_full += other.tx_full;
        *tx_errors += other.tx_errors;
    }

    /// Name and value of every counter, in the order people see them.
    pub fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("rx_frames", self.rx_frames),
            ("rx_bytes", self.rx_bytes),
            ("rx_batches", self.rx_batches),
            ("rx_overrun", self.rx_overrun),
            ("rx_outer_tag", self.rx_outer_tag),
            ("rx_truncated", self.rx_truncated),
            ("rx_checksum", self.rx_checksum),
            ("rx_errors", self.rx_errors),
            ("tx_frames", self.tx_frames),
            ("tx_bytes", self.tx_bytes),
            ("tx_full", self.tx_full),
            ("tx_errors", self.tx_errors),
        ]
    }
}

/// Counters of the mesh interface and of all hard interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// The mesh interface: `rx` is what the host sends into the mesh.
    pub host: PortCounters,
    /// Hard interfaces by name, those that are gone included.
    pub links: Vec<(String, PortCounters)>,
    /// What left hard interfaces by class, and how many frames wait in front of them now.
    pub queues: Vec<(String, QueueCounts, usize)>,
    /// Frames lost between data plane and control side because too many came at once.
    pub punts_lost: u64,
}
