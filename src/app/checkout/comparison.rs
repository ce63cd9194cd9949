//! Compares the payments of the provider with the database of the shop, as after a restore: what was written after the copy was made is
//! missing in the database, and the provider still knows it.
//!
//! A difference is repaired by the same rule and the same steps as the reconciler's. What the rule does not decide is for a person.

use std::collections::HashSet;

use super::Checkout;
use super::provider_call::ProviderOutcome;
use super::provider_turn::CLOCKS_DIFFER_MS;
use crate::app::error::{Error, Result};
use crate::domain::currency::decimal_text;
use crate::domain::payment::PaymentStep;
use crate::domain::{
    Millis, Minor, OrderId, OwedStatus, Payment, PaymentIntent, PaymentIntentStatus, PaymentStatus, RefundStatus,
};

/// The maximum number of payments of the database that are read together.
const STORED_PAYMENTS_PAGE: i64 = 500;

/// What came of a comparison.
#[derive(Clone, Default, Debug)]
pub struct Comparison {
    /// Payments that were compared.
    pub compared: usize,
    pub differences: Vec<Difference>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The payment, what is wrong, and what has to be done: one line.
    pub text: String,
    pub state: DifferenceState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DifferenceState {
    Repaired,
    /// The rule repairs it; it was only looked at.
    Repairable,
    /// A person has to do something.
    NeedsPerson,
}

impl Comparison {
    fn note(&mut self, state: DifferenceState, text: String) {
        self.differences.push(Difference { text, state });
    }

    pub fn count(&self, state: DifferenceState) -> usize {
        self.differences.iter().filter(|difference| difference.state == state).count()
    }
}

impl Checkout {
    /// Compares all payments since then. With `is_dry_run` nothing is changed.
    pub async fn compare_with_provider(&self, since: Millis, is_dry_run: bool) -> Result<Comparison> {
        let mut comparison = Comparison::default();
        let mut seen = HashSet::new();
        let until = self.context.store.now().await? + CLOCKS_DIFFER_MS;
        let mut after = None;
        loop {
            let page = match self.provider.list(since - CLOCKS_DIFFER_MS, until, after.as_deref()).await {
                ProviderOutcome::Done(page) => page,
                ProviderOutcome::Refused(why) => {
                    comparison.note(
                        DifferenceState::NeedsPerson,
                        format!("{why} Compare its payments with the orders by hand."),
                    );
                    break;
                }
                ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
            };
            for intent in page.payments {
                seen.insert((intent.order, intent.attempt));
                self.compare_listed(intent, is_dry_run, &mut comparison).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Box::pin(self.compare_unlisted(since, &seen, is_dry_run, &mut comparison)).await?;
        Ok(comparison)
    }

    /// A payment that the provider has.
    async fn compare_listed(&self, intent: PaymentIntent, is_dry_run: bool, comparison: &mut Comparison) -> Result<()> {
        let Some(payment) = self.context.store.payment(intent.order, intent.attempt).await? else {
            comparison.compared += 1;
            if let Some(advice) = advice_for_unknown_order(&intent) {
                let name = named(&intent.reference, intent.order);
                comparison.note(DifferenceState::NeedsPerson, format!("{name}: {advice}"));
            }
            return Ok(());
        };
        self.compare_payment(payment, intent, is_dry_run, comparison).await
    }

    /// Payments of the database that the list of the provider did not have: it may have none, or one from an earlier time.
    async fn compare_unlisted(
        &self,
        since: Millis,
        seen: &HashSet<(OrderId, i64)>,
        is_dry_run: bool,
        comparison: &mut Comparison,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let page =
                self.context.store.payments_since(self.provider.name(), since, after, STORED_PAYMENTS_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.created_at, last.order, last.attempt));
            for payment in page {
                let may_have_money = payment.status == PaymentStatus::Captured || !payment.status.is_final();
                let was_asked = payment.called_at.is_some();
                if seen.contains(&(payment.order, payment.attempt)) || !may_have_money || !was_asked {
                    continue;
                }
                match self.provider.fetch(&payment).await {
                    ProviderOutcome::Done(Some(intent)) => {
                        self.compare_payment(payment, intent, is_dry_run, comparison).await?;
                    }
                    ProviderOutcome::Done(None) => self.compare_missing(payment, is_dry_run, comparison).await?,
                    ProviderOutcome::Refused(_) | ProviderOutcome::Unknown => return Err(Error::OutcomeUnknown),
                }
            }
        }
    }

