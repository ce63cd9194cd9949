//! Tries to take money: written before the provider is asked, so that a crash at any point can be settled.
//!
//! What a try may become, and what that means for its order, is decided with the order's row locked.

use uuid::Uuid;

use super::order::{OrderRow, orders};
use super::{Error, Result, Store, in_transaction, now_in, on_reader, require_known};
use crate::domain::{
    IdempotencyKey, Millis, Order, OrderId, OrderStatus, Payment, PaymentStatus, Refusal, RequestHash, UserId,
};

/// What a buyer asks for with `pay`.
#[derive(Clone, Debug)]
pub struct NewPayment {
    pub order: OrderId,
    pub buyer: UserId,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub provider: &'static str,
    pub token: String,
}

/// The try of a key, and whether it is this call that made it.
#[derive(Clone, PartialEq, Debug)]
pub struct BegunPayment {
    pub payment: Payment,
    pub is_new: bool,
}

#[derive(sqlx::FromRow)]
struct PaymentRow {
    order_id: Uuid,
    attempt: i64,
    provider: String,
    token: String,
    reference: Option<String>,
    status: String,
    amount: i64,
    currency: String,
    created_at: i64,
    order_status: String,
    wins: bool,
}

impl PaymentRow {
    fn into_payment(self) -> Result<Payment> {
        Ok(Payment {
            order: OrderId(self.order_id),
            attempt: self.attempt,
            provider: self.provider,
            token: self.token,
            reference: self.reference,
            status: parse_status(&self.status)?,
            amount: self.amount,
            currency: self.currency,
            created_at: self.created_at,
            order_status: require_known(OrderStatus::parse(&self.order_status), "order status", &self.order_status)?,
            wins: self.wins,
        })
    }
}

fn parse_status(text: &str) -> Result<PaymentStatus> {
    require_known(PaymentStatus::parse(text), "payment status", text)
}

/// A try beside its order; a `where` follows.
macro_rules! payments {
    ($rest:literal) => {
        concat!(
            "select p.order_id, p.attempt, p.provider, p.token, p.reference, p.status, p.amount, p.currency,
                p.created_at, o.status as order_status, coalesce(o.attempt = p.attempt, false) as wins
            from payments p join orders o on o.id = p.order_id where ",
            $rest
        )
    };
}

/// Whoever changes an order or its tries holds the order's row; what is read after that is as it is.
macro_rules! lock_order {
    ($tx:ident, $dialect:ident, $id:expr) => {{
        let lock = $dialect.pick(
            "select status from orders where id = $1 for no key update",
            "select status from orders where id = $1",
        );
        let status: Option<String> = sqlx::query_scalar(lock).bind($id.0).fetch_optional(&mut *$tx).await?;
        let status = status.ok_or(Refusal::NoSuchOrder)?;
        $crate::store::require_known($crate::domain::OrderStatus::parse(&status), "order status", &status)?
    }};
}
pub(super) use lock_order;

