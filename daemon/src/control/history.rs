//! From what a node remembers to what it shows of that.

use super::protocol::{HistoryView, Mac, SeriesView};
use crate::history::{Figures, Key, Point, Told};
use crate::run::{Remembered, Wanted};
use packet::MacAddr;
use std::time::Duration;

/// What was asked for; whose traffic it was stays with those who may see all (`full`).
///
/// # Errors
/// There is no history of that, a sentence.
pub fn view(told: &Remembered, wanted: Wanted, full: bool) -> Result<HistoryView, String> {
    if let (Some(of), None) = (wanted.of, &told.of) {
        return Err(format!("there is no history of a neighbour with the address {of}"));
    }
    let figures: Vec<Figures> = told.points.iter().map(Point::figures).collect();
    let list = |figure: fn(&Figures) -> Option<u64>| figures.iter().map(figure).collect::<Vec<_>>();
    let if_shown = |shown: bool, figure: fn(&Figures) -> Option<u64>| if shown { list(figure) } else { Vec::new() };
    let of = told.of.clone().unwrap_or_else(Key::node);
    Ok(HistoryView {
        of: some(of.neigh),
        scale: wanted.scale.name().to_owned(),
        step_msecs: msecs(wanted.scale.step()),
        newest_msecs: msecs(told.age),
        to_percent: list(|f| f.to.map(u64::from)),
        from_percent: list(|f| f.from.map(u64::from)),
        throughput: list(|f| f.throughput),
        owner_bytes_per_second: if_shown(full, |f| f.owner),
        // What is carried for whom is the owner's to see; how much in all is for everybody.
        relay_bytes_per_second: if_shown(full || of == Key::node(), |f| f.relay),
        spare: if_shown(full || of == Key::node(), |f| f.spare),
        route_changes: list(|f| f.changes),
        series: told.series.iter().map(series).collect(),
        hard_ifname: Some(of.link).filter(|link| !link.is_empty()),
    })
}

fn series(told: &Told) -> SeriesView {
    SeriesView {
        neigh_address: some(told.key.neigh),
        orig_address: told.orig.map(Mac),
        hard_ifname: Some(told.key.link.clone()).filter(|link| !link.is_empty()),
        last_seen_msecs: msecs(told.gone),
    }
}

fn some(mac: MacAddr) -> Option<Mac> {
    (mac != MacAddr::ZERO).then_some(Mac(mac))
}

fn msecs(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::json;
    use crate::history::Scale;

    #[test]
    fn only_the_owner_sees_whose_traffic_it_was() {
        let near = MacAddr([2, 0, 0, 0, 0, 7]);
        let key = Key { neigh: near, link: "wlan0".to_owned() };
        let figures = Figures { to: Some(50), owner: Some(1), relay: Some(2), spare: Some(3), ..Figures::default() };
        let told = |of: Key| Remembered {
            series: vec![Told { key: of.clone(), orig: None, gone: Duration::ZERO }],
            of: Some(of),
            points: vec![Point::new(&figures), Point::ABSENT],
            age: Duration::from_secs(20),
        };
        let wanted = |of| Wanted { of, scale: Scale::Days };
        let text = |told: Remembered, of, full| {
            let mut view = view(&told, wanted(of), full).unwrap();
            String::from_utf8(json::text(&mut view)).unwrap()
        };
        let all = text(told(key.clone()), Some(near), true);
        for part in [
            r#""of":"02:00:00:00:00:07","hard_ifname":"wlan0","scale":"days","step_msecs":300000,"newest_msecs":20000"#,
            r#""to_percent":[50,null]"#,
            r#""owner_bytes_per_second":[1,null],"relay_bytes_per_second":[2,null],"spare":[3,null]"#,
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        let public = text(told(key), Some(near), false);
        assert!(!public.contains("bytes_per_second") && !public.contains("spare"), "{public}");
        let node = text(told(Key::node()), None, false);
        assert!(node.contains("relay_bytes") && !node.contains("owner_bytes"), "{node}");
        let back: HistoryView = json::from_text(&all).unwrap();
        assert_eq!((back.to_percent, back.of), (vec![Some(50), None], Some(Mac(near))));
        let nothing = Remembered { series: Vec::new(), of: None, points: Vec::new(), age: Duration::ZERO };
        assert!(view(&nothing, wanted(Some(near)), true).is_err());
        assert_eq!(view(&nothing, wanted(None), true).unwrap().to_percent, []);
    }
}