    /// The provider certainly does not have this payment.
    async fn compare_missing(&self, payment: Payment, is_dry_run: bool, comparison: &mut Comparison) -> Result<()> {
        comparison.compared += 1;
        let name = named(payment.reference.as_deref().unwrap_or("without an id"), payment.order);
        if payment.status == PaymentStatus::Captured || payment.reference.is_some() {
            let text = format!(
                "{name}: {} in the database of the shop, and the provider does not know it. Is this the right account?",
                payment.status.name()
            );
            comparison.note(DifferenceState::NeedsPerson, text);
            return Ok(());
        }
        let livemode = self.provider.livemode().ok_or(Error::OutcomeUnknown)?;
        match payment.next_step(None, livemode, self.age_of(&self.provider, &payment)) {
            PaymentStep::Record(status) if status != payment.status => {
                let text = format!("{name}: the provider has no such payment; the attempt ends as {}", status.name());
                if !is_dry_run {
                    self.advance_payment(payment, None).await?;
                }
                comparison.note(repaired(is_dry_run), text);
            }
            // A request may still be on its way; the server asks again.
            _ => {}
        }
        Ok(())
    }

    async fn compare_payment(
        &self,
        payment: Payment,
        intent: PaymentIntent,
        is_dry_run: bool,
        comparison: &mut Comparison,
    ) -> Result<()> {
        comparison.compared += 1;
        let name = named(&intent.reference, payment.order);
        if payment.reference.as_deref().is_some_and(|known| known != intent.reference) {
            let known = payment.reference.as_deref().unwrap_or_default();
            let text = format!(
                "{name}: a second payment of the attempt that is {known} in the database of the shop; refund it at the provider"
            );
            comparison.note(DifferenceState::NeedsPerson, text);
            return Ok(());
        }
        // The shop itself captured it, after the copy of the database was made: it wins its order if it still can.
        let intent = PaymentIntent { authorises: intent.authorises && intent.captured == 0, ..intent };
        let livemode = self.provider.livemode().ok_or(Error::OutcomeUnknown)?;
        let step = payment.next_step(Some(&intent), livemode, self.age_of(&self.provider, &payment));
        let description = match step {
            PaymentStep::Record(status) if status == payment.status => {
                return self.compare_refunds(&payment, &intent, is_dry_run, comparison).await;
            }
            // The provider has not decided yet; the server asks again.
            PaymentStep::Wait => return Ok(()),
            PaymentStep::Unexplained => {
                let text = format!(
                    "{name}: it is not what the database of the shop has; compare amount, currency and account at the provider"
                );
                comparison.note(DifferenceState::NeedsPerson, text);
                return Ok(());
            }
            step => format!("{name}: {}", describe(step, &payment, &intent)),
        };
        if is_dry_run {
            comparison.note(DifferenceState::Repairable, description);
            return Ok(());
        }
        match self.advance_payment(payment, Some(intent)).await {
            // Money that the bank has not given back yet is the reconciler's from now on.
            Ok(after) if after.status.is_final() || after.owed == Some(OwedStatus::Owed) => {
                comparison.note(DifferenceState::Repaired, description);
            }
            Ok(after) if after.status == PaymentStatus::NeedsAction => {
                comparison.note(DifferenceState::Repaired, description);
            }
            Ok(after) => {
                let text = format!("{description}; it is {} now, and the server goes on with it", after.status.name());
                comparison.note(DifferenceState::NeedsPerson, text);
            }
            Err(error) => comparison.note(DifferenceState::NeedsPerson, format!("{description}; not done: {error}")),
        }
        Ok(())
    }

