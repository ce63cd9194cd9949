//! Payments: authorise the amount, win the order, capture. Money is captured only for the attempt that won the order.
//!
//! The buyer's request, a webhook and the reconciler all advance an attempt by the same rule (`domain/payment.rs`) as
//! far as possible. Several of them at once are harmless: the order is won once, by a compare-and-set that stores the
//! number of the winning attempt, and every call to the provider has its own idempotency key.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Checkout;
use super::order::{OrderResult, lines_by_offer};
use super::payment_queue::PaymentQueue;
use super::provider::PaymentProvider;
use super::provider_call::ProviderOutcome;
use super::saved_card::PaymentSource;
use crate::app::counters::count_outcome;
use crate::app::error::{Error, Result, as_outcome_unknown};
use crate::domain::order::request_hash;
use crate::domain::payment::{AttemptAge, CREATE_REPEAT_MAX_MS, PaymentStep};
use crate::domain::reservation::CARD_LIMIT;
use crate::domain::{
    Actor, IdempotencyKey, LostReason, Millis, OfferId, Order, OrderId, OrderStatus, Payment, PaymentIntent,
    PaymentStatus, Permission, Place, Refusal, RequestHash, ReservationStatus, authorize_by_role,
};
use crate::metrics::increment;
use crate::store::{self, BegunPayment, NewPayment, ReleaseReason, Reported};

/// An attempt needs three or four steps; one that needs more is left for the next check.
const PAYMENT_STEPS_MAX: usize = 8;
/// How long a database write is retried while the database is too busy, before the outcome is called unknown.
const RETRY_DEADLINE: Duration = Duration::from_secs(5);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);

impl Checkout {
    /// Pays for a held order. The same key again is the same attempt: it continues where that one stands. `quote_version`: the quote that the
    /// buyer saw; a client that knows none may pay where the total is the sum of the lines.
    pub async fn pay(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        token: &str,
        quote_version: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        self.pay_with(actor, id, &PaymentSource::token(token), quote_version, key).await
    }

    /// The same, perhaps with a saved card, or with one that is to be saved.
    pub async fn pay_with(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        source: &PaymentSource,
        quote_version: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        let outcome = self.pay_order(actor, id, source, quote_version, key).await;
        self.excuse_fault(actor, &outcome);
        count_outcome(&self.context.counters.pay_outcomes, &outcome, |result| {
            if result.is_replay { "replayed" } else { "paid" }
        });
        outcome
    }

