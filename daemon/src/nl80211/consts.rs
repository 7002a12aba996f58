//! Numbers of linux/nl80211.h. They never change: the header is part of the kernel's interface.
#![expect(missing_docs, reason = "names of linux/nl80211.h")]

/// Commands.
pub mod cmd {
    pub const GET_INTERFACE: u8 = 5;
    pub const GET_STATION: u8 = 17;
    pub const NEW_STATION: u8 = 19;
    pub const DEL_STATION: u8 = 20;
    pub const NOTIFY_CQM: u8 = 64;
}

/// Attributes of messages.
pub mod attr {
    pub const WIPHY: u16 = 1;
    pub const IFINDEX: u16 = 3;
    pub const IFNAME: u16 = 4;
    pub const IFTYPE: u16 = 5;
    pub const MAC: u16 = 6;
    pub const STA_INFO: u16 = 21;
    pub const WIPHY_FREQ: u16 = 38;
    pub const SSID: u16 = 52;
    pub const CQM: u16 = 94;
    pub const CHANNEL_WIDTH: u16 = 159;
    pub const CENTER_FREQ1: u16 = 160;
}

/// Attributes inside [`attr::STA_INFO`].
pub mod sta {
    pub const INACTIVE_TIME: u16 = 1;
    pub const PLINK_STATE: u16 = 6;
    pub const SIGNAL: u16 = 7;
    pub const TX_BITRATE: u16 = 8;
    pub const TX_PACKETS: u16 = 10;
    pub const TX_RETRIES: u16 = 11;
    pub const TX_FAILED: u16 = 12;
    pub const SIGNAL_AVG: u16 = 13;
    pub const EXPECTED_THROUGHPUT: u16 = 27;
}

/// Attributes inside [`sta::TX_BITRATE`].
pub mod rate {
    pub const BITRATE: u16 = 1;
    pub const BITRATE32: u16 = 5;
}

/// Attributes inside [`attr::CQM`].
pub mod cqm {
    pub const PKT_LOSS_EVENT: u16 = 4;
}
