//! Refunds: each has a row of its own before the provider is called. The order stays `paid` until the refund is done.

use uuid::Uuid;

use super::mail::queue_order_mail;
use super::offer::{add_to_stock, lock_offer, lock_variant};
use super::order::{lock_order, read_order};
use super::row::from_row;
use super::{Error, Result, Store, require_known};
use crate::domain::{
    IdempotencyKey, MailContent, Millis, OfferStage, Order, OrderId, OrderStatus, Refund, RefundStatus, Refusal,
    RequestHash, ReservationStatus, UserId,
};

/// What a member of the team requests with `refund`.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub order: OrderId,
    pub by: UserId,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub restock: bool,
    pub reason: Option<String>,
}

struct RefundRow {
    order_id: Uuid,
    n: i64,
    status: String,
    amount: i64,
    currency: String,
    restock: i64,
}

from_row!(RefundRow { order_id, n, status, amount, currency, restock });

impl RefundRow {
    fn into_refund(self) -> Result<Refund> {
        Ok(Refund {
            order: OrderId(self.order_id),
            n: self.n,
            status: require_known(RefundStatus::parse(&self.status), "refund status", &self.status)?,
            amount: self.amount,
            currency: self.currency,
            restock: self.restock == 1,
        })
    }
}

/// Every column of a refund; a condition follows.
macro_rules! refunds {
    ($condition:literal) => {
        concat!("select order_id, n, status, amount, currency, restock from refunds where ", $condition)
    };
}

const SELECT_REFUND_BY_NUMBER: &str = refunds!("order_id = $1 and n = $2");

