//! Taking money for an order: set aside, win the order, take. Money moves only for the try that won.
//!
//! Whoever looks at a try, the buyer's request, a webhook or the reconciler, follows it by the same rule
//! (`domain/payment.rs`) as far as it goes. Several at once are harmless: the order is won once, by a compare-and-set
//! that keeps the winner's number, and every call to the provider has a key of its own.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::counters::count_outcome;
use super::order::{OrderResult, as_outcome_unknown};
use super::provider::{PaymentProvider, ProviderOutcome};
use super::{App, Error, Result};
use crate::domain::order::request_hash;
use crate::domain::payment::PaymentStep;
use crate::domain::{Actor, IdempotencyKey, OrderId, OrderStatus, Payment, PaymentIntent, PaymentStatus, Refusal};
use crate::metrics::increment;
use crate::store::{self, BegunPayment, NewPayment, ReleaseReason};

/// A try is settled in three or four steps; one that needs more is left for the next look.
const PAYMENT_STEPS_MAX: usize = 8;
/// How long a step is written again while the database is too busy, before the outcome is called unknown.
const RETRY_DEADLINE: Duration = Duration::from_secs(5);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);

impl App {
    /// Takes money for a held order. The same key again is the same try: it goes on where that one stands.
    pub async fn pay(&self, actor: &Actor, id: OrderId, token: &str, key: IdempotencyKey) -> Result<OrderResult> {
        let answer = self.pay_order(actor, id, token, key).await;
        count_outcome(
            &self.counters().pay_outcomes,
            &answer,
            |bought| if bought.is_replay { "replayed" } else { "paid" },
        );
        answer
    }

    async fn pay_order(&self, actor: &Actor, id: OrderId, token: &str, key: IdempotencyKey) -> Result<OrderResult> {
        let order = self.own_order(actor, id).await?;
        self.0.provider.check_token(token)?;
        let new = NewPayment {
            order: order.id,
            buyer: actor.user.clone(),
            key,
            hash: request_hash(&["pay", &id.to_string(), token]),
            provider: self.0.provider.name(),
            token: token.to_owned(),
        };
        let app = self.clone();
        self.spawn_write(async move { app.run_payment(new).await }).await.map_err(as_outcome_unknown)
    }

    async fn run_payment(&self, new: NewPayment) -> Result<OrderResult> {
        let BegunPayment { payment, is_new: fresh } = self.store().begin_payment(&new).await?;
        let payment = if payment.status.is_final() { payment } else { self.continue_payment(payment, fresh).await? };
        self.payment_result(&payment, fresh).await
    }

