//! Orders after the hold: pay, cancel, expire. Only reserve and release touch the offer's row.

use uuid::Uuid;

use super::offer::{OfferTermsRow, lock_offer, lock_variant};
use super::{Error, Result, Store, in_transaction, now_in, on_reader, require_known, with_deadline};
use crate::domain::{
    IdempotencyKey, Millis, OfferId, OfferStage, Order, OrderId, OrderStatus, Refusal, RequestHash, StreamId, UserId,
};

#[derive(sqlx::FromRow)]
pub(super) struct OrderRow {
    id: Uuid,
    stream: Uuid,
    offer: Uuid,
    buyer: String,
    buyer_name: String,
    status: String,
    qty: i64,
    amount: i64,
    currency: String,
    place: i64,
    created_at: i64,
    hold_until: i64,
    paid_at: Option<i64>,
    reason: Option<String>,
    version: i64,
}

impl OrderRow {
    pub fn order(self) -> Result<Order> {
        Ok(Order {
            id: OrderId(self.id),
            stream: StreamId(self.stream),
            offer: OfferId(self.offer),
            buyer: UserId::parse(&self.buyer).map_err(|_| Error::CorruptRow(format!("buyer `{}`", self.buyer)))?,
            buyer_name: self.buyer_name,
            status: require_known(OrderStatus::parse(&self.status), "order status", &self.status)?,
            qty: self.qty,
            amount: self.amount,
            currency: self.currency,
            place: self.place,
            created_at: self.created_at,
            hold_until: self.hold_until,
            paid_at: self.paid_at,
            reason: self.reason,
            version: self.version,
        })
    }
}

/// A statement with every column of an order between its two halves.
macro_rules! orders {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, stream, offer, buyer, buyer_name, status, qty, amount, currency, place, created_at, hold_until,
            paid_at, reason, version ",
            $after
        )
    };
}

pub(super) use orders;

const SELECT_ORDER_BY_ID: &str = orders!("select", "from orders where id = $1");

/// The orders that keys made before, with what each key was used for.
pub(super) const KEYED_ORDERS_ON_POSTGRES: &str = orders!("select hash, ", "from orders where id = any($1)");
pub(super) const KEYED_ORDERS_ON_SQLITE: &str =
    orders!("select hash, ", "from orders where id in (select unhex(value) from json_each($1))");

#[derive(sqlx::FromRow)]
pub(super) struct KeyedOrderRow {
    pub hash: Vec<u8>,
    #[sqlx(flatten)]
    pub order: OrderRow,
}

/// What a key of `cancel` was answered. (A key of `pay` lives in its try, one of `refund` in its refund.)
#[derive(Clone, PartialEq, Debug)]
pub struct IdempotencyRecord {
    pub verb: &'static str,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub order: OrderId,
    /// `None`: the order as it is now. Else the refusal's code.
    pub code: Option<&'static str>,
}

/// An outbox row: what others must hear of, at least once.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxEvent {
    pub id: Uuid,
    pub topic: String,
    pub body: String,
    pub created_at: Millis,
}

/// A show's sales in a few numbers.
#[derive(Clone, Copy, PartialEq, Debug, sqlx::FromRow)]
pub struct SalesTotals {
    pub orders_held: i64,
    pub orders_paid: i64,
    pub units_paid: i64,
    pub amount_paid: i64,
    pub orders_refunded: i64,
    pub amount_refunded: i64,
    pub orders_expired: i64,
    pub orders_cancelled: i64,
}

/// Why units go back on sale.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ReleaseReason {
    HoldEnded,
    BuyerCancel,
    CaptureFailed,
}

impl ReleaseReason {
    fn name(self) -> &'static str {
        match self {
            ReleaseReason::HoldEnded => "hold_ended",
            ReleaseReason::BuyerCancel => "buyer_cancel",
            ReleaseReason::CaptureFailed => "capture_failed",
        }
    }
}

impl Store {
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>> {
        let row: Option<OrderRow> =
            on_reader!(self, pool => sqlx::query_as(SELECT_ORDER_BY_ID).bind(id.0).fetch_optional(pool).await?);
        row.map(OrderRow::order).transpose()
    }

