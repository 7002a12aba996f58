//! Containers: a chain of them emits back unchanged, and the value of each known kind reads
//! within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packet::tvlv::tracker::Tracker;
use packet::tvlv::tt::Tt;
use packet::tvlv::{Containers, Value, emit};

fuzz_target!(|bytes: &[u8]| {
    let mut containers = Containers::new(bytes);
    let mut out = vec![0; bytes.len()];
    let mut room = &mut out[..];
    for container in containers.by_ref() {
        room = emit(room, container.kind, container.version, container.value).expect("as much room as it came in");
        match Value::parse(container) {
            Ok(Value::Tt(tt)) => table(&tt, container.value),
            Ok(Value::Tracker(tracker)) => receivers(&tracker, container.value),
            Ok(Value::Unknown(same)) => assert_eq!(same, container),
            Ok(_) | Err(_) => {}
        }
    }
    assert!(containers.next().is_none(), "the end stays the end");
    let read = bytes.len() - containers.rest().len();
    assert_eq!(room.len(), containers.rest().len());
    assert_eq!(out[..read], bytes[..read]);
});

/// All records lie in the value, and the bytes behind them are less than one.
fn table(tt: &Tt<'_>, value: &[u8]) {
    let len = Tt::len_of(tt.vlans.len(), tt.changes.len());
    assert!(len <= value.len() && value.len() < len + 12);
    assert_eq!(tt.vlans.len(), usize::from(tt.header.num_vlan.get()));
}

/// The same slots emit to the same bytes, padding aside.
fn receivers(tracker: &Tracker<'_>, value: &[u8]) {
    let mut out = vec![0; Tracker::len_of(tracker.slots.len())];
    let len = Tracker::emit(tracker.slots, &mut out).expect("room for it");
    assert_eq!(len, out.len());
    let slots = 2 + 6 * tracker.slots.len();
    assert_eq!(out[..slots], value[..slots]);
    assert!(tracker.destinations().count() <= tracker.slots.len());
}
