//! The secrets in the database: the password of the mail server that the desk set, the key that the shop made to sign tokens, and the keys of
//! Stripe that an owner set.

use super::mail::{PASSWORD, open_mail_server};
use super::stripe::{open_stripe_keys, seal_stripe_keys};
use crate::app::error::Result;
use crate::domain::secrets_key::{SecretsKey, is_sealed};
use crate::guarded_address::AddressGuard;
use crate::store::{Store, StoredSecret};

/// The name under which the signing key is sealed.
const SIGNING_KEY: &str = "signing key";

/// The outcome of work with secrets. The inner error is a sentence for the operator.
type Checked<T> = std::result::Result<T, String>;

/// Whether this key opens every secret in the database.
pub async fn check_secrets(store: &Store, key: Option<&SecretsKey>) -> Result<Checked<()>> {
    let settings = store.shop_settings().await?;
    let mail = settings.mail.map_or(Ok(()), |stored| open_mail_server(stored, key, &AddressGuard::default()).map(drop));
    let stripe = settings.stripe.stored.map_or(Ok(()), |stored| open_stripe_keys(&stored.sealed, key).map(drop));
    let signing = store.signing_key(None).await?;
    let signing = signing.map_or(Ok(()), |stored| open_signing_key(&stored, key).map(drop));
    Ok(mail.and(stripe).and(signing))
}

/// The key that the shop made for its tokens, if it has one; `new` becomes it if it has none. With a key for secrets it is stored
/// encrypted, also one that was there before.
pub async fn signing_key(
    store: &Store,
    new: Option<&str>,
    key: Option<&SecretsKey>,
) -> Result<Checked<Option<String>>> {
    let seal = |secret: &str| key.map_or(Some(secret.to_owned()), |key| seal_signing_key(key, secret));
    let Some(stored) = store.signing_key(new.and_then(seal).as_deref()).await? else { return Ok(Ok(None)) };
    let opened = match open_signing_key(&stored, key) {
        Ok(opened) => opened,
        Err(why) => return Ok(Err(why)),
    };
    if let Some(sealed) = key.filter(|_| !is_sealed(&stored)).and_then(|key| seal_signing_key(key, &opened)) {
        // Another node may have encrypted it at the same moment.
        store.replace_signing_key(&stored, &sealed).await?;
    }
    Ok(Ok(Some(opened)))
}

/// Encrypts every secret in the database with `new` instead of `old`. `true`: there was one. After an error nothing is changed.
pub async fn rekey_secrets(store: &Store, old: &SecretsKey, new: &SecretsKey) -> Result<Checked<bool>> {
    let again = |secret: StoredSecret, stored: &str| match secret {
        StoredSecret::MailPassword => {
            let password = old.open(PASSWORD, stored);
            let password = password
                .map_err(|why| format!("the password of the mail server cannot be read with the old key: {why}"))?;
            new.seal(PASSWORD, &password, rand::random()).ok_or_else(|| "the password is too long".to_owned())
        }
        StoredSecret::SigningKey => {
            let opened = open_signing_key(stored, Some(old))?;
            seal_signing_key(new, &opened).ok_or_else(|| "the key that signs tokens is too long".to_owned())
        }
        StoredSecret::StripeKeys => {
            let keys = open_stripe_keys(stored, Some(old))?;
            seal_stripe_keys(new, &keys).ok_or_else(|| "the keys of Stripe are too long".to_owned())
        }
    };
    Ok(store.seal_secrets_again(again).await?)
}

fn seal_signing_key(key: &SecretsKey, secret: &str) -> Option<String> {
    key.seal(SIGNING_KEY, secret, rand::random())
}

/// A signing key as it is stored. One that was stored before there was a key for secrets is not encrypted.
fn open_signing_key(stored: &str, key: Option<&SecretsKey>) -> Checked<String> {
    match key {
        _ if !is_sealed(stored) => Ok(stored.to_owned()),
        None => Err("the key that signs tokens is encrypted, and --secrets-key-file is missing".to_owned()),
        Some(key) => {
            let opened = key.open(SIGNING_KEY, stored);
            opened.map_err(|why| format!("the key that signs tokens cannot be read with this key: {why}"))
        }
    }
}