    pub async fn order_by_key(&self, buyer: &UserId, key: &IdempotencyKey) -> Result<Option<Order>> {
        let read = orders!("select", "from orders where buyer = $1 and key = $2");
        let row: Option<OrderRow> = on_reader!(self, pool =>
            sqlx::query_as(read).bind(buyer.as_str()).bind(key.as_str()).fetch_optional(pool).await?);
        row.map(OrderRow::order).transpose()
    }

    /// A buyer's orders, newest first, before `after`.
    pub async fn orders_of_buyer(
        &self,
        buyer: &UserId,
        stream: Option<StreamId>,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Order>> {
        // Materialized: a plan that walks all orders from the newest on, looking for the buyer's, must not be chosen.
        let read = orders!(
            "with mine as materialized (select * from orders where buyer = $1) select",
            "from mine where id < $2 and ($3 or stream = $4) order by id desc limit $5"
        );
        let before = after.map_or(Uuid::max(), |id| id.0);
        let (any, stream) = (stream.is_none(), stream.map_or(Uuid::nil(), |id| id.0));
        let rows: Vec<OrderRow> = on_reader!(self, pool => sqlx::query_as(read)
            .bind(buyer.as_str()).bind(before).bind(any).bind(stream).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(OrderRow::order).collect()
    }

    /// The orders of these buyers that are undecided, or changed after `since`; the newest first, two thousand at most.
    pub async fn recent_orders_of(&self, buyers: &[UserId], since: Millis) -> Result<Vec<Order>> {
        let names: Vec<&str> = buyers.iter().map(UserId::as_str).collect();
        // Materialized for the same reason as above.
        let rows: Vec<OrderRow> = match self {
            Store::Postgres(db) => {
                let read = orders!(
                    "with theirs as materialized (select * from orders where buyer = any($1)) select",
                    "from theirs where status in ('held', 'capturing') or changed_at > $2 order by id desc limit 2000"
                );
                with_deadline(async { Ok(sqlx::query_as(read).bind(&names).bind(since).fetch_all(db.pool()).await?) })
                    .await?
            }
            Store::Sqlite(db) => {
                let read = orders!(
                    "select",
                    "from orders where buyer in (select value from json_each($1))
                        and (status in ('held', 'capturing') or changed_at > $2) order by id desc limit 2000"
                );
                let names = serde_json::to_string(&names).map_err(|error| Error::CorruptRow(error.to_string()))?;
                with_deadline(async { Ok(sqlx::query_as(read).bind(names).bind(since).fetch_all(db.readers()).await?) })
                    .await?
            }
        };
        rows.into_iter().map(OrderRow::order).collect()
    }

    /// A buyer's counted orders of one offer: what `buyer_limit` shows.
    pub async fn counted_orders(&self, buyer: &UserId, offer: OfferId) -> Result<Vec<OrderId>> {
        let read = "select id from orders where offer = $1 and buyer = $2 and status in ('held', 'capturing', 'paid')
            order by id limit 100";
        let ids: Vec<Uuid> = on_reader!(self, pool =>
            sqlx::query_scalar(read).bind(offer.0).bind(buyer.as_str()).fetch_all(pool).await?);
        Ok(ids.into_iter().map(OrderId).collect())
    }

    /// Who has the orders at the places after `from`, up to `last`, whatever became of them; at most `most`.
    pub async fn buyers_at_places(&self, offer: OfferId, from: i64, last: i64, most: usize) -> Result<Vec<UserId>> {
        let read = "select buyer from orders where offer = $1 and place > $2 and place <= $3 limit $4";
        let buyers: Vec<String> = on_reader!(self, pool => sqlx::query_scalar(read)
            .bind(offer.0).bind(from).bind(last).bind(most as i64).fetch_all(pool).await?);
        let parse = |buyer: String| UserId::parse(&buyer).map_err(|_| Error::CorruptRow(format!("buyer `{buyer}`")));
        buyers.into_iter().map(parse).collect()
    }

    /// Ends orders and puts their units back on sale, or back in the pool when the offer is closed; all in one
    /// transaction. Gives the orders that ended: those another had ended before are not among them.
    pub async fn release_orders(
        &self,
        offer: OfferId,
        ids: &[OrderId],
        why: ReleaseReason,
        answer: Option<(&UserId, &IdempotencyRecord)>,
    ) -> Result<Vec<Order>> {
        let variant = self.variant_of(offer).await?;
        let among: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
        let among = serde_json::to_string(&among).map_err(|error| Error::CorruptRow(error.to_string()))?;
        let rows: Vec<OrderRow> = in_transaction!(self, |tx, dialect| {
            lock_variant!(tx, dialect, variant);
            let terms = lock_offer!(tx, dialect, offer);
            let now: Millis = now_in!(self, tx);
            // One statement for all of them: the offer's row is locked, and a sweep may bring hundreds.
            let end = dialect.pick(
                orders!(
                    "with due as (select r.id as due from orders r
                        where r.id = any (array(select value::uuid from json_array_elements_text($1::json)))
                            and r.offer = $2 and case $5 when 'hold_ended' then r.status = 'held' and r.hold_until <= $3
                                when 'buyer_cancel' then r.status = 'held' else r.status = 'capturing' end
                        order by r.id for update)
                    update orders set status = $4, reason = $5, version = version + 1, changed_at = $3
                        from due where id = due.due returning",
                    ""
                ),
                orders!(
                    "update orders set status = $4, reason = $5, version = version + 1, changed_at = $3
                        where id in (select unhex(value) from json_each($1)) and offer = $2
                            and case $5 when 'hold_ended' then status = 'held' and hold_until <= $3
                                when 'buyer_cancel' then status = 'held' else status = 'capturing' end returning",
                    ""
                ),
            );
            let status = if why == ReleaseReason::HoldEnded { OrderStatus::Expired } else { OrderStatus::Cancelled };
            let mut ended: Vec<OrderRow> = sqlx::query_as(end)
                .bind(&among)
                .bind(offer.0)
                .bind(now)
                .bind(status.name())
                .bind(why.name())
                .fetch_all(&mut *tx)
                .await?;
            ended.sort_unstable_by_key(|row| row.id);
            let units: i64 = ended.iter().map(|row| row.qty).sum();
            if units > 0 {
                let closed = terms.stage == OfferStage::Closed;
                let to_pool = if closed { units } else { 0 };
                let give = "update offers set reserved = reserved - $2, quantity = quantity - $3, version = version + 1
                    where id = $1";
                sqlx::query(give).bind(offer.0).bind(units).bind(to_pool).execute(&mut *tx).await?;
                if closed {
                    let back = "update variants set stock = stock + $2 where id = $1";
                    sqlx::query(back).bind(variant).bind(units).execute(&mut *tx).await?;
                }
            }
            // Only a deed is an answer to keep: one that came too late is refused, and refusals are not stored.
            if let Some((buyer, answer)) = answer.filter(|_| !ended.is_empty()) {
                keep_answer!(tx, buyer, answer, now);
            }
            ended
        });
        rows.into_iter().map(OrderRow::order).collect()
    }

    /// Holds that are over, by offer.
    pub async fn expired_holds(&self, now: Millis) -> Result<Vec<(OfferId, OrderId)>> {
        // From offer to offer along the index, and of each those that are due: one look-up for each offer that has
        // unpaid orders, however many these are.
        let read = "with recursive busy (offer) as (
                select (select o.offer from orders o where o.status in ('held', 'capturing') order by o.offer limit 1)
                union all
                select (select o.offer from orders o where o.status in ('held', 'capturing') and o.offer > busy.offer
                    order by o.offer limit 1) from busy where busy.offer is not null
            )
            select o.offer, o.id from busy join orders o on o.offer = busy.offer
            where o.status in ('held', 'capturing') and o.status = 'held' and o.hold_until <= $1 limit 500";
        let rows: Vec<(Uuid, Uuid)> = on_reader!(self, pool => sqlx::query_as(read).bind(now).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(offer, order)| (OfferId(offer), OrderId(order))).collect())
    }

    pub async fn insert_idempotency_record(&self, buyer: &UserId, answer: &IdempotencyRecord) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            keep_answer!(tx, buyer, answer, now);
        });
        Ok(())
    }

    /// What this key was answered before: its order and, for a stored "no", the code.
    pub async fn find_idempotency_record(
        &self,
        buyer: &UserId,
        verb: &str,
        key: &IdempotencyKey,
    ) -> Result<Option<(RequestHash, OrderId, Option<String>)>> {
        let read = "select hash, order_id, code from answers where buyer = $1 and verb = $2 and key = $3";
        let row: Option<(Vec<u8>, Uuid, Option<String>)> = on_reader!(self, pool =>
            sqlx::query_as(read).bind(buyer.as_str()).bind(verb).bind(key.as_str()).fetch_optional(pool).await?);
        row.map(|(hash, order, code)| {
            let hash = hash.try_into().map_err(|_| Error::CorruptRow("hash of an answer".to_owned()))?;
            Ok((hash, OrderId(order), code))
        })
        .transpose()
    }

    /// What a show has sold so far.
    pub async fn sales_totals(&self, stream: StreamId) -> Result<SalesTotals> {
        let read = "select cast(count(case when status in ('held', 'capturing') then 1 end) as bigint) as orders_held,
                cast(count(case when status = 'paid' then 1 end) as bigint) as orders_paid,
                cast(coalesce(sum(case when status = 'paid' then qty end), 0) as bigint) as units_paid,
                cast(coalesce(sum(case when status = 'paid' then amount end), 0) as bigint) as amount_paid,
                cast(count(case when status = 'refunded' then 1 end) as bigint) as orders_refunded,
                cast(coalesce(sum(case when status = 'refunded' then amount end), 0) as bigint) as amount_refunded,
                cast(count(case when status = 'expired' then 1 end) as bigint) as orders_expired,
                cast(count(case when status = 'cancelled' then 1 end) as bigint) as orders_cancelled
            from orders where offer in (select id from offers where stream = $1)";
        Ok(on_reader!(self, pool => sqlx::query_as(read).bind(stream.0).fetch_one(pool).await?))
    }

    /// The oldest notes not delivered yet.
    pub async fn outbox_events(&self, limit: i64) -> Result<Vec<OutboxEvent>> {
        let read = "select id, topic, body, created_at from outbox order by id limit $1";
        let rows: Vec<(Uuid, String, String, i64)> =
            on_reader!(self, pool => sqlx::query_as(read).bind(limit).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id, topic, body, created_at)| OutboxEvent { id, topic, body, created_at }).collect())
    }

    pub async fn count_outbox_events(&self) -> Result<u64> {
        let read = "select cast(count(*) as bigint) from outbox";
        let waiting: i64 = on_reader!(self, pool => sqlx::query_scalar(read).fetch_one(pool).await?);
        Ok(waiting.unsigned_abs())
    }

    /// Takes a delivered note away. `false`: another node was first.
    pub async fn delete_outbox_event(&self, note: Uuid) -> Result<bool> {
        let gone = in_transaction!(self, |tx, _dialect| {
            sqlx::query("delete from outbox where id = $1").bind(note).execute(&mut *tx).await?.rows_affected()
        });
        Ok(gone > 0)
    }

    /// Offers whose counter differs from their orders: must be empty, always.
    pub async fn reservation_mismatches(&self) -> Result<Vec<OfferId>> {
        let ids: Vec<Uuid> =
            on_reader!(self, pool => sqlx::query_scalar("select id from audit").fetch_all(pool).await?);
        Ok(ids.into_iter().map(OfferId).collect())
    }
}

macro_rules! keep_answer {
    ($tx:ident, $buyer:expr, $answer:expr, $now:expr) => {{
        let keep = "insert into answers (buyer, verb, key, hash, order_id, code, created_at)
            values ($1, $2, $3, $4, $5, $6, $7) on conflict (buyer, verb, key) do nothing";
        sqlx::query(keep)
            .bind($buyer.as_str())
            .bind($answer.verb)
            .bind($answer.key.as_str())
            .bind(&$answer.hash[..])
            .bind($answer.order.0)
            .bind($answer.code)
            .bind($now)
            .execute(&mut *$tx)
            .await?;
    }};
}
use keep_answer;
