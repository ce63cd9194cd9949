//! Broken promises as they were found: all are counted, the first ones are kept with the bytes that prove them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::invariants::ViolationKind;

const EXAMPLES_MAX: usize = 20;
const EXCERPT_BYTES: usize = 160;

#[derive(Default, Debug, Serialize)]
pub struct ViolationLog {
    pub total: u64,
    pub by_kind: BTreeMap<ViolationKind, u64>,
    /// The first twenty.
    pub found: Vec<Violation>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Violation {
    pub kind: ViolationKind,
    /// Seconds since the start.
    pub at_s: f64,
    /// The viewer's number in the crowd, where it is one viewer's.
    pub viewer: Option<u32>,
    /// The show.
    pub room: String,
    /// The position the viewer had, or the number in question.
    pub seq: u64,
    pub what: String,
    /// Of the frame, around the number.
    pub excerpt: String,
}

impl ViolationLog {
    pub fn record(&mut self, found: Violation) {
        self.total += 1;
        *self.by_kind.entry(found.kind).or_default() += 1;
        if self.found.len() < EXAMPLES_MAX {
            self.found.push(found);
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:.3} s, ", self.kind, self.at_s)?;
        if let Some(viewer) = self.viewer {
            write!(f, "viewer {viewer}, ")?;
        }
        write!(f, "room {}, seq {}: {}", self.room, self.seq, self.what)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n    {}", self.excerpt)?;
        }
        Ok(())
    }
}

/// The part of a frame around the number after `seq`, or else its beginning.
pub fn excerpt(payload: &[u8], seq: u64) -> String {
    let needles = [seq + 1, seq].map(|seq| format!("\"seq\":{seq}"));
    let at = needles.iter().find_map(|needle| payload.windows(needle.len()).position(|part| part == needle.as_bytes()));
    let start = at.unwrap_or(0).saturating_sub(EXCERPT_BYTES / 4);
    let end = payload.len().min(start + EXCERPT_BYTES);
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < payload.len() { "…" } else { "" });
    format!("{before}{}{after}", String::from_utf8_lossy(&payload[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_around_the_number_are_shown() {
        let frame = format!(r#"{{"x":"{}","events":[{{"seq":43,"at":1}}]}}"#, "y".repeat(500));
        let shown = excerpt(frame.as_bytes(), 42);
        assert!(shown.starts_with('…') && shown.contains("\"seq\":43"), "{shown}");
        assert_eq!(excerpt(b"{}", 1), "{}");
    }

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut breaches = ViolationLog::default();
        for seq in 0..50 {
            breaches.record(Violation {
                kind: ViolationKind::Gap,
                at_s: 1.0,
                viewer: Some(3),
                room: "r".into(),
                seq,
                what: "w".into(),
                excerpt: "{}".into(),
            });
        }
        assert_eq!(
            (breaches.total, breaches.found.len(), breaches.by_kind[&ViolationKind::Gap]),
            (50, EXAMPLES_MAX, 50)
        );
        assert_eq!(breaches.found[0].to_string(), "Hole at 1.000 s, viewer 3, room r, seq 0: w\n    {}");
    }
}
