//! A clock that a test can move forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The time of the system, plus what the test added.
#[derive(Default, Debug)]
pub struct Clock {
    added_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        system_ms() + self.added_ms.load(Ordering::Relaxed)
    }

    pub fn advance_ms(&self, by: i64) {
        self.added_ms.fetch_add(by.max(0), Ordering::Relaxed);
    }
}

/// The time of the system in milliseconds. Signatures have it, because those who verify them live in it.
#[expect(
    clippy::disallowed_methods,
    reason = "signatures are compared with the time of the day, whatever the fake clock says"
)]
pub fn system_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
