//! The end of an order whose units were certain: its amount could not be captured, or it was placed and is not paid. All its lines give
//! their units back in one transaction, so that no rest of the order is left for which the whole amount could be taken later.

use uuid::Uuid;

use super::hold::give_back_units;
use super::mail::queue_order_mail;
use super::offer::{lock_offer, lock_variant};
use super::order::lock_order;
use super::reservation::{ReservationRow, reservations};
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{MailContent, Millis, OfferId, OrderId, OrderStatus, Refusal, Reservation, ReservationStatus};

const END_LINES: &str = reservations!(
    "update reservations set status = 'cancelled', reason = $3, version = version + 1, changed_at = $2
        where (id = $1 or order_id = $1) and status = $4 returning",
    ""
);

/// Why an order ends whose units were certain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderEnd {
    CaptureFailed,
    /// The shop cancels a placed order. Without `restock` the goods do not come back: the units are written off.
    ShopCancel {
        restock: bool,
    },
    /// A placed order is past its date. One that was sent is left to the shop.
    NotPaidInTime,
}

impl OrderEnd {
    fn reason(self) -> &'static str {
        match self {
            OrderEnd::CaptureFailed => "capture_failed",
            OrderEnd::ShopCancel { .. } => "shop_cancel",
            OrderEnd::NotPaidInTime => "not_paid_in_time",
        }
    }

    /// The status of the order, and of the lines that end.
    fn ends(self) -> (OrderStatus, ReservationStatus) {
        match self {
            OrderEnd::CaptureFailed => (OrderStatus::Capturing, ReservationStatus::Capturing),
            OrderEnd::ShopCancel { .. } | OrderEnd::NotPaidInTime => (OrderStatus::Placed, ReservationStatus::Placed),
        }
    }
}

impl Store {
    /// Cancels an order whose amount could not be captured, as [`end_order`](Self::end_order) does.
    pub async fn release_failed_capture(&self, id: OrderId) -> Result<Vec<Reservation>> {
        self.end_order(id, OrderEnd::CaptureFailed).await
    }

    /// Cancels an order that is being captured or is placed, and puts the units of its lines back on sale, or into the stock where the
    /// offer is closed. Gives the lines that ended, in the order of their ids; none: the order is no longer so.
    pub async fn end_order(&self, id: OrderId, end: OrderEnd) -> Result<Vec<Reservation>> {
        let (of_order, of_lines) = end.ends();
        // No line joins or leaves such an order, so what has to be locked is known.
        let order = self.order(id).await?.ok_or(Refusal::NoSuchOrder)?;
        let mut offers: Vec<OfferId> =
            order.lines.iter().filter(|line| line.status == of_lines).map(|line| line.offer).collect();
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
            let now = tx.now().await?;
            if lock_order(tx, order.id).await?.status != of_order
                || (end == OrderEnd::NotPaidInTime && !is_due(tx, order.id, now).await?)
            {
                return Ok(Vec::new());
            }
            let query = tx.query(END_LINES).bind(order.id.0).bind(now).bind(end.reason()).bind(of_lines.name());
            let ended: Vec<ReservationRow> = query.fetch_all().await?;
            for ((offer, variant), terms) in offers_of_variants.iter().zip(&terms) {
                let units = ended.iter().filter(|row| row.offer() == *offer).map(ReservationRow::qty).sum();
                match end {
                    OrderEnd::ShopCancel { restock: false } => write_off_units(tx, *offer, units).await?,
                    _ => give_back_units(tx, *offer, *variant, terms, units).await?,
                }
            }
            let cancel = "update orders set status = 'cancelled', changed_at = $2 where id = $1 and status = $3";
            tx.query(cancel).bind(order.id.0).bind(now).bind(of_order.name()).execute().await?;
            if of_order == OrderStatus::Placed {
                queue_order_mail(tx, order.id, MailContent::OrderCancelled { order: order.id }).await?;
            }
            let mut ended = ended.into_iter().map(ReservationRow::into_reservation).collect::<Result<Vec<_>>>()?;
            ended.sort_unstable_by_key(|line| line.id);
            Ok(ended)
        })
        .await
    }
}

/// Is a locked order past its date, and was not sent?
async fn is_due(tx: &mut Transaction<'_>, order: OrderId, now: Millis) -> Result<bool> {
    let find = "select o.id from orders o where o.id = $1 and o.due_at <= $2
        and not exists (select 1 from shipments s where s.order_id = o.id)";
    Ok(tx.query(find).bind(order.0).bind(now).fetch_optional_value::<Uuid>().await?.is_some())
}

/// The units of a locked offer leave it, and go nowhere.
async fn write_off_units(tx: &mut Transaction<'_>, offer: OfferId, units: i64) -> Result<()> {
    let write_off =
        "update offers set reserved = reserved - $2, quantity = quantity - $2, version = version + 1 where id = $1";
    tx.query(write_off).bind(offer.0).bind(units).execute().await.map(drop)
}
