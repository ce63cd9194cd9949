//! Payment attempts: each is written before the provider is called, so that a crash at any point can be reconciled.
//!
//! What an attempt may become, and what that means for its order, is decided while the lines of the order are locked. An attempt
//! wins all lines that the order had when it began, or none.

use uuid::Uuid;

use super::card_limit::check_card_limit;
use super::mail::queue_confirmation;
use super::order::{lock_order, lock_order_now, order_status, read_order};
use super::payment_fee::first_fee_check;
use super::quote::parse_quote;
use super::row::from_row;
use super::transaction::{Change, Transaction, change};
use super::{Error, Result, Store, require_known, to_json};
use crate::domain::payment::CREATE_REPEAT_MAX_MS;
use crate::domain::{
    CardUse, IdempotencyKey, LostReason, Millis, Order, OrderHeader, OrderId, OrderStatus, OwedStatus, Payment,
    PaymentStatus, Refusal, RequestHash, ReservationStatus, UserId,
};

/// What is known of an attempt, mostly from the provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported<'a> {
    pub reference: Option<&'a str>,
    /// What it calls the card. `None`: it does not say, and no limit holds for the card.
    pub fingerprint: Option<&'a str>,
    /// Where the buyer confirms the payment.
    pub action_url: Option<&'a str>,
    /// Why the attempt is lost, if that does not follow from its order.
    pub lost: Option<&'a LostReason>,
}

impl<'a> From<Option<&'a str>> for Reported<'a> {
    fn from(reference: Option<&'a str>) -> Self {
        Self { reference, ..Self::default() }
    }
}

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
    called_at: Option<i64>,
    is_sent_by_queue: bool,
    order_status: String,
    wins: bool,
    has_lost_lines: bool,
    owed: Option<String>,
    saves_card: bool,
    customer: Option<String>,
}

from_row!(PaymentRow {
    order_id,
    attempt,
    provider,
    token,
    reference,
    status,
    amount,
    currency,
    created_at,
    called_at,
    is_sent_by_queue,
    order_status,
    wins,
    has_lost_lines,
    owed,
    saves_card,
    customer
});

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
            called_at: self.called_at,
            is_sent_by_queue: self.is_sent_by_queue,
            order_status: require_known(OrderStatus::parse(&self.order_status), "order status", &self.order_status)?,
            wins: self.wins,
            has_lost_lines: self.has_lost_lines,
            owed: self
                .owed
                .map(|text| require_known(OwedStatus::parse(&text), "status of owed money", &text))
                .transpose()?,
            card: CardUse { saves: self.saves_card, customer: self.customer },
        })
    }
}

fn parse_status(text: &str) -> Result<PaymentStatus> {
    require_known(PaymentStatus::parse(text), "payment status", text)
}

/// An attempt with its order's status; a condition follows.
macro_rules! payments {
    ($condition:literal) => {
        concat!(
            "select p.order_id, p.attempt, p.provider, p.token, p.reference, p.status, p.amount, p.currency,
                p.created_at, case when p.queue_number is null then coalesce(p.called_at, p.created_at) else p.called_at end as called_at,
                p.queue_number is not null as is_sent_by_queue,
                coalesce(o.attempt = p.attempt, false) as wins, p.saves_card = 1 as saves_card, p.customer,
                p.lines <> (select count(*) from reservations h where h.order_id = p.order_id and h.status || '' = 'held')
                    or coalesce(p.goods, p.amount) <> (select coalesce(sum(h.amount), 0) from reservations h
                        where h.order_id = p.order_id and h.status || '' = 'held') as has_lost_lines,
                (select w.status from owed_refunds w where w.order_id = p.order_id and w.attempt = p.attempt) as owed, ",
            order_status!("p.order_id"),
            " as order_status
            from payments p join orders o on o.id = p.order_id where ",
            $condition
        )
    };
}

/// The attempt `$2` wins the order `$1`, at `$3`. `$4`: its reference. `$5`: the fingerprint of its card.
const BEGIN_CAPTURE: Change = change!([
    attempt: "update payments set status = 'authorized', reference = coalesce($4, reference),
        fingerprint = coalesce($5, fingerprint), changed_at = $3 where order_id = $1 and attempt = $2",
    lines: "update reservations set status = 'capturing', version = version + 1, changed_at = $3
        where order_id = $1 and status || '' = 'held'"
], "update orders set status = 'capturing', attempt = $2, changed_at = $3 where id = $1"
);

