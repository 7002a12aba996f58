//! Numbers of linux/nl80211.h. They never change: the header is part of the kernel's interface.
#![expect(missing_docs, reason = "names of linux/nl80211.h")]

/// Commands.
pub mod cmd {
    pub const GET_WIPHY: u8 = 1;
    pub const SET_WIPHY: u8 = 2;
    pub const GET_INTERFACE: u8 = 5;
    pub const SET_INTERFACE: u8 = 6;
    pub const NEW_INTERFACE: u8 = 7;
    pub const DEL_INTERFACE: u8 = 8;
    pub const GET_KEY: u8 = 9;
    pub const GET_STATION: u8 = 17;
    pub const NEW_STATION: u8 = 19;
    pub const DEL_STATION: u8 = 20;
    pub const REQ_SET_REG: u8 = 27;
    pub const SET_MESH_CONFIG: u8 = 29;
    pub const GET_REG: u8 = 31;
    pub const GET_SCAN: u8 = 32;
    pub const TRIGGER_SCAN: u8 = 33;
    pub const NEW_SCAN_RESULTS: u8 = 34;
    pub const SCAN_ABORTED: u8 = 35;
    pub const JOIN_IBSS: u8 = 43;
    pub const LEAVE_IBSS: u8 = 44;
    pub const GET_SURVEY: u8 = 50;
    pub const NOTIFY_CQM: u8 = 64;
    pub const JOIN_MESH: u8 = 68;
    pub const LEAVE_MESH: u8 = 69;
}

/// Attributes of messages.
pub mod attr {
    pub const WIPHY: u16 = 1;
    pub const WIPHY_NAME: u16 = 2;
    pub const IFINDEX: u16 = 3;
    pub const IFNAME: u16 = 4;
    pub const IFTYPE: u16 = 5;
    pub const MAC: u16 = 6;
    pub const KEY_IDX: u16 = 8;
    pub const BEACON_INTERVAL: u16 = 12;
    pub const STA_INFO: u16 = 21;
    pub const WIPHY_BANDS: u16 = 22;
    pub const MESH_ID: u16 = 24;
    pub const SUPPORTED_IFTYPES: u16 = 32;
    pub const REG_ALPHA2: u16 = 33;
    pub const MESH_CONFIG: u16 = 35;
    pub const WIPHY_FREQ: u16 = 38;
    pub const IE: u16 = 42;
    pub const SCAN_FREQUENCIES: u16 = 44;
    pub const SCAN_SSIDS: u16 = 45;
    pub const BSS: u16 = 47;
    pub const SSID: u16 = 52;
    pub const FREQ_FIXED: u16 = 60;
    pub const SURVEY_INFO: u16 = 84;
    pub const CQM: u16 = 94;
    pub const INTERFACE_COMBINATIONS: u16 = 120;
    pub const SOFTWARE_IFTYPES: u16 = 121;
    pub const SCAN_FLAGS: u16 = 158;
    pub const CHANNEL_WIDTH: u16 = 159;
    pub const CENTER_FREQ1: u16 = 160;
    pub const SPLIT_WIPHY_DUMP: u16 = 174;
}

/// Attributes inside a band of [`attr::WIPHY_BANDS`].
pub mod band {
    pub const FREQS: u16 = 1;
}

/// Attributes inside a frequency of [`band::FREQS`].
pub mod freq {
    pub const FREQ: u16 = 1;
    pub const DISABLED: u16 = 2;
    pub const NO_IR: u16 = 3;
    pub const RADAR: u16 = 5;
    pub const NO_HT40_MINUS: u16 = 9;
    pub const NO_HT40_PLUS: u16 = 10;
    pub const NO_80MHZ: u16 = 11;
    pub const NO_160MHZ: u16 = 12;
}

/// Attributes inside [`attr::INTERFACE_COMBINATIONS`].
pub mod combination {
    pub const LIMITS: u16 = 1;
    pub const MAXNUM: u16 = 2;
    pub const NUM_CHANNELS: u16 = 4;
    pub const LIMIT_MAX: u16 = 1;
    pub const LIMIT_TYPES: u16 = 2;
}

/// Attributes inside [`attr::BSS`].
pub mod bss {
    pub const BSSID: u16 = 1;
    pub const FREQUENCY: u16 = 2;
    pub const CAPABILITY: u16 = 5;
    pub const INFORMATION_ELEMENTS: u16 = 6;
    pub const SIGNAL_MBM: u16 = 7;
    pub const SEEN_MS_AGO: u16 = 10;
    pub const BEACON_IES: u16 = 11;
}

/// Attributes inside [`attr::MESH_CONFIG`].
pub mod meshconf {
    pub const FORWARDING: u16 = 19;
    pub const PLINK_TIMEOUT: u16 = 28;
}

/// Attributes inside [`attr::SURVEY_INFO`].
pub mod survey {
    pub const FREQUENCY: u16 = 1;
    pub const NOISE: u16 = 2;
    pub const IN_USE: u16 = 3;
    pub const TIME: u16 = 4;
    pub const TIME_BUSY: u16 = 5;
    pub const TIME_RX: u16 = 7;
    pub const TIME_TX: u16 = 8;
    pub const TIME_BSS_RX: u16 = 11;
}

/// Flags of [`attr::SCAN_FLAGS`].
pub mod scan_flag {
    /// Scan although an access point is served meanwhile.
    pub const AP: u32 = 4;
}

/// Attributes inside [`attr::STA_INFO`].
pub mod sta {
    pub const INACTIVE_TIME: u16 = 1;
    pub const RX_BYTES: u16 = 2;
    pub const TX_BYTES: u16 = 3;
    pub const PLINK_STATE: u16 = 6;
    pub const SIGNAL: u16 = 7;
    pub const TX_BITRATE: u16 = 8;
    pub const TX_PACKETS: u16 = 10;
    pub const TX_RETRIES: u16 = 11;
    pub const TX_FAILED: u16 = 12;
    pub const SIGNAL_AVG: u16 = 13;
    pub const RX_BITRATE: u16 = 14;
    pub const RX_BYTES64: u16 = 23;
    pub const TX_BYTES64: u16 = 24;
    pub const EXPECTED_THROUGHPUT: u16 = 27;
    pub const RX_DURATION: u16 = 32;
    pub const TX_DURATION: u16 = 39;
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
