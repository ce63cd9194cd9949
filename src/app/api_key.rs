//! API keys: who makes and ends them, and which program a key belongs to.
//!
//! Each node keeps what it read of a key for a moment, so that a key that was ended is refused everywhere within two seconds. Unlike a
//! session, a key is never taken from an older copy: while the database is down, a program is asked to retry later.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::audit::AuditLog;
use super::context::Context;
use super::error::Result;
use super::stream_cache::StreamCache;
use crate::domain::api_key::{LAST_USE_STEP_MS, ROTATION_DEFAULT_H};
use crate::domain::{
    AccountId, Actor, ApiKey, ApiKeyId, ApiKeySecret, ApiScope, AuditAction, AuditEntry, Millis, Name, Permission,
    Refusal, SecretHash, limits,
};

/// Keys that a node keeps, those that do not exist among them.
const KEYS_CACHED_MAX: usize = 1_000;
/// How long a key is not read again.
const KEY_FRESH_MS: Millis = 1_500;

pub struct ApiKeys {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
    audit: Arc<AuditLog>,
    keys: Cache<SecretHash, CachedKey>,
    /// When this node last wrote down the use of a key.
    touched: Cache<ApiKeyId, Millis>,
}

#[derive(Clone)]
struct CachedKey {
    /// `None`: there is no key with this secret.
    key: Option<Arc<ApiKey>>,
    read_at: Millis,
}

/// What a new key is for.
#[derive(Clone, Debug)]
pub struct ApiKeyForm {
    pub name: Name,
    pub scopes: Vec<ApiScope>,
    pub expires_at: Option<Millis>,
}

