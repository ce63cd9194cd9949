//! Faults of the video that viewers of a room report, by kind.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::video::VideoFaultKind;
use crate::metrics::increment;

#[derive(Default, Debug)]
pub struct VideoFaults([AtomicU64; VideoFaultKind::ALL.len()]);

impl VideoFaults {
    pub fn count(&self, kind: VideoFaultKind) {
        let counter = VideoFaultKind::ALL.iter().position(|known| *known == kind).and_then(|at| self.0.get(at));
        if let Some(counter) = counter {
            increment(counter);
        }
    }

    /// Each kind and its number.
    pub fn all(&self) -> impl Iterator<Item = (VideoFaultKind, u64)> {
        VideoFaultKind::ALL.into_iter().zip(self.0.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }
}
