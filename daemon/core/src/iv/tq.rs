//! Transmit quality arithmetic, in the protocol's integers. Source: "B.A.T.M.A.N. IV" section 7.

use packet::consts::TQ_MAX;

const MAX: u32 = TQ_MAX as u32;
const WINDOW: u32 = crate::window::WINDOW;

/// What one link makes of an OGM's transmit quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkQuality {
    /// Own OGMs out of the last 64 that the neighbour echoed.
    pub echoes: u8,
    /// The neighbour's OGMs out of the last 64 that were heard.
    pub received: u8,
}

impl LinkQuality {
    /// How well we reach the neighbour: echoes that came back over OGMs that got here, 0 to 255.
    pub fn own(self) -> u8 {
        let received = u32::from(self.received);
        let total = u32::from(self.echoes).min(received);
        // total <= received, so the quotient fits a byte.
        (MAX * total).checked_div(received).unwrap_or(0) as u8
    }

    /// Penalty for links on which little is heard, 0 to 255.
    pub fn asymmetry(self) -> u8 {
        let lost = WINDOW.saturating_sub(u32::from(self.received));
        (MAX - MAX * lost.pow(3) / WINDOW.pow(3)) as u8
    }

    /// Quality of a way over this link whose far side is worth `tq`. `link_penalty` is the hard
    /// interface's own, `radio_penalty` the mesh's hop penalty if the packet leaves by the radio
    /// it came in on. All of 255; rounds down.
    pub fn through(self, tq: u8, link_penalty: u8, radio_penalty: Option<u8>) -> u8 {
        let mut keep = MAX - u32::from(link_penalty);
        if let Some(p) = radio_penalty {
            keep = keep * (MAX - u32::from(p)) / MAX;
        }
        let product = u32::from(tq) * u32::from(self.own()) * u32::from(self.asymmetry()) * keep;
        (product / (MAX * MAX * MAX)) as u8
    }
}

/// Applies the hop penalty to a transmit quality; both of 255, rounds down.
pub fn apply_hop_penalty(tq: u8, penalty: u8) -> u8 {
    (u32::from(tq) * (MAX - u32::from(penalty)) / MAX) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        // Source: protocol notes, "Test vectors", IV TQ.
        for (eq, rq, tq, wifi, own, asym, want, forwarded) in [
            (64, 64, 255, false, 255, 255, 255, 225),
            (64, 64, 255, true, 255, 255, 225, 198),
            (32, 64, 255, false, 127, 255, 127, 112),
            (64, 32, 255, false, 255, 224, 224, 197),
            (48, 60, 255, true, 204, 255, 180, 158),
            (1, 1, 255, false, 255, 12, 12, 10),
            (64, 64, 225, true, 255, 255, 198, 174),
            (10, 64, 200, false, 39, 255, 30, 26),
        ] {
            let q = LinkQuality { echoes: eq, received: rq };
            assert_eq!((q.own(), q.asymmetry()), (own, asym), "EQ {eq} RQ {rq}");
            let got = q.through(tq, 0, wifi.then_some(30));
            assert_eq!((got, apply_hop_penalty(got, 30)), (want, forwarded), "EQ {eq} RQ {rq}");
        }
        assert_eq!(LinkQuality { echoes: 5, received: 0 }.through(255, 0, None), 0);
    }
}