/// The order `$1` is paid, at `$2`. `$3`: when the fee of its payment is looked up. `$4`: the id of the event. `$5`: `$1` as text.
const FINISH_CAPTURE: Change = change!([
    lines: "update reservations set status = 'sold', version = version + 1, changed_at = $2
        where order_id = $1 and status || '' = 'capturing'",
    attempt: "update payments set status = 'captured', changed_at = $2, captured_at = $2, fee_due_at = $3
        where order_id = $1 and attempt = (select o.attempt from orders o where o.id = $1)",
    event: "insert into outbox (id, topic, body, created_at) values ($4, 'order.paid', $5, $2)"
], "update orders set status = 'paid', paid_at = $2, changed_at = $2 where id = $1"
);

const SELECT_PAYMENT: &str = payments!("p.order_id = $1 and p.attempt = $2");

impl Store {
    /// Finds the attempt that this idempotency key of `pay` began, and what the key was used for.
    pub async fn payment_by_key(&self, buyer: &UserId, key: &IdempotencyKey) -> Result<Option<(RequestHash, Payment)>> {
        let find = "select order_id, attempt, hash from payments where buyer = $1 and key = $2";
        let found: Option<(Uuid, i64, Vec<u8>)> =
            self.query(find).bind(buyer.as_str()).bind(key.as_str()).fetch_optional().await?;
        let Some((order, attempt, hash)) = found else { return Ok(None) };
        let hash = hash.try_into().map_err(|_| Error::CorruptRow("hash of a payment".to_owned()))?;
        Ok(self.payment(OrderId(order), attempt).await?.map(|payment| (hash, payment)))
    }

    pub async fn payment(&self, order: OrderId, attempt: i64) -> Result<Option<Payment>> {
        let row: Option<PaymentRow> = self.query(SELECT_PAYMENT).bind(order.0).bind(attempt).fetch_optional().await?;
        row.map(PaymentRow::into_payment).transpose()
    }

    /// Where the buyer confirms the payment, if the provider said it with its answer.
    pub async fn payment_action_url(&self, payment: &Payment) -> Result<Option<String>> {
        let read = "select action_url from payments where order_id = $1 and attempt = $2";
        let query = self.query(read).bind(payment.order.0).bind(payment.attempt);
        Ok(query.fetch_optional_value::<Option<String>>().await?.flatten())
    }

    /// Why an attempt did not win its order, as it was noted when it was lost. `None`: nothing was noted.
    pub async fn lost_reason(&self, payment: &Payment) -> Result<Option<LostReason>> {
        let read = "select lost_reason from payments where order_id = $1 and attempt = $2";
        let query = self.query(read).bind(payment.order.0).bind(payment.attempt);
        let noted: Option<String> = query.fetch_optional_value::<Option<String>>().await?.flatten();
        Ok(noted.and_then(|noted| serde_json::from_str(&noted).ok()))
    }

    /// Reads the attempt that won an order: the only one that may be captured.
    pub async fn winning_payment(&self, order: OrderId) -> Result<Option<Payment>> {
        let read = payments!("p.order_id = $1 and p.attempt = o.attempt");
        let row: Option<PaymentRow> = self.query(read).bind(order.0).fetch_optional().await?;
        row.map(PaymentRow::into_payment).transpose()
    }

