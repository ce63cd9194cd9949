//! API keys. A key is looked up by the hash of its secret. Every change runs in one transaction with its entry in the audit log.

use uuid::Uuid;

use super::account::parse_name;
use super::audit::insert_audit_entry;
use super::row::from_row;
use super::staff::{lock_staff, read_roles};
use super::transaction::Transaction;
use super::{Result, Store};
use crate::domain::api_key::{API_KEYS_MAX, API_KEYS_OF_NAME_MAX, ENDED_KEY_KEPT_MS, LAST_USE_STEP_MS};
use crate::domain::staff::highest_role;
use crate::domain::{AccountId, ApiKey, ApiKeyId, ApiScope, AuditEntry, Millis, Refusal, Role, SecretHash};

/// Keys of a list: those in force, and those that ended in the last months.
const LISTED_MAX: i64 = 500;

struct ApiKeyRow {
    id: Uuid,
    name: String,
    hint: String,
    scopes: String,
    made_by: Uuid,
    by_name: String,
    created_at: i64,
    last_used_at: Option<i64>,
    expires_at: Option<i64>,
    ended_at: Option<i64>,
}

from_row!(ApiKeyRow { id, name, hint, scopes, made_by, by_name, created_at, last_used_at, expires_at, ended_at });

impl ApiKeyRow {
    fn into_key(self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: ApiKeyId(self.id),
            name: parse_name(&self.name)?,
            hint: self.hint,
            // A scope that this version does not know gives nothing.
            scopes: self.scopes.split(' ').filter_map(ApiScope::parse).collect(),
            made_by: AccountId(self.made_by),
            by_name: self.by_name,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
        })
    }
}

macro_rules! api_keys {
    ($rest:literal) => {
        concat!(
            "select id, name, hint, scopes, made_by, by_name, created_at, last_used_at, expires_at, ended_at
            from api_keys ",
            $rest
        )
    };
}

/// A ban from any show, or from the whole shop, by somebody who ranks as high takes the power over the shop, as in `authorize_in_shop`.
const KEY_OF_SECRET: &str = api_keys!(
    "where key_hash = $1
        and exists (select 1 from staff s where s.account = made_by and s.stream is null and s.role in ('owner', 'admin'))
        and not exists (select 1 from accounts a join sanctions b on b.person = a.person
            where a.id = made_by and b.kind = 'ban' and b.by_role in ('owner', 'admin'))"
);

impl Store {
    /// The key with this secret, also one that has ended. None whose maker has no power over the shop any more: a node of the version
    /// before ends no keys, and a ban by somebody of the shop takes the power too.
    pub async fn api_key_by_secret(&self, secret: &SecretHash) -> Result<Option<ApiKey>> {
        let row: Option<ApiKeyRow> = self.query(KEY_OF_SECRET).bind(&secret[..]).fetch_optional().await?;
        row.map(ApiKeyRow::into_key).transpose()
    }

