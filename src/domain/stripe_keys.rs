//! The keys of an account at Stripe, as an owner types them into the pages: their form, their mode, and what is shown of them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Millis, Refusal};

/// The longest key, in bytes. Those of Stripe have 32 to about 110.
pub const STRIPE_KEY_BYTES_MAX: usize = 255;
/// Only a key of this length is partly shown: of a shorter one the last letters would give too much away.
const HINT_BYTES_MIN: usize = 20;

/// Whether payments with a key take real money.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StripeMode {
    Test,
    Live,
}

impl StripeMode {
    /// The mode of a secret, restricted or publishable key.
    fn of_key(key: &str) -> Self {
        if key.contains("_live_") { StripeMode::Live } else { StripeMode::Test }
    }
}

/// A key of an account: its field in the form, and how it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StripeKeyField {
    Key,
    PublishableKey,
    WebhookSecret,
}

impl StripeKeyField {
    pub fn name(self) -> &'static str {
        match self {
            StripeKeyField::Key => "key",
            StripeKeyField::PublishableKey => "publishable_key",
            StripeKeyField::WebhookSecret => "webhook_secret",
        }
    }

    fn prefixes(self) -> &'static [&'static str] {
        match self {
            StripeKeyField::Key => &["rk_live_", "sk_live_", "rk_test_", "sk_test_"],
            StripeKeyField::PublishableKey => &["pk_live_", "pk_test_"],
            StripeKeyField::WebhookSecret => &["whsec_"],
        }
    }

    /// Whether the text has the form of such a key.
    fn fits(self, text: &str) -> bool {
        let is_plain = text.len() <= STRIPE_KEY_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain && self.prefixes().iter().any(|prefix| text.len() > prefix.len() && text.starts_with(prefix))
    }

    /// What of a key may be shown: how it begins, and its last four characters.
    fn hint(self, key: &str) -> String {
        let begins = self.prefixes().iter().find(|prefix| key.starts_with(**prefix)).copied().unwrap_or_default();
        let last = if key.len() >= HINT_BYTES_MIN { key.get(key.len() - 4..).unwrap_or_default() } else { "" };
        format!("{begins}…{last}")
    }
}

/// Why keys of Stripe are not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StripeKeyProblem {
    /// It does not begin as a key of this field does.
    Kind(StripeKeyField),
    /// The secret and the publishable key are of different modes.
    Modes,
    /// Stripe does not know the key, or not any more.
    Rejected(StripeKeyField),
    /// A restricted key lacks a right without which nobody can pay or get money back.
    Rights(&'static str),
    /// The publishable key belongs to another account than the secret.
    OtherAccount,
    /// Stripe did not answer.
    Unreachable,
    /// This server uses a test server in place of Stripe, which must not get a live key.
    StandIn,
    /// The payments of the shop were made with another account or mode, whose keys are in use, or were half a minute ago.
    AccountChanges,
    /// So many payments, and refunds, of the account before are not finished.
    PaymentsOpen(i64),
    /// The keys cannot be set here.
    Fixed(StripeKeysFixed),
}

impl StripeKeyProblem {
    /// The field that is at fault, where it is one.
    pub fn field(self) -> Option<&'static str> {
        let field = match self {
            StripeKeyProblem::Kind(field) | StripeKeyProblem::Rejected(field) => field,
            StripeKeyProblem::Rights(_) | StripeKeyProblem::StandIn => StripeKeyField::Key,
            StripeKeyProblem::Modes | StripeKeyProblem::OtherAccount => StripeKeyField::PublishableKey,
            StripeKeyProblem::Unreachable
            | StripeKeyProblem::AccountChanges
            | StripeKeyProblem::PaymentsOpen(_)
            | StripeKeyProblem::Fixed(_) => return None,
        };
        Some(field.name())
    }
}

