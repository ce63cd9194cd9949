//! Refunds: each has a row of its own before the provider is called, and a row for each line of which units come back. The order stays
//! `paid` until all its units are back. A refund that the provider has accepted waits for the bank without keeping others waiting.

use std::collections::HashMap;

use uuid::Uuid;

use super::mail::queue_order_mail;
use super::offer::{add_to_stock, lock_offer, lock_variant};
use super::order::{lock_order, read_order};
use super::quote::parse_quote;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, ids_to_json, require_known};
use crate::domain::{
    IdempotencyKey, MailContent, ManualMethod, Millis, Minor, OfferStage, Order, OrderId, OrderQuote, PaidOrder,
    Refund, RefundPlan, RefundScope, RefundStatus, Refundable, RefundedSoFar, Refusal, RequestHash, Reservation,
    ReservationStatus, ReturnedLine, UserId,
};

/// What a member of the team requests with `refund`.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub order: OrderId,
    pub by: UserId,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub scope: RefundScope,
    pub restock: bool,
    pub reason: Option<String>,
}

/// A refund of an order, with the units that it gives back.
#[derive(Clone, PartialEq, Debug)]
pub struct RefundRecord {
    pub refund: Refund,
    /// The part of the amount that is for the delivery.
    pub delivery: Minor,
    /// Its units count as returned: also when the bank sent the money back after it was done.
    pub has_units: bool,
    pub reason: Option<String>,
    /// Empty: it gave back no units, or every line before there were refunds of lines.
    pub lines: Vec<ReturnedLine>,
}

struct RefundRow {
    order_id: Uuid,
    n: i64,
    status: String,
    amount: i64,
    currency: String,
    reference: Option<String>,
    restock: i64,
    created_at: i64,
}

from_row!(RefundRow { order_id, n, status, amount, currency, reference, restock, created_at });

impl RefundRow {
    fn into_refund(self) -> Result<Refund> {
        Ok(Refund {
            order: OrderId(self.order_id),
            n: self.n,
            status: require_known(RefundStatus::parse(&self.status), "refund status", &self.status)?,
            amount: self.amount,
            currency: self.currency,
            reference: self.reference,
            restock: self.restock == 1,
            created_at: self.created_at,
        })
    }
}

struct RecordRow {
    delivery: i64,
    was_done: i64,
    reason: Option<String>,
    refund: RefundRow,
}

from_row!(RecordRow { delivery, was_done, reason } and refund);

/// Every column of a refund between its two halves.
macro_rules! refund_columns {
    ($before:literal, $condition:literal) => {
        concat!(
            $before,
            " order_id, n, status, amount, currency, reference, restock, created_at from refunds where ",
            $condition
        )
    };
}

/// Refunds; a condition follows.
macro_rules! refunds {
    ($condition:literal) => {
        refund_columns!("select", $condition)
    };
}

/// Reads the money of an order, in a transaction or from the pool.
macro_rules! refund_money {
    ($source:expr, $order:expr) => {{
        let order: &Order = $order;
        let read =
            "select cast(coalesce(sum(amount), 0) as bigint), cast(coalesce(sum(delivery), 0) as bigint) from refunds
            where order_id = $1 and status <> 'failed'";
        let (amount, delivery): (i64, i64) = $source.query(read).bind(order.id.0).fetch_one().await?;
        let lines: Vec<(Uuid, i64, i64, i64)> = $source.query(RETURNED_LINES).bind(order.id.0).fetch_all().await?;
        let line =
            |(reservation, qty, amount, goods)| ReturnedLine { reservation: OrderId(reservation), qty, amount, goods };
        let lines = lines.into_iter().map(line).collect();
        let read = "select quote from orders where id = $1";
        let quote: Option<Option<String>> = $source.query(read).bind(order.id.0).fetch_optional_value().await?;
        let quote = quote.flatten().as_deref().map(parse_quote).transpose()?;
        let captured: Option<(i64, String)> = $source.query(CAPTURED).bind(order.id.0).fetch_optional().await?;
        let (captured, provider) = captured.unwrap_or_default();
        let is_manual = ManualMethod::parse(&provider).is_some();
        let shared: i64 = $source.query(PARCEL_ORDERS).bind(order.id.0).fetch_value().await?;
        let so_far = RefundedSoFar { amount, delivery, lines };
        RefundMoney { quote, captured, so_far, is_manual, is_parcel_shared: shared > 0 }
    }};
}

