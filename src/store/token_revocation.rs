//! Revocations of tokens: of all tokens of a user that were issued before a time, or of the token with one id.
//!
//! Each change raises one version, which every node reads once a second.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, require_known};
use crate::domain::{
    Actor, AuditEntry, Author, Millis, Refusal, RevokedTokens, Role, TokenRevocation, TokenRevocationId, UserId, token,
};

/// The largest number of revocations in force; each node has all of them in memory, about 100 bytes each.
pub const TOKEN_REVOCATIONS_MAX: i64 = 100_000;

struct RevocationRow {
    id: Uuid,
    user_id: Option<String>,
    not_before: Option<i64>,
    jti: Option<String>,
    expires_at: i64,
    created_at: i64,
    by_user: String,
    by_name: String,
    by_role: String,
    reason: Option<String>,
}

from_row!(RevocationRow { id, user_id, not_before, jti, expires_at, created_at, by_user, by_name, by_role, reason });

impl RevocationRow {
    fn into_revocation(self) -> Result<TokenRevocation> {
        let by = Author {
            id: parse_user(&self.by_user)?,
            name: self.by_name,
            role: require_known(Role::parse(&self.by_role), "role", &self.by_role)?,
        };
        Ok(TokenRevocation {
            id: TokenRevocationId(self.id),
            tokens: tokens_of(self.user_id, self.not_before, self.jti)?,
            expires_at: self.expires_at,
            created_at: self.created_at,
            by,
            reason: self.reason,
        })
    }
}

fn parse_user(text: &str) -> Result<UserId> {
    UserId::parse(text).map_err(|_| Error::CorruptRow(format!("user `{text}`")))
}

fn tokens_of(user: Option<String>, not_before: Option<Millis>, jti: Option<String>) -> Result<RevokedTokens> {
    match (user, not_before, jti) {
        (Some(user), Some(not_before), None) => Ok(RevokedTokens::OfUser { user: parse_user(&user)?, not_before }),
        (None, None, Some(jti)) => Ok(RevokedTokens::One { jti }),
        _ => Err(Error::CorruptRow("a revocation is about a user or about a token".to_owned())),
    }
}

macro_rules! revocations {
    ($rest:literal) => {
        concat!(
            "select id, user_id, not_before, jti, expires_at, created_at, by_user, by_name, by_role, reason
            from token_revocations ",
            $rest
        )
    };
}

/// Writes a revocation, with its audit log entry. It replaces one of the same user or token, whose id it keeps.
async fn write_revocation(
    tx: &mut Transaction<'_>,
    tokens: &RevokedTokens,
    expires_at: Millis,
    now: Millis,
    entry: &AuditEntry,
) -> Result<TokenRevocation> {
    macro_rules! upsert {
        ($key:literal) => {
            concat!(
                "insert into token_revocations
                    (id, user_id, not_before, jti, expires_at, created_at, by_user, by_name, by_role, reason)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                on conflict (",
                $key,
                ") do update set not_before = excluded.not_before, expires_at = excluded.expires_at,
                    created_at = excluded.created_at, by_user = excluded.by_user, by_name = excluded.by_name,
                    by_role = excluded.by_role, reason = excluded.reason"
            )
        };
    }
    let (write, read, user, not_before, jti) = match tokens {
        RevokedTokens::OfUser { user, not_before } => {
            (upsert!("user_id"), revocations!("where user_id = $1"), Some(user.as_str()), Some(*not_before), None)
        }
        RevokedTokens::One { jti } => (upsert!("jti"), revocations!("where jti = $1"), None, None, Some(jti.as_str())),
    };
    tx.query(write)
        .bind(TokenRevocationId::new().0)
        .bind(user)
        .bind(not_before)
        .bind(jti)
        .bind(expires_at)
        .bind(now)
        .bind(entry.by.id.as_str())
        .bind(&entry.by.name)
        .bind(entry.by.role.name())
        .bind(&entry.reason)
        .execute()
        .await?;
    insert_audit_entry(tx, entry).await?;
    tx.query(read).bind(user.or(jti)).fetch_one::<RevocationRow>().await?.into_revocation()
}

async fn raise_version(tx: &mut Transaction<'_>) -> Result<()> {
    tx.query("update token_revocation_version set version = version + 1").execute().await?;
    Ok(())
}

impl Store {
    /// Signs a user out everywhere: refuses every token that was issued before the next full second. `iat` has whole
    /// seconds, so a token that is signed within this second may be older than the request. Gives the revocation; a second
    /// one for the same user replaces the first.
    pub async fn revoke_tokens_of_user(
        &self,
        user: &UserId,
        ttl_ms: Millis,
        entry: &AuditEntry,
    ) -> Result<TokenRevocation> {
        self.transaction(async |tx| {
            let now = make_room(tx).await?;
            let not_before = (now / 1_000 + 1) * 1_000;
            let tokens = RevokedTokens::OfUser { user: user.clone(), not_before };
            write_revocation(tx, &tokens, now.saturating_add(ttl_ms), now, entry).await
        })
        .await
    }

    /// Revokes the token with this `jti` until it ends: at `expires_at`, or after `ttl_ms` if that is not known.
    pub async fn revoke_token(
        &self,
        jti: &str,
        expires_at: Option<Millis>,
        ttl_ms: Millis,
        entry: &AuditEntry,
    ) -> Result<TokenRevocation> {
        self.transaction(async |tx| {
            let now = make_room(tx).await?;
            let until = now.saturating_add(ttl_ms);
            let until = expires_at.map_or(until, |at| at.saturating_add(2 * token::LEEWAY_MS).min(until));
            write_revocation(tx, &RevokedTokens::One { jti: jti.to_owned() }, until, now, entry).await
        })
        .await
    }

    /// Undoes a revocation: its tokens are valid again. Refused if there is no such revocation.
    pub async fn undo_token_revocation(&self, id: TokenRevocationId, entry: &AuditEntry) -> Result<()> {
        self.transaction(async |tx| {
            raise_version(tx).await?;
            let read = revocations!("where id = $1");
            let row: Option<RevocationRow> = tx.query(read).bind(id.0).fetch_optional().await?;
            let revocation = row.ok_or(Refusal::NoSuchRevocation)?.into_revocation()?;
            tx.query("delete from token_revocations where id = $1").bind(id.0).execute().await?;
            insert_audit_entry(tx, &entry.clone().about_tokens(&revocation.tokens)).await
        })
        .await
    }

    /// A page of the revocations, newest first, before `after`.
    pub async fn token_revocations(
        &self,
        after: Option<TokenRevocationId>,
        limit: i64,
    ) -> Result<Vec<TokenRevocation>> {
        let read = revocations!("where id < $1 order by id desc limit $2");
        let before = after.map_or(Uuid::max(), |id| id.0);
        let rows: Vec<RevocationRow> = self.query(read).bind(before).bind(limit).fetch_all().await?;
        rows.into_iter().map(RevocationRow::into_revocation).collect()
    }

    /// The version of the revocations, and whether a sign-out lies in the future because a clock was ahead when it was made.
    pub async fn token_revocation_version(&self) -> Result<(i64, bool)> {
        let read = self.choose(
            "select version, exists (select 1 from token_revocations where not_before is not null
                and not_before > (extract(epoch from clock_timestamp()) * 1000)::bigint + $1) from token_revocation_version",
            "select version, exists (select 1 from token_revocations where not_before is not null and not_before > $1)
                from token_revocation_version",
        );
        let latest = match self {
            Store::Postgres(_) => token::LEEWAY_MS,
            Store::Sqlite(db) => db.clock().time_of_day() + token::LEEWAY_MS,
        };
        self.query(read).bind(latest).fetch_one().await
    }

    /// Every revocation that is in force.
    pub async fn revoked_tokens(&self) -> Result<Vec<RevokedTokens>> {
        let read = "select user_id, not_before, jti from token_revocations order by id desc limit $1";
        let rows: Vec<(Option<String>, Option<i64>, Option<String>)> =
            self.query(read).bind(TOKEN_REVOCATIONS_MAX).fetch_all().await?;
        rows.into_iter().map(|(user, not_before, jti)| tokens_of(user, not_before, jti)).collect()
    }

    /// Sets sign-outs that lie in the future to now: the clock was ahead when they were made and is correct again. Without it,
    /// every token that these users get until then would be refused.
    pub async fn correct_future_sign_outs(&self) -> Result<u64> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let correct = "update token_revocations set not_before = $1 where not_before > $2";
            let corrected = tx.query(correct).bind(now).bind(now + token::LEEWAY_MS).execute().await?;
            raise_version(tx).await?;
            Ok(corrected)
        })
        .await
    }
}

