//! The keys of Stripe that an owner set on the pages: encrypted in the database, and used without a restart.

use std::sync::Arc;

use super::SettingsSync;
use crate::app::settings::StripeSettings;
use crate::domain::StripeKeys;
use crate::domain::secrets_key::SecretsKey;
use crate::domain::stripe_keys::StoredStripeKeys;

/// The name under which the keys are sealed.
const STRIPE_KEYS: &str = "stripe keys";

/// The keys, encrypted together: nobody who can write to the database makes a set of keys that was never typed. `None` only if they cannot be
/// encrypted.
pub fn seal_stripe_keys(key: &SecretsKey, keys: &StripeKeys) -> Option<String> {
    key.seal(STRIPE_KEYS, &serde_json::to_string(keys).ok()?, rand::random())
}

/// The keys in the clear. The error is a sentence for the operator.
pub fn open_stripe_keys(sealed: &str, key: Option<&SecretsKey>) -> Result<StripeKeys, String> {
    let key = key.ok_or("the keys of Stripe are encrypted, and --secrets-key-file is missing")?;
    let opened = key.open(STRIPE_KEYS, sealed);
    let opened = opened.map_err(|why| format!("the keys of Stripe cannot be read with this key: {why}"))?;
    // The error would quote the keys.
    serde_json::from_str(&opened).map_err(|_| "the keys of Stripe are not in a form that this version knows".to_owned())
}

impl SettingsSync {
    /// The account whose keys are stored, ready for use, if keys of the pages count here. Keys that cannot be read leave those that were in
    /// use: another node may have been given a new key for secrets before this one.
    pub(super) fn usable_stripe(&self, stored: Option<StoredStripeKeys>) -> Option<Arc<StripeSettings>> {
        let endpoints = self.context.settings.stripe_endpoints.as_ref()?;
        let keys = match open_stripe_keys(&stored?.sealed, self.context.settings.secrets_key.as_ref()) {
            Ok(keys) => keys,
            Err(why) => {
                tracing::error!(
                    why,
                    "the keys of Stripe in the settings cannot be used; the last known settings stay in use"
                );
                return self.context.stripe();
            }
        };
        let account = endpoints.account(keys);
        if account.is_none() {
            tracing::error!(
                "the settings have a live key of Stripe, which is not used: this node was started with --stripe-api-base or --stripe-element-js"
            );
        }
        account.map(Arc::new)
    }
}