    /// Follows a try for the buyer who waits: where the provider was not heard yet, it is asked for the money.
    async fn continue_payment(&self, payment: Payment, fresh: bool) -> Result<Payment> {
        let provider = self.provider_of(&payment)?;
        let mut payment = payment;
        if payment.reference.is_none() && payment.status == PaymentStatus::Creating {
            match provider.create(&payment).await {
                ProviderOutcome::Done(intent) if fresh => return self.advance_payment(payment, Some(intent)).await,
                // An answer of before; how it stands now is asked for below.
                ProviderOutcome::Done(intent) => payment.reference = Some(intent.reference),
                ProviderOutcome::Refused(why) => {
                    tracing::warn!(order.id = %payment.order, payment.attempt, why, "the provider refused a payment");
                    self.store().update_payment_status(&payment, PaymentStatus::Declined, None).await?;
                    return self.reload_payment(&payment).await;
                }
                ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
            }
        }
        match provider.fetch(&payment).await {
            ProviderOutcome::Done(seen) => self.advance_payment(payment, seen).await,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Follows a try for nobody in particular: asks what became of it, and begins nothing new.
    pub(super) async fn refresh_payment(&self, payment: Payment) -> Result<Payment> {
        match self.provider_of(&payment)?.fetch(&payment).await {
            ProviderOutcome::Done(seen) => self.advance_payment(payment, seen).await,
            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Brings a try as far as it goes, from what the provider says of it now.
    pub(super) async fn advance_payment(&self, payment: Payment, mut seen: Option<PaymentIntent>) -> Result<Payment> {
        let provider = self.provider_of(&payment)?;
        // Read after the provider's picture was: somebody else may have won and taken the money in between, and with an
        // older row that would look like money nobody asked for.
        let mut payment = self.reload_payment(&payment).await?;
        for _ in 0..PAYMENT_STEPS_MAX {
            let reference = seen.as_ref().map(|intent| intent.reference.as_str());
            match payment.next_step(seen.as_ref(), provider.livemode()) {
                PaymentStep::Record(status) => {
                    if payment.status != status {
                        retry_transient(|| self.store().update_payment_status(&payment, status, reference)).await?;
                    }
                    return self.reload_payment(&payment).await;
                }
                PaymentStep::Win => {
                    if let Some(won) = retry_transient(|| self.store().begin_capture(&payment, reference)).await? {
                        self.notify_order_changed(&won).await;
                    }
                }
                PaymentStep::Capture => match provider.capture(&payment, reference.unwrap_or_default()).await {
                    ProviderOutcome::Done(intent) => seen = Some(intent),
                    // It may have been taken long ago, under a key the provider has forgotten.
                    ProviderOutcome::Refused(why) => match provider.fetch(&payment).await {
                        ProviderOutcome::Done(now) => {
                            if now.as_ref().is_some_and(|intent| intent.captured == 0) {
                                tracing::info!(order.id = %payment.order, why, "money could not be taken");
                                self.release_after_failed_capture(&payment).await?;
                            }
                            seen = now;
                        }
                        _ => return Err(Error::OutcomeUnknown),
                    },
                    ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
                },
                PaymentStep::MarkPaid => {
                    if let Some(paid) = retry_transient(|| self.store().finish_capture(payment.order)).await? {
                        self.0.outbox_changed.notify_one();
                        self.counters().record_hold_end(&paid, self.now());
                        self.notify_order_changed(&paid).await;
                    }
                    return self.reload_payment(&payment).await;
                }
                PaymentStep::FailOrder => self.release_after_failed_capture(&payment).await?,
                PaymentStep::Void => {
                    let goes = payment.status == PaymentStatus::Voiding
                        || retry_transient(|| {
                            self.store().update_payment_status(&payment, PaymentStatus::Voiding, reference)
                        })
                        .await?;
                    if goes {
                        match provider.cancel(&payment, reference.unwrap_or_default()).await {
                            ProviderOutcome::Done(intent) => seen = Some(intent),
                            // It stays `voiding`: the reconciler asks again until it is gone.
                            ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => {
                                return self.reload_payment(&payment).await;
                            }
                        }
                    }
                }
                PaymentStep::UnmatchedCapture => {
                    increment(&self.counters().unmatched_payments);
                    tracing::error!(
                        order.id = %payment.order, payment.attempt, payment.reference = reference,
                        "money was taken that no order of ours asked for; look at the provider"
                    );
                    self.store().update_payment_status(&payment, PaymentStatus::Captured, reference).await?;
                    return self.reload_payment(&payment).await;
                }
            }
            payment = self.reload_payment(&payment).await?;
        }
        Ok(payment)
    }

    /// Ends an order whose money could not be taken; its units are on sale again.
    async fn release_after_failed_capture(&self, payment: &Payment) -> Result<()> {
        if let Some(order) = self.store().order(payment.order).await? {
            let ids = [order.id];
            let ended =
                retry_transient(|| self.store().release_orders(order.offer, &ids, ReleaseReason::CaptureFailed, None))
                    .await?;
            self.publish_release(order.offer, &ended).await?;
        }
        Ok(())
    }

    async fn reload_payment(&self, payment: &Payment) -> Result<Payment> {
        Ok(self.store().payment(payment.order, payment.attempt).await?.ok_or(Refusal::NoSuchOrder)?)
    }

    /// What the buyer of a try is told.
    async fn payment_result(&self, payment: &Payment, fresh: bool) -> Result<OrderResult> {
        let order = self.store().order(payment.order).await?.ok_or(Refusal::NoSuchOrder)?;
        match payment.status {
            PaymentStatus::Captured => Ok(OrderResult { order: self.order_view(&order).await, is_replay: !fresh }),
            PaymentStatus::Declined => Err(Refusal::Declined.into()),
            PaymentStatus::NeedsAction => {
                let action_url = self.provider_of(payment)?.action_url(payment);
                Err(Refusal::NeedsAction { action_url }.into())
            }
            PaymentStatus::Failed => Err(Refusal::CaptureFailed.into()),
            PaymentStatus::Voiding | PaymentStatus::Cancelled if payment.wins => Err(Refusal::CaptureFailed.into()),
            // It brought no money, and the order waits for another try.
            PaymentStatus::Voiding | PaymentStatus::Cancelled if order.status == OrderStatus::Held => {
                Err(Refusal::Declined.into())
            }
            PaymentStatus::Voiding | PaymentStatus::Cancelled => {
                Err(order.check_payable().err().map_or(Error::OutcomeUnknown, Error::Refused))
            }
            PaymentStatus::Creating | PaymentStatus::Authorized => Err(Error::OutcomeUnknown),
        }
    }

    pub(super) fn provider_of(&self, payment: &Payment) -> Result<&PaymentProvider> {
        const FREE: &PaymentProvider = &PaymentProvider::Free;
        let known = [&self.0.provider, FREE].into_iter().find(|provider| provider.name() == payment.provider);
        known.ok_or_else(|| {
            tracing::error!(payment.provider, "no such provider is set up");
            Error::Unavailable
        })
    }
}

/// Writes a step again while the database is busy or away: the money has moved, and the next look is a minute away.
pub(super) async fn retry_transient<T, F: Future<Output = store::Result<T>>>(
    mut write: impl FnMut() -> F,
) -> Result<T> {
    let give_up = Instant::now() + RETRY_DEADLINE;
    let mut pause = Duration::from_millis(20);
    loop {
        match write().await {
            Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                tracing::warn!(error = %fault, "a step of a payment is written again");
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
            }
            settled => return Ok(settled?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_is_written_again_while_the_database_is_busy_and_not_for_ever() {
        let began = Instant::now();
        let mut busy = 3;
        let written = retry_transient(|| {
            busy -= 1;
            std::future::ready(if busy >= 0 { Err(store::Error::busy()) } else { Ok(7) })
        });
        assert_eq!(written.await, Ok(7));
        assert!(began.elapsed() < Duration::from_millis(500), "at once, not a minute later: {:?}", began.elapsed());
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
        assert_eq!((refused.await, asked), (Err(Error::Refused(Refusal::KeyReused)), 1), "a no is an answer");
    }
}
