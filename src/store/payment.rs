//! Tries to take money: written before the provider is called, so that a crash in between can be settled.

use uuid::Uuid;

use super::{Result, Store, in_transaction, now_in, on_reader};
use crate::domain::{Millis, Minor, OrderId};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PaymentStatus {
    Creating,
    Authorized,
    Captured,
    Declined,
    Cancelled,
    Failed,
}

impl PaymentStatus {
    fn name(self) -> &'static str {
        match self {
            PaymentStatus::Creating => "creating",
            PaymentStatus::Authorized => "authorized",
            PaymentStatus::Captured => "captured",
            PaymentStatus::Declined => "declined",
            PaymentStatus::Cancelled => "cancelled",
            PaymentStatus::Failed => "failed",
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Payment {
    pub order: OrderId,
    /// 1 for the first try; part of the key the provider sees.
    pub attempt: i64,
    pub token: String,
    pub reference: Option<String>,
    pub amount: Minor,
    pub currency: String,
}

impl Store {
    /// Writes the next try of an order and gives its number.
    pub async fn begin_payment(
        &self,
        order: OrderId,
        provider: &str,
        token: &str,
        amount: Minor,
        currency: &str,
    ) -> Result<Payment> {
        let attempt: i64 = in_transaction!(self, |tx, dialect| {
            // Two tabs that pay at once would both count the tries and take the same number.
            let lock = dialect
                .pick("select id from orders where id = $1 for no key update", "select id from orders where id = $1");
            sqlx::query_scalar::<_, Uuid>(lock).bind(order.0).fetch_optional(&mut *tx).await?;
            let now: Millis = now_in!(self, tx);
            let insert = "insert into payments (order_id, attempt, provider, token, status, amount, currency, created_at, changed_at)
                select $1, coalesce(max(attempt), 0) + 1, $2, $3, 'creating', $4, $5, $6, $6 from payments where order_id = $1
                returning attempt";
            sqlx::query_scalar(insert)
                .bind(order.0)
                .bind(provider)
                .bind(token)
                .bind(amount)
                .bind(currency)
                .bind(now)
                .fetch_one(&mut *tx)
                .await?
        });
        let (token, currency) = (token.to_owned(), currency.to_owned());
        Ok(Payment { order, attempt, token, reference: None, amount, currency })
    }

    pub async fn set_payment(&self, payment: &Payment, status: PaymentStatus) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let set =
                "update payments set status = $3, reference = $4, changed_at = $5 where order_id = $1 and attempt = $2";
            sqlx::query(set)
                .bind(payment.order.0)
                .bind(payment.attempt)
                .bind(status.name())
                .bind(&payment.reference)
                .bind(now)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Payments whose order has been `capturing` since before `since`: a node died on the way. Whatever the record
    /// says of the money, the order was not told; asking the provider again settles it.
    pub async fn payments_adrift(&self, since: Millis) -> Result<Vec<Payment>> {
        let read = "select p.order_id, p.attempt, p.token, p.reference, p.amount, p.currency
            from payments p join orders o on o.id = p.order_id
            where p.status in ('authorized', 'captured', 'failed') and p.changed_at < $1 and o.status = 'capturing' and o.changed_at < $1
            order by p.order_id limit 100";
        type Row = (Uuid, i64, String, Option<String>, i64, String);
        let rows: Vec<Row> = on_reader!(self, pool => sqlx::query_as(read).bind(since).fetch_all(pool).await?);
        Ok(rows
            .into_iter()
            .map(|(order, attempt, token, reference, amount, currency)| Payment {
                order: OrderId(order),
                attempt,
                token,
                reference,
                amount,
                currency,
            })
            .collect())
    }
}
