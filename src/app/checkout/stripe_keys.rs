//! The keys of Stripe that an owner sets on the pages: checked at Stripe, stored encrypted, and used on every node without a restart.

use std::sync::Arc;

use super::Checkout;
use super::provider::PaymentProvider;
use super::stripe::{self, StripeProvider};
use crate::app::error::{Error, Result};
use crate::app::settings::{StripeCardForm, StripeEndpoints};
use crate::app::settings_sync::{open_stripe_keys, seal_stripe_keys};
use crate::domain::payment::AUTHORIZATION_LAPSE_MS;
use crate::domain::secrets_key::SecretsKey;
use crate::domain::stripe_keys::{
    RemovedStripeKeys, StoredStripeKeys, StripeKeysRequest, StripeKeysSetting, check_account_change,
};
use crate::domain::{
    Actor, AuditAction, AuditEntry, Millis, Permission, Place, Refusal, Role, StripeKeyProblem, StripeKeys,
    StripeKeysFixed, StripeMode,
};
use crate::store::AccountPayments;

/// When to try again while another check runs on this node: each may send five requests to Stripe.
const CHECK_RETRY_MS: i64 = 2_000;

/// What the page of the keys shows.
#[derive(Clone, Debug)]
pub struct StripeKeysState {
    pub stored: Option<StoredStripeKeys>,
    /// Why keys cannot be set here.
    pub fixed: Option<StripeKeysFixed>,
    /// The mode of the keys that are in use. `None`: nobody can pay with Stripe now.
    pub mode: Option<StripeMode>,
    /// Payments and refunds at Stripe that are not finished.
    pub open_payments: i64,
    /// From when on these count no more. `None`: there are none, or refunds among them, which count until they are finished.
    pub open_until: Option<Millis>,
    /// Where Stripe sends its events.
    pub webhook_url: Option<String>,
}

/// What Stripe says to keys that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StripeKeysCheck {
    pub mode: StripeMode,
    /// The shop was paid with another account or mode: with these keys those payments cannot be refunded.
    pub is_other_account: bool,
}

/// Keys that were typed and checked.
struct CheckedKeys {
    keys: StripeKeys,
    before: Option<StripeKeys>,
    setting: StripeKeysSetting,
    check: StripeKeysCheck,
}

impl Checkout {
    /// What the pages need for the card form of Stripe, if it takes the payments now.
    pub fn card_form(&self) -> Option<StripeCardForm> {
        match &self.provider {
            PaymentProvider::Stripe(stripe) => stripe.account()?.card_form.clone(),
            _ => None,
        }
    }

    /// The keys, without their secret parts.
    pub async fn stripe_keys(&self, actor: &Actor) -> Result<StripeKeysState> {
        self.authorize_stripe_keys(actor).await?;
        let settings = &self.context.settings;
        let account = self.context.stripe();
        let AccountPayments { open, open_since, .. } = self.account_payments().await?;
        Ok(StripeKeysState {
            stored: self.context.store.shop_settings().await?.stripe.stored,
            fixed: self.keys_fixed(),
            mode: account
                .map(|account| if stripe::is_live_key(&account.key) { StripeMode::Live } else { StripeMode::Test }),
            open_payments: open,
            open_until: open_since.map(|since| since + AUTHORIZATION_LAPSE_MS),
            webhook_url: settings.public_url.as_ref().map(|url| format!("{url}/v1/webhooks/{}", stripe::NAME)),
        })
    }

    /// Asks Stripe about the keys of this form, with the stored ones where none was typed. Nothing is stored.
    pub async fn check_stripe_keys(&self, actor: &Actor, form: StripeKeysRequest) -> Result<StripeKeysCheck> {
        self.authorize_stripe_keys(actor).await?;
        actor.check_recent_sign_in(self.context.now())?;
        Ok(self.checked_keys(&form).await?.check)
    }

    /// Sets the keys that were typed, after Stripe has accepted them; the others stay. They hold on this node when this returns, on all others
    /// within two seconds.
    pub async fn set_stripe_keys(self: &Arc<Self>, actor: &Actor, form: StripeKeysRequest) -> Result<StripeKeysCheck> {
        self.authorize_stripe_keys(actor).await?;
        actor.check_recent_sign_in(self.context.now())?;
        let CheckedKeys { keys, before, setting, check } = self.checked_keys(&form).await?;
        let (secrets_key, _) = self.secrets_key_and_endpoints()?;
        let sealed = seal_stripe_keys(secrets_key, &keys).ok_or(Error::Unavailable)?;
        let before = before.as_ref().zip(setting.stored.as_ref());
        let stored = StoredStripeKeys::new(&keys, sealed, before, actor.name.as_str(), self.context.now());
        self.write_stripe_keys(actor, (Some(stored), None), setting.stored, AuditAction::SetStripeKeys).await?;
        Ok(check)
    }

