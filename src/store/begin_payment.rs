//! Beginning a payment attempt: it is written, with the quote that it is for, before the provider is called.

use uuid::Uuid;

use super::address::check_country;
use super::order::{begin_paying, lock_order_now, read_order};
use super::payment::read_payment_of;
use super::payment_hold::extend_holds_of;
use super::payment_queue::next_queue_number;
use super::quote::quote_to_pay;
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::{
    CardUse, IdempotencyKey, Market, Millis, Order, OrderId, Payment, PaymentStatus, QuoteRules, Refusal, RequestHash,
    UserId,
};

/// What a buyer requests with `pay`.
#[derive(Clone, Debug)]
pub struct NewPayment {
    pub order: OrderId,
    pub buyer: UserId,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub provider: &'static str,
    pub token: String,
    /// Of an order that costs nothing it is not used.
    pub card: CardUse,
    /// Which quote the buyer saw; `None`: the client knows no quotes.
    pub quote_version: Option<String>,
    pub rules: QuoteRules,
    pub market: Market,
    /// The attempt waits for its turn in the queue; otherwise the caller sends it to the provider at once.
    pub is_queued: bool,
    /// How long the request to the provider may take. The holds of the order last at least that long.
    pub request_ms: Millis,
}

/// The attempt of an idempotency key.
#[derive(Clone, PartialEq, Debug)]
pub struct BegunPayment {
    pub payment: Payment,
    /// This call created the attempt.
    pub is_new: bool,
    /// The order, if its holds were made longer.
    pub extended: Option<Box<Order>>,
}

impl Store {
    /// Begins a payment attempt for a held order, whose holds last at least until the provider has answered, or finds the attempt that this idempotency key began. The attempt freezes the quote of the
    /// order; one that the buyer has not seen is refused.
    pub async fn begin_payment(&self, new: &NewPayment) -> Result<BegunPayment> {
        self.transaction(async |tx| {
            // Without the lock, two tabs that pay together would count the attempts and take the same number.
            let (order, now) = lock_order_now(tx, new.order).await?;
            let find = "select order_id, attempt, hash from payments where buyer = $1 and key = $2";
            let existing: Option<(Uuid, i64, Option<Vec<u8>>)> =
                tx.query(find).bind(new.buyer.as_str()).bind(new.key.as_str()).fetch_optional().await?;
            match existing {
                Some((_, _, hash)) if hash.as_deref() != Some(&new.hash[..]) => Err(Refusal::KeyReused.into()),
                Some((order, attempt, _)) => {
                    let payment = read_payment_of(tx, OrderId(order), attempt).await?;
                    Ok(BegunPayment { payment, is_new: false, extended: None })
                }
                None => begin_new_payment(tx, new, &order, now).await,
            }
        })
        .await
    }
}

/// Begins an attempt for a locked order.
async fn begin_new_payment(
    tx: &mut Transaction<'_>,
    new: &NewPayment,
    order: &Order,
    now: Millis,
) -> Result<BegunPayment> {
    order.check_payable()?;
    check_country(tx, order.id, &new.market).await?;
    let quote = quote_to_pay(tx, order, new.rules).await?;
    quote.check_seen(new.quote_version.as_deref(), order.has_expired_lines())?;
    let is_free = quote.total == 0;
    if !is_free && new.provider == "none" {
        return Err(Refusal::PaymentsOff.into());
    }
    begin_paying(tx, order, &quote, now).await?;
    // What costs nothing needs no provider.
    let is_queued = new.is_queued && !is_free;
    let is_extended = !is_free && extend_holds_of(tx, order, is_queued, new.request_ms, now).await?;
    let extended = match is_extended {
        true => Some(Box::new(read_order(tx, order.id).await?)),
        false => None,
    };
    let number: Option<i64> = match is_queued {
        true => Some(tx.query(next_queue_number(tx)).fetch_value().await?),
        false => None,
    };
    let insert = "insert into payments (order_id, attempt, provider, token, status, amount, currency,
            buyer, key, hash, lines, created_at, changed_at, goods, queue_number, call_due_at, saves_card, customer)
        values ($1, (select coalesce(max(p.attempt), 0) + 1 from payments p where p.order_id = $1),
            $2, $3, 'creating', $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $10, $13, $14) returning attempt";
    let provider = if is_free { "none" } else { new.provider };
    // What costs nothing is paid with no card.
    let card = if is_free { CardUse::default() } else { new.card.clone() };
    let attempt: i64 = tx
        .query(insert)
        .bind(order.id.0)
        .bind(provider)
        .bind(&new.token)
        .bind(quote.total)
        .bind(&order.currency)
        .bind(new.buyer.as_str())
        .bind(new.key.as_str())
        .bind(&new.hash[..])
        .bind(order.held_lines().count() as i64)
        .bind(now)
        .bind(quote.goods)
        .bind(number)
        .bind(i64::from(card.saves))
        .bind(&card.customer)
        .fetch_value()
        .await?;
    // As `SELECT_PAYMENT` would read it.
    let payment = Payment {
        order: order.id,
        attempt,
        provider: provider.to_owned(),
        token: new.token.clone(),
        reference: None,
        status: PaymentStatus::Creating,
        amount: quote.total,
        currency: order.currency.clone(),
        created_at: now,
        called_at: if is_queued { None } else { Some(now) },
        is_sent_by_queue: is_queued,
        order_status: order.status,
        wins: false,
        has_lost_lines: false,
        owed: None,
        card,
    };
    Ok(BegunPayment { payment, is_new: true, extended })
}