impl ApiKeys {
    pub fn new(context: &Arc<Context>, stream_cache: &Arc<StreamCache>, audit: &Arc<AuditLog>) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            stream_cache: stream_cache.clone(),
            audit: audit.clone(),
            keys: Cache::new(KEYS_CACHED_MAX),
            touched: Cache::new(KEYS_CACHED_MAX),
        })
    }

    /// Whether this node knows a key with this secret, so that looking it up costs no guessing client a query.
    pub fn is_known(&self, secret: &ApiKeySecret) -> bool {
        self.keys.get(&secret.hash()).is_some_and(|cached| cached.key.is_some())
    }

    /// The key with this secret if it is in force, or why it does not work. Its use is recorded in the background.
    pub async fn authenticate(&self, secret: &ApiKeySecret) -> Result<std::result::Result<Arc<ApiKey>, Refusal>> {
        let Some(key) = self.read(secret.hash()).await? else { return Ok(Err(Refusal::TokenInvalid)) };
        if let Err(refusal) = key.check_in_force(self.context.now()) {
            return Ok(Err(refusal));
        }
        self.touch(&key);
        Ok(Ok(key))
    }

    async fn read(&self, secret: SecretHash) -> Result<Option<Arc<ApiKey>>> {
        let now = self.context.clock.now();
        if let Some(cached) = self.keys.get(&secret).filter(|cached| now - cached.read_at < KEY_FRESH_MS) {
            return Ok(cached.key);
        }
        let key = self.context.store.api_key_by_secret(&secret).await?.map(Arc::new);
        self.keys.insert(secret, CachedKey { key: key.clone(), read_at: now });
        Ok(key)
    }

    /// Writes down the use of a key, at most once a minute on each node.
    fn touch(&self, key: &ApiKey) {
        let now = self.context.now();
        let written_at = self.touched.get(&key.id).max(key.last_used_at).unwrap_or_default();
        if now - written_at < LAST_USE_STEP_MS {
            return;
        }
        self.touched.insert(key.id, now);
        let (context, id) = (self.context.clone(), key.id);
        self.context.spawn(async move {
            // The next use after a minute tries again.
            if let Err(error) = context.store.touch_api_key(id).await {
                tracing::debug!(error = %error, "the use of an API key was not recorded");
            }
        });
    }

    /// May the actor see and end API keys?
    pub async fn check_may_manage(&self, actor: &Actor) -> Result<()> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageApiKeys).await
    }

    /// May the actor make API keys now? Gives the account. A token may not: a thief of the token would keep a key forever.
    pub async fn check_may_make(&self, actor: &Actor) -> Result<AccountId> {
        self.check_may_manage(actor).await?;
        let account = AccountId::of_user(&actor.user).filter(|_| actor.session.is_some());
        let account = account.ok_or(Refusal::NoSession)?;
        actor.check_recent_sign_in(self.context.now())?;
        Ok(account)
    }

    /// The keys of the shop, newest first, also those that ended in the last months.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<ApiKey>> {
        self.check_may_manage(actor).await?;
        Ok(self.context.store.api_keys().await?)
    }

    /// Makes a key. Its secret is given once, here.
    pub async fn create(&self, actor: &Actor, form: ApiKeyForm) -> Result<(ApiKey, ApiKeySecret)> {
        let account = self.check_may_make(actor).await?;
        let now = self.context.now();
        if form.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Refusal::bad_field("expires_at", "must be in the future.").into());
        }
        let (key, secret) = self.new_key(actor, account, form);
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
        let entry = self.entry(actor, AuditAction::CreateApiKey, key.id);
        let entry = AuditEntry { name: Some(key.name.as_str().to_owned()), detail: Some(scopes.join(" ")), ..entry };
        let (context, stored, hash) = (self.context.clone(), key.clone(), secret.hash());
        self.context
            .spawn_write(async move { Ok(context.store.create_api_key(&stored, &hash, &entry).await?) })
            .await?;
        Ok((key, secret))
    }

    /// Makes the key that replaces another one, with its name, scopes and end. The old one works for `hours` more.
    pub async fn rotate(&self, actor: &Actor, id: ApiKeyId, hours: Option<i64>) -> Result<(ApiKey, ApiKeySecret)> {
        let account = self.check_may_make(actor).await?;
        let hours = hours.unwrap_or(ROTATION_DEFAULT_H);
        let (low, high) = limits::ROTATION_H;
        if !(low..=high).contains(&hours) {
            return Err(Refusal::bad_field("hours", format!("must be {low} to {high}.")).into());
        }
        let form = ApiKeyForm { name: actor.name.clone(), scopes: Vec::new(), expires_at: None };
        let (next, secret) = self.new_key(actor, account, form);
        let entry = self.entry(actor, AuditAction::RotateApiKey, id);
        let entry = AuditEntry { detail: Some(hours.to_string()), ..entry };
        let (context, hash, ends_at) = (self.context.clone(), secret.hash(), self.context.now() + hours * 3_600_000);
        let made = self
            .context
            .spawn_write(async move { Ok(context.store.rotate_api_key(id, (&next, &hash), ends_at, &entry).await?) })
            .await?;
        self.forget(id);
        Ok((made, secret))
    }

    /// Ends a key. It holds on this node when this returns, on all others within two seconds.
    pub async fn end(&self, actor: &Actor, id: ApiKeyId) -> Result<()> {
        self.check_may_manage(actor).await?;
        let entry = self.entry(actor, AuditAction::EndApiKey, id);
        let context = self.context.clone();
        self.context.spawn_write(async move { Ok(context.store.end_api_key(id, &entry).await?) }).await?;
        self.forget(id);
        Ok(())
    }

    /// Reads this key again at the next request.
    fn forget(&self, id: ApiKeyId) {
        self.keys.retain(|_, cached| cached.key.as_ref().is_none_or(|key| key.id != id));
    }

    fn new_key(&self, actor: &Actor, made_by: AccountId, form: ApiKeyForm) -> (ApiKey, ApiKeySecret) {
        let secret = ApiKeySecret::new(rand::random());
        let key = ApiKey {
            id: ApiKeyId::new(),
            name: form.name,
            hint: secret.hint(),
            scopes: form.scopes,
            made_by,
            by_name: actor.name.as_str().to_owned(),
            created_at: self.context.now(),
            last_used_at: None,
            expires_at: form.expires_at,
            ended_at: None,
        };
        (key, secret)
    }

    fn entry(&self, actor: &Actor, kind: AuditAction, id: ApiKeyId) -> AuditEntry {
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, kind);
        AuditEntry { subject: Some(id.to_string()), ..entry }
    }
}
