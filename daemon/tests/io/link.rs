//! The watcher: what appears, changes and goes.

use crate::world::{Net, in_namespace};
use meshwork::netlink::judge::judge;
use meshwork::netlink::{Verdict, Watcher};
use packet::MacAddr;
use std::time::Duration;

/// Follows news until `done` holds.
async fn follow(watcher: &mut Watcher, what: &str, done: impl Fn(&Watcher) -> bool) {
    while !done(watcher) {
        let change = std::future::poll_fn(|cx| watcher.poll_change(cx));
        tokio::time::timeout(Duration::from_secs(5), change).await.unwrap_or_else(|_| panic!("no news: {what}"));
    }
}

#[test]
fn news_follows_everything() {
    in_namespace(async || {
        let mut net = Net::new();
        let mut watcher = Watcher::open().unwrap();
        assert_eq!(judge("a", watcher.table(), None), Verdict::Absent);
        net.pair_down("a", "b");
        follow(&mut watcher, "appears", |w| matches!(judge("a", w.table(), None), Verdict::Down(_))).await;
        net.up("a", true);
        follow(&mut watcher, "up", |w| matches!(judge("a", w.table(), None), Verdict::Usable(_))).await;
        net.set_mtu("a", 1400);
        follow(&mut watcher, "MTU", |w| w.table().by_name("a").is_some_and(|l| l.mtu == 1400)).await;
        let mac = MacAddr([2, 0, 0, 0, 0, 0x31]);
        net.set_mac("a", mac);
        follow(&mut watcher, "MAC", |w| w.table().by_name("a").is_some_and(|l| l.mac == mac)).await;
        net.up("b", true);
        follow(&mut watcher, "carrier", |w| w.table().by_name("a").is_some_and(|l| l.carrier)).await;
        net.bridge("br");
        net.set_master("a", Some("br"));
        let refused = |w: &Watcher| match judge("a", w.table(), None) {
            Verdict::Refused(why) => why.contains("port of the bridge br"),
            Verdict::Absent | Verdict::Down(_) | Verdict::Usable(_) => false,
        };
        follow(&mut watcher, "bridge port", refused).await;
        net.set_master("a", None);
        follow(&mut watcher, "left the bridge", |w| matches!(judge("a", w.table(), None), Verdict::Usable(_))).await;
        net.remove("a");
        follow(&mut watcher, "gone", |w| w.table().by_name("a").is_none()).await;
        let Verdict::Refused(why) = judge("lo", watcher.table(), None) else { panic!("loopback accepted") };
        assert!(why.contains("loopback"));
    });
}

#[test]
fn a_bridge_around_an_interface_is_seen_through_what_stands_on_it() {
    in_namespace(async || {
        let mut net = Net::new();
        let mut watcher = Watcher::open().unwrap();
        net.pair("mesh0", "other");
        net.bridge("br");
        net.set_master("other", Some("br"));
        net.macvlan("mesh0", "upper");
        let bridged = |w: &Watcher| {
            let table = w.table();
            table.by_name("mesh0").is_some_and(|l| table.is_bridged(l.index))
        };
        let there = |w: &Watcher| w.table().by_name("upper").is_some_and(|l| l.below.is_some());
        follow(&mut watcher, "upper", there).await;
        assert!(!bridged(&watcher), "the other end of a wire is not ours");
        // With both ends of one wire in it the bridge would be a loop, and the storm outlive the test.
        net.set_master("other", None);
        net.set_master("upper", Some("br"));
        follow(&mut watcher, "upper one in a bridge", bridged).await;
        net.set_master("upper", None);
        follow(&mut watcher, "out of it", |w| !bridged(w)).await;
        net.remove("upper");
        net.set_master("mesh0", Some("br"));
        follow(&mut watcher, "itself in a bridge", bridged).await;
    });
}

#[test]
fn many_changes_at_once_are_not_lost() {
    in_namespace(async || {
        let mut net = Net::new();
        let mut watcher = Watcher::open().unwrap();
        for i in 0..300 {
            net.pair(&format!("a{i}"), &format!("b{i}"));
        }
        for i in 0..299 {
            net.remove(&format!("a{i}"));
        }
        follow(&mut watcher, "all of it", |w| w.table().iter().count() == 3).await;
        assert!(matches!(judge("a299", watcher.table(), None), Verdict::Usable(_)));
    });
}
