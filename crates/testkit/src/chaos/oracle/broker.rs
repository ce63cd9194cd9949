//! The broker link: a node reports soon that the link is dead, and soon that it works again.

use super::super::fault_plan::BrokerOutage;
use super::super::journal::Millis;
use super::{FaultWindow, PromiseViolation, RECOVERY_MS, STARVED};

/// Three seconds without a heartbeat mean that the link is dead. The node checks four times a second, and the test checks
/// ten times a second.
const DETECTION_MAX_MS: Millis = 3_000 + 250 + 250;

/// A response of `/readyz`.
#[derive(Debug, Clone, Copy)]
pub struct HealthCheck {
    pub sent_at: Millis,
    pub answered_at: Millis,
    /// The node reports that it receives from the broker.
    pub is_connected: bool,
}

/// The violations, and the detection time of each outage that was detected in time.
pub fn check(
    checks: &[Vec<HealthCheck>],
    outages: &[BrokerOutage],
    windows: &[FaultWindow],
) -> (Vec<PromiseViolation>, Vec<Millis>) {
    let (mut found, mut took) = (Vec::new(), Vec::new());
    for outage in outages {
        for (node, checks) in checks.iter().enumerate().filter(|(node, _)| outage.touches(*node)) {
            match detection_time(checks, outage, &of_node(windows, node)) {
                Some(Ok(after)) => took.push(after),
                Some(Err(what)) => {
                    found.push(PromiseViolation::new("a broker failure is detected", format!("node {node}: {what}")));
                }
                None => {}
            }
            if let Some(what) = not_recovered(checks, outage, outages, node, &of_node(windows, node)) {
                found.push(PromiseViolation::new("the cluster recovers", format!("node {node}: {what}")));
            }
        }
    }
    (found, took)
}

/// The faults that affected a node besides those of the broker.
fn of_node(windows: &[FaultWindow], node: usize) -> Vec<&FaultWindow> {
    windows.iter().filter(|window| window.node.is_none_or(|only| only == node)).collect()
}

fn overlap(window: &FaultWindow, from: Millis, to: Millis) -> bool {
    window.from <= to && from <= window.to
}

/// `None`: this cannot be judged, because the node itself had a fault, or because the outage was too short.
fn detection_time(
    checks: &[HealthCheck],
    outage: &BrokerOutage,
    windows: &[&FaultWindow],
) -> Option<Result<Millis, String>> {
    let limit = outage.from + DETECTION_MAX_MS;
    if !outage.fault.breaks_broker_link() || outage.to < limit {
        return None;
    }
    let (still, other): (Vec<&FaultWindow>, Vec<&FaultWindow>) = windows
        .iter()
        .copied()
        .filter(|window| overlap(window, outage.from - 2_000, limit))
        .partition(|window| window.fault == STARVED);
    // The response waits for the database, or there is no node to respond.
    if !other.is_empty() {
        return None;
    }
    let limit = limit + still.iter().map(|window| window.to - window.from).sum::<Millis>();
    let seen =
        checks.iter().find(|check| outage.from <= check.sent_at && !check.is_connected).map(|check| check.answered_at);
    let died = || format!("{:?} at {} was not reported by {limit}: {seen:?}", outage.fault, outage.from);
    Some(seen.filter(|seen| *seen <= limit).map(|seen| seen - outage.from).ok_or_else(died))
}

/// A broker link that could work again and does not, for too long.
fn not_recovered(
    checks: &[HealthCheck],
    outage: &BrokerOutage,
    outages: &[BrokerOutage],
    node: usize,
    windows: &[&FaultWindow],
) -> Option<String> {
    let limit = outage.to.saturating_add(RECOVERY_MS);
    let others = outages.iter().filter(|other| other.touches(node) && outage.from < other.from);
    let is_excused = others.clone().any(|other| other.from <= limit)
        || windows.iter().any(|window| overlap(window, outage.to, limit));
    let last = checks.last()?.answered_at;
    let recovered =
        checks.iter().any(|check| outage.to <= check.sent_at && check.is_connected && check.answered_at <= limit);
    (!is_excused && !recovered && limit <= last).then(|| {
        format!("{:?} ended at {}, and the broker was not reachable {RECOVERY_MS} ms later", outage.fault, outage.to)
    })
}
