//! Counters, and the named reason of every dropped frame.

/// Makes an enum whose variants have a stable name and one counter each.
macro_rules! counted {
    ($(#[$meta:meta])* $enum:ident { $($(#[$vmeta:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum { $($(#[$vmeta])* $variant,)* }

        impl $enum {
            /// All of them, in the order they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name shown to people and programs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

counted! {
    /// Why a frame went no further.
    Drop {
        /// Shorter than its header.
        Short = "short",
        /// Version byte is not 15.
        Version = "version",
        /// A type that nobody may forward.
        UnknownType = "unknown_type",
        /// A forwardable type that we do not know, addressed to us.
        UnknownForUs = "unknown_for_us",
        /// Ethernet destination is not the interface that heard it.
        NotForUs = "not_for_us",
        /// Ethernet source or destination is impossible for this type.
        BadAddress = "bad_address",
        /// A frame with an outer VLAN tag; the mesh never sends those.
        OuterTag = "outer_tag",
        /// It came from one of our own interfaces.
        OwnSource = "own_source",
        /// An originator message of ours came back; it was counted as echo if it is one.
        OwnOgm = "own_ogm",
        /// We were its previous sender.
        OwnRebroadcast = "own_rebroadcast",
        /// Marked for its originator only.
        NotBestNextHop = "not_best_next_hop",
        /// The sequence number is inside a protected window.
        SeqnoProtected = "seqno_protected",
        /// Transmit quality 0.
        ZeroTq = "zero_tq",
        /// V: throughput 0.
        ZeroThroughput = "zero_throughput",
        /// V: an OGM of a neighbour that never said hello.
        NoHello = "no_hello",
        /// V: an OGM older than the newest one.
        OldOgm = "old_ogm",
        /// The next hop's way leads back to us.
        LoopGuard = "loop_guard",
        /// The relay that we heard it from has no route itself.
        UnknownRelay = "unknown_relay",
        /// Speaks the other routing algorithm.
        OtherAlgorithm = "other_algorithm",
        /// The table of originators is full of better ones.
        OriginatorsFull = "originators_full",
        /// This neighbour invents originators too fast.
        OriginatorRate = "originator_rate",
        /// The queue of OGMs to forward is full.
        OgmQueueFull = "ogm_queue_full",
        /// TTL ran out.
        Ttl = "ttl",
        /// No originator of that address is known.
        UnknownOriginator = "unknown_originator",
        /// Both clients are marked, and AP isolation is on.
        Isolated = "isolated",
        /// The originator is known, but no way leads there.
        NoRoute = "no_route",
        /// It is carried for others, and this node gives nothing.
        NotGiven = "not_given",
        /// No originator serves that client.
        UnknownClient = "unknown_client",
        /// The client moved and nobody knows where to.
        OutdatedClient = "outdated_client",
        /// The table of own clients is full.
        LocalClientsFull = "local_clients_full",
        /// Client frame with an impossible source.
        BadClientSource = "bad_client_source",
        /// A mesh frame inside a mesh frame.
        MeshInMesh = "mesh_in_mesh",
        /// Spanning tree and similar frames stay on their wire.
        LinkLocal = "link_local",
        /// A flooded frame that was seen before.
        Duplicate = "duplicate",
        /// A multicast frame that nobody in the mesh wants.
        NoListener = "no_listener",
        /// Its sender is on our LAN, where the frame was already.
        Backbone = "backbone",
        /// A claim frame that makes no sense, or that came over the mesh.
        ClaimFrame = "claim_frame",
        /// Another gateway of our LAN handles the client that it came from.
        Claimed = "claimed",
        /// We handle the client and just heard it in the mesh; on the LAN it is an echo.
        ClaimRace = "claim_race",
        /// The gateways of the LAN have not agreed yet; nothing for groups passes.
        BlaBlocked = "bla_blocked",
        /// A loop detection frame of ours that came back.
        LoopDetect = "loop_detect",
        /// It came over the mesh and, let through by another gateway, back over the LAN.
        Looped = "looped",
        /// The queue of broadcasts is full.
        BcastQueueFull = "bcast_queue_full",
        /// Carried for others, while the owner receives from the same neighbour.
        HeldBack = "held_back",
        /// Longer than the link carries and fragmentation is off or not possible.
        TooBig = "too_big",
        /// A fragment that fits no chain, or a chain that broke a limit.
        BadFragment = "bad_fragment",
        /// A chain of fragments that was not completed in time or was pushed out.
        FragmentTimeout = "fragment_timeout",
        /// A fragment inside a fragment.
        NestedFragment = "nested_fragment",
        /// TVLVs that cannot be read.
        BadTvlv = "bad_tvlv",
        /// A table answer that nobody asked for.
        UnaskedResponse = "unasked_response",
        /// A roaming advertisement that we do not believe.
        BadRoam = "bad_roam",
        /// A client that is not to be taken over by another node.
        ProtectedClient = "protected_client",
        /// A table answer that is not the table which was asked for.
        WrongTable = "wrong_table",
        /// A record route list that is full.
        RecordRouteFull = "record_route_full",
        /// A message of the throughput meter that belongs to no test, or is none.
        Meter = "meter",
        /// More requests than we answer.
        RateLimit = "rate_limit",
        /// The interface it should leave by is down.
        LinkDown = "link_down",
        /// A message to the distributed ARP table that is no sensible ARP.
        BadArp = "bad_arp",
        /// An answer that is known already; clients get each one once.
        ArpDuplicate = "arp_duplicate",
        /// An ARP answer for somebody who is not a client here.
        ArpElsewhere = "arp_elsewhere",
        /// DHCP of an own client, and there is no gateway to send it to.
        NoGateway = "no_gateway",
        /// DHCP from the LAN of a gateway, which has its own server.
        DhcpAtServer = "dhcp_at_server",
        /// A router advertisement from elsewhere than the selected gateway.
        OtherRouter = "other_router",
        /// A DHCP answer or a router advertisement from somebody who is no gateway.
        RogueServer = "rogue_server",
        /// A Meshwork message of somebody who never said that it runs Meshwork.
        NotMeshwork = "not_meshwork",
        /// A packet type that this node does not speak yet.
        Unsupported = "unsupported",
    }
}

counted! {
    /// What a node did; names as `batctl statistics` prints them where it has them.
    Count {
        /// Client frames taken into the mesh.
        Tx = "tx",
        /// Their bytes.
        TxBytes = "tx_bytes",
        /// Client frames that could not be sent.
        TxDropped = "tx_dropped",
        /// Client frames delivered out of the mesh.
        Rx = "rx",
        /// Their bytes.
        RxBytes = "rx_bytes",
        /// Packets forwarded for others.
        Forward = "forward",
        /// Their bytes.
        ForwardBytes = "forward_bytes",
        /// OGM frames sent.
        MgmtTx = "mgmt_tx",
        /// Their bytes.
        MgmtTxBytes = "mgmt_tx_bytes",
        /// OGM frames received.
        MgmtRx = "mgmt_rx",
        /// Their bytes.
        MgmtRxBytes = "mgmt_rx_bytes",
        /// Fragments made.
        FragTx = "frag_tx",
        /// Their bytes.
        FragTxBytes = "frag_tx_bytes",
        /// Fragments received for us.
        FragRx = "frag_rx",
        /// Their bytes.
        FragRxBytes = "frag_rx_bytes",
        /// Fragments forwarded.
        FragFwd = "frag_fwd",
        /// Their bytes.
        FragFwdBytes = "frag_fwd_bytes",
        /// Table requests sent.
        TtRequestTx = "tt_request_tx",
        /// Table requests received for us or answered by us.
        TtRequestRx = "tt_request_rx",
        /// Table answers sent.
        TtResponseTx = "tt_response_tx",
        /// Table answers received.
        TtResponseRx = "tt_response_rx",
        /// Roaming advertisements sent.
        TtRoamAdvTx = "tt_roam_adv_tx",
        /// Roaming advertisements received.
        TtRoamAdvRx = "tt_roam_adv_rx",
        /// Questions sent to nodes that keep an address.
        DatGetTx = "dat_get_tx",
        /// Questions received for an address that we may keep.
        DatGetRx = "dat_get_rx",
        /// Answers sent to nodes that keep them.
        DatPutTx = "dat_put_tx",
        /// Answers received to keep.
        DatPutRx = "dat_put_rx",
        /// Questions of other nodes answered out of our cache.
        DatCachedReplyTx = "dat_cached_reply_tx",
        /// Questions of own clients answered out of our cache.
        DatHostReply = "dat_host_reply",
        /// Questions that were not flooded because the answer came in time.
        DatFloodSaved = "dat_flood_saved",
        /// IPv6 neighbour solicitations of own clients answered out of our cache.
        NdHostReply = "nd_host_reply",
        /// Extra link-sensing OGMs of the fast start.
        FastOgmTx = "fast_ogm_tx",
        /// Flooded client frames sent, repetitions included.
        BcastTx = "bcast_tx",
        /// Flooded client frames heard for the first time.
        BcastRx = "bcast_rx",
        /// Claim frames said on the LAN.
        BlaTx = "bla_tx",
        /// Claim frames heard on the LAN.
        BlaRx = "bla_rx",
        /// Questions to silent neighbours while frames flow to them.
        ProbeTx = "probe_tx",
        /// Questions sent through neighbours to originators beyond them.
        VerifyTx = "verify_tx",
        /// Their bytes.
        VerifyTxBytes = "verify_tx_bytes",
        /// Answers to them.
        VerifyAnswerRx = "verify_answer_rx",
        /// Answers given to such questions of others.
        VerifyAnswerTx = "verify_answer_tx",
        /// Ways found to carry nothing.
        VerifyAccused = "verify_accused",
        /// Messages to Meshwork neighbours about broken ways.
        NewsTx = "news_tx",
        /// Such messages taken in.
        NewsRx = "news_rx",
        /// Multicast packets with a list of receivers sent, one for each next hop.
        McastTx = "mcast_tx",
        /// Their bytes.
        McastTxBytes = "mcast_tx_bytes",
        /// Client frames that were sent in such packets.
        McastTxLocal = "mcast_tx_local",
        /// Bytes of the packets before they were split.
        McastTxLocalBytes = "mcast_tx_local_bytes",
        /// Multicast packets with a list of receivers heard.
        McastRx = "mcast_rx",
        /// Their bytes.
        McastRxBytes = "mcast_rx_bytes",
        /// Those of them that we were a receiver of.
        McastRxLocal = "mcast_rx_local",
        /// Their bytes.
        McastRxLocalBytes = "mcast_rx_local_bytes",
        /// Multicast packets passed on, one for each next hop.
        McastFwd = "mcast_fwd",
        /// Their bytes.
        McastFwdBytes = "mcast_fwd_bytes",
        /// Unicast packets sent because a multicast frame had few receivers.
        McastCopies = "mcast_tx_copies",
        /// Mesh ICMP messages sent or answered.
        IcmpTx = "icmp_tx",
        /// Mesh ICMP messages received.
        IcmpRx = "icmp_rx",
        /// Client frames sent to the selected gateway instead of to everybody.
        GatewayTx = "gateway_tx",
    }
}

/// One counter for each [`Drop`] and each [`Count`].
#[derive(Debug, Clone)]
pub struct Counters {
    drops: [u64; Drop::ALL.len()],
    counts: [u64; Count::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self { drops: [0; Drop::ALL.len()], counts: [0; Count::ALL.len()] }
    }
}

impl Counters {
    /// One more frame dropped for this reason.
    #[inline]
    pub fn drop(&mut self, why: Drop) {
        if let Some(n) = self.drops.get_mut(why as usize) {
            *n += 1;
        }
    }

    /// Adds to a counter.
    #[inline]
    pub fn add(&mut self, what: Count, n: u64) {
        if let Some(c) = self.counts.get_mut(what as usize) {
            *c += n;
        }
    }

    /// Counts one frame and its bytes: `what` and its `_bytes` twin, which follows it.
    #[inline]
    pub fn frame(&mut self, what: Count, bytes: usize) {
        self.add(what, 1);
        if let Some(c) = self.counts.get_mut(what as usize + 1) {
            *c += bytes as u64;
        }
    }

    /// Frames dropped for this reason.
    pub fn dropped(&self, why: Drop) -> u64 {
        self.drops.get(why as usize).copied().unwrap_or(0)
    }

    /// Value of a counter.
    pub fn count(&self, what: Count) -> u64 {
        self.counts.get(what as usize).copied().unwrap_or(0)
    }

    /// Adds everything of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.drops.iter_mut().zip(&other.drops) {
            *a += b;
        }
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
    }
}
