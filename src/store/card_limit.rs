//! The limit per person of an offer, by card: somebody with several accounts pays all of them with the same one.
//!
//! It is checked when an authorised payment is to win its order. Payments of one card are checked one after another, over all nodes, so
//! that two of them cannot pass together.

use std::collections::BTreeMap;

use super::Result;
use super::transaction::Transaction;
use crate::domain::reservation::is_over_limit;
use crate::domain::{OfferId, Order, Refusal};

/// Units of an offer that this card has paid for, or is paying for, in other orders.
const UNITS_OF_CARD: &str = "select cast(coalesce(sum(r.qty - r.returned), 0) as bigint) from payments p
    join orders o on o.id = p.order_id and o.attempt = p.attempt
    join reservations r on r.order_id = o.id
    where p.fingerprint = $1 and p.order_id <> $2 and r.offer = $3 and r.status in ('capturing', 'sold')";

/// Refuses a card that would pay for more units of an offer than one person may have. Part of the transaction in which the payment wins the
/// order, whose lines are locked; from here to its end no other payment of the card is checked.
pub(super) async fn check_card_limit(tx: &mut Transaction<'_>, order: &Order, card: &str) -> Result<()> {
    tx.lock_name(&format!("card {card}")).await?;
    let mut units: BTreeMap<OfferId, i64> = BTreeMap::new();
    for line in order.held_lines() {
        *units.entry(line.offer).or_default() += line.qty;
    }
    let mut refused = Vec::new();
    for (offer, wanted) in units {
        let read = "select per_buyer from offers where id = $1";
        let per_buyer: i64 = tx.query(read).bind(offer.0).fetch_value().await?;
        let had: i64 = tx.query(UNITS_OF_CARD).bind(card).bind(order.id.0).bind(offer.0).fetch_value().await?;
        if is_over_limit(per_buyer, had, wanted) {
            refused.push(offer);
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Refusal::CardLimit { offers: refused }.into()) }
}
