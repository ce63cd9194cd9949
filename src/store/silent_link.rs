//! Pooled connections that were idle on a network link when it went silent, which are closed without asking each of them.
//!
//! A link can die so that neither side is notified: a firewall forgets it, or another machine takes over its address. A connection on it
//! answers a ping as slowly as the deadline allows. The idle connections beside it most likely share its fate, and to find
//! that out one by one would delay one request each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// When the link of these connections last went silent. Its clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct SilentLink(Arc<Mutex<Option<Instant>>>);

impl SilentLink {
    /// Records that a connection did not answer what it was asked at this time.
    pub fn went_silent(&self, asked_at: Instant) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (*last).max(Some(asked_at));
    }

    /// Whether a connection that has been idle since then is to be closed without a check. One that was used later has answered after the
    /// silence.
    pub fn includes(&self, idle_since: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|silent| idle_since <= silent)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_connections_that_were_idle_before_the_silence_are_closed() {
        let link = SilentLink::default();
        let began = Instant::now();
        let later = began + Duration::from_secs(1);
        assert!(!link.includes(began));
        link.clone().went_silent(began);
        assert!(link.includes(began));
        assert!(!link.includes(later));
        // Two connections are found silent, and the one that was asked first is noticed last.
        link.went_silent(later);
        link.went_silent(began);
        assert!(link.includes(later));
    }
}
