//! Placed orders: the shop receives the payment itself. Placing, paying and cancelling lock the lines of the order, so one of them wins.

use uuid::Uuid;

use super::address::check_country;
use super::audit::insert_audit_entry;
use super::mail::{queue_confirmation, queue_placed_mail};
use super::offer::lock_offer;
use super::order::{IdempotencyRecord, begin_paying, insert_idempotency_record, lock_order, read_order};
use super::quote::quote_to_pay;
use super::transaction::Transaction;
use super::{Result, Store, to_json};
use crate::domain::{
    AuditEntry, IdempotencyKey, ManualMethod, ManualPayments, Market, Millis, Minor, OfferId, OfferKind, OfferPayLater,
    OfferStage, Order, OrderId, OrderStatus, PersonKey, QuoteRules, Refusal, RequestHash, ReservationStatus, UserId,
};

/// The verb of the idempotency keys.
const PLACE: &str = "place";
const PAY_LATER_OF_OFFERS: &str =
    "select distinct o.id, o.kind, o.pay_later from reservations r join offers o on o.id = r.offer
    where (r.id = $1 or r.order_id = $1) and r.status || '' = 'held'";

/// What a buyer requests who places an order.
#[derive(Clone, Debug)]
pub struct NewPlacement {
    pub order: OrderId,
    pub buyer: UserId,
    pub person: PersonKey,
    pub key: IdempotencyKey,
    pub hash: RequestHash,
    pub method: ManualMethod,
    /// Which quote the buyer saw; `None`: the client knows no quotes.
    pub quote_version: Option<String>,
    pub rules: QuoteRules,
    pub market: Market,
    pub settings: ManualPayments,
}

/// A payment that the shop has received itself.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedPayment {
    pub order: OrderId,
    /// It must be what the order costs.
    pub amount: Minor,
    /// When the shop received it.
    pub paid_at: Option<Millis>,
}

impl Store {
    /// Places a held order: its units are certain, and the payment is due by a date. The flag says whether it is new; a key that was used
    /// before gives its order as it is now.
    pub async fn place_order(&self, new: &NewPlacement) -> Result<(Order, bool)> {
        self.transaction(async |tx| {
            let order = lock_order(tx, new.order).await?;
            match placed_by_key(tx, new).await? {
                Some((hash, _)) if hash[..] != new.hash[..] => return Err(Refusal::KeyReused.into()),
                Some((_, known)) => return Ok((read_order(tx, OrderId(known)).await?, false)),
                None => {}
            }
            order.check_payable()?;
            check_country(tx, order.id, &new.market).await?;
            let offers = pay_later(tx.query(PAY_LATER_OF_OFFERS).bind(order.id.0).fetch_all().await?);
            if !new.settings.methods(&offers).any(|method| method == new.method) {
                let offers =
                    if new.settings.is_on(new.method) { new.settings.paid_at_once(&offers) } else { Vec::new() };
                return Err(Refusal::MethodOff { offers }.into());
            }
            // Two orders of one person that are placed at once are counted one after the other.
            tx.lock_name(&format!("placed:{}", new.person.as_str())).await?;
            let open = "select cast(count(*) as bigint) from orders where person = $1 and status = 'placed'";
            if new.settings.open_orders_max <= tx.query(open).bind(new.person.as_str()).fetch_value::<i64>().await? {
                return Err(Refusal::TooManyPlaced.into());
            }
            let now = tx.now().await?;
            let quote = quote_to_pay(tx, &order, new.rules).await?;
            quote.check_seen(new.quote_version.as_deref(), order.has_expired_lines())?;
            if quote.total == 0 {
                // What costs nothing is paid at once.
                return Err(Refusal::MethodOff { offers: Vec::new() }.into());
            }
            begin_paying(tx, &order, &quote, now).await?;
            let placement = new.settings.placement(new.method, now);
            let set = "update orders set status = 'placed', placement = $2, due_at = $3, person = $4, attempt = null,
                changed_at = $5 where id = $1";
            let set = tx.query(set).bind(order.id.0).bind(to_json(&placement)?).bind(placement.due_at);
            set.bind(new.person.as_str()).bind(now).execute().await?;
            let lines = "update reservations set status = 'placed', version = version + 1, changed_at = $2
                where order_id = $1 and status || '' = 'held'";
            tx.query(lines).bind(order.id.0).bind(now).execute().await?;
            let record =
                IdempotencyRecord { verb: PLACE, key: new.key.clone(), hash: new.hash, order: order.id, code: None };
            insert_idempotency_record(tx, &new.buyer, &record, now).await?;
            let event = "insert into outbox (id, topic, body, created_at) values ($1, 'order.placed', $2, $3)";
            tx.query(event).bind(Uuid::now_v7()).bind(order.id.to_string()).bind(now).execute().await?;
            queue_placed_mail(tx, order.id).await?;
            Ok((read_order(tx, order.id).await?, true))
        })
        .await
    }

