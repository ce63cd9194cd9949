//! Holds are honest: they are never released before the time shown, and they are released within five seconds after it.

use super::super::journal::Millis;
use super::{Evidence, PromiseViolation, RECOVERY_MS, StoredOrder};

const HONEST_HOLDS: &str = "holds are honest";
const RELEASE_MAX_MS: Millis = 5_000;
/// So much longer a hold may last while it is being paid.
const EXTENSION_MAX_MS: Millis = 300_000;

pub fn check(evidence: &Evidence) -> Vec<PromiseViolation> {
    evidence
        .orders
        .iter()
        .filter_map(|row| Some((row, wrong(evidence, row)?)))
        .map(|(row, what)| violation(evidence, row, what))
        .collect()
}

fn violation(evidence: &Evidence, row: &StoredOrder, what: String) -> PromiseViolation {
    PromiseViolation {
        evidence: evidence.history_of(Some(&row.id), Some(&row.key)),
        ..PromiseViolation::new(HONEST_HOLDS, what)
    }
}

fn wrong(evidence: &Evidence, row: &StoredOrder) -> Option<String> {
    let longer = row.hold_until - row.created_at - evidence.hold_ms;
    let longest = if evidence.payments.iter().any(|payment| payment.order == row.id) { EXTENSION_MAX_MS } else { 0 };
    if !(0..=longest).contains(&longer) {
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

/// A fault between the end of a hold and its release moves the time by which the release is due.
fn due(evidence: &Evidence, hold_until: Millis) -> Millis {
    let mut due = hold_until + RELEASE_MAX_MS;
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