/// Why the keys of a shop cannot be set on its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StripeKeysFixed {
    /// The server was started with keys, which come first.
    Given,
    /// The server was started with another payment provider.
    OtherProvider,
    /// The server was started without `--base-url`, to which the bank sends the buyer back.
    NoBaseUrl,
    /// The server has no key to encrypt them with.
    NoSecretsKey,
}

impl StripeKeysFixed {
    pub fn meaning(self) -> &'static str {
        match self {
            StripeKeysFixed::Given => "The server was started with keys of Stripe, which come first.",
            StripeKeysFixed::OtherProvider => "The server was started with another payment provider.",
            StripeKeysFixed::NoBaseUrl => {
                "The server was started without --base-url, to which the bank sends the buyer back."
            }
            StripeKeysFixed::NoSecretsKey => "The server has no --secrets-key-file, so it stores no keys.",
        }
    }
}

/// The keys of an account, in the clear.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripeKeys {
    /// Secret or restricted.
    pub key: String,
    pub publishable_key: String,
    pub webhook_secret: String,
}

impl StripeKeys {
    pub fn mode(&self) -> StripeMode {
        StripeMode::of_key(&self.key)
    }

    /// Whether they are of the account and mode of the keys that are in use (`before`) or, where none are, were removed last: the secret key
    /// is the same, or the publishable key is. That counts only if Stripe has said that the two belong together (`is_pair`).
    pub fn are_of_last_account(&self, before: Option<&Self>, setting: &StripeKeysSetting, is_pair: bool) -> bool {
        let last = match before {
            Some(before) => Some(RemovedStripeKeys::new(before)),
            // Stored keys that cannot be read are in use somewhere.
            None if setting.stored.is_some() => None,
            None => setting.removed.clone(),
        };
        let these = RemovedStripeKeys::new(self);
        last.is_some_and(|last| {
            last.key_hash == these.key_hash || (is_pair && last.publishable_key == these.publishable_key)
        })
    }
}

/// Not derived: a key must not get into a log.
impl std::fmt::Debug for StripeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StripeKeys({:?})", self.mode())
    }
}

/// What is shown of a stored key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StripeKeyHint {
    /// How it begins, and its last four characters: `rk_live_…a1B2`.
    pub hint: String,
    /// When it was set.
    pub set_at: Millis,
    /// The name of the person who set it.
    pub by: String,
}

/// The keys as they are stored, as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredStripeKeys {
    /// The [keys](StripeKeys) as JSON, encrypted with the secrets key.
    pub sealed: String,
    pub mode: StripeMode,
    pub key: StripeKeyHint,
    pub publishable_key: StripeKeyHint,
    pub webhook_secret: StripeKeyHint,
}

/// What the database has of the keys.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StripeKeysSetting {
    /// `None`: nobody has set keys, or they were removed.
    pub stored: Option<StoredStripeKeys>,
    /// When keys were removed last.
    pub removed_at: Option<Millis>,
    /// What is left of those. `None` also after a removal by a node of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<RemovedStripeKeys>,
}

/// What is kept of keys that were removed: enough to know their account again, and nothing that could be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RemovedStripeKeys {
    /// It stood in the pages of the shop.
    publishable_key: String,
    /// The hash of the secret or restricted key. A key of Stripe is random and long: nobody finds it by its hash.
    key_hash: String,
}

impl RemovedStripeKeys {
    pub fn new(keys: &StripeKeys) -> Self {
        let hash = Sha256::new_with_prefix(b"livesouk key of stripe ").chain_update(&keys.key).finalize();
        Self { publishable_key: keys.publishable_key.clone(), key_hash: hex::encode(hash) }
    }
}

/// Keys as they are typed.
#[derive(Clone, PartialEq, Eq, Default, Deserialize, ToSchema)]
pub struct StripeKeysRequest {
    /// A restricted or secret key (`rk_…`, `sk_…`). Left out: the stored one stays.
    pub key: Option<String>,
    /// The publishable key of the same account (`pk_…`). Left out: the stored one stays.
    pub publishable_key: Option<String>,
    /// The signing secret of the webhook endpoint (`whsec_…`). Left out: the stored one stays.
    pub webhook_secret: Option<String>,
}

