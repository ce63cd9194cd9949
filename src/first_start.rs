//! The first start of a shop: the key that signs its tokens, the set-up link with which the owner signs in first, and how an owner
//! signs in again who lost the account.

use std::io::Write;

use anyhow::Context;

use crate::app::{App, signing_key};
use crate::clock::Clock;
use crate::config::{OwnerArgs, TokenRuleArgs};
use crate::domain::secrets_key::SecretsKey;
use crate::domain::staff::link_hash;
use crate::domain::{Role, TokenRules};
use crate::http::auth::{JwksLocation, TokenAuth};
use crate::node::{self, StartError};
use crate::store::Store;

/// The keys of tokens: those that were given, else the one that the shop made for itself when it was new. Empty: the shop has always
/// had keys of the operator, so a missing one is a mistake and must not become another key.
///
/// With a key for secrets, the one that the shop made is encrypted with it, also when it was stored before there was such a key.
pub async fn auth_keys(
    store: &Store,
    given: &[String],
    is_new_shop: bool,
    secrets_key: Option<&SecretsKey>,
) -> Result<Vec<String>, StartError> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let new = hex::encode(rand::random::<[u8; 32]>());
    let key = signing_key(store, is_new_shop.then_some(&*new), secrets_key).await.map_err(StartError::App)?;
    let key =
        key.map_err(|why| StartError::Config(format!("--secrets-key-file (LIVESOUK_SECRETS_KEY_FILE): {why}")))?;
    Ok(key.into_iter().collect())
}

/// The keys and rules for tokens, as `serve` was given them.
pub fn token_auth(keys: &[String], args: &TokenRuleArgs, clock: &Clock) -> Result<TokenAuth, String> {
    let role = |flag: &'static str| {
        move |name: &String| Role::of_token(name).ok_or_else(|| format!("{flag}: there is no role `{name}`"))
    };
    let key_roles: Vec<Role> =
        args.auth_key_max_roles.iter().map(role("--auth-key-max-role")).collect::<Result<_, _>>()?;
    let jwks_roles: Vec<Role> = args.jwks_max_roles.iter().map(role("--jwks-max-role")).collect::<Result<_, _>>()?;
    let sources = args.jwks.iter().map(|source| JwksLocation::parse(source)).collect::<Result<_, _>>()?;
    let rules = TokenRules {
        audiences: args.audiences.clone(),
        issuers: args.issuers.clone(),
        max_ttl_ms: args.max_ttl_s * 1_000,
    };
    TokenAuth::with_max_roles(keys, &key_roles, clock.clone())?.with_rules(rules).with_jwks(sources, &jwks_roles)
}

/// The page of a link. Its code is behind `#`: browsers do not send it to servers, so it gets into no log.
fn link(base_url: &str, code: &str) -> String {
    format!("{}/setup#{code}", base_url.trim_end_matches('/'))
}

/// Prints a new link as long as a new shop has no owner. Only to stdout: logs are read by more people than the machine has.
pub async fn print_setup_link(app: &App, base_url: &str) -> anyhow::Result<()> {
    if !app.staff.is_setup_open().await.map_err(StartError::App)? {
        return Ok(());
    }
    let (code, _) = app.staff.new_setup_link().await.map_err(StartError::App)?;
    let text = format!(
        "\n  This shop has no owner yet. Open this link to set it up; it works once, for 24 hours:\n\n  {}\n\n  \
         Another start of the server prints a new link, which replaces this one.\n\n",
        link(base_url, &code)
    );
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::warn!("the link for the set-up could not be printed ({error}); `livesouk owner recover` prints one");
    }
    Ok(())
}

/// `livesouk owner recover`: prints a link that signs in as the owner.
pub async fn recover_owner(options: OwnerArgs) -> anyhow::Result<()> {
    let store = node::open_store(&options.store, &Clock::system(), 1).await?;
    if store.shop().await.map_err(StartError::Store)?.is_none() {
        return Err(StartError::Config(
            "--store (LIVESOUK_STORE): this database has no shop yet; start `livesouk serve`".to_owned(),
        )
        .into());
    }
    let code = hex::encode(rand::random::<[u8; 20]>());
    store.replace_setup_link(&link_hash(&code)).await.map_err(StartError::Store)?;
    store.close().await;
    let mut out = std::io::stdout().lock();
    let printed = writeln!(out, "{}", link(&options.base_url, &code)).and_then(|()| out.flush());
    printed.context("cannot write to the standard output")
}