    /// What was given back of a paid order.
    async fn compare_refunds(
        &self,
        payment: &Payment,
        intent: &PaymentIntent,
        is_dry_run: bool,
        comparison: &mut Comparison,
    ) -> Result<()> {
        if !payment.wins || payment.status != PaymentStatus::Captured || payment.owed.is_some() {
            return Ok(());
        }
        let sums = async || -> Result<(Minor, Minor)> {
            let records = self.context.store.refunds_of_order(payment.order).await?;
            let sum = |status| {
                let with = records.iter().filter(|record| record.refund.status == status);
                with.map(|record| record.refund.amount).sum::<Minor>()
            };
            Ok((sum(RefundStatus::Done), sum(RefundStatus::Pending)))
        };
        let (done, pending) = sums().await?;
        let name = named(&intent.reference, payment.order);
        let amount = |minor: Minor| format!("{} {}", decimal_text(minor, &payment.currency), payment.currency);
        let (done, pending, refunded) = if pending > 0 && !is_dry_run {
            self.check_refunds(payment.order).await?;
            // It may have been sent only now.
            let ProviderOutcome::Done(Some(now)) = self.provider.fetch(payment).await else {
                return Err(Error::OutcomeUnknown);
            };
            let (done, pending) = sums().await?;
            (done, pending, now.refunded)
        } else {
            (done, pending, intent.refunded)
        };
        // The provider may count a refund that the bank has not done, or not.
        if (done..=done + pending).contains(&refunded) {
            return Ok(());
        }
        let text = if refunded > done + pending {
            let more = amount(refunded - done - pending);
            format!(
                "{name}: {more} more was refunded at the provider than in the database of the shop; note the units at the desk by \
                 a refund of the amount 0, which gives no money"
            )
        } else {
            let less = amount(done - refunded);
            format!(
                "{name}: {less} less was refunded at the provider than in the database of the shop; check its refunds at the provider"
            )
        };
        comparison.note(DifferenceState::NeedsPerson, text);
        Ok(())
    }
}

fn repaired(is_dry_run: bool) -> DifferenceState {
    if is_dry_run { DifferenceState::Repairable } else { DifferenceState::Repaired }
}

/// How a line begins.
fn named(reference: &str, order: OrderId) -> String {
    // The id comes from outside, and a line must stay one line.
    let reference: String = reference.chars().filter(|c| !c.is_control()).collect();
    format!("payment {reference} order {order}")
}

/// What is to be done about a payment whose order the database does not have. `None`: nothing, because it took no money and will take none.
fn advice_for_unknown_order(intent: &PaymentIntent) -> Option<String> {
    let kept = intent.captured - intent.refunded;
    let amount = |minor| format!("{} {}", decimal_text(minor, &intent.currency), intent.currency);
    match intent.status {
        PaymentIntentStatus::Captured if kept > 0 => Some(format!(
            "{} was taken, and the database of the shop has no such order; refund it at the provider, or deliver the goods",
            amount(kept)
        )),
        PaymentIntentStatus::Authorized => Some(format!(
            "{} is authorised, and the database of the shop has no such order; cancel it at the provider",
            amount(intent.amount)
        )),
        PaymentIntentStatus::NeedsAction | PaymentIntentStatus::Working => Some(format!(
            "{} can still be paid, and the database of the shop has no such order; cancel it at the provider",
            amount(intent.amount)
        )),
        _ => None,
    }
}

/// What the rule does, in words.
fn describe(step: PaymentStep, payment: &Payment, intent: &PaymentIntent) -> String {
    let amount = format!("{} {}", decimal_text(intent.amount, &intent.currency), intent.currency);
    match step {
        PaymentStep::Win | PaymentStep::Capture | PaymentStep::MarkPaid => {
            format!("{amount} is {} at the provider; the order is paid with it", intent.status.name())
        }
        PaymentStep::Void => {
            format!("{amount} is {} for an order that it did not win; it is cancelled", intent.status.name())
        }
        PaymentStep::Owe | PaymentStep::GiveBack | PaymentStep::RecordReturn => {
            format!("{amount} was taken for an order that it did not win; it is refunded")
        }
        PaymentStep::FailOrder => format!("{amount} was not captured; the order ends"),
        PaymentStep::Record(status) => {
            format!(
                "{} in the database of the shop and {} at the provider; the database follows",
                payment.status.name(),
                status.name()
            )
        }
        PaymentStep::Wait | PaymentStep::Unexplained => String::new(),
    }
}
