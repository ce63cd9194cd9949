//! The bus: nodes say that it is dead soon after it is, and that it is heard soon after it can be.

use super::super::fault_plan::BrokerOutage;
use super::super::journal::Millis;
use super::{FaultWindow, PromiseViolation, RECOVERY_MS, STARVED};

/// Three seconds of silence are death; looked at four times a second by the node, and ten times by us.
const DETECTION_MAX_MS: Millis = 3_000 + 250 + 250;

/// An answer of `/readyz`.
#[derive(Debug, Clone, Copy)]
pub struct HealthCheck {
    pub asked: Millis,
    pub told: Millis,
    /// The node says that it hears the bus.
    pub is_connected: bool,
}

/// What broke the promise to tell, and how long it took each time it was kept.
pub fn check(
    looks: &[Vec<HealthCheck>],
    outages: &[BrokerOutage],
    windows: &[FaultWindow],
) -> (Vec<PromiseViolation>, Vec<Millis>) {
    let (mut found, mut took) = (Vec::new(), Vec::new());
    for outage in outages {
        for (node, looks) in looks.iter().enumerate().filter(|(node, _)| outage.touches(*node)) {
            match detection_time(looks, outage, &of_node(windows, node)) {
                Some(Ok(after)) => took.push(after),
                Some(Err(what)) => {
                    found.push(PromiseViolation::new("the death of the bus is seen", format!("node {node}: {what}")));
                }
                None => {}
            }
            if let Some(what) = not_recovered(looks, outage, outages, node, &of_node(windows, node)) {
                found.push(PromiseViolation::new("everything flows again", format!("node {node}: {what}")));
            }
        }
    }
    (found, took)
}

/// What touched a node besides the bus.
fn of_node(windows: &[FaultWindow], node: usize) -> Vec<&FaultWindow> {
    windows.iter().filter(|window| window.node.is_none_or(|only| only == node)).collect()
}

fn overlap(window: &FaultWindow, from: Millis, to: Millis) -> bool {
    window.from <= to && from <= window.to
}

/// `None`: nobody can tell, because the node itself was not there, or nothing died for long enough.
fn detection_time(
    looks: &[HealthCheck],
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
    // Its answer waits for the store, or there is nobody to answer.
    if !other.is_empty() {
        return None;
    }
    let limit = limit + still.iter().map(|window| window.to - window.from).sum::<Millis>();
    let seen = looks.iter().find(|look| outage.from <= look.asked && !look.is_connected).map(|look| look.told);
    let died = || format!("{:?} at {} was not told by {limit}: {seen:?}", outage.fault, outage.from);
    Some(seen.filter(|seen| *seen <= limit).map(|seen| seen - outage.from).ok_or_else(died))
}

/// A bus that can be heard and is not, for too long.
fn not_recovered(
    looks: &[HealthCheck],
    outage: &BrokerOutage,
    outages: &[BrokerOutage],
    node: usize,
    windows: &[&FaultWindow],
) -> Option<String> {
    let limit = outage.to.saturating_add(RECOVERY_MS);
    let others = outages.iter().filter(|other| other.touches(node) && outage.from < other.from);
    let is_excused = others.clone().any(|other| other.from <= limit)
        || windows.iter().any(|window| overlap(window, outage.to, limit));
    let last = looks.last()?.told;
    let heard = looks.iter().any(|look| outage.to <= look.asked && look.is_connected && look.told <= limit);
    (!is_excused && !heard && limit <= last)
        .then(|| format!("{:?} ended at {}, and the bus was not heard {RECOVERY_MS} ms later", outage.fault, outage.to))
}
