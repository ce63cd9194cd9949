//! Money that was taken and is not for an order, until it is given back.

use uuid::Uuid;

use super::order::lock_order;
use super::payment::{note_lost_reason, read_payment, set_payment_status};
use super::payment_fee::first_fee_check;
use super::{Result, Store};
use crate::domain::{Millis, Minor, OrderId, OrderStatus, Payment, PaymentIntent, PaymentStatus};

/// Money that is owed for a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwedRefund {
    /// What this try gives back. It never changes within a try: the provider refuses a key that comes with another amount.
    pub amount: Minor,
    /// The number of this try, from 1.
    pub tries: i64,
    /// The provider's id of the refund of this try, once it is known.
    pub reference: Option<String>,
}

impl Store {
    /// Notes that the money of this attempt is owed, and that it was captured. `false`: the attempt has won its order in the meantime,
    /// so nothing is owed.
    pub async fn owe_refund(&self, payment: &Payment, intent: &PaymentIntent) -> Result<bool> {
        self.transaction(async |tx| {
            let order = lock_order(tx, payment.order).await?;
            let before = read_payment(tx, payment).await?;
            if before.wins && (order.status == OrderStatus::Capturing || order.status.is_or_was_paid()) {
                return Ok(false);
            }
            let now = tx.now().await?;
            let note = "insert into owed_refunds (order_id, attempt, amount, currency, status, created_at, changed_at)
                values ($1, $2, $3, $4, 'owed', $5, $5)
                on conflict (order_id, attempt) do update set status = 'owed', amount = $3, tries = owed_refunds.tries + 1,
                    reference = null, changed_at = $5 where owed_refunds.status = 'returned'";
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
            note_lost_reason(tx, &before, &order, None).await?;
            let fee = "update payments set fee_due_at = $3 where order_id = $1 and attempt = $2 and fee is null";
            tx.query(fee).bind(payment.order.0).bind(payment.attempt).bind(first_fee_check(now)).execute().await?;
            Ok(true)
        })
        .await
    }

    /// Reads what is owed for a payment, and the try that is under way.
    pub async fn owed_refund(&self, payment: &Payment) -> Result<Option<OwedRefund>> {
        let read = "select amount, tries, reference from owed_refunds where order_id = $1 and attempt = $2";
        let query = self.query(read).bind(payment.order.0).bind(payment.attempt);
        let row: Option<(i64, i64, Option<String>)> = query.fetch_optional().await?;
        Ok(row.map(|(amount, tries, reference)| OwedRefund { amount, tries, reference }))
    }

    /// Notes the provider's id of the refund of a try.
    pub async fn note_owed_reference(&self, payment: &Payment, owed: &OwedRefund, reference: &str) -> Result<()> {
        self.transaction(async |tx| {
            let set = "update owed_refunds set reference = $4 where order_id = $1 and attempt = $2 and tries = $3";
            let query = tx.query(set).bind(payment.order.0).bind(payment.attempt).bind(owed.tries).bind(reference);
            query.execute().await.map(drop)
        })
        .await
    }

    /// Begins the next try to give back what is owed, with the amount that is owed now; the one before has failed. `false`: another node
    /// began it.
    pub async fn begin_next_return(&self, payment: &Payment, failed: &OwedRefund, amount: Minor) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let set = "update owed_refunds set tries = tries + 1, amount = $4, reference = null, changed_at = $5
                where order_id = $1 and attempt = $2 and tries = $3 and status = 'owed'";
            let query = tx.query(set).bind(payment.order.0).bind(payment.attempt).bind(failed.tries);
            Ok(query.bind(amount).bind(now).execute().await? > 0)
        })
        .await
    }

    /// Finds money that was given back since `done_since`, and not looked at since `checked_since`: the bank may have sent it back.
    pub async fn returned_money_to_check(
        &self,
        done_since: Millis,
        checked_since: Millis,
        most: i64,
    ) -> Result<Vec<Payment>> {
        let read = "select order_id, attempt from owed_refunds
            where status = 'returned' and changed_at >= $1 and changed_at <= $2 and tried_at <= $2
            order by tried_at, order_id, attempt limit $3";
        let rows: Vec<(Uuid, i64)> =
            self.query(read).bind(done_since).bind(checked_since).bind(most).fetch_all().await?;
        self.payments_of(rows).await
    }

    async fn payments_of(&self, rows: Vec<(Uuid, i64)>) -> Result<Vec<Payment>> {
        let mut payments = Vec::with_capacity(rows.len());
        for (order, attempt) in rows {
            payments.extend(self.payment(OrderId(order), attempt).await?);
        }
        Ok(payments)
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
        self.payments_of(rows).await
    }

    /// Claims the check of what is owed. `false`: another node has looked since `since`.
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