impl StripeKeysRequest {
    /// The keys that hold when this form is saved. `before`: those that hold now. White space around a key does not count: it is copied
    /// with it from a page of Stripe.
    pub fn checked(&self, before: Option<&StripeKeys>) -> Result<StripeKeys, Refusal> {
        let pick = |typed: &Option<String>, before: Option<&String>, field: StripeKeyField| {
            let typed = typed.as_deref().map(str::trim).filter(|text| !text.is_empty());
            match (typed, before) {
                (Some(text), _) if field.fits(text) => Ok(text.to_owned()),
                (Some(_), _) => Err(Refusal::StripeKeys(StripeKeyProblem::Kind(field))),
                (None, Some(before)) => Ok(before.clone()),
                (None, None) => Err(Refusal::bad_field(field.name(), "is missing.")),
            }
        };
        let keys = StripeKeys {
            key: pick(&self.key, before.map(|keys| &keys.key), StripeKeyField::Key)?,
            publishable_key: pick(
                &self.publishable_key,
                before.map(|keys| &keys.publishable_key),
                StripeKeyField::PublishableKey,
            )?,
            webhook_secret: pick(
                &self.webhook_secret,
                before.map(|keys| &keys.webhook_secret),
                StripeKeyField::WebhookSecret,
            )?,
        };
        if StripeMode::of_key(&keys.publishable_key) != keys.mode() {
            return Err(Refusal::StripeKeys(StripeKeyProblem::Modes));
        }
        Ok(keys)
    }
}

impl StoredStripeKeys {
    /// What is stored of `keys`, which `by` sets at `now`. A key that is the same as `before` keeps its time and its name.
    pub fn new(keys: &StripeKeys, sealed: String, before: Option<(&StripeKeys, &Self)>, by: &str, now: Millis) -> Self {
        let hint = |field: StripeKeyField, key: &str, before: Option<(&String, &StripeKeyHint)>| match before {
            Some((same, hint)) if same == key => hint.clone(),
            _ => StripeKeyHint { hint: field.hint(key), set_at: now, by: by.to_owned() },
        };
        let (was, shown) = (before.map(|(keys, _)| keys), before.map(|(_, shown)| shown));
        Self {
            sealed,
            mode: keys.mode(),
            key: hint(StripeKeyField::Key, &keys.key, was.map(|was| &was.key).zip(shown.map(|shown| &shown.key))),
            publishable_key: hint(
                StripeKeyField::PublishableKey,
                &keys.publishable_key,
                was.map(|was| &was.publishable_key).zip(shown.map(|shown| &shown.publishable_key)),
            ),
            webhook_secret: hint(
                StripeKeyField::WebhookSecret,
                &keys.webhook_secret,
                was.map(|was| &was.webhook_secret).zip(shown.map(|shown| &shown.webhook_secret)),
            ),
        }
    }
}

/// How long after the removal of keys no node uses them any more. A payment that a node began with them is in the database by then.
pub const KEYS_REMOVED_MS: Millis = 30_000;

/// Checks whether the shop may take keys that do not know its payments: only when nothing is left to do with the previous account. Other keys
/// cannot read its answers, and a payment that Stripe "does not know" would look like one that was never made. `open`: payments and
/// refunds of it that are not finished.
pub fn check_account_change(setting: &StripeKeysSetting, open: i64, now: Millis) -> Result<(), StripeKeyProblem> {
    let is_just_removed = setting.removed_at.is_some_and(|at| now < at + KEYS_REMOVED_MS);
    if setting.stored.is_some() || is_just_removed {
        return Err(StripeKeyProblem::AccountChanges);
    }
    if open > 0 { Err(StripeKeyProblem::PaymentsOpen(open)) } else { Ok(()) }
}

#[cfg(test)]
#[path = "stripe_keys_test.rs"]
mod tests;
