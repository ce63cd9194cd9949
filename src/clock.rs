//! What time it is: the one place that asks the machine, so that a test can say it instead.
//!
//! Time never goes backwards. When the machine's clock is set back we run at half speed until it has caught up,
//! so that nothing measured in milliseconds stands still for an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// UTC epoch milliseconds: `domain::Millis`, but a leaf imports nothing of ours.
type Millis = i64;

/// Cheap to clone; all clones tell the same time.
#[derive(Clone)]
pub struct Clock(ClockSource);

#[derive(Clone)]
enum ClockSource {
    System(Arc<MonotonicTime>),
    Manual(watch::Sender<Millis>),
}

impl Clock {
    pub fn system() -> Self {
        Self(ClockSource::System(Arc::new(MonotonicTime { start: Instant::now(), lead: AtomicI64::new(i64::MIN) })))
    }

    /// Stands still until [`Clock::set`].
    pub fn manual(now: Millis) -> Self {
        Self(ClockSource::Manual(watch::Sender::new(now)))
    }

    pub fn now(&self) -> Millis {
        match &self.0 {
            ClockSource::System(steady) => steady.now_ns(wall_time(), Instant::now()) / 1_000_000,
            ClockSource::Manual(hand) => *hand.borrow(),
        }
    }

    /// Moves a clock set by hand forward; sleepers whose time has come wake up. The machine's clock cannot be set.
    pub fn set(&self, now: Millis) {
        if let ClockSource::Manual(hand) = &self.0 {
            hand.send_modify(|time| *time = now.max(*time));
        }
    }

    pub fn advance(&self, by: Millis) {
        self.set(self.now() + by);
    }

    pub async fn sleep_until(&self, at: Millis) {
        match &self.0 {
            ClockSource::System(_) => {
                // Timers round up to the next millisecond, so `at` has come when this returns.
                let left = (at - self.now()).max(0) as u64;
                if 0 < left {
                    tokio::time::sleep(Duration::from_millis(left)).await;
                }
            }
            ClockSource::Manual(hand) => {
                // Cannot fail: this clock holds the sender.
                let _ = hand.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }
}

/// Time since 1970 that only moves forward, read by every task at once without a lock.
///
/// Between two readings time moves by at least half of what passed. So the part of it that half the passed time does
/// not explain never falls, and its largest value is all there is to remember.
struct MonotonicTime {
    start: Instant,
    /// In nanoseconds; good until the year 2262.
    lead: AtomicI64,
}

impl MonotonicTime {
    /// In nanoseconds.
    fn now_ns(&self, wall: Duration, instant: Instant) -> i64 {
        let half = instant.saturating_duration_since(self.start).as_nanos() as i64 / 2;
        let lead = wall.as_nanos() as i64 - half;
        self.lead.fetch_max(lead, Ordering::AcqRel).max(lead) + half
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_at_half_speed_after_the_machine_was_set_back() {
        let start = Instant::now();
        let steady = MonotonicTime { start, lead: AtomicI64::new(i64::MIN) };
        let second = Duration::from_secs(1);
        for (wall, passed, expected) in [
            (1_001, 1, 1_001_000), // together
            (500, 3, 1_002_000),   // set back: half of two seconds
            (501, 4, 1_002_500),
            (2_000, 5, 2_000_000), // set forward: at once
        ] {
            let now = steady.now_ns(second * wall, start + second * passed) / 1_000_000;
            assert_eq!(now, expected, "wall {wall}");
        }
    }

    #[test]
    fn no_thread_sees_a_time_before_one_it_has_seen() {
        let steady = MonotonicTime { start: Instant::now(), lead: AtomicI64::new(i64::MIN) };
        let newest = AtomicI64::new(0);
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let (steady, newest) = (&steady, &newest);
                threads.spawn(move || {
                    for reading in 0..20_000_u64 {
                        let before = newest.load(Ordering::Acquire);
                        // A machine whose clock jumps about, each time for another thread.
                        let wall = Duration::from_millis(1_000_000 + (reading * 7_919 * (thread + 1)) % 1_000);
                        let now = steady.now_ns(wall, Instant::now());
                        assert!(before <= now, "{now} after {before}");
                        newest.fetch_max(now, Ordering::AcqRel);
                    }
                });
            }
        });
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_is_set() {
        let clock = Clock::manual(100);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(140).await }
        });
        clock.set(139);
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.set(90);
        assert_eq!(clock.now(), 139, "never back");
        clock.set(140);
        sleeper.await.unwrap();
    }
}
