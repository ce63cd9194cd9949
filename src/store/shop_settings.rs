//! The settings that the pages of the desk change: where the shop is and what it speaks, its title and currency, its mail server.
//!
//! Every change raises a version, by which the other nodes notice it.

use serde::de::DeserializeOwned;

use super::audit::insert_audit_entry;
use super::product::{SELECT_SHOP, ShopRow, read_shop};
use super::transaction::Transaction;
use super::{Error, Result, Store, titles_to_json, to_json};
use crate::domain::mail_settings::MailSettings;
use crate::domain::shop_settings::{ShopForm, ShopProfile};
use crate::domain::stripe_keys::{RemovedStripeKeys, StoredStripeKeys, StripeKeysSetting};
use crate::domain::{AuditEntry, Refusal, Shop};

const PROFILE: &str = "shop";
const MAIL: &str = "mail";
const STRIPE: &str = "stripe";
const SETUP: &str = "setup";

/// The settings as they are stored.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StoredSettings {
    pub profile: ShopProfile,
    /// `None`: nobody has typed a mail server.
    pub mail: Option<MailSettings>,
    pub stripe: StripeKeysSetting,
    /// The shop was just created, and its owner has not come yet.
    pub is_setup_open: bool,
    /// Grows with every change.
    pub version: i64,
}

/// A secret that is encrypted in the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredSecret {
    MailPassword,
    /// The key that signs the tokens of a shop that was started without one.
    SigningKey,
    StripeKeys,
}

impl Store {
    pub async fn shop_settings(&self) -> Result<StoredSettings> {
        let rows: Vec<(String, String, i64)> =
            self.query("select name, value, version from shop_settings").fetch_all().await?;
        let mut settings = StoredSettings::default();
        for (name, value, version) in rows {
            settings.version = settings.version.max(version);
            match name.as_str() {
                PROFILE => settings.profile = parse(&name, &value)?,
                MAIL => settings.mail = parse(&name, &value)?,
                STRIPE => settings.stripe = parse(&name, &value)?,
                SETUP => settings.is_setup_open = value == "\"open\"",
                // A newer node wrote it.
                _ => {}
            }
        }
        Ok(settings)
    }

    pub async fn shop_settings_version(&self) -> Result<i64> {
        let read = "select cast(coalesce(max(version), 0) as bigint) from shop_settings";
        self.query(read).fetch_value().await
    }

    /// Says that the set-up of a new shop is open.
    pub async fn open_setup(&self) -> Result<()> {
        self.transaction(async |tx| write(tx, SETUP, "\"open\"").await).await
    }

