//! The whole core, control side and hot path: arbitrary frames, interfaces that come and go, time
//! that passes. Its invariants hold after every step, and the same story gives the same bytes.
#![no_main]

use fuzz::node::Node;
use fuzz::script::{self, Step};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use mesh_core::LinkId;

/// Steps of one story; longer inputs find nothing that shorter ones do not.
const STEPS: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    // Every eighth story is told twice.
    let (Ok(first), Some(0)) = (story(bytes), bytes.first().map(|byte| byte % 8)) else { return };
    assert_eq!(story(bytes).ok(), Some(first), "the same story, other frames");
});

/// Lives through the story in `bytes`; returns what stands for all frames sent.
fn story(bytes: &[u8]) -> Result<u64> {
    let mut u = Unstructured::new(bytes);
    let seed = u.arbitrary()?;
    let mut node = Node::new(script::config(&mut u)?, seed);
    node.live(Step::LinkUp(LinkId(0), script::link_config(&mut u, LinkId(0))?));
    for _ in 0..STEPS {
        if u.is_empty() {
            break;
        }
        node.live(script::step(&mut u)?);
    }
    Ok(node.digest())
}
