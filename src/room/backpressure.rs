//! How a viewer who cannot keep up steps down, and up again. Plain values, no clock, no socket.
//!
//! 1. Taking up again too far behind: brought to the head by a fresh snapshot, the gap marked (`recovered: false`).
//! 2. The fourth time within a minute: the log stands still for them, and they get the values alone, at most once a
//!    second, the newest only. After ten seconds without a blocked socket they are brought to the head and follow again.
//! 3. Not steady within a minute: sent away with "come back". They come back with their own position.

use crate::domain::Millis;

const SKIPS_MAX: u32 = 3;
const SKIP_WINDOW_MS: Millis = 60_000;
/// How long between two frames of values.
pub const STATE_INTERVAL_MS: Millis = 1_000;
/// How long the socket must have taken everything before the viewer follows the log again.
const RECOVERY_MS: Millis = 10_000;
const STATE_ONLY_MAX_MS: Millis = 60_000;

pub struct Backpressure {
    skips: u32,
    skips_since: Millis,
    /// Boxed: hardly anybody has it, and it would be part of every viewer.
    state_only: Option<Box<StateOnly>>,
}

/// The log stands still.
struct StateOnly {
    /// The position the viewer was left at.
    seq: u64,
    since: Millis,
    next_at: Millis,
    recovers_at: Millis,
}

/// What is to be sent to one whose log stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BackpressureAction {
    /// All values, the position staying where it is.
    SendState { seq: u64 },
    /// A snapshot, and from there on everything.
    Resync,
    /// Nothing helps.
    Close,
}

impl Backpressure {
    pub fn new(now: Millis) -> Self {
        Self { skips: 0, skips_since: now, state_only: None }
    }

    /// The log stands still for this viewer.
    pub fn is_state_only(&self) -> bool {
        self.state_only.is_some()
    }

    /// Too far behind: the viewer is brought to the head, `seq`. `true` when from there on they get the values alone.
    pub fn record_skip(&mut self, seq: u64, now: Millis) -> bool {
        if self.skips_since + SKIP_WINDOW_MS <= now {
            (self.skips, self.skips_since) = (0, now);
        }
        self.skips += 1;
        if SKIPS_MAX < self.skips {
            let thin = StateOnly { seq, since: now, next_at: now + STATE_INTERVAL_MS, recovers_at: now + RECOVERY_MS };
            self.state_only = Some(Box::new(thin));
        }
        self.is_state_only()
    }

    /// The socket would block.
    pub fn record_stall(&mut self, now: Millis) {
        if let Some(thin) = &mut self.state_only {
            thin.recovers_at = now + RECOVERY_MS;
        }
    }

    /// What has come due. Asked only when the socket has taken everything before, so what is late falls away.
    pub fn next_action(&mut self, now: Millis) -> Option<BackpressureAction> {
        let thin = self.state_only.as_mut().filter(|thin| thin.next_at <= now)?;
        if thin.since + STATE_ONLY_MAX_MS <= now {
            return Some(BackpressureAction::Close);
        }
        if thin.recovers_at <= now {
            (self.state_only, self.skips, self.skips_since) = (None, 0, now);
            return Some(BackpressureAction::Resync);
        }
        thin.next_at = now + STATE_INTERVAL_MS;
        Some(BackpressureAction::SendState { seq: thin.seq })
    }

    /// A viewer of the values alone has something due, or has been unsteady for too long.
    pub fn is_action_due(&self, now: Millis) -> bool {
        self.state_only.as_ref().is_some_and(|thin| thin.next_at <= now)
    }

    /// Blocked or not, the minute is over.
    pub fn is_expired(&self, now: Millis) -> bool {
        self.state_only.as_ref().is_some_and(|thin| thin.since + STATE_ONLY_MAX_MS <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_skips_in_a_minute_are_forgiven_and_the_fourth_leaves_the_values() {
        let mut ladder = Backpressure::new(0);
        assert_eq!([1, 20_000, 59_000].map(|now| ladder.record_skip(7, now)), [false; 3]);
        assert_eq!([60_000, 61_000, 62_000].map(|now| ladder.record_skip(7, now)), [false; 3], "another minute");
        assert!(!ladder.is_action_due(63_000));
        assert!(ladder.record_skip(9, 63_000) && ladder.is_state_only());
    }

    fn state_only(now: Millis) -> Backpressure {
        let mut ladder = Backpressure::new(now);
        (0..4).for_each(|_| _ = ladder.record_skip(9, now));
        ladder
    }

    #[test]
    fn values_come_once_a_second_and_ten_steady_seconds_lead_back() {
        let mut ladder = state_only(0);
        let mut values = 0;
        for now in (0..10_000).step_by(100) {
            match ladder.next_action(now) {
                None => {}
                Some(BackpressureAction::SendState { seq: 9 }) => values += 1,
                other => panic!("{other:?} at {now}"),
            }
        }
        assert_eq!(values, 9);
        assert_eq!(ladder.next_action(10_000), Some(BackpressureAction::Resync));
        assert!(!ladder.is_state_only() && ladder.next_action(20_000).is_none());
        assert_eq!([0; 3].map(|_| ladder.record_skip(9, 21_000)), [false; 3], "it starts from the top");
    }

    #[test]
    fn one_who_stumbles_for_a_minute_is_sent_away() {
        let mut ladder = state_only(0);
        for now in (1_000..60_000).step_by(1_000) {
            assert_eq!(ladder.next_action(now), Some(BackpressureAction::SendState { seq: 9 }), "{now}");
            ladder.record_stall(now);
            assert!(!ladder.is_expired(now));
        }
        assert!(ladder.is_expired(60_000));
        assert_eq!(ladder.next_action(60_000), Some(BackpressureAction::Close));
    }
}