    /// Writes the new status of an attempt and the provider's reference. `false`: its status is further already, or it
    /// has won its order and must not be voided.
    pub async fn update_payment_status<'a>(
        &self,
        payment: &Payment,
        next: PaymentStatus,
        reported: impl Into<Reported<'a>>,
    ) -> Result<bool> {
        let Reported { reference, action_url, lost, .. } = reported.into();
        self.transaction(async |tx| {
            let order = lock_order(tx, payment.order).await?;
            let before = read_payment(tx, payment).await?;
            let has_won = before.wins && (order.status == OrderStatus::Capturing || order.status.is_or_was_paid());
            let is_allowed = before.status.can_become(next) && (!has_won || next == PaymentStatus::Captured);
            if is_allowed {
                let now = tx.now().await?;
                set_payment_status(tx, payment, next, reference, now).await?;
                if matches!(next, PaymentStatus::Voiding | PaymentStatus::Cancelled) {
                    note_lost_reason(tx, &before, &order, lost).await?;
                }
                if let Some(url) = action_url.filter(|_| next == PaymentStatus::NeedsAction) {
                    let note = "update payments set action_url = $3 where order_id = $1 and attempt = $2";
                    tx.query(note).bind(payment.order.0).bind(payment.attempt).bind(url).execute().await?;
                }
            }
            Ok(is_allowed)
        })
        .await
    }

    /// Moves all held lines of an order to `capturing` for this attempt: the one compare-and-set that decides between pay and
    /// expire, and between two attempts. Gives the order and the attempt as they are then. `None`: another attempt was first, or a line that
    /// this attempt was to pay has ended. A card that has paid for as many units as one person may have is refused with
    /// [`Refusal::CardLimit`], and nothing is changed.
    pub async fn begin_capture<'a>(
        &self,
        payment: &Payment,
        reported: impl Into<Reported<'a>>,
    ) -> Result<Option<(Order, Payment)>> {
        let Reported { reference, fingerprint, .. } = reported.into();
        self.transaction(async |tx| {
            let (order, now) = lock_order_now(tx, payment.order).await?;
            let read = "select p.status, p.lines, o.quote, o.number from payments p join orders o on o.id = p.order_id
                where p.order_id = $1 and p.attempt = $2";
            let (status, lines, quote, number): (String, i64, Option<String>, Option<i64>) =
                tx.query(read).bind(payment.order.0).bind(payment.attempt).fetch_one().await?;
            let quote = quote.as_deref().map(parse_quote).transpose()?;
            // The amount too: other lines, as many, are not what the buyer agreed to pay for. An attempt that began before there were
            // quotes was for the sum of the lines.
            let is_agreed = quote.as_ref().is_none_or(|quote| quote.is_for(order.held_lines()));
            let agreed = quote.as_ref().map_or(order.amount, |quote| quote.total);
            let has_all_lines = is_agreed
                && order.held_lines().count() as i64 == lines
                && (agreed, &order.currency) == (payment.amount, &payment.currency);
            if order.status != OrderStatus::Held || !has_all_lines || !parse_status(&status)?.is_open() {
                return Ok(None);
            }
            if let Some(card) = fingerprint {
                check_card_limit(tx, &order, card).await?;
            }
            for text in tx.choose_change(&BEGIN_CAPTURE) {
                let query = tx.query(text).bind(payment.order.0).bind(payment.attempt).bind(now);
                query.bind(reference).bind(fingerprint).execute().await?;
            }
            let header = OrderHeader { number, quote: quote.map(Box::new), ..OrderHeader::default() };
            Ok(Some((capturing_order(header, order)?, read_payment(tx, payment).await?)))
        })
        .await
    }

    /// Moves the lines of an order from `capturing` to `sold`, sets the winning attempt to `captured`, and writes the outbox event,
    /// and the mail if the buyer gave an address for it.
    /// `None`: the order was paid before, or no attempt has won it.
    pub async fn finish_capture(&self, id: OrderId) -> Result<Option<Order>> {
        self.transaction(async |tx| {
            let (order, now) = lock_order_now(tx, id).await?;
            if order.status != OrderStatus::Capturing {
                return Ok(None);
            }
            let event = Uuid::now_v7();
            for text in tx.choose_change(&FINISH_CAPTURE) {
                let query = tx.query(text).bind(id.0).bind(now).bind(first_fee_check(now));
                query.bind(event).bind(id.to_string()).execute().await?;
            }
            queue_confirmation(tx, id).await?;
            read_order(tx, id).await.map(Some)
        })
        .await
    }

    /// Finds attempts that are not final and were neither changed nor checked since `since`. Those checked longest ago
    /// come first, so an attempt that always fails waits behind the others. One that waits in the queue is not among them, unless it is too
    /// old to be sent.
    pub async fn payments_to_reconcile(&self, since: Millis, most: i64) -> Result<Vec<Payment>> {
        let read = payments!(
            "p.tried_at <= $1 and (p.order_id, p.attempt) in (
                select q.order_id, q.attempt from payments q
                    where q.status in ('creating', 'needs_action', 'authorized', 'voiding') and q.changed_at <= $1
                        and (q.queue_number is null or q.called_at is not null or q.created_at <= $3)
                union select q.order_id, q.attempt from orders c
                    join payments q on q.order_id = c.id and q.attempt = c.attempt
                    where c.status = 'capturing' and c.changed_at <= $1)
            order by p.tried_at, p.order_id, p.attempt limit $2"
        );
        let rows: Vec<PaymentRow> =
            self.query(read).bind(since).bind(most).bind(since - CREATE_REPEAT_MAX_MS).fetch_all().await?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// Reads the attempts of a provider that began at `since` or later, in the order of their beginning; `after`: the last one of the page
    /// before.
    pub async fn payments_since(
        &self,
        provider: &str,
        since: Millis,
        after: Option<(Millis, OrderId, i64)>,
        most: i64,
    ) -> Result<Vec<Payment>> {
        let read = payments!(
            "p.provider = $1 and p.created_at >= $2 and (p.created_at, p.order_id, p.attempt) > ($2, $3, $4)
            order by p.created_at, p.order_id, p.attempt limit $5"
        );
        let (from, order, attempt) = after.unwrap_or((since, OrderId(Uuid::nil()), 0));
        let query = self.query(read).bind(provider).bind(from).bind(order.0).bind(attempt).bind(most);
        let rows: Vec<PaymentRow> = query.fetch_all().await?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// Claims the look at this attempt, so that one node asks the provider. `false`: another node has looked since `since`.
    pub async fn claim_payment(&self, payment: &Payment, since: Millis) -> Result<bool> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let mark = "update payments set tried_at = $3 where order_id = $1 and attempt = $2 and tried_at <= $4";
            let query = tx.query(mark).bind(payment.order.0).bind(payment.attempt).bind(now).bind(since);
            Ok(query.execute().await? > 0)
        })
        .await
    }
}