/// How long the end of a session is remembered as a revocation: every node has read it by then, and closed its connections. The
/// session itself is deleted, so nothing can bring it back.
const ENDED_SESSION_KEPT_MS: Millis = 600_000;

/// Tells every node that a user ended sessions. The number of revocations is bounded: when there are too many, the open
/// connections of the session stay until they end by themselves, but no new request gets in.
pub(super) async fn revoke_shortly(tx: &mut Transaction<'_>, by: &Actor, ended: &RevokedTokens) -> Result<()> {
    let now = match make_room(tx).await {
        Ok(now) => now,
        Err(Error::Refused(_)) => {
            tracing::warn!("there are too many revocations of tokens: connections of an ended session stay open");
            return Ok(());
        }
        Err(fault) => return Err(fault),
    };
    let of_user = "insert into token_revocations
            (id, user_id, not_before, jti, expires_at, created_at, by_user, by_name, by_role)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (user_id) do update set not_before = excluded.not_before, created_at = excluded.created_at,
            expires_at = case when excluded.expires_at > token_revocations.expires_at
                then excluded.expires_at else token_revocations.expires_at end,
            by_user = excluded.by_user, by_name = excluded.by_name, by_role = excluded.by_role";
    // Somebody of the team may have revoked the same session, for longer.
    let of_session = "insert into token_revocations
            (id, user_id, not_before, jti, expires_at, created_at, by_user, by_name, by_role)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (jti) do nothing";
    let (write, user, not_before, jti) = match ended {
        RevokedTokens::OfUser { user, not_before } => (of_user, Some(user.as_str()), Some(*not_before), None),
        RevokedTokens::One { jti } => (of_session, None, None, Some(jti.as_str())),
    };
    tx.query(write)
        .bind(TokenRevocationId::new().0)
        .bind(user)
        .bind(not_before)
        .bind(jti)
        .bind(now + ENDED_SESSION_KEPT_MS)
        .bind(now)
        .bind(by.user.as_str())
        .bind(by.name.as_str())
        .bind(by.role.name())
        .execute()
        .await?;
    Ok(())
}

/// Prepares the transaction for one more revocation: forgets those whose tokens have expired, and checks that there is room.
/// Gives the time.
async fn make_room(tx: &mut Transaction<'_>) -> Result<Millis> {
    // First, so that concurrent revocations wait for each other.
    raise_version(tx).await?;
    let now = tx.time_of_day().await?;
    tx.query("delete from token_revocations where expires_at < $1").bind(now).execute().await?;
    let count: i64 = tx.query("select cast(count(*) as bigint) from token_revocations").fetch_value().await?;
    if TOKEN_REVOCATIONS_MAX <= count {
        return Err(Refusal::WrongStatus("There are too many revocations; undo some, or rotate the key.").into());
    }
    Ok(now)
}
