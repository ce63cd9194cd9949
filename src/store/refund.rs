//! Refunds: a row of its own before the provider is asked; the order stays `paid` until it has done it.

use uuid::Uuid;

use super::offer::{OfferTermsRow, lock_offer, lock_variant};
use super::order::{OrderRow, orders};
use super::payment::lock_order;
use super::{Error, Result, Store, in_transaction, now_in, on_reader, require_known};
use crate::domain::{
    IdempotencyKey, Millis, OfferStage, Order, OrderId, Refund, RefundStatus, Refusal, RequestHash, UserId,
};

/// What somebody of the team asks for with `refund`.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub order: OrderId,
    pub by: UserId,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub restock: bool,
    pub reason: Option<String>,
}

#[derive(sqlx::FromRow)]
struct RefundRow {
    order_id: Uuid,
    n: i64,
    status: String,
    amount: i64,
    currency: String,
    restock: i64,
}

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

macro_rules! refunds {
    ($rest:literal) => {
        concat!("select order_id, n, status, amount, currency, restock from refunds where ", $rest)
    };
}

const SELECT_REFUND_BY_NUMBER: &str = refunds!("order_id = $1 and n = $2");

impl Store {
    /// Begins the refund of a paid order, or finds the one that this key began.
    pub async fn begin_refund(&self, new: &NewRefund) -> Result<Refund> {
        let row: RefundRow = in_transaction!(self, |tx, dialect| {
            let order = lock_order!(tx, dialect, new.order);
            let find = "select order_id, n, hash from refunds where by_user = $1 and key = $2";
            let known: Option<(Uuid, i64, Vec<u8>)> =
                sqlx::query_as(find).bind(new.by.as_str()).bind(new.key.as_str()).fetch_optional(&mut *tx).await?;
            let (order_id, n) = match known {
                Some((_, _, hash)) if hash != new.hash => Err(Refusal::KeyReused)?,
                Some((order, n, _)) => (order, n),
                None => {
                    order.check_refundable()?;
                    let pending = "select count(*) from refunds where order_id = $1 and status = 'pending'";
                    let pending: i64 = sqlx::query_scalar(pending).bind(new.order.0).fetch_one(&mut *tx).await?;
                    if pending > 0 {
                        Err(Refusal::Busy { retry_ms: 1_000 })?;
                    }
                    let now: Millis = now_in!(self, tx);
                    let insert = "insert into refunds (order_id, n, status, amount, currency, restock, reason, by_user,
                            key, hash, created_at, changed_at)
                        select o.id, coalesce((select max(n) from refunds where order_id = o.id), 0) + 1, 'pending',
                            o.amount, o.currency, $2, $3, $4, $5, $6, $7, $7
                        from orders o where o.id = $1 returning n";
                    let n: i64 = sqlx::query_scalar(insert)
                        .bind(new.order.0)
                        .bind(i64::from(new.restock))
                        .bind(&new.reason)
                        .bind(new.by.as_str())
                        .bind(new.key.as_str())
                        .bind(&new.hash[..])
                        .bind(now)
                        .fetch_one(&mut *tx)
                        .await?;
                    (new.order.0, n)
                }
            };
            sqlx::query_as(SELECT_REFUND_BY_NUMBER).bind(order_id).bind(n).fetch_one(&mut *tx).await?
        });
        row.into_refund()
    }

    pub async fn refund(&self, order: OrderId, n: i64) -> Result<Option<Refund>> {
        let row: Option<RefundRow> = on_reader!(self, pool =>
            sqlx::query_as(SELECT_REFUND_BY_NUMBER).bind(order.0).bind(n).fetch_optional(pool).await?);
        row.map(RefundRow::into_refund).transpose()
    }

    /// The refund of an order that is under way.
    pub async fn pending_refund(&self, order: OrderId) -> Result<Option<Refund>> {
        let read = refunds!("order_id = $1 and status = 'pending'");
        let row: Option<RefundRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).fetch_optional(pool).await?);
        row.map(RefundRow::into_refund).transpose()
    }

    /// paid → refunded, with the refund's own row and its units: back on sale, or in the pool when the offer is closed,
    /// or gone with the goods. `None`: somebody else was first.
    pub async fn finish_refund(&self, refund: &Refund) -> Result<Option<Order>> {
        let order = self.order(refund.order).await?.ok_or(Error::Refused(Refusal::NoSuchOrder))?;
        let variant = self.variant_of(order.offer).await?;
        let row: Option<OrderRow> = in_transaction!(self, |tx, dialect| {
            lock_variant!(tx, dialect, variant);
            let terms = lock_offer!(tx, dialect, order.offer);
            let now: Millis = now_in!(self, tx);
            let done = "update refunds set status = 'done', changed_at = $3
                where order_id = $1 and n = $2 and status = 'pending'
                    and exists (select 1 from orders o where o.id = $1 and o.status = 'paid')";
            let set = orders!(
                "update orders set status = 'refunded', reason = 'refunded', version = version + 1, changed_at = $2
                    where id = $1 and status = 'paid' returning",
                ""
            );
            let done = sqlx::query(done).bind(refund.order.0).bind(refund.n).bind(now).execute(&mut *tx).await?;
            if done.rows_affected() == 0 {
                None
            } else {
                let row: OrderRow = sqlx::query_as(set).bind(refund.order.0).bind(now).fetch_one(&mut *tx).await?;
                let closed = terms.stage == OfferStage::Closed;
                // What stays in the offer is on sale again; what leaves it goes to the pool or with the goods.
                let leaves = if closed || !refund.restock { order.qty } else { 0 };
                let give = "update offers set reserved = reserved - $2, quantity = quantity - $3, version = version + 1
                    where id = $1";
                sqlx::query(give).bind(order.offer.0).bind(order.qty).bind(leaves).execute(&mut *tx).await?;
                if closed && refund.restock {
                    let back = "update variants set stock = stock + $2 where id = $1";
                    sqlx::query(back).bind(variant).bind(order.qty).execute(&mut *tx).await?;
                }
                Some(row)
            }
        });
        row.map(OrderRow::order).transpose()
    }

    /// The provider refused: the order stays paid, and another refund may be tried.
    pub async fn fail_refund(&self, refund: &Refund) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let set = "update refunds set status = 'failed', changed_at = $3
                where order_id = $1 and n = $2 and status = 'pending'";
            sqlx::query(set).bind(refund.order.0).bind(refund.n).bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Refunds that are not done and that nobody has looked at since `since`; those looked at longest ago first.
    pub async fn refunds_to_reconcile(&self, since: Millis, most: i64) -> Result<Vec<Refund>> {
        let read =
            refunds!("status = 'pending' and changed_at <= $1 and tried_at <= $1 order by tried_at, order_id limit $2");
        let rows: Vec<RefundRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(since).bind(most).fetch_all(pool).await?);
        rows.into_iter().map(RefundRow::into_refund).collect()
    }

    /// Somebody looks at this refund now.
    pub async fn mark_refund_checked(&self, refund: &Refund) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let mark = "update refunds set tried_at = $3 where order_id = $1 and n = $2";
            sqlx::query(mark).bind(refund.order.0).bind(refund.n).bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