/// A locked order after its held lines began to be captured. It was neither placed nor paid.
fn capturing_order(header: OrderHeader, mut order: Order) -> Result<Order> {
    for line in order.lines.iter_mut().filter(|line| line.status == ReservationStatus::Held) {
        line.status = ReservationStatus::Capturing;
        line.version += 1;
    }
    let mut lines = order.lines.into_iter();
    let first = lines.next().ok_or(Refusal::NoSuchOrder)?;
    Ok(Order::of_lines(header, first, lines.collect()))
}

pub(super) async fn read_payment(tx: &mut Transaction<'_>, payment: &Payment) -> Result<Payment> {
    read_payment_of(tx, payment.order, payment.attempt).await
}

pub(super) async fn read_payment_of(tx: &mut Transaction<'_>, order: OrderId, attempt: i64) -> Result<Payment> {
    let read = tx.query(SELECT_PAYMENT).bind(order.0).bind(attempt);
    read.fetch_one::<PaymentRow>().await?.into_payment()
}

/// Notes why an attempt is lost that did not win its order: `lost`, or what follows from the order, which is locked. What was noted first
/// stays, because its buyer may have got it as the answer. `before`: the attempt as it was until now.
pub(super) async fn note_lost_reason(
    tx: &mut Transaction<'_>,
    before: &Payment,
    order: &Order,
    lost: Option<&LostReason>,
) -> Result<()> {
    let reason = match before.status {
        _ if before.wins => None,
        // That was the answer to its buyer.
        PaymentStatus::Declined => Some(LostReason::Declined),
        _ => lost.cloned().or_else(|| LostReason::of(order, before.has_lost_lines)),
    };
    let Some(reason) = reason else { return Ok(()) };
    let note = "update payments set lost_reason = $3 where order_id = $1 and attempt = $2 and lost_reason is null";
    let query = tx.query(note).bind(before.order.0).bind(before.attempt).bind(to_json(&reason)?);
    query.execute().await.map(drop)
}

pub(super) async fn set_payment_status(
    tx: &mut Transaction<'_>,
    payment: &Payment,
    next: PaymentStatus,
    reference: Option<&str>,
    now: Millis,
) -> Result<()> {
    let set = "update payments set status = $3, reference = coalesce($4, reference), changed_at = $5
        where order_id = $1 and attempt = $2";
    tx.query(set)
        .bind(payment.order.0)
        .bind(payment.attempt)
        .bind(next.name())
        .bind(reference)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
