//! Orders after the hold: paid, cancelled or expired. Only reserving and releasing units touch the offer's row.

use uuid::Uuid;

use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, require_known, to_json};
use crate::domain::{
    IdempotencyKey, Millis, OfferId, Order, OrderId, OrderStatus, PersonKey, RequestHash, StreamId, UserId,
};

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

from_row!(OrderRow {
    id,
    stream,
    offer,
    buyer,
    buyer_name,
    status,
    qty,
    amount,
    currency,
    place,
    created_at,
    hold_until,
    paid_at,
    reason,
    version
});

impl OrderRow {
    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn qty(&self) -> i64 {
        self.qty
    }

    pub fn into_order(self) -> Result<Order> {
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

/// Orders that were created by idempotency keys, with what each key was used for.
pub(super) const KEYED_ORDERS_ON_POSTGRES: &str = orders!("select hash, ", "from orders where id = any($1)");
pub(super) const KEYED_ORDERS_ON_SQLITE: &str =
    orders!("select hash, ", "from orders where id in (select unhex(value) from json_each($1))");

pub(super) struct KeyedOrderRow {
    pub hash: Vec<u8>,
    pub order: OrderRow,
}

from_row!(KeyedOrderRow { hash } and order);

/// The result of a `cancel` with an idempotency key. (A key of `pay` is kept with its payment attempt, a key of
/// `refund` with its refund.)
#[derive(Clone, PartialEq, Debug)]
pub struct IdempotencyRecord {
    pub verb: &'static str,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub order: OrderId,
    /// `None`: the result is the order as it is now. Otherwise the code of the refusal.
    pub code: Option<&'static str>,
}

/// So many events of the outbox are counted at most.
const OUTBOX_COUNTED_MAX: i64 = 10_000;

/// A row of the outbox: an event that is delivered at least once.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxEvent {
    pub id: Uuid,
    pub topic: String,
    pub body: String,
    pub created_at: Millis,
}

/// Orders of several buyers. Materialized, because the planner would otherwise follow `order by id` and read everybody's orders.
const RECENT_ORDERS_ON_POSTGRES: &str = orders!(
    "with theirs as materialized (select * from orders
        where buyer = any (array(select json_array_elements_text($1::json)))) select",
    "from theirs where status in ('held', 'capturing') or changed_at > $2 order by id desc limit 2000"
);
const RECENT_ORDERS_ON_SQLITE: &str = orders!(
    "select",
    "from orders where buyer in (select value from json_each($1))
        and (status in ('held', 'capturing') or changed_at > $2) order by id desc limit 2000"
);

impl Store {
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>> {
        let row: Option<OrderRow> = self.query(SELECT_ORDER_BY_ID).bind(id.0).fetch_optional().await?;
        row.map(OrderRow::into_order).transpose()
    }

    pub async fn order_by_key(&self, buyer: &UserId, key: &IdempotencyKey) -> Result<Option<Order>> {
        let read = orders!("select", "from orders where buyer = $1 and key = $2");
        let row: Option<OrderRow> = self.query(read).bind(buyer.as_str()).bind(key.as_str()).fetch_optional().await?;
        row.map(OrderRow::into_order).transpose()
    }

    /// Reads a page of a buyer's orders, newest first, before `after`.
    pub async fn orders_of_buyer(
        &self,
        buyer: &UserId,
        stream: Option<StreamId>,
        after: Option<OrderId>,
        limit: i64,
    ) -> Result<Vec<Order>> {
        // Materialized: otherwise the planner may read all orders from the newest on, looking for those of the buyer.
        let read = orders!(
            "with mine as materialized (select * from orders where buyer = $1) select",
            "from mine where id < $2 and ($3 or stream = $4) order by id desc limit $5"
        );
        let before = after.map_or(Uuid::max(), |id| id.0);
        let (any, stream) = (stream.is_none(), stream.map_or(Uuid::nil(), |id| id.0));
        let query = self.query(read).bind(buyer.as_str()).bind(before).bind(any).bind(stream).bind(limit);
        let rows: Vec<OrderRow> = query.fetch_all().await?;
        rows.into_iter().map(OrderRow::into_order).collect()
    }

    /// Reads the orders of these buyers that are undecided or changed after `since`: newest first, at most 2,000.
    pub async fn recent_orders_of(&self, buyers: &[UserId], since: Millis) -> Result<Vec<Order>> {
        let read = self.choose(RECENT_ORDERS_ON_POSTGRES, RECENT_ORDERS_ON_SQLITE);
        let buyers = to_json(&buyers.iter().map(UserId::as_str).collect::<Vec<_>>())?;
        let rows: Vec<OrderRow> = self.query(read).bind(buyers).bind(since).fetch_all().await?;
        rows.into_iter().map(OrderRow::into_order).collect()
    }

