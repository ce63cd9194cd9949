//! An acknowledged order is not lost. A key has one order and one result. A certain refusal is final. Places are dense.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::journal::{OrderRequest, OrderVerb, RequestOutcome, SeenOrder};
use super::{CROWD_BUYER, Evidence, PromiseViolation, STALENESS_MAX_MS, StoredOrder};

const ORDER_KEPT: &str = "an acknowledged order is not lost";
const RETRIES: &str = "retries are safe";
const REFUSAL_FINAL: &str = "not done is not done";
const PLACES: &str = "places are dense";

pub fn check(evidence: &Evidence) -> Vec<PromiseViolation> {
    [acknowledged(evidence), one_result_per_key(evidence), refused_orders_absent(evidence), dense_places(evidence)]
        .concat()
}

fn acknowledged(evidence: &Evidence) -> Vec<PromiseViolation> {
    let orders = evidence.orders_by_id();
    let acknowledged_orders = evidence
        .requests
        .iter()
        .filter_map(|request| Some((request.outcome.done()?, (request.verb == OrderVerb::Buy).then_some(request))));
    let mut found = BTreeMap::new();
    for (seen, purchase) in acknowledged_orders.chain(evidence.pushed_orders.iter().map(|seen| (seen, None))) {
        let wrong = match orders.get(&*seen.id) {
            None => Some("it is not in the database".to_owned()),
            Some(row) => differs(seen, purchase, row),
        };
        if let Some(wrong) = wrong {
            found.entry(seen.id.clone()).or_insert_with(|| PromiseViolation {
                evidence: evidence.history_of(Some(&seen.id), purchase.map(|request| &*request.key)),
                ..PromiseViolation::new(ORDER_KEPT, format!("the client received {seen:?}; {wrong}"))
            });
        }
    }
    found.into_values().collect()
}

fn differs(seen: &SeenOrder, purchase: Option<&OrderRequest>, row: &StoredOrder) -> Option<String> {
    let reported = (&seen.offer, seen.qty, seen.amount, seen.place, seen.created_at);
    // The end of a hold only moves forward, and with a new version.
    let is_end_wrong =
        seen.hold_until > row.hold_until || (seen.version == row.version && seen.hold_until != row.hold_until);
    if reported != (&row.offer, row.qty, row.amount, row.place, row.created_at) || is_end_wrong {
        return Some(format!("stored is {row:?}"));
    }
    if purchase.is_some_and(|request| (&request.buyer, &request.key, request.qty) != (&row.buyer, &row.key, row.qty)) {
        return Some(format!("it is another's: {row:?}"));
    }
    (!may_become(&seen.status, seen.version, &row.status, row.version)).then(|| format!("it became {row:?}"))
}

/// Compares the status in a reply, at its version, with the stored status.
fn may_become(reported: &str, at: i64, now: &str, version: i64) -> bool {
    let later: &[&str] = match reported {
        "held" => &["capturing", "paid", "expired", "cancelled", "refunded"],
        "capturing" => &["paid", "cancelled", "refunded"],
        "paid" => &["refunded"],
        _ => &[],
    };
    // A newer version with the same status changes other columns.
    if now == reported { at <= version } else { at < version && later.contains(&now) }
}

fn one_result_per_key(evidence: &Evidence) -> Vec<PromiseViolation> {
    let mut found = Vec::new();
    let mut stored: HashMap<_, Vec<&StoredOrder>> = HashMap::new();
    for row in &evidence.orders {
        stored.entry((&*row.buyer, &*row.key)).or_default().push(row);
    }
    for (key, requests) in by_key(evidence) {
        let (buyer, verb, text) = key;
        let mut say = |what: String| {
            found.push(PromiseViolation {
                evidence: evidence.history_of(None, Some(text)),
                ..PromiseViolation::new(RETRIES, what)
            });
        };
        let ids: BTreeSet<&str> = requests.iter().filter_map(|request| Some(&*request.outcome.done()?.id)).collect();
        if ids.len() > 1 {
            say(format!("{verb:?} of {buyer} with the key {text} got the orders {ids:?}"));
        }
        if verb == OrderVerb::Buy {
            let rows = stored.get(&(buyer, text)).map_or(&[][..], Vec::as_slice);
            if rows.len() > 1 {
                say(format!("{buyer} has {} orders with the key {text}", rows.len()));
            }
            if let Some(request) = requests.iter().find(|request| contradicts(evidence, &requests, request)) {
                say(format!("a buyer with an order was refused with its key: {request:?}"));
            }
        } else {
            let verdicts: BTreeSet<&str> =
                requests.iter().filter_map(|request| final_result(&request.outcome)).collect();
            if verdicts.len() > 1 {
                say(format!("{verb:?} of {buyer} with the key {text} got {verdicts:?}"));
            }
        }
    }
    found
}