/// The units that refunds give back, by line. Those of a refund that failed after it was done came back; its money is given back by a
/// refund of an amount.
const RETURNED_LINES: &str = "select l.reservation, cast(sum(l.qty) as bigint), cast(sum(l.amount) as bigint),
        cast(sum(l.goods) as bigint)
    from refund_lines l join refunds f on f.order_id = l.order_id and f.n = l.n
    where l.order_id = $1 and (f.status <> 'failed' or f.was_done = 1) group by l.reservation order by l.reservation";

/// What was taken for an order.
const CAPTURED: &str =
    "select p.amount, p.provider from payments p join orders o on o.id = p.order_id and o.attempt = p.attempt
    where o.id = $1 and p.status = 'captured'";

/// How many other orders are in the parcel of an order without a delivery fee of their own: they are paid or placed, or are being paid.
const PARCEL_ORDERS: &str = "select count(*) from orders j where j.joins = $1 and (
        exists (select 1 from reservations r where r.order_id = j.id
            and (r.status in ('capturing', 'placed') or r.status = 'sold' and r.returned < r.qty))
        or exists (select 1 from payments p where p.order_id = j.id and p.status in ('creating', 'needs_action', 'authorized')))";

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
                    let plan = plan(tx, &order, &new.scope).await?;
                    (new.order.0, insert_refund(tx, new, &order, &plan).await?)
                }
            };
            let row: RefundRow = tx.query(SELECT_REFUND_BY_NUMBER).bind(order_id).bind(n).fetch_one().await?;
            row.into_refund()
        })
        .await
    }

    /// Reads the refunds of an order with their lines, the oldest first, at most 100.
    pub async fn refunds_of_order(&self, order: OrderId) -> Result<Vec<RefundRecord>> {
        let read = refund_columns!("select delivery, was_done, reason,", "order_id = $1 order by n limit 100");
        let rows: Vec<RecordRow> = self.query(read).bind(order.0).fetch_all().await?;
        let read =
            "select n, reservation, qty, amount, goods from refund_lines where order_id = $1 order by n, reservation";
        let lines: Vec<(i64, Uuid, i64, i64, i64)> = self.query(read).bind(order.0).fetch_all().await?;
        let record = |RecordRow { delivery, was_done, reason, refund }: RecordRow| {
            let refund = refund.into_refund()?;
            let own = lines.iter().filter(|(n, ..)| *n == refund.n);
            let lines = own.map(|(_, reservation, qty, amount, goods)| ReturnedLine {
                reservation: OrderId(*reservation),
                qty: *qty,
                amount: *amount,
                goods: *goods,
            });
            let has_units = refund.status != RefundStatus::Failed || was_done == 1;
            Ok(RefundRecord { lines: lines.collect(), refund, delivery, has_units, reason })
        };
        rows.into_iter().map(record).collect()
    }

    pub async fn refund(&self, order: OrderId, n: i64) -> Result<Option<Refund>> {
        let row: Option<RefundRow> = self.query(SELECT_REFUND_BY_NUMBER).bind(order.0).bind(n).fetch_optional().await?;
        row.map(RefundRow::into_refund).transpose()
    }

    /// Reads the refunds of an order of which the provider may know news: those that are pending or done, the oldest first, at most 100.
    pub async fn live_refunds(&self, order: OrderId) -> Result<Vec<Refund>> {
        let read = refunds!("order_id = $1 and status <> 'failed' order by n limit 100");
        let rows: Vec<RefundRow> = self.query(read).bind(order.0).fetch_all().await?;
        rows.into_iter().map(RefundRow::into_refund).collect()
    }

    /// Sums what refunds that are done gave back, for several orders; an order without one is not among them.
    pub async fn refunded_amounts(&self, orders: &[OrderId]) -> Result<HashMap<OrderId, Minor>> {
        let read = self.choose(
            "select order_id, cast(sum(amount) as bigint) from refunds where status = 'done'
                and order_id = any (array(select json_array_elements_text($1::json)::uuid)) group by order_id",
            "select order_id, cast(sum(amount) as bigint) from refunds where status = 'done'
                and order_id in (select unhex(value) from json_each($1)) group by order_id",
        );
        let ids = ids_to_json(orders.iter().map(|id| id.0))?;
        let rows: Vec<(Uuid, i64)> = self.query(read).bind(ids).fetch_all().await?;
        Ok(rows.into_iter().map(|(order, amount)| (OrderId(order), amount)).collect())
    }

    /// What can still be given back of an order.
    pub async fn refundable(&self, order: &Order) -> Result<Refundable> {
        let money = refund_money!(self, order);
        Ok(money.of(order).refundable())
    }

    /// Notes the provider's id of a refund, which from now on waits for the bank.
    pub async fn note_refund_reference(&self, refund: &Refund, reference: &str) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let set =
                "update refunds set reference = $3, tried_at = $4 where order_id = $1 and n = $2 and reference is null";
            let query = tx.query(set).bind(refund.order.0).bind(refund.n).bind(reference).bind(now);
            query.execute().await.map(drop)
        })
        .await
    }

    /// Gives back the lines of a refund, together with the refund's own row and the units: they go back on sale, into the stock if the
    /// offer is closed, or nowhere if the goods are not returned. `None`: another node was first.
    pub async fn finish_refund(&self, refund: &Refund) -> Result<Option<Order>> {
        let order = self.order(refund.order).await?.ok_or(Error::Refused(Refusal::NoSuchOrder))?;
        // Lines that were sold stay so, and the lines of a refund never change: what has to be locked is known.
        let returned = self.returned_units(refund, &order).await?;
        let mut offers = Vec::new();
        for (line, _) in &returned {
            if !offers.iter().any(|(known, _)| *known == line.offer) {
                offers.push((line.offer, self.variant_of(line.offer).await?));
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
            let done =
                "update refunds set status = 'done', changed_at = $3, done_at = $3, reference = coalesce(reference, $4)
                where order_id = $1 and n = $2 and status = 'pending'";
            let done = tx.query(done).bind(refund.order.0).bind(refund.n).bind(now).bind(&refund.reference);
            if !order.status.is_or_was_paid() || done.execute().await? == 0 {
                return Ok(None);
            }
            for ((offer, variant), stage) in offers.iter().zip(&stages) {
                let units: i64 = returned.iter().filter(|(line, _)| line.offer == *offer).map(|(_, qty)| qty).sum();
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
            for (line, qty) in &returned {
                let set = "update reservations set returned = returned + $2, version = version + 1, changed_at = $3,
                    reason = case when returned + $2 = qty then 'refunded' else reason end where id = $1";
                tx.query(set).bind(line.id.0).bind(*qty).bind(now).execute().await?;
                // It may have been summed as paid.
                let note = "insert into unsummed_refunds (order_id) select id from reservations
                    where id = $1 and returned = qty and buyer not like 'crowd:%' on conflict do nothing";
                tx.query(note).bind(line.id.0).execute().await?;
            }
            // Units that come back without money are news for nobody.
            if refund.amount > 0 {
                let content = MailContent::OrderRefunded { order: refund.order, n: Some(refund.n) };
                queue_order_mail(tx, refund.order, content).await?;
            }
            read_order(tx, refund.order).await.map(Some)
        })
        .await
    }

    /// The lines that a refund gives back, and how many units of each.
    async fn returned_units(&self, refund: &Refund, order: &Order) -> Result<Vec<(Reservation, i64)>> {
        let read = "select reservation, qty from refund_lines where order_id = $1 and n = $2 order by reservation";
        let rows: Vec<(Uuid, i64)> = self.query(read).bind(refund.order.0).bind(refund.n).fetch_all().await?;
        let read = "select has_lines from refunds where order_id = $1 and n = $2";
        let has_lines: i64 = self.query(read).bind(refund.order.0).bind(refund.n).fetch_value().await?;
        let line = |id: Uuid| order.lines.iter().find(|line| line.id.0 == id).cloned();
        if has_lines == 0 {
            // It was begun before refunds had lines.
            let sold =
                order.lines.iter().filter(|line| line.status == ReservationStatus::Sold && line.returned < line.qty);
            return Ok(sold.map(|line| (line.clone(), line.qty - line.returned)).collect());
        }
        Ok(rows.into_iter().filter_map(|(id, qty)| Some((line(id)?, qty))).collect())
    }

    /// Marks a refund as failed because the provider refused it, or the bank did. The order stays paid, and another refund may be tried.
    /// `false`: it was not pending any more.
    pub async fn fail_refund(&self, refund: &Refund) -> Result<bool> {
        let set = "update refunds set status = 'failed', changed_at = $3, reference = coalesce(reference, $4)
            where order_id = $1 and n = $2 and status = 'pending'";
        self.end_refund(refund, set).await
    }

    /// Marks a refund that was done as failed: the bank has sent the money back. Its units stay returned, and its amount can be given
    /// back by another refund. `false`: that was known.
    pub async fn reverse_refund(&self, refund: &Refund) -> Result<bool> {
        let set =
            // An older node has not written when it was done: then that was its last change.
            "update refunds set status = 'failed', was_done = 1, done_at = coalesce(done_at, changed_at), changed_at = $3,
                reference = coalesce(reference, $4)
            where order_id = $1 and n = $2 and status = 'done'";
        self.end_refund(refund, set).await
    }

    async fn end_refund(&self, refund: &Refund, set: &'static str) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let query = tx.query(set).bind(refund.order.0).bind(refund.n).bind(now).bind(&refund.reference);
            Ok(query.execute().await? > 0)
        })
        .await
    }

    /// Finds refunds that are not done and were neither changed nor checked since `since`; those checked longest ago
    /// come first. A refund that waits for the bank is looked at less often: only if it was not checked since `bank_since`.
    pub async fn refunds_to_reconcile(&self, since: Millis, bank_since: Millis, most: i64) -> Result<Vec<Refund>> {
        let read = refunds!(
            "status = 'pending' and changed_at <= $1 and tried_at <= $1 and (reference is null or tried_at <= $2)
            order by tried_at, order_id limit $3"
        );
        let rows: Vec<RefundRow> = self.query(read).bind(since).bind(bank_since).bind(most).fetch_all().await?;
        rows.into_iter().map(RefundRow::into_refund).collect()
    }

    /// Finds refunds that were done since `done_since` and not checked since `checked_since`: the bank may have sent the money back.
    pub async fn done_refunds_to_check(
        &self,
        done_since: Millis,
        checked_since: Millis,
        most: i64,
    ) -> Result<Vec<Refund>> {
        let read = refunds!(
            "status = 'done' and reference is not null and changed_at >= $1 and changed_at <= $2 and tried_at <= $2
            order by tried_at, order_id limit $3"
        );
        let rows: Vec<RefundRow> = self.query(read).bind(done_since).bind(checked_since).bind(most).fetch_all().await?;
        rows.into_iter().map(RefundRow::into_refund).collect()
    }

    /// Claims the check of this refund, so that one node asks the provider. `false`: another node has looked since `since`.
    pub async fn claim_refund(&self, refund: &Refund, since: Millis) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark = "update refunds set tried_at = $3 where order_id = $1 and n = $2 and tried_at <= $4";
            Ok(tx.query(mark).bind(refund.order.0).bind(refund.n).bind(now).bind(since).execute().await? > 0)
        })
        .await
    }
}

