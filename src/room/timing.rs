//! When something is due: the tick, the ping, the viewer count. Plain values, no clock.

use crate::domain::Millis;

/// Spaces out a room's broadcasts by what they cost. The first frame after a quiet period is sent at once.
///
/// A broadcast costs nearly the same with one event as with ten, so an interval saves processor time only if more than one
/// update arrives in it. Where updates are rarer, a longer interval would only make them late.
#[derive(Default)]
pub struct TickPacer {
    next_at: Millis,
}

impl TickPacer {
    /// A small room: a message that follows another one is sent this soon.
    pub const FRAME_INTERVAL_MIN_MS: Millis = 10;
    /// A broadcast that costs more than an eighth of this has this interval: the frames of a busy room then carry several events each.
    pub const FRAME_INTERVAL_MS: Millis = 40;
    /// Below `FRAME_INTERVAL_MS`, the interval is this many times the duration of the last broadcast.
    const CHEAP_FACTOR: Millis = 8;
    /// While updates arrive faster than they can be sent one by one, the interval is this many times the duration of the last broadcast.
    const DENSE_FACTOR: Millis = 3;
    /// But not longer than this, unless the broadcast itself is: an event must reach the last viewer within a quarter of
    /// a second. With 10,000 viewers a broadcast takes 50 to 80 ms on one core.
    const DENSE_FRAME_INTERVAL_MAX_MS: Millis = 150;

    pub fn next_at(&self) -> Millis {
        self.next_at
    }

    /// A frame was broadcast from `started` to `ended`. `updates` is how many events and changed values had arrived since
    /// the frame before it. On a busy machine a broadcast takes longer, and so does the interval.
    pub fn record_broadcast(&mut self, started: Millis, ended: Millis, updates: usize) {
        let took = ended - started;
        // A fifth of the time stays free for joins, private replies and other rooms.
        let least = (took * Self::CHEAP_FACTOR)
            .clamp(Self::FRAME_INTERVAL_MIN_MS, Self::FRAME_INTERVAL_MS)
            .max((took * 5 + 3) / 4);
        let dense = if updates > 1 { Self::DENSE_FRAME_INTERVAL_MAX_MS.min(took * Self::DENSE_FACTOR) } else { 0 };
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
    const CHANGE_INTERVAL_MS: Millis = 500;
    const SMALL_CHANGE_INTERVAL_MS: Millis = 5_000;
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
        let interval = if small { Self::SMALL_CHANGE_INTERVAL_MS } else { Self::CHANGE_INTERVAL_MS };
        (viewers != self.shown).then(|| self.shown_at.map_or(0, |at| at + interval))
    }
}

/// When a connection is pinged: after silence, and a deadline for the answer.
pub struct PingTimer {
    joined_at: Millis,
    next_at: Millis,
    pinged_at: Option<Millis>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PingAction {
    Wait,
    Ping,
    TimedOut,
}

impl PingTimer {
    pub const PING_INTERVAL_MS: Millis = 25_000;
    pub const PONG_TIMEOUT_MS: Millis = 10_000;

    /// `first_ms`: when to ping first. Random, so that clients that joined together are not pinged together.
    pub fn new(now: Millis, first_ms: Millis) -> Self {
        Self { joined_at: now, next_at: now + first_ms, pinged_at: None }
    }

    /// When [`PingTimer::check`] has to be called next.
    pub fn next_at(&self) -> Millis {
        self.next_at
    }

    /// `last_received_at`: when the last byte was received; called only when a check is due.
    pub fn check(&mut self, now: Millis, last_received_at: impl FnOnce() -> Millis) -> PingAction {
        if now < self.next_at {
            return PingAction::Wait;
        }
        let last_received_at = last_received_at();
        match self.pinged_at {
            Some(pinged_at) if last_received_at < pinged_at => PingAction::TimedOut,
            None if last_received_at <= self.joined_at || last_received_at + Self::PING_INTERVAL_MS <= now => {
                self.pinged_at = Some(now);
                self.next_at = now + Self::PONG_TIMEOUT_MS;
                PingAction::Ping
            }
            _ => {
                self.pinged_at = None;
                self.next_at = last_received_at + Self::PING_INTERVAL_MS;
                PingAction::Wait
            }
        }
    }
}

/// When an idle connection needs its room again.
pub struct IdleDeadlines {
    /// It is closed then.
    pub ends_at: Millis,
    /// It is pinged then, or it must have answered.
    pub ping_at: Millis,
}

/// When a room looks at the deadlines of its connections again: soon while anything happens, else when the first of them comes.
pub struct NextCheck {
    now: Millis,
    at: Millis,
    is_idle: bool,
}

impl NextCheck {
    const INTERVAL_MS: Millis = 500;
    /// The same in an idle room. A ping may be this late, and the pings of several viewers then share a check.
    const IDLE_INTERVAL_MS: Millis = 2_000;
    /// An idle room too is checked this often: the system clock may be set forward, and tokens end by the time of day.
    const IDLE_INTERVAL_MAX_MS: Millis = 5_000;

