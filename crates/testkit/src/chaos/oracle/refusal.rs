//! Refusals are true: sold out only when it was, over the limit only for a buyer at the limit, and closed only when it
//! was.

use std::collections::{BTreeMap, HashMap};

use super::super::journal::{Millis, OrderRequest, OrderVerb};
use super::timeline::StockTimeline;
use super::{Evidence, PromiseViolation, STALENESS_MAX_MS, StockLevel, StoredOffer, StoredOrder};

const TRUE_REFUSALS: &str = "refusals are true";

/// The time between two snapshots of the observer, plus the time of a snapshot.
const SNAPSHOT_MS: Millis = 400;

pub fn check(evidence: &Evidence) -> Vec<PromiseViolation> {
    let mut offers: HashMap<&str, OfferFacts> = HashMap::new();
    for offer in &evidence.offers {
        offers.insert(
            &offer.id,
            OfferFacts { offer, orders: Vec::new(), timeline: StockTimeline::default(), levels: Vec::new() },
        );
    }
    for row in &evidence.orders {
        offers.get_mut(&*row.offer).into_iter().for_each(|known| known.orders.push(row));
    }
    for level in &evidence.levels {
        offers.get_mut(&*level.offer).into_iter().for_each(|known| known.levels.push(level));
    }
    offers.values_mut().for_each(|known| known.timeline = StockTimeline::from_orders(known.orders.iter().copied()));
    let orders = evidence.orders_by_id();

    // One violation for each kind of wrong refusal of each offer, because they come in hundreds.
    let mut found: BTreeMap<_, (PromiseViolation, usize)> = BTreeMap::new();
    for request in &evidence.requests {
        let Some(code) = request.outcome.refused() else { continue };
        let wrong = match (request.verb, offers.get(&*request.offer)) {
            (_, None) => Some("there is no such offer in the database".to_owned()),
            (OrderVerb::Buy, Some(known)) => known.check_purchase(evidence, request, code),
            (verb, _) => {
                check_order(verb, request, code, request.order.as_ref().and_then(|id| orders.get(&**id)).copied())
            }
        };
        if let Some(wrong) = wrong {
            let say = || PromiseViolation {
                evidence: evidence.history_of(request.order.as_deref(), Some(&request.key)),
                ..PromiseViolation::new(TRUE_REFUSALS, format!("{wrong}: {request:?}"))
            };
            found.entry((&request.offer, code)).or_insert_with(|| (say(), 0)).1 += 1;
        }
    }
    let tell = |(mut violation, times): (PromiseViolation, usize)| {
        violation.what = format!("{times} similar cases: {}", violation.what);
        violation
    };
    found.into_values().map(tell).collect()
}

struct OfferFacts<'a> {
    offer: &'a StoredOffer,
    orders: Vec<&'a StoredOrder>,
    timeline: StockTimeline,
    levels: Vec<&'a StockLevel>,
}

impl OfferFacts<'_> {
    /// What is wrong with this refusal, if something is.
    fn check_purchase(&self, evidence: &Evidence, request: &OrderRequest, code: &str) -> Option<String> {
        let since = request.sent_at - STALENESS_MAX_MS;
        let excused = || evidence.is_excused(Some(request.node), since, request.answered_at);
        match code {
            "busy" | "unavailable" => None,
            "sold_out" | "sold_out_for_now" | "too_few_left" => {
                let quantity = self.least_quantity(since, request.answered_at);
                let fits = |(counted, unpaid): (i64, i64)| match code {
                    "too_few_left" => quantity - counted < request.qty,
                    "sold_out" => quantity <= counted && unpaid <= 0,
                    _ => quantity <= counted,
                };
                let is_true = self.timeline.states(since, request.answered_at).any(fits) || excused();
                (!is_true).then(|| {
                    let least =
                        self.timeline.states(since, request.answered_at).map(|(counted, _)| quantity - counted).min();
                    format!("{code}, but there were never fewer than {least:?} of {quantity} left")
                })
            }
            "buyer_limit" => {
                let own =
                    StockTimeline::from_orders(self.orders.iter().copied().filter(|row| row.buyer == request.buyer));
                let most = own
                    .states(request.sent_at - 50, request.answered_at)
                    .map(|(counted, _)| counted)
                    .max()
                    .unwrap_or(0);
                (most + request.qty <= self.offer.per_buyer)
                    .then(|| format!("had {most} at most, may have {}", self.offer.per_buyer))
            }
            "closed" => {
                let by_hand = self.host_actions(evidence, "close").any(|(sent_at, _)| sent_at <= request.answered_at);
                let by_window = self.offer.closes_at.is_some_and(|end| end <= request.answered_at);
                (!by_hand && !by_window).then(|| "no host had closed it".to_owned())
            }
            "not_open" => {
                let before = self.offer.opens_at.is_none_or(|start| request.sent_at <= start);
                let paused = self.host_actions(evidence, "pause").any(|(sent_at, answered_at)| {
                    let again = self.host_actions(evidence, "open").any(|(from, to)| answered_at < from && to < since);
                    sent_at <= request.answered_at && !again
                });
                (!before && !paused && !excused()).then(|| "it was open".to_owned())
            }
            _ => Some("a buyer must not get this reply".to_owned()),
        }
    }

    /// The smallest quantity in the snapshots between two times. A restock increases it, and a refund without a restock
    /// decreases it.
    fn least_quantity(&self, from: Millis, to: Millis) -> i64 {
        let first = self.levels.partition_point(|level| level.at < from - SNAPSHOT_MS).saturating_sub(1);
        let within = self.levels[first..].iter().take_while(|level| level.at <= to + SNAPSHOT_MS);
        within.map(|level| level.quantity).min().unwrap_or(self.offer.quantity)
    }

    fn host_actions(&self, evidence: &Evidence, name: &'static str) -> impl Iterator<Item = (Millis, Millis)> {
        let of_this =
            evidence.host_actions.iter().filter(move |action| action.offer == self.offer.id && action.action == name);
        of_this.filter(|action| action.done != Some(false)).map(|action| (action.sent_at, action.answered_at))
    }
}

/// Whether this refusal to pay, cancel or refund fits the order as it is now.
fn check_order(verb: OrderVerb, request: &OrderRequest, code: &str, order: Option<&StoredOrder>) -> Option<String> {
    let status = order.map_or("", |order| &order.status);
    let holds = match code {
        "busy" | "unavailable" => true,
        "declined" => verb == OrderVerb::Pay && matches!(request.token, "declined" | "wrong_amount"),
        "needs_action" => verb == OrderVerb::Pay && request.token == "needs_action",
        "capture_failed" => verb == OrderVerb::Pay && request.token == "capture_fails" && status == "cancelled",
        "hold_expired" => status == "expired" && order.is_some_and(|order| order.changed_at <= request.answered_at),
        "wrong_status" => status == "cancelled",
        "already_paid" => matches!(status, "paid" | "refunded"),
        "already_refunded" => verb == OrderVerb::Refund && status == "refunded",
        _ => false,
    };
    (!holds).then(|| format!("the order is `{status}`"))
}
