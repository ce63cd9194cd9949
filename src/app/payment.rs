//! Taking money for an order: set aside, win the order, take. Money moves only for the try that won.
//!
//! Whoever looks at a try, the buyer's request, a webhook or the reconciler, follows it by the same rule
//! (`domain/payment.rs`) as far as it goes. Several at once are harmless: the order is won once, by a compare-and-set
//! that keeps the winner's number, and every call to the provider has a key of its own.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::order::{Bought, unknown};
use super::provider::{Outcome, Provider};
use super::tally::answered;
use super::{App, Error, Result};
use crate::domain::order::request_hash;
use crate::domain::payment::Step;
use crate::domain::{Actor, Intent, Key, OrderId, OrderStatus, Payment, PaymentStatus, Refusal};
use crate::metrics::count;
use crate::store::{self, Begun, NewPayment, Release};

/// A try is settled in three or four steps; one that needs more is left for the next look.
const STEPS_MAX: usize = 8;
/// How long a step is written again while the database is too busy, before the outcome is called unknown.
const INSIST: Duration = Duration::from_secs(5);
const INSIST_PAUSE_MAX: Duration = Duration::from_millis(500);

impl App {
    /// Takes money for a held order. The same key again is the same try: it goes on where that one stands.
    pub async fn pay(&self, actor: &Actor, id: OrderId, token: &str, key: Key) -> Result<Bought> {
        let answer = self.pay_order(actor, id, token, key).await;
        answered(&self.tally().pays, &answer, |bought| if bought.replayed { "replayed" } else { "paid" });
        answer
    }

    async fn pay_order(&self, actor: &Actor, id: OrderId, token: &str, key: Key) -> Result<Bought> {
        let order = self.own_order(actor, id).await?;
        self.0.provider.check(token)?;
        let new = NewPayment {
            order: order.id,
            buyer: actor.user.clone(),
            key,
            hash: request_hash(&["pay", &id.to_string(), token]),
            provider: self.0.provider.name(),
            token: token.to_owned(),
        };
        let app = self.clone();
        self.write(async move { app.take_money(new).await }).await.map_err(unknown)
    }

    async fn take_money(&self, new: NewPayment) -> Result<Bought> {
        let Begun { payment, fresh } = self.store().begin_payment(&new).await?;
        let payment = if payment.status.is_final() { payment } else { self.ask(payment, fresh).await? };
        self.told_of(&payment, fresh).await
    }