/// A refusal under a key that succeeded before. Another node may be stale for as long as a lost message takes to heal:
/// it answers from its sold-out cache without a query. The README states that limit.
fn contradicts(evidence: &Evidence, requests: &[&OrderRequest], no: &OrderRequest) -> bool {
    let Some(code) = no.outcome.refused().filter(|code| !matches!(*code, "busy" | "unavailable")) else { return false };
    let by_heart = matches!(code, "sold_out" | "sold_out_for_now");
    requests.iter().filter(|request| request.outcome.done().is_some() && request.answered_at <= no.sent_at).any(|yes| {
        let behind = by_heart && yes.node != no.node;
        !behind
            || (yes.answered_at + STALENESS_MAX_MS < no.sent_at
                && !evidence.is_excused(Some(no.node), no.sent_at - STALENESS_MAX_MS, no.answered_at))
    })
}

/// The final result of a `pay` or `cancel` key.
fn final_result(outcome: &RequestOutcome) -> Option<&str> {
    match outcome {
        RequestOutcome::Done(_) => Some("done"),
        RequestOutcome::Refused(code) if matches!(code.as_str(), "declined" | "capture_failed") => Some(code),
        _ => None,
    }
}

type KeyOf<'a> = (&'a str, OrderVerb, &'a str);

fn by_key(evidence: &Evidence) -> BTreeMap<KeyOf<'_>, Vec<&OrderRequest>> {
    let mut keys: BTreeMap<KeyOf<'_>, Vec<&OrderRequest>> = BTreeMap::new();
    for request in &evidence.requests {
        keys.entry((&request.buyer, request.verb, &request.key)).or_default().push(request);
    }
    keys
}

/// A key that was only ever refused has no order, and no order exists without a request.
fn refused_orders_absent(evidence: &Evidence) -> Vec<PromiseViolation> {
    let keys = by_key(evidence);
    let wrong = evidence.orders.iter().filter(|row| !row.buyer.starts_with(CROWD_BUYER)).filter_map(|row| {
        let requests = keys.get(&(&*row.buyer, OrderVerb::Buy, &*row.key));
        let may_be =
            requests.is_some_and(|requests| requests.iter().any(|request| request.outcome.refused().is_none()));
        let what = if requests.is_some() { "refused, and created anyway" } else { "no client requested it" };
        (!may_be).then(|| PromiseViolation {
            evidence: evidence.history_of(Some(&row.id), Some(&row.key)),
            ..PromiseViolation::new(REFUSAL_FINAL, format!("{what}: {row:?}"))
        })
    });
    wrong.collect()
}

fn dense_places(evidence: &Evidence) -> Vec<PromiseViolation> {
    let mut places: HashMap<&str, Vec<i64>> = HashMap::new();
    for row in &evidence.orders {
        places.entry(&row.offer).or_default().push(row.place);
    }
    let wrong = evidence.offers.iter().filter_map(|offer| {
        let mut taken = places.remove(&*offer.id).unwrap_or_default();
        taken.sort_unstable();
        let dense = taken.iter().copied().eq(1..=taken.len() as i64) && offer.next_place == taken.len() as i64 + 1;
        (!dense).then(|| {
            PromiseViolation::new(
                PLACES,
                format!("offer {}: next is {}, taken are {taken:?}", offer.id, offer.next_place),
            )
        })
    });
    wrong.collect()
}
