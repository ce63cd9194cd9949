//! Saved cards: a buyer with an account pays again with one tap.
//!
//! The shop keeps a copy of what the provider says of each card. So a checkout asks nobody: in a rush it costs one query of our own, and
//! it works while the provider does not answer. A card that was taken away at the provider is noticed when a payment with it is refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;

use super::Checkout;
use super::payment::retry_transient;
use super::provider::PaymentProvider;
use super::provider_call::{ProviderOutcome, call_with_deadline};
use super::stripe::StripeProvider;
use crate::app::error::Result;
use crate::app::jobs::{BackgroundJob, JobSpec, NextRun};
use crate::domain::payment::PaymentStep;
use crate::domain::saved_card::{REMOVAL_END_MS, RemovalKind, SAVED_CARDS_MAX};
use crate::domain::{
    AccountId, Actor, CardUse, IdempotencyKey, Payment, PaymentIntent, PaymentIntentStatus, PaymentStatus, Permission,
    Place, Refusal, SavedCard, SavedCardId, authorize_by_role,
};
use crate::store::ProviderRemoval;

/// For removals that another node asked for, or an erasure.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(15);
const REMOVAL_RUN_DEADLINE: Duration = Duration::from_secs(300);
/// Removals of one run, and those that it ends. Each may wait for its turn and for the provider.
const REMOVALS_MAX: i64 = 10;

/// What a buyer pays with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PaymentSource {
    /// A token of the provider. `saves_card`: the buyer wants to pay with the card again.
    Token {
        token: String,
        saves_card: bool,
    },
    SavedCard(SavedCardId),
}

impl PaymentSource {
    /// A token, of which nothing is saved.
    pub fn token(token: &str) -> Self {
        PaymentSource::Token { token: token.to_owned(), saves_card: false }
    }
}

/// The saved cards of a buyer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SavedCards {
    pub cards: Vec<SavedCard>,
    /// A card with which the buyer pays now can be saved.
    pub can_save: bool,
}

impl Checkout {
    /// The provider that can save cards, if this shop has it, and whether its cards are for real money.
    fn card_keeper(&self) -> Option<(&StripeProvider, bool)> {
        match &self.provider {
            // Without keys it has no cards now.
            PaymentProvider::Stripe(stripe) => Some((stripe, stripe.is_live()?)),
            _ => None,
        }
    }

    /// The caller can have saved cards here.
    pub fn keeps_cards_of(&self, actor: &Actor) -> bool {
        self.card_keeper().is_some() && has_account(actor)
    }