    /// The check after the one at `now`. [`NextCheck::add`] every connection.
    pub fn after(now: Millis) -> Self {
        Self { now, at: now + Self::IDLE_INTERVAL_MAX_MS, is_idle: true }
    }

    /// `None`: this connection is not idle.
    pub fn add(&mut self, deadlines: Option<IdleDeadlines>) {
        match deadlines {
            None => self.is_idle = false,
            Some(IdleDeadlines { ends_at, ping_at }) => {
                self.at = self.at.min(ends_at).min(ping_at.max(self.now + Self::IDLE_INTERVAL_MS));
            }
        }
    }

    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    pub fn at(&self) -> Millis {
        if self.is_idle { self.at.max(Self::soon(self.now)) } else { Self::soon(self.now) }
    }

    /// The next check of a room in which something happens.
    pub fn soon(now: Millis) -> Millis {
        now + Self::INTERVAL_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_room_is_checked_seldom_and_its_pings_are_at_most_two_seconds_late() {
        const END: Millis = 600_000;
        // Ten viewers who answer at once, pinged first at different times.
        let mut viewers: Vec<_> = (0..10).map(|n| (PingTimer::new(0, 12_500 + n * 1_250), 0)).collect();
        let (mut now, mut checks, mut pings) = (0, 0, 0);
        while now < END {
            checks += 1;
            let mut next = NextCheck::after(now);
            for (ping_timer, received_at) in &mut viewers {
                let due = ping_timer.next_at();
                if ping_timer.check(now, || *received_at) == PingAction::Ping {
                    assert!(now - due <= NextCheck::IDLE_INTERVAL_MS, "{} ms late", now - due);
                    (*received_at, pings) = (now + 1, pings + 1);
                }
                next.add(Some(IdleDeadlines { ends_at: END, ping_at: ping_timer.next_at() }));
            }
            now = next.at();
        }
        assert!(checks < END / 1_500 && pings > 200, "{checks} checks, {pings} pings");
    }

    #[test]
    fn check_comes_with_the_first_deadline_and_soon_while_anything_happens() {
        let at = |deadlines: &[Option<(Millis, Millis)>]| {
            let mut next = NextCheck::after(1_000);
            for one in deadlines {
                next.add(one.map(|(ends_at, ping_at)| IdleDeadlines { ends_at, ping_at }));
            }
            next.at()
        };
        assert_eq!(at(&[]), 6_000);
        assert_eq!(at(&[Some((90_000, 90_000))]), 6_000);
        assert_eq!(at(&[Some((90_000, 4_500)), Some((90_000, 90_000))]), 4_500);
        assert_eq!(at(&[Some((90_000, 1_100))]), 3_000, "a ping may be late");
        assert_eq!(at(&[Some((1_900, 90_000))]), 1_900, "an end may not");
        assert_eq!(at(&[Some((1_001, 90_000))]), 1_500);
        assert_eq!(at(&[Some((90_000, 90_000)), None]), 1_500);
    }

    #[test]
    fn interval_follows_the_last_broadcast_and_grows_when_updates_gather() {
        for (duration, updates, interval) in [
            (0, 1, 10),
            (0, 50, 10),
            (1, 50, 10),
            (2, 50, 16),
            (4, 50, 32),
            (5, 50, 40),
            (10, 1, 40),
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
            assert_eq!(pace.next_at() - 1_000, interval, "{updates} updates, {duration} ms");
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
        let mut ping_timer = PingTimer::new(0, 15_000);
        for (now, last_received_at, expected) in [
            (14_999, 0, PingAction::Wait),
            (15_000, 0, PingAction::Ping), // the first does not wait for the whole silence
            (24_999, 0, PingAction::Wait),
            (25_000, 16_000, PingAction::Wait), // answered
            (40_999, 16_000, PingAction::Wait),
            (41_000, 30_000, PingAction::Wait), // received bytes meanwhile
            (55_000, 30_000, PingAction::Ping),
            (64_999, 30_000, PingAction::Wait),
            (65_000, 30_000, PingAction::TimedOut),
        ] {
            assert_eq!(ping_timer.check(now, || last_received_at), expected, "at {now}");
        }
    }
}
