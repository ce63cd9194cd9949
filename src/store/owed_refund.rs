//! Money that was taken and is not for an order, until it is given back.

use uuid::Uuid;

use super::order::lock_order;
use super::payment::{read_payment, set_payment_status};
use super::{Result, Store};
use crate::domain::{Millis, OrderId, OrderStatus, Payment, PaymentIntent, PaymentStatus};

impl Store {
    /// Notes that the money of this attempt is owed, and that it was captured. `false`: the attempt has won its order in the meantime,
    /// so nothing is owed.
    pub async fn owe_refund(&self, payment: &Payment, intent: &PaymentIntent) -> Result<bool> {
        self.transaction(async |tx| {
            let order = lock_order(tx, payment.order).await?.status;
            let before = read_payment(tx, payment).await?;
            if before.wins && (order == OrderStatus::Capturing || order.is_or_was_paid()) {
                return Ok(false);
            }
            let now = tx.now().await?;
            let note = "insert into owed_refunds (order_id, attempt, amount, currency, status, created_at, changed_at)
                values ($1, $2, $3, $4, 'owed', $5, $5)
                on conflict (order_id, attempt) do update set status = 'owed', amount = $3, changed_at = $5";
            tx.query(note)
                .bind(payment.order.0)
                .bind(payment.attempt)
                .bind(intent.captured - intent.refunded)
                .bind(&intent.currency)
                .bind(now)
                .execute()
                .await?;
            // A captured attempt that wins its order is a paid order, and this one has ended.
            let status = if before.wins { PaymentStatus::Failed } else { PaymentStatus::Captured };
            set_payment_status(tx, payment, status, Some(&intent.reference), now).await?;
            Ok(true)
        })
        .await
    }

    /// Notes that the provider has given back what was owed. `false`: that was known.
    pub async fn finish_owed_refund(&self, payment: &Payment) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let set = "update owed_refunds set status = 'returned', changed_at = $3
                where order_id = $1 and attempt = $2 and status = 'owed'";
            Ok(tx.query(set).bind(payment.order.0).bind(payment.attempt).bind(now).execute().await? > 0)
        })
        .await
    }

    /// Finds money that is owed and was not looked at since `since`; what was looked at longest ago comes first.
    pub async fn owed_refunds(&self, since: Millis, most: i64) -> Result<Vec<Payment>> {
        let read = "select order_id, attempt from owed_refunds where status = 'owed' and tried_at <= $1
            order by tried_at, order_id, attempt limit $2";
        let rows: Vec<(Uuid, i64)> = self.query(read).bind(since).bind(most).fetch_all().await?;
        let mut owed = Vec::with_capacity(rows.len());
        for (order, attempt) in rows {
            owed.extend(self.payment(OrderId(order), attempt).await?);
        }
        Ok(owed)
    }

    /// Claims the look at what is owed. `false`: another node has looked since `since`.
    pub async fn claim_owed_refund(&self, payment: &Payment, since: Millis) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark = "update owed_refunds set tried_at = $3 where order_id = $1 and attempt = $2 and tried_at <= $4";
            let query = tx.query(mark).bind(payment.order.0).bind(payment.attempt).bind(now).bind(since);
            Ok(query.execute().await? > 0)
        })
        .await
    }

    /// Counts what is owed. It is 0 nearly always.
    pub async fn count_owed_refunds(&self) -> Result<u64> {
        let count = "select cast(count(*) as bigint) from owed_refunds where status = 'owed'";
        let owed: i64 = self.query(count).fetch_value().await?;
        Ok(owed.unsigned_abs())
    }
}