    /// Finds the orders of a person that count for the limit per buyer of an offer.
    pub async fn counted_orders(&self, person: &PersonKey, offer: OfferId) -> Result<Vec<OrderId>> {
        let read = "select id from orders where offer = $1 and person = $2 and status in ('held', 'capturing', 'paid')
            order by id limit 100";
        let ids: Vec<Uuid> = self.query(read).bind(offer.0).bind(person.as_str()).fetch_values().await?;
        Ok(ids.into_iter().map(OrderId).collect())
    }

    /// Finds the buyers of the places after `from` up to `last`, whatever the status of their orders. They are all in memory at
    /// once, so the places are some thousands.
    pub async fn buyers_at_places(&self, offer: OfferId, from: i64, last: i64) -> Result<Vec<UserId>> {
        let read = "select buyer from orders where offer = $1 and place > $2 and place <= $3";
        let buyers: Vec<String> = self.query(read).bind(offer.0).bind(from).bind(last).fetch_values().await?;
        let parse = |buyer: String| UserId::parse(&buyer).map_err(|_| Error::CorruptRow(format!("buyer `{buyer}`")));
        buyers.into_iter().map(parse).collect()
    }

    /// Records the result of a request with an idempotency key; the first record stays.
    pub async fn insert_idempotency_record(&self, buyer: &UserId, record: &IdempotencyRecord) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            insert_idempotency_record(tx, buyer, record, now).await
        })
        .await
    }

    /// Reads the recorded result of an idempotency key: its order and, if the request was refused, the refusal's code.
    pub async fn find_idempotency_record(
        &self,
        buyer: &UserId,
        verb: &str,
        key: &IdempotencyKey,
    ) -> Result<Option<(RequestHash, OrderId, Option<String>)>> {
        let read = "select hash, subject_id, code from idempotency_keys where buyer = $1 and verb = $2 and key = $3";
        let row: Option<(Vec<u8>, Uuid, Option<String>)> =
            self.query(read).bind(buyer.as_str()).bind(verb).bind(key.as_str()).fetch_optional().await?;
        row.map(|(hash, order, code)| {
            let hash = hash.try_into().map_err(|_| Error::CorruptRow("hash of an idempotency key".to_owned()))?;
            Ok((hash, OrderId(order), code))
        })
        .transpose()
    }

    /// Reads the oldest events of the outbox: those that are not delivered yet.
    pub async fn outbox_events(&self, limit: i64) -> Result<Vec<OutboxEvent>> {
        let read = "select id, topic, body, created_at from outbox order by id limit $1";
        let rows: Vec<(Uuid, String, String, i64)> = self.query(read).bind(limit).fetch_all().await?;
        Ok(rows.into_iter().map(|(id, topic, body, created_at)| OutboxEvent { id, topic, body, created_at }).collect())
    }

    /// Counts the events that wait in the outbox, up to [`OUTBOX_COUNTED_MAX`]: it is asked often while there are many.
    pub async fn count_outbox_events(&self) -> Result<u64> {
        let count = "select cast(count(*) as bigint) from (select id from outbox limit $1) waiting";
        let events: i64 = self.query(count).bind(OUTBOX_COUNTED_MAX).fetch_value().await?;
        Ok(events.unsigned_abs())
    }

    /// Removes a delivered event from the outbox. `false`: another node removed it first.
    pub async fn delete_outbox_event(&self, event: Uuid) -> Result<bool> {
        self.transaction(async |tx| Ok(tx.query("delete from outbox where id = $1").bind(event).execute().await? > 0))
            .await
    }

    /// Finds offers whose counter of reserved units differs from the sum of their orders. It must always be empty.
    pub async fn reservation_mismatches(&self) -> Result<Vec<OfferId>> {
        let ids: Vec<Uuid> = self.query("select id from reservation_mismatches").fetch_values().await?;
        Ok(ids.into_iter().map(OfferId).collect())
    }
}

pub(super) async fn insert_idempotency_record(
    tx: &mut Transaction<'_>,
    buyer: &UserId,
    record: &IdempotencyRecord,
    now: Millis,
) -> Result<()> {
    let insert = "insert into idempotency_keys (buyer, verb, key, hash, subject_id, code, created_at)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (buyer, verb, key) do nothing";
    tx.query(insert)
        .bind(buyer.as_str())
        .bind(record.verb)
        .bind(record.key.as_str())
        .bind(&record.hash[..])
        .bind(record.order.0)
        .bind(record.code)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::clock::Clock;

    /// The plan of PostgreSQL is tested in `tests/it/contract_store/query_plans.rs`, by what it reads.
    #[tokio::test]
    async fn recent_orders_are_found_by_index_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("shop.db").display());
        let Store::Sqlite(db) = Store::open(&url, Clock::system(), 1).await.unwrap() else { panic!("SQLite") };
        let explain = AssertSqlSafe(format!("explain query plan {RECENT_ORDERS_ON_SQLITE}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).bind("[]").bind(0).fetch_all(db.readers()).await.unwrap();
        let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
        assert!(steps.iter().any(|step| step.starts_with("SEARCH orders USING INDEX")), "{steps:?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN orders")), "{steps:?}");
    }
}
