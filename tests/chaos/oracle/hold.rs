//! Holds are honest: never released before the time shown, released within five seconds after it.

use super::super::journal::Millis;
use super::{Breach, Evidence, OrderRow, RECOVERY_MS};

const HOLDS: &str = "holds are honest";
const LATE_MS: Millis = 5_000;

pub fn check(evidence: &Evidence) -> Vec<Breach> {
    evidence
        .orders
        .iter()
        .filter_map(|row| Some((row, wrong(evidence, row)?)))
        .map(|(row, what)| say(evidence, row, what))
        .collect()
}

fn say(evidence: &Evidence, row: &OrderRow, what: String) -> Breach {
    Breach { evidence: evidence.story(Some(&row.id), Some(&row.key)), ..Breach::new(HOLDS, what) }
}

fn wrong(evidence: &Evidence, row: &OrderRow) -> Option<String> {
    if row.hold_until - row.created_at != evidence.hold_ms {
        return Some(format!("a hold of {} ms", row.hold_until - row.created_at));
    }
    let ended = match row.status.as_str() {
        "expired" if row.changed_at < row.hold_until => {
            return Some(format!("released {} ms too early", row.hold_until - row.changed_at));
        }
        "expired" => row.changed_at,
        "held" => evidence.read_at,
        _ => return None,
    };
    let due = due(evidence, row.hold_until);
    (due < ended).then(|| format!("{} {} ms after its time, due {due}", row.status, ended - row.hold_until))
}

/// A fault that stands between a hold and its release moves the time by which it is due.
fn due(evidence: &Evidence, hold_until: Millis) -> Millis {
    let mut due = hold_until + LATE_MS;
    let mut windows: Vec<_> =
        evidence.windows.iter().filter(|window| hold_until <= window.to.saturating_add(RECOVERY_MS)).collect();
    windows.sort_unstable_by_key(|window| window.from);
    for window in windows {
        if window.from <= due {
            due = due.max(window.to.saturating_add(RECOVERY_MS));
        }
    }
    due
}