    /// The caller's saved cards; none for those who have no account.
    pub async fn saved_cards(&self, actor: &Actor) -> Result<SavedCards> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let (Some((_, is_live)), true) = (self.card_keeper(), has_account(actor)) else {
            return Ok(SavedCards { cards: Vec::new(), can_save: false });
        };
        let cards = self.context.store.saved_cards(&actor.user, is_live).await?;
        let can_save = (cards.len() as i64) < SAVED_CARDS_MAX;
        Ok(SavedCards { cards, can_save })
    }

    /// Removes one of the caller's saved cards, at the provider soon afterwards.
    pub async fn remove_saved_card(&self, actor: &Actor, id: SavedCardId) -> Result<()> {
        authorize_by_role(actor, Permission::UseOwnData, Place::Shop)?;
        let (context, user, due) = (self.context.clone(), actor.user.clone(), self.removals_due.clone());
        let remove = async move {
            if !context.store.remove_saved_card(&user, id).await? {
                return Err(Refusal::NoSuchCard.into());
            }
            due.notify_one();
            Ok(())
        };
        self.context.spawn_write(remove).await
    }

    /// The token with which the provider is asked, and what the attempt has to do with saved cards.
    pub(super) async fn resolve_source(
        &self,
        actor: &Actor,
        source: &PaymentSource,
        key: &IdempotencyKey,
    ) -> Result<(String, CardUse)> {
        match source {
            PaymentSource::Token { token, saves_card } => {
                let saves = *saves_card && self.saved_cards(actor).await?.can_save;
                Ok((token.clone(), CardUse { saves, customer: None }))
            }
            PaymentSource::SavedCard(id) => {
                if let Some((_, is_live)) = self.card_keeper()
                    && let Some(found) = self.context.store.saved_card(&actor.user, is_live, *id).await?
                {
                    return Ok((found.method, CardUse { saves: false, customer: Some(found.customer) }));
                }
                // The card was removed after the payment began: the same key has its one result.
                let begun = self.context.store.payment_by_key(&actor.user, key).await?;
                let (_, payment) = begun.ok_or(Refusal::NoSuchCard)?;
                Ok((payment.token, payment.card))
            }
        }
    }

    /// Decides whether the card of an attempt is saved, before the first request to the provider, so that a repeated request is the same.
    /// A buyer whom the provider does not take as a customer pays all the same, and the card is not saved.
    pub(super) async fn decide_saving(&self, payment: Payment) -> Result<Payment> {
        if !payment.card.is_undecided() {
            return Ok(payment);
        }
        let customer = match self.card_keeper() {
            Some((stripe, is_live)) => self.customer_of(stripe, is_live, &payment).await?,
            None => None,
        };
        self.context.store.decide_card(&payment, customer.as_deref()).await?;
        self.reload_payment(&payment).await
    }

    async fn customer_of(&self, stripe: &StripeProvider, is_live: bool, payment: &Payment) -> Result<Option<String>> {
        let Some((id, known)) = self.context.store.payment_customer(payment, is_live).await? else {
            return Ok(None);
        };
        if known.is_some() {
            return Ok(known);
        }
        match call_with_deadline(stripe.calls(), stripe.create_customer(id)).await {
            ProviderOutcome::Done(made) => {
                let is_noted = self.context.store.note_payment_customer(id, is_live, &made).await?;
                Ok(is_noted.then_some(made))
            }
            outcome => {
                tracing::warn!(order.id = %payment.order, outcome = ?outcome, "the card of a payment is not saved: the provider made no customer");
                Ok(None)
            }
        }
    }

    /// Saves the card of an attempt that has paid, and has the provider forget the card of one that will not. The payment goes on whatever
    /// comes of this: a card that cannot be saved is removed at the provider, and one that cannot be removed is in the log.
    pub(super) async fn keep_or_drop_card(&self, payment: &Payment, intent: Option<&PaymentIntent>, step: PaymentStep) {
        let Some(intent) = intent.filter(|_| payment.card.saves && payment.card.customer.is_some()) else { return };
        // Until the bank has agreed, the provider saves nothing.
        let is_agreed = !matches!(intent.status, PaymentIntentStatus::NeedsAction | PaymentIntentStatus::Declined);
        let Some(method) = intent.method.as_ref().filter(|_| is_agreed) else { return };
        let (store, is_live, fingerprint) = (&self.context.store, intent.livemode, intent.fingerprint.as_deref());
        match step {
            PaymentStep::MarkPaid => {
                let Err(error) = retry_transient(|| store.keep_card(payment, method, fingerprint, is_live)).await
                else {
                    return;
                };
                tracing::warn!(order.id = %payment.order, error = %error, "the card of a payment could not be saved");
            }
            PaymentStep::Void | PaymentStep::FailOrder | PaymentStep::Owe => {}
            PaymentStep::Record(PaymentStatus::Captured) => return,
            PaymentStep::Record(next) if next.is_final() && next != payment.status => {}
            _ => return,
        }
        if let Err(error) = retry_transient(|| store.drop_card(payment, method, is_live)).await {
            tracing::error!(
                order.id = %payment.order, method.reference, error = %error,
                "the payment provider still has a card that the shop does not list; remove it there by hand"
            );
        }
    }

    /// The provider refused a payment with a customer: perhaps the card, or the customer, is not there any more. Then the buyer must not
    /// be offered it again.
    pub(super) async fn check_cards_are_there(&self, payment: &Payment) -> Result<()> {
        let (Some((stripe, _)), Some(customer)) = (self.card_keeper(), payment.card.customer.as_deref()) else {
            return Ok(());
        };
        let ProviderOutcome::Done(there) = call_with_deadline(stripe.calls(), stripe.cards_of(customer)).await else {
            return Ok(());
        };
        let forgotten = self.context.store.forget_lost_cards(customer, there.as_deref()).await?;
        if forgotten > 0 || there.is_none() {
            tracing::info!(order.id = %payment.order, cards = forgotten, "saved cards are gone at the payment provider");
        }
        Ok(())
    }

    /// Deletes at the provider what was removed here.
    async fn remove_at_provider(&self, stripe: &StripeProvider, removal: &ProviderRemoval) -> Result<()> {
        let ProviderRemoval { id, kind, reference, tries, created_at } = removal;
        let outcome = match kind {
            // The provider keeps a failure under its key, so each try has a key of its own. Detaching a card again has no effect.
            RemovalKind::Card => {
                call_with_deadline(stripe.calls(), stripe.detach_card(reference, &format!("det:{id}:{tries}"))).await
            }
            RemovalKind::Customer => call_with_deadline(stripe.calls(), stripe.delete_customer(reference)).await,
        };
        let is_over = self.context.now() - created_at > REMOVAL_END_MS;
        match outcome {
            ProviderOutcome::Done(()) | ProviderOutcome::Refused(_) => {}
            ProviderOutcome::Unknown if is_over => log_lapsed_removal(removal),
            ProviderOutcome::Unknown => {
                return Ok(self.context.store.postpone_removal(removal).await?);
            }
        }
        Ok(self.context.store.finish_removal(removal).await?)
    }

    /// Ends what this shop could not have deleted for 30 days: its key is of the other mode, or it has another provider now. Gives how
    /// much it was.
    async fn end_lapsed_removals(&self) -> Result<usize> {
        let own = self.card_keeper().map(|(_, is_live)| is_live);
        let before = self.context.now() - REMOVAL_END_MS;
        let ended = self.context.store.end_lapsed_removals(own, before, REMOVALS_MAX).await?;
        ended.iter().for_each(log_lapsed_removal);
        Ok(ended.len())
    }

    /// Deletes what is due at the provider. Gives how much was tried.
    pub async fn remove_due_at_provider(&self) -> Result<usize> {
        let mut tried = 0;
        if let Some((stripe, is_live)) = self.card_keeper() {
            let due = self.context.store.take_removals(is_live, REMOVALS_MAX).await?;
            tried = due.len();
            for removal in due {
                if self.context.stop.is_cancelled() {
                    break;
                }
                self.remove_at_provider(stripe, &removal).await?;
            }
        }
        let ended = self.end_lapsed_removals().await?;
        let oldest = self.context.store.oldest_removal().await?.unwrap_or(0);
        self.context.counters.oldest_removal_at.store(oldest, Ordering::Relaxed);
        Ok(tried.max(ended))
    }
}

fn log_lapsed_removal(removal: &ProviderRemoval) {
    let ProviderRemoval { kind, reference, .. } = removal;
    tracing::error!(kind = kind.name(), reference, "the payment provider never deleted this; delete it there by hand");
}

fn has_account(actor: &Actor) -> bool {
    AccountId::of_user(&actor.user).is_some()
}

/// Deletes saved cards and buyers at the payment provider that are deleted here.
pub struct SavedCardRemovalJob(pub Arc<Checkout>);

impl BackgroundJob for SavedCardRemovalJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("saved_card_removals", REMOVAL_INTERVAL, REMOVAL_RUN_DEADLINE)
    }

    fn wake(&self) -> Option<Arc<Notify>> {
        Some(self.0.removals_due.clone())
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        let checkout = self.0.clone();
        let run = async move { checkout.remove_due_at_provider().await };
        let tried = self.0.context.spawn_write(run).await?;
        Ok(if tried as i64 == REMOVALS_MAX { NextRun::Immediately } else { NextRun::AfterInterval })
    }
}