    async fn pay_order(
        self: &Arc<Self>,
        actor: &Actor,
        id: OrderId,
        source: &PaymentSource,
        quote_version: Option<String>,
        key: IdempotencyKey,
    ) -> Result<OrderResult> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        self.limits.take_pay(&actor.person(), self.context.clock.now())?;
        let order = self.own_order(actor, id).await?;
        self.check_payments_are_on(&order, &key).await?;
        // What costs nothing needs no token of the provider.
        if let PaymentSource::Token { token, .. } = source
            && let Err(refused) = self.provider.check_token(token)
            && !self.is_free(&order).await?
        {
            return Err(refused.into());
        }
        self.limits.take_payment_try(&actor.person(), &key, self.context.clock.now())?;
        if let Some(queue) = &self.queue {
            Box::pin(self.check_room_in_queue(queue, actor, &key)).await?;
        }
        let hash = pay_hash(id, source, quote_version.as_deref());
        let (token, card) = Box::pin(self.resolve_source(actor, source, &key)).await?;
        let profile = self.context.profile();
        let new = NewPayment {
            order: order.id,
            buyer: actor.user.clone(),
            key,
            hash,
            provider: self.provider.name(),
            token,
            card,
            quote_version,
            rules: profile.quote_rules(),
            market: profile.market.clone(),
            is_queued: self.queue.is_some(),
            request_ms: self.payment_request_ms(),
        };
        let this = self.clone();
        // Boxed: the future of a request that pays would be too large with all that this does.
        let run = Box::pin(async move { this.run_payment(new).await });
        self.context.spawn_write(run).await.map_err(as_outcome_unknown)
    }

    /// Refuses a new payment when this server takes none. An earlier payment keeps its result: a retry of its key finds it.
    async fn check_payments_are_on(&self, order: &Order, key: &IdempotencyKey) -> Result<()> {
        if self.payment_provider().is_some() {
            return Ok(());
        }
        if self.is_free(order).await? || self.context.store.payment_by_key(&order.buyer, key).await?.is_some() {
            return Ok(());
        }
        Err(Refusal::PaymentsOff.into())
    }

    async fn is_free(&self, order: &Order) -> Result<bool> {
        let quote = self.context.store.quote(order, self.context.profile().quote_rules()).await?;
        Ok(quote.map_or(order.amount, |quote| quote.total) == 0)
    }

    async fn run_payment(&self, new: NewPayment) -> Result<OrderResult> {
        let BegunPayment { payment, is_new, extended } = self.context.store.begin_payment(&new).await?;
        if let Some(order) = extended {
            self.notify_order_changed(&order).await;
        }
        let payment = match payment.status {
            status if status.is_final() => payment,
            PaymentStatus::Creating if payment.is_sent_by_queue => self.wait_in_queue(payment, is_new).await?,
            _ => self.continue_payment(payment, is_new).await?,
        };
        self.payment_result(&payment, is_new).await
    }

    /// Refuses a new attempt while too many wait. An earlier one keeps its result: a retry of its key finds it.
    async fn check_room_in_queue(&self, queue: &PaymentQueue, actor: &Actor, key: &IdempotencyKey) -> Result<()> {
        match queue.check_not_full() {
            Ok(()) => Ok(()),
            Err(_) if self.context.store.payment_by_key(&actor.user, key).await?.is_some() => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Advances an attempt for the buyer who waits: if the provider has no intent yet, it is created now.
    async fn continue_payment(&self, payment: Payment, is_new: bool) -> Result<Payment> {
        // After that time a repetition could create a second intent; the provider is only asked.
        let may_create = self.context.now() - payment.created_at < CREATE_REPEAT_MAX_MS;
        if payment.reference.is_none() && payment.status == PaymentStatus::Creating && may_create {
            return self.create_payment(payment, is_new).await;
        }
        self.refresh_payment(payment).await
    }

    /// Creates the intent of an attempt at the provider, and advances the attempt. `is_first`: it was not tried before.
    pub async fn create_payment(&self, payment: Payment, is_first: bool) -> Result<Payment> {
        let mut payment = self.decide_saving(payment).await?;
        match self.provider_of(&payment)?.create(&payment).await {
            ProviderOutcome::Done(intent) if is_first => Box::pin(self.advance_payment(payment, Some(intent))).await,
            // The result of an earlier call; its present state is fetched.
            ProviderOutcome::Done(intent) => {
                payment.reference = Some(intent.reference);
                Box::pin(self.refresh_payment(payment)).await
            }
            ProviderOutcome::Refused(why) => {
                tracing::warn!(order.id = %payment.order, payment.attempt, why, "the payment provider refused a payment");
                self.context.store.update_payment_status(&payment, PaymentStatus::Declined, None).await?;
                self.check_cards_are_there(&payment).await?;
                self.reload_payment(&payment).await
            }
            ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Advances an attempt without a waiting buyer: fetches its state, and starts nothing new.
    pub async fn refresh_payment(&self, payment: Payment) -> Result<Payment> {
        match self.provider_of(&payment)?.fetch(&payment).await {
            ProviderOutcome::Done(intent) => self.advance_payment(payment, intent).await,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Advances an attempt as far as possible, from the state that the provider reports now.
    pub async fn advance_payment(&self, payment: Payment, mut intent: Option<PaymentIntent>) -> Result<Payment> {
        let provider = self.provider_of(&payment)?;
        // Read after the provider's state was fetched: another task may have won the order and captured the amount in
        // between, and with an older row that would look like money that no order asked for. Only an attempt that is about to win needs no
        // second look: it is compared under the lock of its order.
        let livemode = provider.livemode().ok_or(Error::OutcomeUnknown)?;
        let mut payment = match payment.next_step(intent.as_ref(), livemode, AttemptAge::Young) {
            PaymentStep::Win => payment,
            _ => self.reload_payment(&payment).await?,
        };
        let age = self.age_of(provider, &payment);
        for _ in 0..PAYMENT_STEPS_MAX {
            let reference = intent.as_ref().map(|intent| intent.reference.as_str());
            // The keys of Stripe were removed since it answered. Without them its answer says nothing.
            let livemode = provider.livemode().ok_or(Error::OutcomeUnknown)?;
            let step = payment.next_step(intent.as_ref(), livemode, age);
            self.keep_or_drop_card(&payment, intent.as_ref(), step).await;
            match step {
                PaymentStep::Record(status) => {
                    if payment.status != status {
                        let action_url = intent.as_ref().and_then(|intent| intent.action_url.as_deref());
                        let reported = Reported { reference, action_url, ..Reported::default() };
                        retry_transient(|| self.context.store.update_payment_status(&payment, status, reported))
                            .await?;
                    }
                    return self.reload_payment(&payment).await;
                }
                PaymentStep::Win => {
                    let fingerprint = intent.as_ref().and_then(|intent| intent.fingerprint.as_deref());
                    let authorization = Reported { reference, fingerprint, ..Reported::default() };
                    match retry_transient(|| self.context.store.begin_capture(&payment, authorization)).await {
                        Ok(Some((won, attempt))) => {
                            self.notify_order_changed(&won).await;
                            payment = attempt;
                            continue;
                        }
                        Ok(None) => {}
                        Err(Error::Refused(Refusal::CardLimit { offers })) => {
                            self.refuse_card(&payment, reference, &offers).await?;
                        }
                        Err(other) => return Err(other),
                    }
                }
                PaymentStep::Capture => match provider.capture(&payment, reference.unwrap_or_default()).await {
                    // The row did not change; `finish_capture` compares it under the lock.
                    ProviderOutcome::Done(changed) => {
                        intent = Some(changed);
                        continue;
                    }
                    // The amount may have been captured long ago, under a key that the provider has forgotten.
                    ProviderOutcome::Refused(why) => match provider.fetch(&payment).await {
                        ProviderOutcome::Done(now) => {
                            if now.as_ref().is_some_and(|intent| intent.captured == 0) {
                                tracing::info!(order.id = %payment.order, why, "an authorised amount could not be captured");
                                self.release_after_failed_capture(&payment).await?;
                            }
                            intent = now;
                        }
                        _ => return Err(Error::OutcomeUnknown),
                    },
                    ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
                },
                PaymentStep::MarkPaid if crate::fault::IS_BUILT_IN && crate::fault::ends_paid_order() => {
                    self.release_after_failed_capture(&payment).await?;
                }
                PaymentStep::Owe if crate::fault::IS_BUILT_IN && crate::fault::keeps_owed_money() => {
                    let status = if payment.wins { PaymentStatus::Failed } else { PaymentStatus::Cancelled };
                    self.context.store.update_payment_status(&payment, status, reference).await?;
                    return self.reload_payment(&payment).await;
                }
                PaymentStep::MarkPaid => {
                    if let Some(paid) = retry_transient(|| self.context.store.finish_capture(payment.order)).await? {
                        self.outbox_changed.notify_one();
                        self.billing_due.notify_one();
                        self.context.mail_queued.notify_one();
                        let now = self.context.now();
                        paid.lines.iter().for_each(|line| self.context.counters.record_hold_end(line, now));
                        self.notify_order_changed(&paid).await;
                        return Ok(Payment { status: PaymentStatus::Captured, order_status: paid.status, ..payment });
                    }
                    return self.reload_payment(&payment).await;
                }
                PaymentStep::FailOrder => self.release_after_failed_capture(&payment).await?,
                PaymentStep::Void => {
                    let is_voiding = payment.status == PaymentStatus::Voiding
                        || retry_transient(|| {
                            self.context.store.update_payment_status(&payment, PaymentStatus::Voiding, reference)
                        })
                        .await?;
                    if is_voiding {
                        match provider.cancel(&payment, reference.unwrap_or_default()).await {
                            ProviderOutcome::Done(changed) => intent = Some(changed),
                            // It stays `voiding`: the reconciler retries until the authorisation is gone.
                            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => {
                                return self.reload_payment(&payment).await;
                            }
                        }
                    }
                }
                PaymentStep::Wait => return Ok(payment),
                PaymentStep::Owe | PaymentStep::GiveBack | PaymentStep::RecordReturn => {
                    let Some(given_back) = self.settle_owed_money(provider, &payment, &intent).await? else {
                        return self.reload_payment(&payment).await;
                    };
                    intent = Some(given_back);
                }
                PaymentStep::Unexplained => {
                    increment(&self.context.counters.unmatched_payments);
                    tracing::error!(
                        order.id = %payment.order, payment.attempt, payment.reference,
                        "the payment provider does not know this payment as ours; check it at the provider"
                    );
                    return Ok(payment);
                }
            }
            payment = self.reload_payment(&payment).await?;
        }
        Ok(payment)
    }

    pub(super) fn age_of(&self, provider: &PaymentProvider, payment: &Payment) -> AttemptAge {
        let settings = &self.context.settings;
        let deadline = provider.deadline(settings.provider_deadline);
        let late_ms = deadline.as_millis() as Millis + settings.reconcile.late_request_ms;
        payment.age(self.context.now(), late_ms)
    }

    /// Notes that an attempt must be voided because its card has paid for as many units of these offers as one person may have, and puts
    /// the units of the order back on sale. If this node dies in between, they come back when their hold ends.
    async fn refuse_card(&self, payment: &Payment, reference: Option<&str>, offers: &[OfferId]) -> Result<()> {
        let store = &self.context.store;
        let lost = LostReason::CardLimit { offers: offers.to_vec() };
        let refused = Reported { reference, lost: Some(&lost), ..Reported::default() };
        let void = || store.update_payment_status(payment, PaymentStatus::Voiding, refused);
        if !retry_transient(void).await? {
            return Ok(());
        }
        tracing::info!(order.id = %payment.order, payment.attempt, "a card has paid for as many units as one person may have");
        let order = store.order(payment.order).await?.ok_or(Refusal::NoSuchOrder)?;
        for (offer, lines) in lines_by_offer(&order, ReservationStatus::Held) {
            if offers.contains(&offer) {
                self.release_reservations(offer, &lines, ReleaseReason::CardLimit, None).await?;
            }
        }
        Ok(())
    }

    /// Ends an order whose amount could not be captured; its units are on sale again.
    async fn release_after_failed_capture(&self, payment: &Payment) -> Result<()> {
        let ended = retry_transient(|| self.context.store.release_failed_capture(payment.order)).await?;
        self.publish_ended_order(&ended).await
    }

    pub async fn reload_payment(&self, payment: &Payment) -> Result<Payment> {
        Ok(self.context.store.payment(payment.order, payment.attempt).await?.ok_or(Refusal::NoSuchOrder)?)
    }

    /// The result of an attempt for its buyer.
    async fn payment_result(&self, payment: &Payment, is_new: bool) -> Result<OrderResult> {
        let order = self.context.store.order(payment.order).await?.ok_or(Refusal::NoSuchOrder)?;
        match payment.status {
            PaymentStatus::Captured if payment.owed.is_none() => {
                Ok(OrderResult { order: self.catalogue.order_view(&order).await, is_replay: !is_new })
            }
            // It did not win, and its money is given back.
            PaymentStatus::Captured => Err(self.why_lost(payment, &order).await?),
            PaymentStatus::Declined => Err(Refusal::Declined.into()),
            PaymentStatus::NeedsAction => match self.action_url(payment).await? {
                Some(action_url) => Err(Refusal::NeedsAction { action_url }.into()),
                None => Err(Error::OutcomeUnknown),
            },
            PaymentStatus::Failed => Err(Refusal::CaptureFailed.into()),
            PaymentStatus::Voiding | PaymentStatus::Cancelled if payment.wins => Err(Refusal::CaptureFailed.into()),
            PaymentStatus::Voiding | PaymentStatus::Cancelled => Err(self.why_lost(payment, &order).await?),
            PaymentStatus::Creating | PaymentStatus::Authorized => Err(Error::OutcomeUnknown),
        }
    }

    /// The answer to the buyer about an attempt that did not win: what was noted when it was lost. Where nothing was, it follows from the order as
    /// it is now: another attempt is being captured, or a node of the version before decided it.
    async fn why_lost(&self, payment: &Payment, order: &Order) -> Result<Error> {
        if let Some(noted) = self.context.store.lost_reason(payment).await? {
            return Ok(noted.refusal().into());
        }
        let is_payable = order.status == OrderStatus::Held && !payment.has_lost_lines;
        Ok(if is_payable { Refusal::Declined.into() } else { why_not_won(order) })
    }

    /// Where the buyer confirms the payment: as the provider said when it asked for that. It is asked again only about an attempt of which
    /// that answer was lost, or is from before it was kept.
    async fn action_url(&self, payment: &Payment) -> Result<Option<String>> {
        if let Some(kept) = self.context.store.payment_action_url(payment).await? {
            return Ok(Some(kept));
        }
        Ok(self.provider_of(payment)?.action_url(payment, &self.context.settings.base_path).await)
    }

    /// Whether the provider of this payment is the one of this server.
    pub fn is_provider_on(&self, payment: &Payment) -> bool {
        self.find_provider(payment).is_some()
    }

    fn find_provider(&self, payment: &Payment) -> Option<&PaymentProvider> {
        const FREE: &PaymentProvider = &PaymentProvider::Free;
        [&self.provider, FREE].into_iter().find(|provider| provider.name() == payment.provider)
    }

    pub fn provider_of(&self, payment: &Payment) -> Result<&PaymentProvider> {
        self.find_provider(payment).ok_or_else(|| {
            tracing::error!(payment.provider, "the payment provider is not configured");
            Error::Unavailable
        })
    }
}

/// The same key with other words is another request.
fn pay_hash(id: OrderId, source: &PaymentSource, quote_version: Option<&str>) -> RequestHash {
    let id = id.to_string();
    let (with, saves) = match source {
        PaymentSource::Token { token, saves_card } => (token.clone(), *saves_card),
        PaymentSource::SavedCard(card) => (format!("saved:{card}"), false),
    };
    let mut said = vec!["pay", &id, &with];
    said.extend(saves.then_some("save_card"));
    said.extend(quote_version);
    request_hash(&said)
}

/// Why an attempt could not win its order: its card paid for too many units, a line is gone, or the whole order is.
fn why_not_won(order: &Order) -> Error {
    let by_card = order.ended_lines().filter(|line| line.reason.as_deref() == Some(CARD_LIMIT));
    let mut offers: Vec<OfferId> = by_card.map(|line| line.offer).collect();
    offers.dedup();
    if !offers.is_empty() {
        return Refusal::CardLimit { offers }.into();
    }
    match order.status {
        OrderStatus::Held => Refusal::LinesGone(order.ended_lines().map(|line| line.id).collect()).into(),
        _ => order.check_payable().err().map_or(Error::OutcomeUnknown, Error::Refused),
    }
}

/// Retries a database write while the database is busy or unavailable: money has moved, and the next check is a minute
/// away.
pub async fn retry_transient<T, F: Future<Output = store::Result<T>>>(mut write: impl FnMut() -> F) -> Result<T> {
    let give_up = Instant::now() + RETRY_DEADLINE;
    let mut pause = Duration::from_millis(20);
    loop {
        match write().await {
            Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                tracing::warn!(error = %fault, "a database write of a payment is retried");
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
            }
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn transient_database_error_is_retried_until_the_deadline() {
        let began = Instant::now();
        let mut busy = 3;
        let written = retry_transient(|| {
            busy -= 1;
            std::future::ready(if busy >= 0 { Err(store::Error::busy()) } else { Ok(7) })
        });
        assert_eq!(written.await, Ok(7));
        assert!(began.elapsed() < Duration::from_millis(500), "soon, not a minute later: {:?}", began.elapsed());
        let mut tries = 0;
        let never = retry_transient(|| {
            tries += 1;
            std::future::ready(Err::<(), _>(store::Error::busy()))
        });
        assert_eq!(never.await, Err(Error::Unavailable));
        assert!((8..40).contains(&tries), "{tries}");
        let mut asked = 0;
        let refused = retry_transient(|| {
            asked += 1;
            std::future::ready(Err::<(), _>(store::Error::Refused(Refusal::KeyReused)))
        });
        assert_eq!((refused.await, asked), (Err(Error::Refused(Refusal::KeyReused)), 1), "a refusal is not retried");
    }
}
