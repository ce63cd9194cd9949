//! Faults planted on purpose, so that the load test and the chaos test can show that they find them. Built only with the feature
//! `planted-fault`, which a release refuses; `LIVESOUK_PLANTED_FAULT` picks one. See `scripts/planted`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Neither the first frame nor every one: a fault that is everywhere is no test of a check that looks for it.
const DEFAULT_INTERVAL: u64 = 97;

static SELECTED_FAULT: LazyLock<String> = LazyLock::new(|| std::env::var("LIVESOUK_PLANTED_FAULT").unwrap_or_default());
static OPPORTUNITIES: AtomicU64 = AtomicU64::new(1);

fn fires(fault: &str, every: u64) -> bool {
    *SELECTED_FAULT == fault && OPPORTUNITIES.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
}

/// `skip`: now and then a viewer is not given a frame of the room. `repeat`: is given one again.
pub fn move_cursor(cursor: &mut u64, head: u64) {
    if *cursor == 0 || *cursor == head {
    } else if fires("skip", DEFAULT_INTERVAL) {
        *cursor += 1;
    } else if fires("repeat", DEFAULT_INTERVAL) {
        *cursor -= 1;
    }
}

/// `old`: now and then an offer is told under an earlier version.
pub fn stale_version(version: i64) -> i64 {
    if fires("old", 3) { version - 5 } else { version }
}

/// `unsaved`: now and then a buyer is told an order that nobody kept.
pub fn skips_save() -> bool {
    fires("unsaved", 5)
}

/// `deaf`: a bus that is not heard is believed in all the same.
pub fn assumes_broker_up() -> bool {
    *SELECTED_FAULT == "deaf"
}