    /// Takes the keys away: nobody can pay with Stripe any more, and payments under way wait. Without effect if there are none.
    pub async fn remove_stripe_keys(self: &Arc<Self>, actor: &Actor) -> Result<()> {
        self.authorize_stripe_keys(actor).await?;
        actor.check_recent_sign_in(self.context.now())?;
        let before = self.context.store.shop_settings().await?.stripe.stored;
        if before.is_none() {
            return Ok(());
        }
        let secrets_key = self.context.settings.secrets_key.as_ref();
        let keys = before.as_ref().and_then(|stored| open_stripe_keys(&stored.sealed, secrets_key).ok());
        let removed = keys.as_ref().map(RemovedStripeKeys::new);
        self.write_stripe_keys(actor, (None, removed), before, AuditAction::RemoveStripeKeys).await
    }

    /// Only an owner may see and change them: the money of the shop goes to their account.
    async fn authorize_stripe_keys(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageSettings).await?;
        if actor.role_in(Place::Shop) != Role::Owner {
            return Err(Refusal::Forbidden.into());
        }
        Ok(())
    }

    fn keys_fixed(&self) -> Option<StripeKeysFixed> {
        let settings = &self.context.settings;
        if settings.stripe.is_some() {
            return Some(StripeKeysFixed::Given);
        }
        if settings.adapter.is_some() || settings.is_test_provider_enabled {
            return Some(StripeKeysFixed::OtherProvider);
        }
        match (&settings.secrets_key, &settings.stripe_endpoints) {
            (None, _) => Some(StripeKeysFixed::NoSecretsKey),
            (Some(_), None) => Some(StripeKeysFixed::NoBaseUrl),
            (Some(_), Some(_)) => None,
        }
    }

    fn secrets_key_and_endpoints(&self) -> Result<(&SecretsKey, &StripeEndpoints)> {
        if let Some(why) = self.keys_fixed() {
            return Err(Refusal::StripeKeys(StripeKeyProblem::Fixed(why)).into());
        }
        let settings = &self.context.settings;
        let endpoints = settings.secrets_key.as_ref().zip(settings.stripe_endpoints.as_ref());
        Ok(endpoints.ok_or(Refusal::SecretsKeyMissing)?)
    }

    fn stripe_provider(&self) -> Option<&StripeProvider> {
        match &self.provider {
            PaymentProvider::Stripe(stripe) => Some(stripe),
            _ => None,
        }
    }

    async fn account_payments(&self) -> Result<AccountPayments> {
        Ok(self.context.store.account_payments(stripe::NAME, self.lapsed_before().await?).await?)
    }

    /// The authorization of a payment that began before this time has lapsed.
    async fn lapsed_before(&self) -> Result<Millis> {
        Ok(self.context.store.now().await? - AUTHORIZATION_LAPSE_MS)
    }

    async fn checked_keys(&self, form: &StripeKeysRequest) -> Result<CheckedKeys> {
        let (secrets_key, endpoints) = self.secrets_key_and_endpoints()?;
        let setting = self.context.store.shop_settings().await?.stripe;
        // Stored keys that cannot be read any more have to be typed again.
        let before =
            setting.stored.as_ref().and_then(|stored| open_stripe_keys(&stored.sealed, Some(secrets_key)).ok());
        let keys = form.checked(before.as_ref())?;
        let account = endpoints.account(keys.clone()).ok_or(Refusal::StripeKeys(StripeKeyProblem::StandIn))?;
        let stripe = self.stripe_provider().ok_or(Error::Unavailable)?;
        let _one = self.key_checks.try_acquire().map_err(|_| Refusal::Busy { retry_ms: CHECK_RETRY_MS })?;
        let AccountPayments { newest, open, .. } = self.account_payments().await?;
        let unanswered = match newest.is_none() && open > 0 {
            true => self.context.store.unanswered_payments(stripe::NAME, self.lapsed_before().await?).await?,
            false => Vec::new(),
        };
        let facts = stripe.check_keys(account, newest.as_deref(), &unanswered).await.map_err(Refusal::StripeKeys)?;
        // If no payment was answered yet, only the payments that are under way and the keys themselves show which account has them.
        let is_known = facts.knows_payments
            || newest.is_none() && (open == 0 || keys.are_of_last_account(before.as_ref(), &setting, facts.is_pair));
        if !is_known {
            // Read again: payments may have begun meanwhile.
            let (now, open) = (self.context.store.now().await?, self.account_payments().await?.open);
            check_account_change(&setting, open, now).map_err(Refusal::StripeKeys)?;
        }
        let check = StripeKeysCheck { mode: keys.mode(), is_other_account: !is_known };
        Ok(CheckedKeys { keys, before, setting, check })
    }

    async fn write_stripe_keys(
        self: &Arc<Self>,
        actor: &Actor,
        (keys, removed): (Option<StoredStripeKeys>, Option<RemovedStripeKeys>),
        before: Option<StoredStripeKeys>,
        action: AuditAction,
    ) -> Result<()> {
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, action);
        let shown = keys.as_ref().or(before.as_ref());
        let entry = AuditEntry { detail: shown.map(|shown| shown.key.hint.clone()), ..entry };
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.update_stripe_keys(keys.as_ref(), before.as_ref(), removed.as_ref(), &entry).await?;
                this.settings_sync.refresh_after_change().await;
                Ok(())
            })
            .await
    }
}
