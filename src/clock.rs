//! The clock: the only place that asks the system for the time of day, so that a test can set the time by hand. The one exception are
//! new ids, whose first part is the time (`domain/id.rs`).
//!
//! Time never goes backwards. If the system clock is set back, this clock runs at half speed until the system clock has caught
//! up, so that no timer stands still for an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// UTC epoch milliseconds: `domain::Millis`, but this module must not import other modules.
type Millis = i64;

/// Cheap to clone; all clones have the same time.
#[derive(Clone)]
pub struct Clock(ClockSource);

#[derive(Clone)]
enum ClockSource {
    System(Arc<MonotonicTime>),
    /// The time, and how far the time of day differs from it.
    Manual(watch::Sender<Millis>, Arc<AtomicI64>),
}

impl Clock {
    pub fn system() -> Self {
        Self(ClockSource::System(Arc::new(MonotonicTime { start: Instant::now(), lead: AtomicI64::new(i64::MIN) })))
    }

    /// A clock for tests: its time changes only with [`Clock::set`].
    pub fn manual(now: Millis) -> Self {
        Self(ClockSource::Manual(watch::Sender::new(now), Arc::default()))
    }

    pub fn now(&self) -> Millis {
        match &self.0 {
            ClockSource::System(monotonic) => monotonic.now_ns(system_time_of_day(), Instant::now()) / 1_000_000,
            ClockSource::Manual(manual_time, _) => *manual_time.borrow(),
        }
    }

    /// The time of day as the system has it now. It goes backwards when the system clock is set back. Only what others have
    /// dated is compared with it, such as tokens: [`Clock::now`] stays ahead for as long as the system clock once was wrong.
    pub fn time_of_day(&self) -> Millis {
        match &self.0 {
            ClockSource::System(_) => system_time_of_day().as_millis() as Millis,
            ClockSource::Manual(manual_time, correction) => *manual_time.borrow() + correction.load(Ordering::Relaxed),
        }
    }

    /// Sets the time of day of a manual clock forward or back, as a system clock is corrected. Its own time stays.
    pub fn correct(&self, by: Millis) {
        if let ClockSource::Manual(_, correction) = &self.0 {
            correction.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Moves a manual clock forward and wakes sleepers whose time has come. Has no effect on the system clock.
    pub fn set(&self, now: Millis) {
        if let ClockSource::Manual(manual_time, _) = &self.0 {
            manual_time.send_modify(|time| *time = now.max(*time));
        }
    }

    pub fn advance(&self, by: Millis) {
        self.set(self.now() + by);
    }

    pub async fn sleep_until(&self, at: Millis) {
        match &self.0 {
            ClockSource::System(_) => {
                // Timers round up to the next millisecond, so `at` is reached when this returns.
                let left = (at - self.now()).max(0) as u64;
                if 0 < left {
                    tokio::time::sleep(Duration::from_millis(left)).await;
                }
            }
            ClockSource::Manual(manual_time, _) => {
                // Cannot fail: this clock holds the sender.
                let _ = manual_time.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }
}

/// Time since 1970 that only moves forward. All tasks read it at the same time without a lock.
///
/// Between two readings, time moves by at least half of the time that really passed. So the difference between our time and
/// half the passed time (`lead`) never falls, and its maximum is the only state.
struct MonotonicTime {
    start: Instant,
    /// In nanoseconds; valid until the year 2262.
    lead: AtomicI64,
}

impl MonotonicTime {
    /// In nanoseconds.
    fn now_ns(&self, time_of_day: Duration, instant: Instant) -> i64 {
        let half = instant.saturating_duration_since(self.start).as_nanos() as i64 / 2;
        let lead = time_of_day.as_nanos() as i64 - half;
        self.lead.fetch_max(lead, Ordering::AcqRel).max(lead) + half
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_at_half_speed_after_the_system_clock_is_set_back() {
        let start = Instant::now();
        let monotonic = MonotonicTime { start, lead: AtomicI64::new(i64::MIN) };
        let second = Duration::from_secs(1);
        for (time_of_day, passed, expected) in [
            (1_001, 1, 1_001_000), // in step
            (500, 3, 1_002_000),   // set back: half of two seconds
            (501, 4, 1_002_500),
            (2_000, 5, 2_000_000), // set forward: at once
        ] {
            let now = monotonic.now_ns(second * time_of_day, start + second * passed) / 1_000_000;
            assert_eq!(now, expected, "time of day {time_of_day}");
        }
    }

    #[test]
    fn time_never_goes_backwards_in_any_thread() {
        let monotonic = MonotonicTime { start: Instant::now(), lead: AtomicI64::new(i64::MIN) };
        let newest = AtomicI64::new(0);
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let (monotonic, newest) = (&monotonic, &newest);
                threads.spawn(move || {
                    for reading in 0..20_000_u64 {
                        let before = newest.load(Ordering::Acquire);
                        // A system clock that jumps back and forth, differently in each thread.
                        let time_of_day = Duration::from_millis(1_000_000 + (reading * 7_919 * (thread + 1)) % 1_000);
                        let now = monotonic.now_ns(time_of_day, Instant::now());
                        assert!(before <= now, "{now} after {before}");
                        newest.fetch_max(now, Ordering::AcqRel);
                    }
                });
            }
        });
    }

    #[tokio::test]
    async fn sleeper_wakes_when_its_time_is_set() {
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
