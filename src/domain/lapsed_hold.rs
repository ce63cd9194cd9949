//! Holds of one buyer that lapsed without payment, again and again. Each takes units from other buyers for its whole time and
//! costs nothing, so after a few of them the buyer has to pause before the next, longer each time.

use super::Millis;

/// The first pause begins with this lapsed hold.
const LAPSES_BEFORE_PAUSE: u32 = 3;
const FIRST_PAUSE_MS: Millis = 30_000;
const PAUSE_MAX_MS: Millis = 600_000;
/// After this time without another lapsed hold, the earlier ones are forgotten.
const FORGOTTEN_AFTER_MS: Millis = 3_600_000;

/// The lapsed holds of one buyer and offer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LapsedHolds {
    count: u32,
    last_at: Millis,
}

impl LapsedHolds {
    /// Adds a hold that lapsed now.
    pub fn with_another(self, now: Millis) -> Self {
        let count = if self.last_at + FORGOTTEN_AFTER_MS < now { 0 } else { self.count };
        Self { count: count.saturating_add(1), last_at: now }
    }

    /// How long the buyer must still wait before the next purchase of the offer, in milliseconds; 0: not at all.
    pub fn pause_ms(self, now: Millis) -> Millis {
        let Some(doublings) = self.count.checked_sub(LAPSES_BEFORE_PAUSE) else { return 0 };
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << doublings.min(16)).min(PAUSE_MAX_MS);
        (self.last_at + pause - now).max(0)
    }
}

/// Whether a cancelled hold counts like a lapsed one: it was kept for more than half of its time. Otherwise a buyer who cancels
/// a second before the end would never have to pause.
pub fn counts_as_lapsed(created_at: Millis, hold_until: Millis, cancelled_at: Millis) -> bool {
    hold_until - created_at < 2 * (cancelled_at - created_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lapses: u32) -> LapsedHolds {
        (0..lapses).fold(LapsedHolds::default(), |holds, _| holds.with_another(1_000_000))
    }

    #[test]
    fn pause_begins_with_the_third_lapse_and_doubles_up_to_ten_minutes() {
        for (lapses, pause_s) in [(0, 0), (1, 0), (2, 0), (3, 30), (4, 60), (5, 120), (8, 600), (100, 600)] {
            assert_eq!(after(lapses).pause_ms(1_000_000), pause_s * 1_000, "{lapses}");
        }
        assert_eq!(after(3).pause_ms(1_020_000), 10_000);
        assert_eq!(after(3).pause_ms(1_030_000), 0);
    }

    #[test]
    fn lapses_are_forgotten_after_an_hour() {
        assert_eq!(after(5).with_another(1_000_000 + FORGOTTEN_AFTER_MS + 1).pause_ms(0), 0);
        assert!(after(5).with_another(1_000_000 + FORGOTTEN_AFTER_MS).pause_ms(1_000_000 + FORGOTTEN_AFTER_MS) > 0);
    }

    #[test]
    fn hold_cancelled_late_counts_as_lapsed() {
        for (cancelled_at, counts) in [(100, false), (150, false), (151, true), (199, true)] {
            assert_eq!(counts_as_lapsed(100, 200, cancelled_at), counts, "{cancelled_at}");
        }
    }
}
