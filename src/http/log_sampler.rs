//! Log lines that a client can cause at will are sampled, so that a flood of refused requests does not flood the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::{AtomicBucket, Millis, Rate};

/// Twenty lines at once, then one each second.
const LINES: Rate = Rate::new(20, 1_000);

/// For lines of one kind.
#[derive(Debug, Default)]
pub struct LogSampler {
    lines: AtomicBucket,
    left_out: AtomicU64,
}

impl LogSampler {
    /// `None`: this line is left out. Otherwise the number of lines that were left out before it, which belongs into the line.
    pub fn line(&self, now: Millis) -> Option<u64> {
        if self.lines.take(LINES, now).is_ok() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_writes_few_lines_that_count_the_others() {
        let sampler = LogSampler::default();
        let lines = |now| (0..1_000).filter_map(|_| sampler.line(now)).collect::<Vec<_>>();
        assert_eq!(lines(1_000), [0; 20]);
        assert_eq!(lines(2_000), [980]);
        assert_eq!(lines(60_000)[0], 999);
    }
}
