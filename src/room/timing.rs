//! When something is due: the tick, the ping, the viewer count. Plain values, no clock.

use crate::domain::Millis;

/// Spaces out a room's broadcasts by what they cost. The first frame after a quiet period is sent at once.
///
/// A broadcast costs nearly the same with one event as with ten, so a gap saves processor time only if more than one
/// update arrives in it. Where updates are rarer, a longer gap would only make them late.
#[derive(Default)]
pub struct TickPacer {
    next_at: Millis,
}

impl TickPacer {
    pub const GAP_MS: Millis = 40;
    /// While updates arrive faster than they can be sent one by one, the gap is this many times the last broadcast.
    const DENSE_FACTOR: Millis = 3;
    /// But not longer than this, unless the broadcast itself is: an event must reach the last viewer within a quarter of
    /// a second. With 10,000 viewers a broadcast takes 50 to 80 ms on one core.
    const DENSE_GAP_MAX_MS: Millis = 150;

    pub fn next_at(&self) -> Millis {
        self.next_at
    }

    /// A frame was broadcast from `started` to `ended`. `updates` is how many events and changed values had arrived since
    /// the frame before it. On a busy machine a broadcast takes longer, and so does the gap.
    pub fn record_broadcast(&mut self, started: Millis, ended: Millis, updates: usize) {
        let took = ended - started;
        // A fifth of the time stays free for joins, private replies and other rooms.
        let least = Self::GAP_MS.max((took * 5 + 3) / 4);
        let dense = if updates > 1 { Self::DENSE_GAP_MAX_MS.min(took * Self::DENSE_FACTOR) } else { 0 };
        self.next_at = started + least.max(dense);
    }
}

/// The viewer count as shown. It changes at once, then at most every half second. In a large room, where each change is
/// a frame to every viewer, a change of less than 1 % waits for five seconds.
#[derive(Default)]
pub struct ViewerCountThrottle {
    shown: u64,
    shown_at: Option<Millis>,
}

impl ViewerCountThrottle {
    const GAP_MS: Millis = 500;
    const SMALL_GAP_MS: Millis = 5_000;
    const LARGE_ROOM: u64 = 1_000;

    /// The number of a room that nobody watches. Nobody has seen it, so the next change is shown at once: the first viewer is counted in
    /// their own hello.
    pub fn set_unseen(&mut self, viewers: u64) {
        (self.shown, self.shown_at) = (viewers, None);
    }

    /// The number to show from now on, if it changed and its time has come.
    pub fn update(&mut self, viewers: u64, now: Millis) -> Option<u64> {
        let due = self.next_update_at(viewers).is_some_and(|at| at <= now);
        due.then(|| {
            (self.shown, self.shown_at) = (viewers, Some(now));
            viewers
        })
    }

    /// When `viewers` may be shown; `None` when it is shown already.
    pub fn next_update_at(&self, viewers: u64) -> Option<Millis> {
        let small = Self::LARGE_ROOM <= self.shown && viewers.abs_diff(self.shown) * 100 < self.shown;
        let gap = if small { Self::SMALL_GAP_MS } else { Self::GAP_MS };
        (viewers != self.shown).then(|| self.shown_at.map_or(0, |at| at + gap))
    }
}

/// The heartbeat of a connection: a ping after silence, and a deadline for the answer.
pub struct Heartbeat {
    joined_at: Millis,
    next_at: Millis,
    pinged_at: Option<Millis>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeartbeatAction {
    Wait,
    Ping,
    TimedOut,
}

impl Heartbeat {
    pub const PING_INTERVAL_MS: Millis = 25_000;
    pub const PONG_TIMEOUT_MS: Millis = 10_000;

    /// `first_ms`: when to ping first. Random, so that clients that joined together are not pinged together.
    pub fn new(now: Millis, first_ms: Millis) -> Self {
        Self { joined_at: now, next_at: now + first_ms, pinged_at: None }
    }

    /// `last_received_at`: when the last byte was received; called only when a check is due.
    pub fn check(&mut self, now: Millis, last_received_at: impl FnOnce() -> Millis) -> HeartbeatAction {
        if now < self.next_at {
            return HeartbeatAction::Wait;
        }
        let last_received_at = last_received_at();
        match self.pinged_at {
            Some(pinged_at) if last_received_at < pinged_at => HeartbeatAction::TimedOut,
            None if last_received_at <= self.joined_at || last_received_at + Self::PING_INTERVAL_MS <= now => {
                self.pinged_at = Some(now);
                self.next_at = now + Self::PONG_TIMEOUT_MS;
                HeartbeatAction::Ping
            }
            _ => {
                self.pinged_at = None;
                self.next_at = last_received_at + Self::PING_INTERVAL_MS;
                HeartbeatAction::Wait
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_follows_the_last_broadcast_and_grows_when_updates_gather() {
        for (duration, updates, gap) in [
            (0, 1, 40),
            (0, 50, 40),
            (5, 50, 40),
            (20, 50, 60),
            (50, 1, 63),
            (50, 2, 150),
            (80, 1, 100),
            (80, 50, 150),
            (200, 1, 250),
            (200, 50, 250),
        ] {
            let mut pace = TickPacer::default();
            pace.record_broadcast(1_000, 1_000 + duration, updates);
            assert_eq!(pace.next_at() - 1_000, gap, "{updates} updates, {duration} ms");
        }
    }

    #[test]
    fn viewer_count_changes_at_most_twice_a_second_during_a_join_storm() {
        let mut count = ViewerCountThrottle::default();
        let shown: Vec<_> = (1..=100)
            .filter_map(|viewers| count.update(viewers, viewers as Millis * 10).map(|n| (viewers * 10, n)))
            .collect();
        assert_eq!(shown, [(10, 1), (510, 51)]);
        assert_eq!(count.next_update_at(100), Some(1_010));
        assert_eq!(count.next_update_at(51), None);
    }

    #[test]
    fn small_changes_in_a_large_room_wait_for_five_seconds() {
        let mut count = ViewerCountThrottle::default();
        assert_eq!(count.update(10_000, 0), Some(10_000));
        for (viewers, due) in [(10_099, 5_000), (9_901, 5_000), (10_100, 500), (9_000, 500), (0, 500)] {
            assert_eq!(count.next_update_at(viewers), Some(due), "{viewers}");
        }
        assert_eq!(count.update(10_001, 4_999), None);
        assert_eq!(count.update(10_001, 5_000), Some(10_001));
    }

    #[test]
    fn silent_connection_is_pinged_and_times_out_without_an_answer() {
        let mut heartbeat = Heartbeat::new(0, 15_000);
        for (now, last_received_at, expected) in [
            (14_999, 0, HeartbeatAction::Wait),
            (15_000, 0, HeartbeatAction::Ping), // the first does not wait for the whole silence
            (24_999, 0, HeartbeatAction::Wait),
            (25_000, 16_000, HeartbeatAction::Wait), // answered
            (40_999, 16_000, HeartbeatAction::Wait),
            (41_000, 30_000, HeartbeatAction::Wait), // received bytes meanwhile
            (55_000, 30_000, HeartbeatAction::Ping),
            (64_999, 30_000, HeartbeatAction::Wait),
            (65_000, 30_000, HeartbeatAction::TimedOut),
        ] {
            assert_eq!(heartbeat.check(now, || last_received_at), expected, "at {now}");
        }
    }
}