    /// Applies a form to the shop and its profile as they are stored, so that forms that are saved at the same time, on any node, keep each
    /// other's changes. The currency is refused once the shop has a product, and while a coupon has an amount: they would mean something
    /// else.
    pub async fn update_shop(&self, form: &ShopForm, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            tx.lock_name("shop_settings").await?;
            let read = "select value from shop_settings where name = $1";
            let stored: Option<String> = tx.query(read).bind(PROFILE).fetch_optional_value().await?;
            let profile: ShopProfile = stored.map(|value| parse(PROFILE, &value)).transpose()?.unwrap_or_default();
            let row: Option<ShopRow> = tx.query(SELECT_SHOP).fetch_optional().await?;
            let shop = read_shop(row.ok_or_else(|| Error::CorruptRow("there is no shop".to_owned()))?)?;
            let (shop, profile) = form.clone().apply(&shop, &profile)?;
            write_profile(tx, &shop, &profile).await?;
            insert_audit_entry(tx, entry).await
        })
        .await
    }

    /// Encrypts the secrets in the database again: `seal` gets each stored one with its name. The settings are the same, so that no node
    /// has to read them again. `false`: none is stored. After an error of `seal` nothing is changed.
    pub async fn seal_secrets_again(
        &self,
        seal: impl Fn(StoredSecret, &str) -> std::result::Result<String, String>,
    ) -> Result<std::result::Result<bool, String>> {
        self.transaction(async |tx| {
            tx.lock_name("shop_settings").await?;
            let read = "select value from shop_settings where name = $1";
            let stored: Option<String> = tx.query(read).bind(MAIL).fetch_optional_value().await?;
            let mail: Option<MailSettings> = stored.map(|value| parse(MAIL, &value)).transpose()?.flatten();
            let password = mail.as_ref().and_then(|mail| mail.sealed_password.clone());
            let read = "select value from shop_settings where name = $1";
            let stripe: Option<String> = tx.query(read).bind(STRIPE).fetch_optional_value().await?;
            let stripe: StripeKeysSetting = stripe.map(|value| parse(STRIPE, &value)).transpose()?.unwrap_or_default();
            let read = "select secret from signing_keys where one = 1";
            let signing: Option<String> = tx.query(read).fetch_optional_value().await?;
            let again = |secret, sealed: Option<&String>| sealed.map(|sealed| seal(secret, sealed)).transpose();
            // All of them first: what cannot be read must not leave the others changed.
            let (password, signing, keys) = match (
                again(StoredSecret::MailPassword, password.as_ref()),
                again(StoredSecret::SigningKey, signing.as_ref()),
                again(StoredSecret::StripeKeys, stripe.stored.as_ref().map(|stored| &stored.sealed)),
            ) {
                (Ok(password), Ok(signing), Ok(keys)) => (password, signing, keys),
                (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => return Ok(Err(why)),
            };
            let is_any = password.is_some() || signing.is_some() || keys.is_some();
            if let (Some(stored), Some(sealed)) = (stripe.stored, keys) {
                let again = StripeKeysSetting { stored: Some(StoredStripeKeys { sealed, ..stored }), ..stripe };
                let write = "update shop_settings set value = $2 where name = $1";
                tx.query(write).bind(STRIPE).bind(to_json(&again)?).execute().await?;
            }
            if let (Some(mail), Some(password)) = (mail, password) {
                let again = MailSettings { sealed_password: Some(password), ..mail };
                let write = "update shop_settings set value = $2 where name = $1";
                tx.query(write).bind(MAIL).bind(to_json(&Some(again))?).execute().await?;
            }
            if let Some(signing) = signing {
                tx.query("update signing_keys set secret = $1 where one = 1").bind(signing).execute().await?;
            }
            Ok(Ok(is_any))
        })
        .await
    }

    /// Writes the keys of Stripe, which were `before`; `None` takes them away, and `removed` is what is kept of them. Refused as outdated if
    /// somebody has changed them meanwhile.
    pub async fn update_stripe_keys(
        &self,
        keys: Option<&StoredStripeKeys>,
        before: Option<&StoredStripeKeys>,
        removed: Option<&RemovedStripeKeys>,
        entry: &AuditEntry,
    ) -> Result<()> {
        self.transaction(async |tx| {
            tx.lock_name("shop_settings").await?;
            let now = tx.now().await?;
            let read = "select value from shop_settings where name = $1";
            let stored: Option<String> = tx.query(read).bind(STRIPE).fetch_optional_value().await?;
            let stored: StripeKeysSetting = stored.map(|value| parse(STRIPE, &value)).transpose()?.unwrap_or_default();
            if stored.stored.as_ref() != before {
                return Err(Refusal::Outdated.into());
            }
            let (removed_at, removed) = match keys {
                Some(_) => (stored.removed_at, stored.removed),
                None => (Some(now), removed.cloned()),
            };
            write(tx, STRIPE, &to_json(&StripeKeysSetting { stored: keys.cloned(), removed_at, removed })?).await?;
            insert_audit_entry(tx, entry).await
        })
        .await
    }

    /// Writes the mail server; `None` takes it away.
    pub async fn update_mail_settings(&self, mail: Option<&MailSettings>, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            write(tx, MAIL, &to_json(&mail)?).await?;
            insert_audit_entry(tx, entry).await
        })
        .await
    }
}

fn parse<T: DeserializeOwned>(name: &str, value: &str) -> Result<T> {
    serde_json::from_str(value).map_err(|error| Error::CorruptRow(format!("setting `{name}`: {error}")))
}

async fn write(tx: &mut Transaction<'_>, name: &'static str, value: &str) -> Result<()> {
    // Two changes at once would get the same version.
    tx.lock_name("shop_settings").await?;
    let next: i64 =
        tx.query("select cast(coalesce(max(version), 0) + 1 as bigint) from shop_settings").fetch_value().await?;
    let write = "insert into shop_settings (name, value, version) values ($1, $2, $3)
        on conflict (name) do update set value = excluded.value, version = excluded.version";
    tx.query(write).bind(name).bind(value).bind(next).execute().await.map(drop)
}

/// Part of a transaction; see [`Store::update_shop`].
pub(super) async fn write_profile(tx: &mut Transaction<'_>, shop: &Shop, profile: &ShopProfile) -> Result<()> {
    write(tx, PROFILE, &to_json(profile)?).await?;
    let read = "select currency from shops where id = $1";
    let before: Option<String> = tx.query(read).bind(shop.id.0).fetch_optional_value().await?;
    if before.is_some_and(|before| before != shop.currency) {
        let count: i64 = tx.query("select cast(count(*) as bigint) from products").fetch_value().await?;
        if count > 0 {
            return Err(Refusal::InvalidValue {
                field: "currency",
                why: "cannot be changed once the shop has a product.",
            }
            .into());
        }
        // A coupon that is made meanwhile waits, and gets the new currency.
        tx.lock_name("coupons").await?;
        let count = "select cast(count(*) as bigint) from coupons
            where ended_at is null and currency <> $1 and (amount is not null or minimum > 0)";
        if tx.query(count).bind(&shop.currency).fetch_value::<i64>().await? > 0 {
            let why = "cannot be changed while a coupon has an amount or a minimum in the former one; end it first.";
            return Err(Refusal::InvalidValue { field: "currency", why }.into());
        }
    }
    let update = "update shops set title = $2, titles = $3, currency = $4 where id = $1";
    let update = tx.query(update).bind(shop.id.0).bind(&shop.title).bind(titles_to_json(&shop.titles));
    update.bind(&shop.currency).execute().await.map(drop)
}

/// The owner has come.
pub(super) async fn end_setup(tx: &mut Transaction<'_>) -> Result<()> {
    write(tx, SETUP, "\"done\"").await
}
