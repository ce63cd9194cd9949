//! Faults that are injected on purpose, so that the load test and the chaos test can prove that they detect them. They occur only in a build
//! with the feature `fault-injection`, which a release refuses; `LIVESOUK_INJECTED_FAULT` picks one. See `scripts/fault-detection`.
//!
//! Every build compiles this file, so the usual lints check it. Without the feature the constant is false, and the compiler removes the calls.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether this build can inject faults. Each call stands behind it.
pub const IS_BUILT_IN: bool = cfg!(feature = "fault-injection");

/// A fault occurs at one of this many opportunities. A fault that occurs everywhere would be too easy to detect.
const DEFAULT_INTERVAL: u64 = 97;

static SELECTED_FAULT: LazyLock<String> =
    LazyLock::new(|| std::env::var("LIVESOUK_INJECTED_FAULT").unwrap_or_default());
static OPPORTUNITIES: AtomicU64 = AtomicU64::new(1);

fn fires(fault: &str, every: u64) -> bool {
    *SELECTED_FAULT == fault && OPPORTUNITIES.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
}

/// `skip`: now and then a viewer misses a frame of the room. `repeat`: a viewer gets a frame twice.
pub fn move_cursor(cursor: &mut u64, head: u64) {
    if *cursor == 0 || *cursor == head {
    } else if fires("skip", DEFAULT_INTERVAL) {
        *cursor += 1;
    } else if fires("repeat", DEFAULT_INTERVAL) {
        *cursor -= 1;
    }
}

/// `old`: now and then an offer is sent with an earlier version.
pub fn stale_version(version: i64) -> i64 {
    if fires("old", 3) { version - 5 } else { version }
}

/// `unsaved`: now and then a buyer gets an order that was not saved.
pub fn skips_save() -> bool {
    fires("unsaved", 5)
}

/// `kept`: now and then an order ends although its money was taken.
pub fn ends_paid_order() -> bool {
    fires("kept", 7)
}

/// `kept`: money that is for no order is never given back. Without this the reconciler would soon repair the other half.
pub fn keeps_owed_money() -> bool {
    *SELECTED_FAULT == "kept"
}

/// `deaf`: the node assumes that the broker is up although it receives nothing.
pub fn assumes_broker_up() -> bool {
    *SELECTED_FAULT == "deaf"
}
