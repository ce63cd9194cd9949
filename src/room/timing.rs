//! When something is due: the tick, the ping, the viewer count. Plain values, no clock.

use crate::domain::Millis;

/// Spaces out a room's broadcasts. The first frame after a quiet period is sent at once. The more viewers there are and
/// the longer the last broadcast took, the longer the next one waits, because fewer, fuller writes gain 10 to 40 times.
#[derive(Default)]
pub struct TickPacer {
    next_at: Millis,
}

impl TickPacer {
    pub const GAP_MS: Millis = 40;
    /// With 10,000 viewers the gap is 150 ms and a broadcast takes 80 ms on one core: an event reaches the last viewer
    /// in less than a quarter of a second, and twenty events a second make frames of three.
    const GAP_US_PER_VIEWER: Millis = 15;

    pub fn next_at(&self) -> Millis {
        self.next_at
    }

    /// A frame was broadcast to `viewers` from `started` to `ended`.
    pub fn record_broadcast(&mut self, started: Millis, ended: Millis, viewers: usize) {
        let by_viewers = (viewers as Millis * Self::GAP_US_PER_VIEWER + 999) / 1_000;
        let by_duration = ((ended - started) * 5 + 3) / 4;
        self.next_at = started + Self::GAP_MS.max(by_viewers).max(by_duration);
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
    fn gap_grows_with_viewers_and_with_the_last_broadcast() {
        for (duration, viewers, gap) in [(0, 1, 40), (0, 2_600, 40), (0, 10_000, 150), (70, 5_000, 88), (1, 3_334, 51)]
        {
            let mut pace = TickPacer::default();
            pace.record_broadcast(1_000, 1_000 + duration, viewers);
            assert_eq!(pace.next_at() - 1_000, gap, "{viewers} viewers, {duration} ms");
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