    /// Notes that the shop has received the payment of a placed order. The flag says whether it is new; an order that is paid already in
    /// this way stays as it is.
    pub async fn receive_payment(&self, received: &ReceivedPayment) -> Result<(Order, bool)> {
        self.transaction(async |tx| {
            let status = lock_order(tx, received.order).await?.status;
            // The lines are locked, so the order's own row is current.
            let order = read_order(tx, received.order).await?;
            let Some(placement) = order.placement else { return Err(not_placed(status).into()) };
            match status {
                OrderStatus::Placed => {}
                OrderStatus::Paid | OrderStatus::Refunded => return Ok((order, false)),
                OrderStatus::Cancelled => {
                    return Err(
                        Refusal::WrongStatus("The order was cancelled. Give the money back to its buyer.").into()
                    );
                }
                other => return Err(not_placed(other).into()),
            }
            if received.amount != order.total() {
                return Err(Refusal::invalid_value("amount", "must be what the order costs.").into());
            }
            let now = tx.now().await?;
            let paid_at = received.paid_at.unwrap_or(now);
            if !(placement.placed_at..=now).contains(&paid_at) {
                return Err(Refusal::invalid_value("paid_at", "must be between the time of the order and now.").into());
            }
            let insert =
                "insert into payments (order_id, attempt, provider, token, status, amount, currency, buyer, key, hash,
                    lines, created_at, changed_at, goods, captured_at)
                values ($1, (select coalesce(max(p.attempt), 0) + 1 from payments p where p.order_id = $1),
                    $2, '', 'captured', $3, $4, $5, null, null, $6, $7, $7, $8, $9) returning attempt";
            let attempt: i64 = tx
                .query(insert)
                .bind(order.id.0)
                .bind(placement.method.name())
                .bind(received.amount)
                .bind(&order.currency)
                .bind(order.buyer.as_str())
                .bind(order.lines.iter().filter(|line| line.status == ReservationStatus::Placed).count() as i64)
                .bind(now)
                .bind(order.amount)
                .bind(paid_at)
                .fetch_value()
                .await?;
            let set = "update orders set status = 'paid', attempt = $2, paid_at = $3, changed_at = $4 where id = $1";
            tx.query(set).bind(order.id.0).bind(attempt).bind(paid_at).bind(now).execute().await?;
            let lines = "update reservations set status = 'sold', version = version + 1, changed_at = $2
                where order_id = $1 and status = 'placed'";
            tx.query(lines).bind(order.id.0).bind(now).execute().await?;
            queue_confirmation(tx, order.id).await?;
            Ok((read_order(tx, order.id).await?, true))
        })
        .await
    }

    /// Finds placed orders that are past their date and were not sent, the oldest first, `most` at most.
    pub async fn placed_orders_due(&self, now: Millis, most: i64) -> Result<Vec<OrderId>> {
        let read = "select o.id from orders o where o.status = 'placed' and o.due_at <= $1
            and not exists (select 1 from shipments s where s.order_id = o.id) order by o.due_at limit $2";
        let ids: Vec<Uuid> = self.query(read).bind(now).bind(most).fetch_values().await?;
        Ok(ids.into_iter().map(OrderId).collect())
    }

    /// Counts them, up to `most`.
    pub async fn count_placed_orders_due(&self, now: Millis, most: i64) -> Result<i64> {
        let count = "select cast(count(*) as bigint) from (select o.id from orders o where o.status = 'placed'
            and o.due_at <= $1 and not exists (select 1 from shipments s where s.order_id = o.id) limit $2) d";
        self.query(count).bind(now).bind(most).fetch_value().await
    }

    /// Sets whether an offer can be paid later; `None`: as the shop says. It decides for every order that is placed from then on; what is
    /// placed or paid stays as it was agreed. `false`: it was so before, and nothing is written.
    pub async fn set_pay_later(&self, offer: OfferId, choice: Option<bool>, entry: &AuditEntry) -> Result<bool> {
        self.transaction(async |tx| {
            if lock_offer(tx, offer).await?.stage == OfferStage::Closed {
                return Err(Refusal::Closed.into());
            }
            let set = "update offers set pay_later = $2, version = version + 1
                where id = $1 and pay_later is distinct from $2";
            if tx.query(set).bind(offer.0).bind(choice.map(i64::from)).execute().await? == 0 {
                return Ok(false);
            }
            insert_audit_entry(tx, entry).await?;
            Ok(true)
        })
        .await
    }

    /// What the offers of the held lines of an order say about paying later.
    pub async fn pay_later_of_offers(&self, order: OrderId) -> Result<Vec<OfferPayLater>> {
        Ok(pay_later(self.query(PAY_LATER_OF_OFFERS).bind(order.0).fetch_all().await?))
    }
}

fn pay_later(rows: Vec<(Uuid, String, Option<i64>)>) -> Vec<OfferPayLater> {
    let offer = |(id, kind, choice): (Uuid, String, Option<i64>)| OfferPayLater {
        offer: OfferId(id),
        kind: OfferKind::of_name(&kind),
        choice: choice.map(|choice| choice == 1),
    };
    rows.into_iter().map(offer).collect()
}

/// What this key of `place` was used for, and the order that it placed.
async fn placed_by_key(tx: &mut Transaction<'_>, new: &NewPlacement) -> Result<Option<(Vec<u8>, Uuid)>> {
    let find = "select hash, subject_id from idempotency_keys where buyer = $1 and verb = $2 and key = $3";
    tx.query(find).bind(new.buyer.as_str()).bind(PLACE).bind(new.key.as_str()).fetch_optional().await
}

fn not_placed(status: OrderStatus) -> Refusal {
    match status {
        OrderStatus::Paid | OrderStatus::Refunded => Refusal::AlreadyPaid,
        _ => Refusal::WrongStatus("The order is not placed."),
    }
}
