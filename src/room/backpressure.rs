//! Backpressure: what a viewer who cannot keep up is sent. Plain values, no clock, no socket. There are three steps:
//!
//! 1. A viewer that resumes too far behind skips to the newest frame with a fresh snapshot; the gap is marked
//!    (`recovered: false`).
//! 2. At the fourth skip within a minute, the viewer gets the state lane only: the values that changed, at most once a
//!    second. Its position in the event lane stays where it is. After ten seconds without a blocked socket it gets a
//!    snapshot and all broadcasts again.
//! 3. If that does not happen within a minute, the connection is closed with "come back". The client resumes from its
//!    own position.

use crate::domain::Millis;

const SKIPS_MAX: u32 = 3;
const SKIP_WINDOW_MS: Millis = 60_000;
/// Time between two frames of the state lane.
pub const STATE_INTERVAL_MS: Millis = 1_000;
/// How long the socket must have taken everything before the viewer gets all broadcasts again.
const RECOVERY_MS: Millis = 10_000;
const STATE_ONLY_MAX_MS: Millis = 60_000;

pub struct Backpressure {
    skips: u32,
    skips_since: Millis,
    /// Boxed: few viewers have it, and it would add to the size of every viewer.
    state_only: Option<Box<StateOnly>>,
}

/// The viewer gets the state lane only.
struct StateOnly {
    /// The viewer's position when this began.
    seq: u64,
    /// The revision of the values that the viewer has.
    revision: u64,
    since: Millis,
    next_at: Millis,
    recovers_at: Millis,
}

/// What to send to a viewer that gets the state lane only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackpressureAction {
    /// The values that changed after this revision; the position stays where it is.
    SendState { seq: u64, after: u64 },
    /// A snapshot, and from then on all broadcasts.
    Resync,
    /// The viewer did not recover in time.
    Close,
}

impl Backpressure {
    pub fn new(now: Millis) -> Self {
        Self { skips: 0, skips_since: now, state_only: None }
    }

    /// Whether this viewer gets the state lane only.
    pub fn is_state_only(&self) -> bool {
        self.state_only.is_some()
    }

    /// The viewer was too far behind and skips to the newest frame, `seq`, with a snapshot of the values at `revision`. Returns `true`
    /// when it gets the state lane only from now on.
    pub fn record_skip(&mut self, seq: u64, revision: u64, now: Millis) -> bool {
        if self.skips_since + SKIP_WINDOW_MS <= now {
            (self.skips, self.skips_since) = (0, now);
        }
        self.skips += 1;
        if SKIPS_MAX < self.skips {
            let (next_at, recovers_at) = (next_state_at(now), now + RECOVERY_MS);
            self.state_only = Some(Box::new(StateOnly { seq, revision, since: now, next_at, recovers_at }));
        }
        self.is_state_only()
    }

    /// The socket would block.
    pub fn record_stall(&mut self, now: Millis) {
        if let Some(state) = &mut self.state_only {
            state.recovers_at = now + RECOVERY_MS;
        }
    }

    /// The next action, if it is due; `revision` is that of the values now. Called only when the socket has taken everything before,
    /// so a missed frame is not sent later.
    pub fn next_action(&mut self, revision: u64, now: Millis) -> Option<BackpressureAction> {
        let state = self.state_only.as_mut().filter(|state| state.next_at <= now)?;
        if state.since + STATE_ONLY_MAX_MS <= now {
            return Some(BackpressureAction::Close);
        }
        if state.recovers_at <= now {
            (self.state_only, self.skips, self.skips_since) = (None, 0, now);
            return Some(BackpressureAction::Resync);
        }
        state.next_at = next_state_at(now);
        let after = std::mem::replace(&mut state.revision, revision);
        Some(BackpressureAction::SendState { seq: state.seq, after })
    }

    /// A viewer on the state lane has a frame due, or did not recover in time.
    pub fn is_action_due(&self, now: Millis) -> bool {
        self.state_only.as_ref().is_some_and(|state| state.next_at <= now)
    }

    /// The minute is over, whether the socket is blocked or not.
    pub fn is_expired(&self, now: Millis) -> bool {
        self.state_only.as_ref().is_some_and(|state| state.since + STATE_ONLY_MAX_MS <= now)
    }
}

/// The next full second: viewers who get the values at the same time share one frame.
fn next_state_at(now: Millis) -> Millis {
    (now / STATE_INTERVAL_MS + 1) * STATE_INTERVAL_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourth_skip_within_a_minute_switches_to_state_only() {
        let mut backpressure = Backpressure::new(0);
        assert_eq!([1, 20_000, 59_000].map(|now| backpressure.record_skip(7, 0, now)), [false; 3]);
        assert_eq!(
            [60_000, 61_000, 62_000].map(|now| backpressure.record_skip(7, 0, now)),
            [false; 3],
            "another minute"
        );
        assert!(!backpressure.is_action_due(63_000));
        assert!(backpressure.record_skip(9, 0, 63_000) && backpressure.is_state_only());
    }

    fn state_only(now: Millis) -> Backpressure {
        let mut backpressure = Backpressure::new(now);
        (0..4).for_each(|_| _ = backpressure.record_skip(9, 5, now));
        backpressure
    }

    #[test]
    fn state_only_sends_once_a_second_and_ends_after_ten_steady_seconds() {
        let mut backpressure = state_only(0);
        let mut values = 0;
        for now in (0..10_000).step_by(100) {
            let revision = 6 + now as u64;
            match backpressure.next_action(revision, now) {
                None => {}
                Some(BackpressureAction::SendState { seq: 9, after }) => {
                    assert_eq!(
                        after,
                        if values == 0 { 5 } else { revision - 1_000 },
                        "what changed since the last frame"
                    );
                    values += 1;
                }
                other => panic!("{other:?} at {now}"),
            }
        }
        assert_eq!(values, 9);
        assert_eq!(backpressure.next_action(0, 10_000), Some(BackpressureAction::Resync));
        assert!(!backpressure.is_state_only() && backpressure.next_action(0, 20_000).is_none());
        assert_eq!(
            [0; 3].map(|_| backpressure.record_skip(9, 5, 21_000)),
            [false; 3],
            "the count of skips starts again"
        );
    }

    #[test]
    fn viewer_who_stalls_for_a_minute_is_closed() {
        let mut backpressure = state_only(0);
        for now in (1_000..60_000).step_by(1_000) {
            let action = backpressure.next_action(5, now);
            assert_eq!(action, Some(BackpressureAction::SendState { seq: 9, after: 5 }), "{now}");
            backpressure.record_stall(now);
            assert!(!backpressure.is_expired(now));
        }
        assert!(backpressure.is_expired(60_000));
        assert_eq!(backpressure.next_action(5, 60_000), Some(BackpressureAction::Close));
    }
}
