//! What holds where nothing is written. Routing defaults are the kernel module's where it has
//! the setting (protocol notes, "Constants"); the bounds of the tables are the core's.

use crate::checked::{Algorithm, Config, Control, Io, Level, Limits, Link, Log, Measure, Mesh, Share, Wifi};
use crate::gateway::Gateway;
use crate::giving::Give;
use crate::http::Http;
use std::time::Duration;

impl Default for Mesh {
    fn default() -> Self {
        Self {
            name: "mesh0".into(),
            mac: None,
            mtu: None,
            up: true,
            hop_penalty: 30,
            orig_interval: Duration::from_secs(1),
            aggregation: true,
            fragmentation: true,
            fast_start: true,
            distributed_arp_table: true,
            bridge_loop_avoidance: true,
            wifi_clients: false,
            multicast_forceflood: false,
            protected_clients: Vec::new(),
            multicast_fanout: 16,
            algorithm: Algorithm::Auto,
            elp_interval: Duration::from_millis(500),
            extensions: true,
            publish: true,
            node_name: None,
            verify_forwarding: true,
            bonding: false,
            ap_isolation: false,
            ap_isolation_vlans: Vec::new(),
            isolated_clients: false,
            throughput_meter: true,
            state_dir: Some("/var/lib/meshwork".into()),
        }
    }
}

impl Link {
    /// A hard interface with nothing said about it but its name.
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            hop_penalty: 0,
            throughput: None,
            measure: Measure::Auto,
            broadcast_copies: None,
            wifi: Wifi::Auto,
            io: Io::Packet,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            originators: 2048,
            neighbors: 256,
            clients: 16384,
            clients_per_originator: 2048,
            local_clients: 1600,
            vlans: 32,
            addresses: 4096,
            claims: 8192,
            fragment_memory: 512 * 1024,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, parts: Vec::new() }
    }
}

impl Default for Config {
    /// A node with no hard interface.
    fn default() -> Self {
        Self {
            mesh: Mesh::default(),
            links: Vec::new(),
            radios: Vec::new(),
            gateway: Gateway::default(),
            limits: Limits::default(),
            share: Share {
                queue: true,
                guests: Vec::new(),
                background: false,
                give: Give::All,
                give_hours: Vec::new(),
                give_budget: None,
            },
            http: Http::default(),
            control: Control::default(),
            log: Log::default(),
        }
    }
}
