//! The broken promises that were found. All are counted, and the first ones are kept with the bytes that prove them.

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
    pub examples: Vec<Violation>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Violation {
    pub kind: ViolationKind,
    /// Seconds since the start.
    pub at_s: f64,
    /// The number of the simulated viewer, when the violation concerns one viewer.
    pub viewer: Option<u32>,
    /// The stream.
    pub room: String,
    /// The position that the viewer had, or the sequence number in question.
    pub seq: u64,
    pub detail: String,
    /// The part of the frame around that number.
    pub excerpt: String,
}

impl ViolationLog {
    pub fn record(&mut self, violation: Violation) {
        self.total += 1;
        *self.by_kind.entry(violation.kind).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(violation);
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:.3} s, ", self.kind, self.at_s)?;
        if let Some(viewer) = self.viewer {
            write!(f, "viewer {viewer}, ")?;
        }
        write!(f, "room {}, seq {}: {}", self.room, self.seq, self.detail)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n    {}", self.excerpt)?;
        }
        Ok(())
    }
}

/// The part of a frame around the sequence number after `seq`, or else its beginning.
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
    fn excerpt_shows_the_bytes_around_the_sequence_number() {
        let frame = format!(r#"{{"x":"{}","events":[{{"seq":43,"at":1}}]}}"#, "y".repeat(500));
        let shown = excerpt(frame.as_bytes(), 42);
        assert!(shown.starts_with('…') && shown.contains("\"seq\":43"), "{shown}");
        assert_eq!(excerpt(b"{}", 1), "{}");
    }

    #[test]
    fn all_violations_are_counted_and_the_first_are_kept() {
        let mut violations = ViolationLog::default();
        for seq in 0..50 {
            violations.record(Violation {
                kind: ViolationKind::Gap,
                at_s: 1.0,
                viewer: Some(3),
                room: "r".into(),
                seq,
                detail: "w".into(),
                excerpt: "{}".into(),
            });
        }
        assert_eq!(
            (violations.total, violations.examples.len(), violations.by_kind[&ViolationKind::Gap]),
            (50, EXAMPLES_MAX, 50)
        );
        assert_eq!(violations.examples[0].to_string(), "Gap at 1.000 s, viewer 3, room r, seq 0: w\n    {}");
    }
}
