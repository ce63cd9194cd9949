//! The end of an order whose amount could not be captured: all its lines give their units back in one transaction, so that no rest of the
//! order is left for which the whole amount could be captured later.

use uuid::Uuid;

use super::hold::give_back_units;
use super::offer::{lock_offer, lock_variant};
use super::order::lock_order;
use super::reservation::{ReservationRow, reservations};
use super::{Result, Store};
use crate::domain::{OfferId, OrderId, OrderStatus, Refusal, Reservation, ReservationStatus};

const END_LINES: &str = reservations!(
    "update reservations set status = 'cancelled', reason = 'capture_failed', version = version + 1, changed_at = $2
        where (id = $1 or order_id = $1) and status = 'capturing' returning",
    ""
);

impl Store {
    /// Cancels an order that is being captured, and puts the units of its lines back on sale, or into the stock where the offer is
    /// closed. Gives the lines that ended, in the order of their ids; none: no capture is under way.
    pub async fn release_failed_capture(&self, id: OrderId) -> Result<Vec<Reservation>> {
        // No line joins or leaves an order that is being captured, so what has to be locked is known.
        let order = self.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        let mut offers: Vec<OfferId> = order
            .lines
            .iter()
            .filter(|line| line.status == ReservationStatus::Capturing)
            .map(|line| line.offer)
            .collect();
        offers.sort_unstable();
        offers.dedup();
        let mut offers_of_variants = Vec::with_capacity(offers.len());
        for offer in offers {
            offers_of_variants.push((offer, self.variant_of(offer).await?));
        }
        let mut variants: Vec<Uuid> = offers_of_variants.iter().map(|(_, variant)| *variant).collect();
        variants.sort_unstable();
        variants.dedup();
        self.transaction(async |tx| {
            for variant in &variants {
                lock_variant(tx, *variant).await?;
            }
            let mut terms = Vec::with_capacity(offers_of_variants.len());
            for (offer, _) in &offers_of_variants {
                terms.push(lock_offer(tx, *offer).await?);
            }
            if lock_order(tx, order.id).await?.status != OrderStatus::Capturing {
                return Ok(Vec::new());
            }
            let now = tx.now().await?;
            let ended: Vec<ReservationRow> = tx.query(END_LINES).bind(order.id.0).bind(now).fetch_all().await?;
            for ((offer, variant), terms) in offers_of_variants.iter().zip(&terms) {
                let units = ended.iter().filter(|row| row.offer() == *offer).map(ReservationRow::qty).sum();
                give_back_units(tx, *offer, *variant, terms, units).await?;
            }
            let cancel =
                "update orders set status = 'cancelled', changed_at = $2 where id = $1 and status = 'capturing'";
            tx.query(cancel).bind(order.id.0).bind(now).execute().await?;
            let mut ended = ended.into_iter().map(ReservationRow::into_reservation).collect::<Result<Vec<_>>>()?;
            ended.sort_unstable_by_key(|line| line.id);
            Ok(ended)
        })
        .await
    }
}