    /// The keys of the shop, newest first, without those that ended long ago.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>> {
        let since = self.now().await? - ENDED_KEY_KEPT_MS;
        let read = api_keys!(
            "where coalesce(ended_at, $1) >= $1 and coalesce(expires_at, $1) >= $1 order by id desc limit $2"
        );
        let rows: Vec<ApiKeyRow> = self.query(read).bind(since).bind(LISTED_MAX).fetch_all().await?;
        rows.into_iter().map(ApiKeyRow::into_key).collect()
    }

    /// Stores a new key. Refused when too many are in force, and when the person who makes it has lost their role meanwhile.
    pub async fn create_api_key(&self, key: &ApiKey, secret: &SecretHash, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            insert_api_key(tx, key, secret).await?;
            insert_audit_entry(tx, entry).await
        })
        .await
    }

    /// Stores `next`, a key with the name, the scopes and the end of another one, which ends at `ends_at` or before.
    pub async fn rotate_api_key(
        &self,
        id: ApiKeyId,
        (next, secret): (&ApiKey, &SecretHash),
        ends_at: Millis,
        entry: &AuditEntry,
    ) -> Result<ApiKey> {
        self.transaction(async |tx| {
            lock_staff(tx).await?;
            let now = tx.now().await?;
            let row: Option<ApiKeyRow> = tx.query(api_keys!("where id = $1")).bind(id.0).fetch_optional().await?;
            let before = row.map(ApiKeyRow::into_key).transpose()?.filter(|key| key.is_in_force(now));
            let before = before.ok_or(Refusal::NoSuchApiKey)?;
            // A key that was meant to end at a certain time is replaced by one that ends then. The end that an earlier rotation gave it
            // is not meant for the new one.
            let read = "select meant_end from api_keys where id = $1";
            let expires_at: Option<i64> = tx.query(read).bind(id.0).fetch_value().await?;
            let (name, scopes) = (before.name.clone(), before.scopes.clone());
            let next = ApiKey { name, scopes, expires_at, ..next.clone() };
            let end = "update api_keys set expires_at = $2 where id = $1 and (expires_at is null or expires_at > $2)";
            tx.query(end).bind(id.0).bind(ends_at).execute().await?;
            insert_api_key(tx, &next, secret).await?;
            let entry = AuditEntry { name: Some(next.name.as_str().to_owned()), ..entry.clone() };
            insert_audit_entry(tx, &entry).await?;
            Ok(next)
        })
        .await
    }

    /// Ends a key at once. Refused if it has ended already.
    pub async fn end_api_key(&self, id: ApiKeyId, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let row: Option<ApiKeyRow> = tx.query(api_keys!("where id = $1")).bind(id.0).fetch_optional().await?;
            let key = row.map(ApiKeyRow::into_key).transpose()?.filter(|key| key.is_in_force(now));
            let key = key.ok_or(Refusal::NoSuchApiKey)?;
            let end = "update api_keys set ended_at = $2 where id = $1 and ended_at is null";
            tx.query(end).bind(id.0).bind(now).execute().await?;
            insert_audit_entry(tx, &AuditEntry { name: Some(key.name.as_str().to_owned()), ..entry.clone() }).await
        })
        .await
    }

    /// Writes down that a key is used, unless that was written in the last minute.
    pub async fn touch_api_key(&self, id: ApiKeyId) -> Result<()> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let used_at = now - now % LAST_USE_STEP_MS;
            let write =
                "update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)";
            tx.query(write).bind(id.0).bind(used_at).execute().await.map(drop)
        })
        .await
    }
}

/// Stores a key, as a part of a transaction that holds the lock of the staff.
async fn insert_api_key(tx: &mut Transaction<'_>, key: &ApiKey, secret: &SecretHash) -> Result<()> {
    let now = tx.now().await?;
    let role = highest_role(&read_roles(tx, key.made_by).await?, None);
    if !matches!(role, Some(Role::Owner | Role::Admin)) {
        return Err(Refusal::Forbidden.into());
    }
    let forget = "delete from api_keys where coalesce(ended_at, expires_at) < $1";
    tx.query(forget).bind(now - ENDED_KEY_KEPT_MS).execute().await?;
    let count = "select cast(count(*) as bigint) from api_keys
        where ended_at is null and (expires_at is null or expires_at > $1)";
    let in_force: i64 = tx.query(count).bind(now).fetch_value().await?;
    if in_force >= API_KEYS_MAX {
        return Err(Refusal::WrongStatus("There are too many API keys; end some first.").into());
    }
    let count = "select cast(count(*) as bigint) from api_keys
        where name = $2 and ended_at is null and (expires_at is null or expires_at > $1)";
    let of_name: i64 = tx.query(count).bind(now).bind(key.name.as_str()).fetch_value().await?;
    if of_name >= API_KEYS_OF_NAME_MAX {
        return Err(Refusal::WrongStatus("Two keys of this name are in force; end one first.").into());
    }
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    let insert = "insert into api_keys
            (id, key_hash, name, hint, scopes, made_by, by_name, created_at, expires_at, meant_end)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    tx.query(insert)
        .bind(key.id.0)
        .bind(&secret[..])
        .bind(key.name.as_str())
        .bind(&key.hint)
        .bind(scopes.join(" "))
        .bind(key.made_by.0)
        .bind(&key.by_name)
        .bind(key.created_at)
        .bind(key.expires_at)
        .execute()
        .await
        .map(drop)
}

/// Ends every key that an account made: it has lost power, or it is erased.
pub(super) async fn end_api_keys_of(tx: &mut Transaction<'_>, account: AccountId, now: Millis) -> Result<()> {
    let end = "update api_keys set ended_at = $2 where made_by = $1 and ended_at is null";
    tx.query(end).bind(account.0).bind(now).execute().await.map(drop)
}