impl Store {
    /// Begins the refund of a paid order, or finds the refund that this idempotency key began.
    pub async fn begin_refund(&self, new: &NewRefund) -> Result<Refund> {
        self.transaction(async |tx| {
            let order = lock_order(tx, new.order).await?;
            let find = "select order_id, n, hash from refunds where by_user = $1 and key = $2";
            let existing: Option<(Uuid, i64, Vec<u8>)> =
                tx.query(find).bind(new.by.as_str()).bind(new.key.as_str()).fetch_optional().await?;
            let (order_id, n) = match existing {
                Some((_, _, hash)) if hash != new.hash => return Err(Refusal::KeyReused.into()),
                Some((order, n, _)) => (order, n),
                None => {
                    order.status.check_refundable()?;
                    let count = "select count(*) from refunds where order_id = $1 and status = 'pending'";
                    let pending: i64 = tx.query(count).bind(new.order.0).fetch_value().await?;
                    if pending > 0 {
                        return Err(Refusal::Busy { retry_ms: 1_000 }.into());
                    }
                    let now = tx.now().await?;
                    // What was captured.
                    let total =
                        "select p.amount from payments p join orders o on o.id = p.order_id and o.attempt = p.attempt
                        where o.id = $1";
                    let total: Option<i64> = tx.query(total).bind(new.order.0).fetch_optional_value().await?;
                    let insert = "insert into refunds (order_id, n, status, amount, currency, restock, reason, by_user,
                            key, hash, created_at, changed_at)
                        values ($1, (select coalesce(max(r.n), 0) + 1 from refunds r where r.order_id = $1), 'pending',
                            $2, $3, $4, $5, $6, $7, $8, $9, $9) returning n";
                    let n: i64 = tx
                        .query(insert)
                        .bind(new.order.0)
                        .bind(total.unwrap_or(order.amount))
                        .bind(&order.currency)
                        .bind(i64::from(new.restock))
                        .bind(&new.reason)
                        .bind(new.by.as_str())
                        .bind(new.key.as_str())
                        .bind(&new.hash[..])
                        .bind(now)
                        .fetch_value()
                        .await?;
                    (new.order.0, n)
                }
            };
            let row: RefundRow = tx.query(SELECT_REFUND_BY_NUMBER).bind(order_id).bind(n).fetch_one().await?;
            row.into_refund()
        })
        .await
    }

    pub async fn refund(&self, order: OrderId, n: i64) -> Result<Option<Refund>> {
        let row: Option<RefundRow> = self.query(SELECT_REFUND_BY_NUMBER).bind(order.0).bind(n).fetch_optional().await?;
        row.map(RefundRow::into_refund).transpose()
    }

    /// Reads the refund of an order that is not done yet.
    pub async fn pending_refund(&self, order: OrderId) -> Result<Option<Refund>> {
        let read = refunds!("order_id = $1 and status = 'pending'");
        let row: Option<RefundRow> = self.query(read).bind(order.0).fetch_optional().await?;
        row.map(RefundRow::into_refund).transpose()
    }

    /// Sums the refunds of an order that are done.
    pub async fn refunded_amount(&self, order: OrderId) -> Result<i64> {
        let read =
            "select cast(coalesce(sum(amount), 0) as bigint) from refunds where order_id = $1 and status = 'done'";
        self.query(read).bind(order.0).fetch_value().await
    }

    /// Gives back every line of a paid order, together with the refund's own row and the units: they go back on sale,
    /// into the stock if the offer is closed, or nowhere if the goods are not returned. `None`: another node was first.
    pub async fn finish_refund(&self, refund: &Refund) -> Result<Option<Order>> {
        let order = self.order(refund.order).await?.ok_or(Error::Refused(Refusal::NoSuchOrder))?;
        // Lines that were sold stay so, and no line joins them: what has to be locked is known.
        let mut offers = Vec::new();
        for offer in order.lines.iter().filter(|line| line.status == ReservationStatus::Sold).map(|line| line.offer) {
            if !offers.iter().any(|(known, _)| *known == offer) {
                offers.push((offer, self.variant_of(offer).await?));
            }
        }
        offers.sort_unstable_by_key(|(offer, _)| *offer);
        let mut variants: Vec<Uuid> = offers.iter().map(|(_, variant)| *variant).collect();
        variants.sort_unstable();
        variants.dedup();
        self.transaction(async |tx| {
            for variant in &variants {
                lock_variant(tx, *variant).await?;
            }
            let mut stages = Vec::with_capacity(offers.len());
            for (offer, _) in &offers {
                stages.push(lock_offer(tx, *offer).await?.stage);
            }
            let order = lock_order(tx, refund.order).await?;
            let now = tx.now().await?;
            let done = "update refunds set status = 'done', changed_at = $3
                where order_id = $1 and n = $2 and status = 'pending'";
            if order.status != OrderStatus::Paid
                || tx.query(done).bind(refund.order.0).bind(refund.n).bind(now).execute().await? == 0
            {
                return Ok(None);
            }
            for ((offer, variant), stage) in offers.iter().zip(&stages) {
                let sold = order.lines.iter().filter(|line| line.status == ReservationStatus::Sold);
                let units = sold.filter(|line| line.offer == *offer).map(|line| line.qty - line.returned).sum();
                let is_closed = *stage == OfferStage::Closed;
                // Units that stay in the offer are on sale again. The others leave it: for the stock, or with the goods.
                let leaving = if is_closed || !refund.restock { units } else { 0 };
                let release = "update offers set reserved = reserved - $2, quantity = quantity - $3,
                    version = version + 1 where id = $1";
                tx.query(release).bind(offer.0).bind(units).bind(leaving).execute().await?;
                if is_closed && refund.restock {
                    add_to_stock(tx, *variant, units).await?;
                }
            }
            // They may have been summed as paid.
            let note = "insert into unsummed_refunds (order_id) select id from reservations
                where order_id = $1 and status = 'sold' and returned < qty and buyer not like 'crowd:%' on conflict do nothing";
            tx.query(note).bind(refund.order.0).execute().await?;
            let set = "update reservations set returned = qty, reason = 'refunded', version = version + 1, changed_at = $2
                where order_id = $1 and status = 'sold' and returned < qty";
            tx.query(set).bind(refund.order.0).bind(now).execute().await?;
            queue_order_mail(tx, refund.order, MailContent::OrderRefunded { order: refund.order }).await?;
            read_order(tx, refund.order).await.map(Some)
        })
        .await
    }

    /// Marks a refund as failed because the provider refused it. The order stays paid, and another refund may be tried.
    pub async fn fail_refund(&self, refund: &Refund) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let set = "update refunds set status = 'failed', changed_at = $3
                where order_id = $1 and n = $2 and status = 'pending'";
            tx.query(set).bind(refund.order.0).bind(refund.n).bind(now).execute().await?;
            Ok(())
        })
        .await
    }

    /// Finds refunds that are not done and were neither changed nor checked since `since`; those checked longest ago
    /// come first.
    pub async fn refunds_to_reconcile(&self, since: Millis, most: i64) -> Result<Vec<Refund>> {
        let read =
            refunds!("status = 'pending' and changed_at <= $1 and tried_at <= $1 order by tried_at, order_id limit $2");
        let rows: Vec<RefundRow> = self.query(read).bind(since).bind(most).fetch_all().await?;
        rows.into_iter().map(RefundRow::into_refund).collect()
    }

    /// Claims the look at this refund, so that one node asks the provider. `false`: another node has looked since `since`.
    pub async fn claim_refund(&self, refund: &Refund, since: Millis) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark = "update refunds set tried_at = $3 where order_id = $1 and n = $2 and tried_at <= $4";
            Ok(tx.query(mark).bind(refund.order.0).bind(refund.n).bind(now).bind(since).execute().await? > 0)
        })
        .await
    }
}