/// The money of an order, as a refund needs it.
struct RefundMoney {
    quote: Option<OrderQuote>,
    captured: Minor,
    so_far: RefundedSoFar,
    is_manual: bool,
    is_parcel_shared: bool,
}

impl RefundMoney {
    fn of<'o>(&'o self, order: &'o Order) -> PaidOrder<'o> {
        let Self { quote, captured, so_far, is_manual, is_parcel_shared } = self;
        let (captured, so_far, is_parcel_shared) = (*captured, so_far.clone(), *is_parcel_shared);
        let is_manual = *is_manual;
        PaidOrder { order, quote: quote.as_ref(), captured, so_far, is_manual, is_parcel_shared }
    }
}

/// Plans the refund of a locked order.
async fn plan(tx: &mut Transaction<'_>, order: &Order, scope: &RefundScope) -> Result<RefundPlan> {
    let count = "select count(*) from refunds where order_id = $1 and status = 'pending' and reference is null";
    if tx.query(count).bind(order.id.0).fetch_value::<i64>().await? > 0 {
        return Err(Refusal::Busy { retry_ms: 1_000 }.into());
    }
    let money = refund_money!(tx, order);
    Ok(money.of(order).plan(scope)?)
}

async fn insert_refund(tx: &mut Transaction<'_>, new: &NewRefund, order: &Order, plan: &RefundPlan) -> Result<i64> {
    let now = tx.now().await?;
    let insert = "insert into refunds (order_id, n, status, amount, currency, restock, reason, by_user, key, hash, created_at,
            changed_at, has_lines, delivery)
        values ($1, (select coalesce(max(r.n), 0) + 1 from refunds r where r.order_id = $1), 'pending', $2, $3, $4, $5, $6,
            $7, $8, $9, $9, 1, $10) returning n";
    let n: i64 = tx
        .query(insert)
        .bind(new.order.0)
        .bind(plan.amount)
        .bind(&order.currency)
        .bind(i64::from(new.restock))
        .bind(&new.reason)
        .bind(new.by.as_str())
        .bind(new.key.as_str())
        .bind(&new.hash[..])
        .bind(now)
        .bind(plan.delivery)
        .fetch_value()
        .await?;
    for line in &plan.lines {
        let insert = "insert into refund_lines (order_id, n, reservation, stream, qty, amount, goods)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let insert = tx.query(insert).bind(new.order.0).bind(n).bind(line.reservation.0).bind(order.stream.0);
        insert.bind(line.qty).bind(line.amount).bind(line.goods).execute().await?;
    }
    Ok(n)
}