impl Store {
    /// Begins a try for a held order, or finds the one that this key began.
    pub async fn begin_payment(&self, new: &NewPayment) -> Result<BegunPayment> {
        let (row, fresh): (PaymentRow, bool) = in_transaction!(self, |tx, dialect| {
            // Two tabs that pay at once would both count the tries and take the same number.
            let order = lock_order!(tx, dialect, new.order);
            let find = "select order_id, attempt, hash from payments where buyer = $1 and key = $2";
            let known: Option<(Uuid, i64, Option<Vec<u8>>)> =
                sqlx::query_as(find).bind(new.buyer.as_str()).bind(new.key.as_str()).fetch_optional(&mut *tx).await?;
            let (order_id, attempt, fresh) = match known {
                Some((_, _, hash)) if hash.as_deref() != Some(&new.hash[..]) => Err(Refusal::KeyReused)?,
                Some((order, attempt, _)) => (order, attempt, false),
                None => {
                    order.check_payable()?;
                    let now: Millis = now_in!(self, tx);
                    let insert = "insert into payments (order_id, attempt, provider, token, status, amount, currency,
                            buyer, key, hash, created_at, changed_at)
                        select o.id, coalesce((select max(attempt) from payments where order_id = o.id), 0) + 1,
                            case o.amount when 0 then 'none' else $2 end, $3, 'creating', o.amount, o.currency,
                            $4, $5, $6, $7, $7
                        from orders o where o.id = $1 returning attempt";
                    let attempt: i64 = sqlx::query_scalar(insert)
                        .bind(new.order.0)
                        .bind(new.provider)
                        .bind(&new.token)
                        .bind(new.buyer.as_str())
                        .bind(new.key.as_str())
                        .bind(&new.hash[..])
                        .bind(now)
                        .fetch_one(&mut *tx)
                        .await?;
                    (new.order.0, attempt, true)
                }
            };
            let read = payments!("p.order_id = $1 and p.attempt = $2");
            (sqlx::query_as(read).bind(order_id).bind(attempt).fetch_one(&mut *tx).await?, fresh)
        });
        Ok(BegunPayment { payment: row.into_payment()?, is_new: fresh })
    }

    /// The try that this key of `pay` began, and what the key was used for.
    pub async fn payment_by_key(&self, buyer: &UserId, key: &IdempotencyKey) -> Result<Option<(RequestHash, Payment)>> {
        let find = "select order_id, attempt, hash from payments where buyer = $1 and key = $2";
        let known: Option<(Uuid, i64, Vec<u8>)> = on_reader!(self, pool =>
            sqlx::query_as(find).bind(buyer.as_str()).bind(key.as_str()).fetch_optional(pool).await?);
        let Some((order, attempt, hash)) = known else { return Ok(None) };
        let hash = hash.try_into().map_err(|_| Error::CorruptRow("hash of a payment".to_owned()))?;
        Ok(self.payment(OrderId(order), attempt).await?.map(|payment| (hash, payment)))
    }

    pub async fn payment(&self, order: OrderId, attempt: i64) -> Result<Option<Payment>> {
        let read = payments!("p.order_id = $1 and p.attempt = $2");
        let row: Option<PaymentRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).bind(attempt).fetch_optional(pool).await?);
        row.map(PaymentRow::into_payment).transpose()
    }

    /// The try that won an order.
    pub async fn winning_payment(&self, order: OrderId) -> Result<Option<Payment>> {
        let read = payments!("p.order_id = $1 and p.attempt = o.attempt");
        let row: Option<PaymentRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).fetch_optional(pool).await?);
        row.map(PaymentRow::into_payment).transpose()
    }

    /// Writes down what a try became and the provider's name for it. `false`: it is further already, or it has won its
    /// order and must not be let go.
    pub async fn update_payment_status(
        &self,
        payment: &Payment,
        next: PaymentStatus,
        reference: Option<&str>,
    ) -> Result<bool> {
        Ok(in_transaction!(self, |tx, dialect| {
            let order = lock_order!(tx, dialect, payment.order);
            let read = payments!("p.order_id = $1 and p.attempt = $2");
            let row: PaymentRow =
                sqlx::query_as(read).bind(payment.order.0).bind(payment.attempt).fetch_one(&mut *tx).await?;
            let before = row.into_payment()?;
            let won = before.wins && (order == OrderStatus::Capturing || order.is_or_was_paid());
            let allowed = before.status.can_become(next) && (!won || next == PaymentStatus::Captured);
            if allowed {
                let now: Millis = now_in!(self, tx);
                set_payment!(tx, payment, next, reference, now);
            }
            allowed
        }))
    }

    /// held → capturing for this try: the one compare-and-set that decides pay against expire, and one try against
    /// another. `None`: lost.
    pub async fn begin_capture(&self, payment: &Payment, reference: Option<&str>) -> Result<Option<Order>> {
        let row: Option<OrderRow> = in_transaction!(self, |tx, dialect| {
            let order = lock_order!(tx, dialect, payment.order);
            let read = "select status from payments where order_id = $1 and attempt = $2";
            let before: String =
                sqlx::query_scalar(read).bind(payment.order.0).bind(payment.attempt).fetch_one(&mut *tx).await?;
            if order == OrderStatus::Held && parse_status(&before)?.is_open() {
                let now: Millis = now_in!(self, tx);
                set_payment!(tx, payment, PaymentStatus::Authorized, reference, now);
                let set = orders!(
                    "update orders set status = 'capturing', attempt = $2, version = version + 1, changed_at = $3
                        where id = $1 and status = 'held' returning",
                    ""
                );
                let set = sqlx::query_as(set).bind(payment.order.0).bind(payment.attempt).bind(now);
                set.fetch_optional(&mut *tx).await?
            } else {
                None
            }
        });
        row.map(OrderRow::order).transpose()
    }

    /// capturing → paid, with the note others will hear; the winning try becomes `captured` with it. `None`: it was paid
    /// already, or never won.
    pub async fn finish_capture(&self, id: OrderId) -> Result<Option<Order>> {
        let row: Option<OrderRow> = in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let set = orders!(
                "update orders set status = 'paid', paid_at = $2, version = version + 1, changed_at = $2
                    where id = $1 and status = 'capturing' returning",
                ""
            );
            let row: Option<OrderRow> = sqlx::query_as(set).bind(id.0).bind(now).fetch_optional(&mut *tx).await?;
            if row.is_some() {
                let taken = "update payments set status = 'captured', changed_at = $2
                    where order_id = $1 and attempt = (select o.attempt from orders o where o.id = $1)";
                sqlx::query(taken).bind(id.0).bind(now).execute(&mut *tx).await?;
                let note = "insert into outbox (id, topic, body, created_at) values ($1, 'order.paid', $2, $3)";
                sqlx::query(note).bind(Uuid::now_v7()).bind(id.to_string()).bind(now).execute(&mut *tx).await?;
            }
            row
        });
        row.map(OrderRow::order).transpose()
    }

    /// Tries that are not final and that nobody has changed or looked at since `since`; those looked at longest ago
    /// first, so one that always breaks waits behind the others.
    pub async fn payments_to_reconcile(&self, since: Millis, most: i64) -> Result<Vec<Payment>> {
        let read = payments!(
            "p.tried_at <= $1 and (p.order_id, p.attempt) in (
                select q.order_id, q.attempt from payments q
                    where q.status in ('creating', 'needs_action', 'authorized', 'voiding') and q.changed_at <= $1
                union select q.order_id, q.attempt from orders c
                    join payments q on q.order_id = c.id and q.attempt = c.attempt
                    where c.status = 'capturing' and c.changed_at <= $1)
            order by p.tried_at, p.order_id, p.attempt limit $2"
        );
        let rows: Vec<PaymentRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(since).bind(most).fetch_all(pool).await?);
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// Somebody looks at this try now.
    pub async fn mark_payment_checked(&self, payment: &Payment) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let mark = "update payments set tried_at = $3 where order_id = $1 and attempt = $2";
            sqlx::query(mark).bind(payment.order.0).bind(payment.attempt).bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }
}

macro_rules! set_payment {
    ($tx:ident, $payment:expr, $next:expr, $reference:expr, $now:expr) => {{
        let set = "update payments set status = $3, reference = coalesce($4, reference), changed_at = $5
            where order_id = $1 and attempt = $2";
        sqlx::query(set)
            .bind($payment.order.0)
            .bind($payment.attempt)
            .bind($next.name())
            .bind($reference)
            .bind($now)
            .execute(&mut *$tx)
            .await?;
    }};
}
use set_payment;
