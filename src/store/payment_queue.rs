//! The queue of payments: attempts that wait until the payment provider takes them. The queue is the table of the attempts, in the order of
//! the numbers that the database gave them; any node takes the next ones.

use std::collections::HashMap;

use uuid::Uuid;

use super::transaction::Transaction;
use super::{Result, Store, ids_to_json};
use crate::domain::payment::{CREATE_REPEAT_MAX_MS, PAYMENT_CALL_LEASE_MS};
use crate::domain::{Millis, OrderId, Payment};

/// How long after its last sign a node still counts.
const NODE_COUNTS_MS: Millis = 15_000;
/// Signs of nodes that are older are deleted.
const NODE_FORGOTTEN_MS: Millis = 3_600_000;

const TAKE_ON_POSTGRES: &str = "select order_id, attempt, called_at from payments
    where queue_number is not null and status = 'creating' and provider = $1 and call_due_at <= $2 and created_at > $3
        and (called_at is null or exists (select 1 from reservations r where r.order_id = payments.order_id and r.status || '' = 'held'))
    order by queue_number limit $4 for update skip locked";
const TAKE_ON_SQLITE: &str = "select order_id, attempt, called_at from payments
    where queue_number is not null and status = 'creating' and provider = $1 and call_due_at <= $2 and created_at > $3
        and (called_at is null or exists (select 1 from reservations r where r.order_id = payments.order_id and r.status || '' = 'held'))
    order by queue_number limit $4";

const ANSWERED_ON_POSTGRES: &str = "select order_id, attempt from payments
    where order_id = any (array(select value::uuid from json_array_elements_text($1::json))) and status not in ('creating', 'authorized')";
const ANSWERED_ON_SQLITE: &str = "select order_id, attempt from payments
    where order_id in (select unhex(value) from json_each($1)) and status not in ('creating', 'authorized')";

/// An attempt that this node is to send to the provider.
#[derive(Clone, PartialEq, Debug)]
pub struct DuePayment {
    pub payment: Payment,
    /// It was sent before, and the answer was lost.
    pub was_called: bool,
}

/// How long the queue is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PaymentQueueLength {
    /// Attempts that were not sent yet.
    pub waiting: i64,
    /// When the oldest of them was made.
    pub oldest_at: Option<Millis>,
}

impl Store {
    /// Takes the next attempts of this provider that may be sent, at most `most`, and none that another node is taking. One whose answer
    /// stays away can be taken again after [`PAYMENT_CALL_LEASE_MS`] while its order is held, but not later than [`CREATE_REPEAT_MAX_MS`] after it was made.
    pub async fn take_due_payments(&self, provider: &str, most: i64) -> Result<Vec<DuePayment>> {
        let taken = self
            .transaction(async |tx| {
                let now = tx.now().await?;
                let take = tx.choose(TAKE_ON_POSTGRES, TAKE_ON_SQLITE);
                let query = tx.query(take).bind(provider).bind(now).bind(now - CREATE_REPEAT_MAX_MS).bind(most);
                let taken: Vec<(Uuid, i64, Option<i64>)> = query.fetch_all().await?;
                for (order, attempt, _) in &taken {
                    let mark =
                        "update payments set called_at = $3, call_due_at = $4 where order_id = $1 and attempt = $2";
                    let query = tx.query(mark).bind(*order).bind(*attempt).bind(now);
                    query.bind(now + PAYMENT_CALL_LEASE_MS).execute().await?;
                }
                Ok(taken)
            })
            .await?;
        let mut due = Vec::with_capacity(taken.len());
        for (order, attempt, called_at) in taken {
            let payment = self.payment(OrderId(order), attempt).await?;
            due.extend(payment.map(|payment| DuePayment { payment, was_called: called_at.is_some() }));
        }
        Ok(due)
    }

    /// The buyer asks again for an attempt whose answer was lost: it is sent again at once. `false`: it is not in the queue any more.
    pub async fn call_payment_again(&self, payment: &Payment) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark = "update payments set call_due_at = $3 where order_id = $1 and attempt = $2
                and queue_number is not null and status = 'creating'";
            Ok(tx.query(mark).bind(payment.order.0).bind(payment.attempt).bind(now).execute().await? > 0)
        })
        .await
    }

    pub async fn payment_queue_length(&self, provider: &str) -> Result<PaymentQueueLength> {
        let read = "select cast(count(*) as bigint), min(created_at) from payments
            where queue_number is not null and status = 'creating' and called_at is null and provider = $1";
        let (waiting, oldest_at) = self.query(read).bind(provider).fetch_one().await?;
        Ok(PaymentQueueLength { waiting, oldest_at })
    }

    /// The place of the order's payment in the queue: 1 is the next. `None`: no payment of it waits.
    pub async fn payment_place(&self, order: OrderId) -> Result<Option<i64>> {
        let read = "select 1 + (select cast(count(*) as bigint) from payments q where q.queue_number is not null
                and q.status = 'creating' and q.called_at is null and q.queue_number < p.queue_number)
            from payments p where p.order_id = $1 and p.queue_number is not null and p.status = 'creating'
                and p.called_at is null order by p.attempt desc limit 1";
        self.query(read).bind(order.0).fetch_optional_value().await
    }

    /// The places of all payments that wait. There are some thousands at most.
    pub async fn payment_places(&self) -> Result<HashMap<OrderId, i64>> {
        let read =
            "select order_id from payments where queue_number is not null and status = 'creating' and called_at is null
            order by queue_number";
        let orders: Vec<Uuid> = self.query(read).fetch_values().await?;
        Ok(orders.into_iter().map(OrderId).zip(1..).collect())
    }

    /// Finds the attempts of these orders whose outcome is known, or that wait for their buyer.
    pub async fn answered_payments(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, i64)>> {
        let read = self.choose(ANSWERED_ON_POSTGRES, ANSWERED_ON_SQLITE);
        let ids = ids_to_json(orders.iter().map(|order| order.0))?;
        let rows: Vec<(Uuid, i64)> = self.query(read).bind(ids).fetch_all().await?;
        Ok(rows.into_iter().map(|(order, attempt)| (OrderId(order), attempt)).collect())
    }

    /// Writes that this node sends payments, and gives how many nodes do.
    pub async fn count_payment_node(&self, node: Uuid) -> Result<i64> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let sign =
                "insert into payment_nodes (id, seen_at) values ($1, $2) on conflict (id) do update set seen_at = $2";
            tx.query(sign).bind(node).bind(now).execute().await?;
            let forget = "delete from payment_nodes where seen_at < $1";
            tx.query(forget).bind(now - NODE_FORGOTTEN_MS).execute().await?;
            let count = "select cast(count(*) as bigint) from payment_nodes where seen_at > $1";
            tx.query(count).bind(now - NODE_COUNTS_MS).fetch_value().await
        })
        .await
    }

    /// This node sends no payments any more: its share is free for the others.
    pub async fn forget_payment_node(&self, node: Uuid) -> Result<()> {
        self.transaction(async |tx| {
            tx.query("delete from payment_nodes where id = $1").bind(node).execute().await.map(drop)
        })
        .await
    }
}

/// The number of the next attempt. Only the order of those that wait matters.
pub(super) fn next_queue_number(tx: &Transaction<'_>) -> &'static str {
    tx.choose(
        "select nextval('payment_queue_numbers')",
        "select coalesce(max(queue_number), 0) + 1 from payments where queue_number is not null and status = 'creating'",
    )
}
