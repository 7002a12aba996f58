//! What other originators want, counted once and not per frame.

use super::group::{Group, Ip, Reach};
use crate::originator::{Features, Originators};
use crate::sorted::SortedSet;
use alloc::vec::Vec;
use packet::MacAddr;
use packet::tvlv::mcast::flags;

/// Flags of an originator that was never heard of its containers. Source: section 4.2.
const UNHEARD: u8 = flags::WANT_NO_RTR4 | flags::WANT_NO_RTR6 | flags::HAVE_MC_PTYPE_CAPA;
/// Flags of an originator whose containers say nothing of multicast.
const SILENT: u8 = flags::WANT_ALL_IPV4 | flags::WANT_ALL_IPV6;

/// Originators by what they want, in order of address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    unsnoopables: Vec<MacAddr>,
    all4: Vec<MacAddr>,
    all6: Vec<MacAddr>,
    routers4: Vec<MacAddr>,
    routers6: Vec<MacAddr>,
    /// How many do not understand packet type 5.
    incapable: usize,
}

/// What an originator's containers mean. Wanting everything implies no router, so that nothing
/// comes twice. Source: section 4.2.
pub(crate) fn effective_flags(features: &Features) -> u8 {
    let said = match (features.known, features.multicast) {
        (false, _) => UNHEARD,
        (true, None) => SILENT,
        (true, Some(flags)) => flags,
    };
    let no_router4 = if said & flags::WANT_ALL_IPV4 != 0 { flags::WANT_NO_RTR4 } else { 0 };
    let no_router6 = if said & flags::WANT_ALL_IPV6 != 0 { flags::WANT_NO_RTR6 } else { 0 };
    said | no_router4 | no_router6
}

impl Wants {
    pub(super) fn of(originators: &Originators) -> Self {
        let mut wants = Self::default();
        for (&orig, o) in originators {
            let flags = effective_flags(&o.features);
            let note = |on: bool, list: &mut Vec<MacAddr>| {
                if on {
                    list.push(orig);
                }
            };
            note(flags & flags::WANT_ALL_UNSNOOPABLES != 0, &mut wants.unsnoopables);
            note(flags & flags::WANT_ALL_IPV4 != 0, &mut wants.all4);
            note(flags & flags::WANT_ALL_IPV6 != 0, &mut wants.all6);
            note(flags & flags::WANT_NO_RTR4 == 0, &mut wants.routers4);
            note(flags & flags::WANT_NO_RTR6 == 0, &mut wants.routers6);
            wants.incapable += usize::from(flags & flags::HAVE_MC_PTYPE_CAPA == 0);
        }
        wants
    }

    /// True if every node understands packet type 5. One that does not could be on the way.
    pub(super) const fn all_capable(&self) -> bool {
        self.incapable == 0
    }

    /// True if somebody wants all that cannot be snooped.
    pub(super) const fn wants_unsnoopables(&self) -> bool {
        !self.unsnoopables.is_empty()
    }

    /// Adds those who want frames of this kind whatever the group.
    pub(super) fn add_to(&self, dests: &mut SortedSet<MacAddr>, group: Group) {
        let (all, routers) = match group.ip {
            Ip::V4 => (&self.all4, &self.routers4),
            Ip::V6 => (&self.all6, &self.routers6),
        };
        dests.extend(all);
        match group.reach {
            Reach::Unsnoopable => dests.extend(&self.unsnoopables),
            Reach::Routable => dests.extend(routers),
            Reach::Link => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::originator::Originator;
    use crate::time::Instant;

    const GROUPS: [(Ip, Reach); 6] = [
        (Ip::V4, Reach::Unsnoopable),
        (Ip::V4, Reach::Routable),
        (Ip::V6, Reach::Unsnoopable),
        (Ip::V6, Reach::Link),
        (Ip::V6, Reach::Routable),
        (Ip::V4, Reach::Link),
    ];

    /// Which of [`GROUPS`] reach an originator with these containers, and whether packet type 5
    /// may be used with it around.
    fn wants(known: bool, multicast: Option<u8>) -> ([bool; 6], bool) {
        let orig = MacAddr([2, 0, 0, 0, 0, 7]);
        let mut o = Originator::new(Instant::ZERO);
        o.features = Features { known, multicast, ..Features::default() };
        let wants = Wants::of(&Originators::from([(orig, o)]));
        let got = GROUPS.map(|(ip, reach)| {
            let mut dests = SortedSet::new();
            wants.add_to(&mut dests, Group { ip, reach });
            dests.contains(&orig)
        });
        (got, wants.all_capable())
    }

    #[test]
    fn what_flags_mean() {
        let (yes, no) = (true, false);
        assert_eq!(wants(false, None), ([no; 6], yes), "not heard yet");
        assert_eq!(wants(true, None), ([yes; 6], no), "an old node");
        assert_eq!(wants(true, Some(0x38)), ([no; 6], yes));
        assert_eq!(wants(true, Some(0x18)), ([no; 6], no));
        assert_eq!(wants(true, Some(0x20)), ([no, yes, no, no, yes, no], yes), "routers of both kinds");
        assert_eq!(wants(true, Some(0x39)), ([yes, no, yes, no, no, no], yes));
        assert_eq!(wants(true, Some(0x3a)), ([yes, yes, no, no, no, yes], yes), "all of IPv4");
        assert_eq!(wants(true, Some(0x3c)), ([no, no, yes, yes, yes, no], yes), "all of IPv6");
        assert_eq!(effective_flags(&Features { known: true, multicast: Some(0x26), ..Features::default() }), 0x3e);
    }
}
