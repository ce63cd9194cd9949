//! What the payment provider keeps of a payment. It is known some time after the payment, so a background job asks for it, a few times.

use uuid::Uuid;

use super::{Result, Store};
use crate::domain::payment_day::fee_look_after;
use crate::domain::{Millis, OrderId, Payment, PaymentFee};

/// When the provider is asked for the fee of a payment that is captured now.
pub(super) fn first_fee_look(now: Millis) -> Option<Millis> {
    fee_look_after(0).map(|after| now + after)
}

impl Store {
    /// Finds payments whose fee is to be asked for, those that wait longest first. With each is how often it was asked for.
    pub async fn payments_without_fee(&self, now: Millis, most: i64) -> Result<Vec<(Payment, usize)>> {
        let read = "select order_id, attempt, fee_looks from payments where fee_due_at is not null and fee_due_at <= $1
            order by fee_due_at limit $2";
        let rows: Vec<(Uuid, i64, i64)> = self.query(read).bind(now).bind(most).fetch_all().await?;
        let mut payments = Vec::with_capacity(rows.len());
        for (order, attempt, looks) in rows {
            let looks = usize::try_from(looks).unwrap_or_default();
            payments.extend(self.payment(OrderId(order), attempt).await?.map(|payment| (payment, looks)));
        }
        Ok(payments)
    }

    /// Claims the request that follows `looks` others, so that one node asks the provider, and sets the time of the next one. `false`:
    /// another node has it.
    pub async fn claim_fee_look(&self, payment: &Payment, looks: usize) -> Result<bool> {
        self.transaction(async |tx| {
            let next = match fee_look_after(looks + 1) {
                Some(after) => Some(tx.now().await? + after),
                None => None,
            };
            let mark = "update payments set fee_looks = $4, fee_due_at = $5
                where order_id = $1 and attempt = $2 and fee_looks = $3 and fee_due_at is not null";
            let query = tx.query(mark).bind(payment.order.0).bind(payment.attempt).bind(looks as i64);
            Ok(query.bind(looks as i64 + 1).bind(next).execute().await? > 0)
        })
        .await
    }

    /// Notes the fee. `None`: the provider will never say it. It is not asked for again.
    pub async fn note_fee(&self, payment: &Payment, fee: Option<&PaymentFee>) -> Result<()> {
        self.transaction(async |tx| {
            let set = "update payments set fee = $3, fee_currency = $4, fee_due_at = null where order_id = $1 and attempt = $2";
            let query = tx.query(set).bind(payment.order.0).bind(payment.attempt).bind(fee.map(|fee| fee.amount));
            query.bind(fee.map(|fee| fee.currency.as_str())).execute().await.map(drop)
        })
        .await
    }
}