    /// Follows a try for the buyer who waits: where the provider was not heard yet, it is asked for the money.
    async fn ask(&self, payment: Payment, fresh: bool) -> Result<Payment> {
        let provider = self.provider_of(&payment)?;
        let mut payment = payment;
        if payment.reference.is_none() && payment.status == PaymentStatus::Creating {
            match provider.create(&payment).await {
                Outcome::Done(intent) if fresh => return self.follow(payment, Some(intent)).await,
                // An answer of before; how it stands now is asked for below.
                Outcome::Done(intent) => payment.reference = Some(intent.reference),
                Outcome::Refused(why) => {
                    tracing::warn!(order.id = %payment.order, payment.attempt, why, "the provider refused a payment");
                    self.store().note_payment(&payment, PaymentStatus::Declined, None).await?;
                    return self.again(&payment).await;
                }
                Outcome::Unknown => return Err(Error::OutcomeUnknown),
            }
        }
        match provider.fetch(&payment).await {
            Outcome::Done(seen) => self.follow(payment, seen).await,
            Outcome::Refused(_) | Outcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Follows a try for nobody in particular: asks what became of it, and begins nothing new.
    pub(super) async fn settle(&self, payment: Payment) -> Result<Payment> {
        match self.provider_of(&payment)?.fetch(&payment).await {
            Outcome::Done(seen) => self.follow(payment, seen).await,
            Outcome::Refused(_) | Outcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }

    /// Brings a try as far as it goes, from what the provider says of it now.
    pub(super) async fn follow(&self, payment: Payment, mut seen: Option<Intent>) -> Result<Payment> {
        let provider = self.provider_of(&payment)?;
        // Read after the provider's picture was: somebody else may have won and taken the money in between, and with an
        // older row that would look like money nobody asked for.
        let mut payment = self.again(&payment).await?;
        for _ in 0..STEPS_MAX {
            let reference = seen.as_ref().map(|intent| intent.reference.as_str());
            match payment.next(seen.as_ref(), provider.livemode()) {
                Step::Note(status) => {
                    if payment.status != status {
                        insist(|| self.store().note_payment(&payment, status, reference)).await?;
                    }
                    return self.again(&payment).await;
                }
                Step::Win => {
                    if let Some(won) = insist(|| self.store().begin_capture(&payment, reference)).await? {
                        self.order_changed(&won).await;
                    }
                }
                Step::Capture => match provider.capture(&payment, reference.unwrap_or_default()).await {
                    Outcome::Done(intent) => seen = Some(intent),
                    // It may have been taken long ago, under a key the provider has forgotten.
                    Outcome::Refused(why) => match provider.fetch(&payment).await {
                        Outcome::Done(now) => {
                            if now.as_ref().is_some_and(|intent| intent.captured == 0) {
                                tracing::info!(order.id = %payment.order, why, "money could not be taken");
                                self.capture_failed(&payment).await?;
                            }
                            seen = now;
                        }
                        _ => return Err(Error::OutcomeUnknown),
                    },
                    Outcome::Unknown => return Err(Error::OutcomeUnknown),
                },
                Step::Finish => {
                    if let Some(paid) = insist(|| self.store().finish_capture(payment.order)).await? {
                        self.0.notes.notify_one();
                        self.tally().hold_ended(&paid, self.now());
                        self.order_changed(&paid).await;
                    }
                    return self.again(&payment).await;
                }
                Step::Fail => self.capture_failed(&payment).await?,
                Step::Void => {
                    let goes = payment.status == PaymentStatus::Voiding
                        || insist(|| self.store().note_payment(&payment, PaymentStatus::Voiding, reference)).await?;
                    if goes {
                        match provider.cancel(&payment, reference.unwrap_or_default()).await {
                            Outcome::Done(intent) => seen = Some(intent),
                            // It stays `voiding`: the reconciler asks again until it is gone.
                            Outcome::Refused(_) | Outcome::Unknown => return self.again(&payment).await,
                        }
                    }
                }
                Step::Astray => {
                    count(&self.tally().astray);
                    tracing::error!(
                        order.id = %payment.order, payment.attempt, payment.reference = reference,
                        "money was taken that no order of ours asked for; look at the provider"
                    );
                    self.store().note_payment(&payment, PaymentStatus::Captured, reference).await?;
                    return self.again(&payment).await;
                }
            }
            payment = self.again(&payment).await?;
        }
        Ok(payment)
    }

    /// Ends an order whose money could not be taken; its units are on sale again.
    async fn capture_failed(&self, payment: &Payment) -> Result<()> {
        if let Some(order) = self.store().order(payment.order).await? {
            let ids = [order.id];
            let ended = insist(|| self.store().release(order.offer, &ids, Release::CaptureFailed, None)).await?;
            self.tell_released(order.offer, &ended).await?;
        }
        Ok(())
    }

    async fn again(&self, payment: &Payment) -> Result<Payment> {
        Ok(self.store().payment(payment.order, payment.attempt).await?.ok_or(Refusal::NoSuchOrder)?)
    }

    /// What the buyer of a try is told.
    async fn told_of(&self, payment: &Payment, fresh: bool) -> Result<Bought> {
        let order = self.store().order(payment.order).await?.ok_or(Refusal::NoSuchOrder)?;
        match payment.status {
            PaymentStatus::Captured => Ok(Bought { order: self.order_view(&order).await, replayed: !fresh }),
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
                Err(order.payable().err().map_or(Error::OutcomeUnknown, Error::Refused))
            }
            PaymentStatus::Creating | PaymentStatus::Authorized => Err(Error::OutcomeUnknown),
        }
    }

    pub(super) fn provider_of(&self, payment: &Payment) -> Result<&Provider> {
        const FREE: &Provider = &Provider::Free;
        let known = [&self.0.provider, FREE].into_iter().find(|provider| provider.name() == payment.provider);
        known.ok_or_else(|| {
            tracing::error!(payment.provider, "no such provider is set up");
            Error::Unavailable
        })
    }
}

/// Writes a step again while the database is busy or away: the money has moved, and the next look is a minute away.
pub(super) async fn insist<T, F: Future<Output = store::Result<T>>>(mut write: impl FnMut() -> F) -> Result<T> {
    let give_up = Instant::now() + INSIST;
    let mut pause = Duration::from_millis(20);
    loop {
        match write().await {
            Err(fault) if fault.is_transient() && Instant::now() < give_up => {
                tracing::warn!(error = %fault, "a step of a payment is written again");
                sleep(pause).await;
                pause = (pause * 2).min(INSIST_PAUSE_MAX);
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
        let written = insist(|| {
            busy -= 1;
            std::future::ready(if busy >= 0 { Err(store::Error::busy()) } else { Ok(7) })
        });
        assert_eq!(written.await, Ok(7));
        assert!(began.elapsed() < Duration::from_millis(500), "at once, not a minute later: {:?}", began.elapsed());
        let mut tries = 0;
        let never = insist(|| {
            tries += 1;
            std::future::ready(Err::<(), _>(store::Error::busy()))
        });
        assert_eq!(never.await, Err(Error::Unavailable));
        assert!((8..40).contains(&tries), "{tries}");
        let mut asked = 0;
        let refused = insist(|| {
            asked += 1;
            std::future::ready(Err::<(), _>(store::Error::Refused(Refusal::KeyReused)))
        });
        assert_eq!((refused.await, asked), (Err(Error::Refused(Refusal::KeyReused)), 1), "a no is an answer");
    }
}
