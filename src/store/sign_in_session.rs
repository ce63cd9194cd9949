//! Sign-in sessions. A session is looked up by the hash of its secret; the name and the person of an account are those of the
//! account.

use uuid::Uuid;

use super::account::{parse_email, parse_name, parse_person};
use super::passkey::count_passkeys;
use super::row::from_row;
use super::staff::{check_name_is_free, read_roles};
use super::token_revocation::revoke_shortly;
use super::transaction::Transaction;
use super::{Error, Result, Store};
use crate::domain::sign_in_session::{SESSION_IDLE_MAX_MS, SESSIONS_OF_USER_MAX};
use crate::domain::{
    Account, AccountId, Actor, Millis, Name, PasskeyStanding, PersonKey, RevokedTokens, SecretHash, SignInSession,
    SignInSessionId, UserId,
};

struct SessionRow {
    id: Uuid,
    user_id: String,
    account: Option<Uuid>,
    person: String,
    name: String,
    email: Option<String>,
    created_at: i64,
    last_used_at: i64,
    expires_at: i64,
    stepped_up_at: Option<i64>,
    user_agent: String,
    passkey_at: Option<i64>,
    passkeys: i64,
}

from_row!(SessionRow {
    id,
    user_id,
    account,
    person,
    name,
    email,
    created_at,
    last_used_at,
    expires_at,
    stepped_up_at,
    user_agent,
    passkey_at,
    passkeys
});

impl SessionRow {
    fn into_session(self) -> Result<SignInSession> {
        let user = UserId::parse(&self.user_id).map_err(|_| Error::CorruptRow(format!("user `{}`", self.user_id)))?;
        Ok(SignInSession {
            id: SignInSessionId(self.id),
            user,
            account: self.account.map(AccountId),
            person: parse_person(&self.person)?,
            name: parse_name(&self.name)?,
            email: parse_email(self.email)?,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            stepped_up_at: self.stepped_up_at,
            user_agent: self.user_agent,
            passkey: PasskeyStanding::of(self.passkeys > 0, self.passkey_at.is_some()),
            roles: Vec::new(),
        })
    }
}

macro_rules! sessions {
    ($rest:literal) => {
        concat!(
            "select s.id, s.user_id, s.account, coalesce(a.person, s.user_id) as person, coalesce(a.name, s.name) as name,
                a.email, s.created_at, s.last_used_at, s.expires_at, s.stepped_up_at, s.user_agent, s.passkey_at,
                (select cast(count(*) as bigint) from passkeys p where p.account = s.account) as passkeys
            from sign_in_sessions s left join accounts a on a.id = s.account ",
            $rest
        )
    };
}

/// A session that is about to be created.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub secret: SecretHash,
    pub user_agent: String,
    /// It begins with a passkey, or the machine of the shop vouches for it: the roles of an account with passkeys count in it.
    pub is_strong: bool,
}

impl Store {
    /// Creates a guest with this name, and the guest's first session.
    pub async fn create_guest_session(&self, name: &Name, new: &NewSession) -> Result<SignInSession> {
        self.transaction(async |tx| {
            let id = SignInSessionId::new();
            let user = SignInSession::guest_user(id);
            check_name_is_free(tx, name).await?;
            insert_session(tx, id, &user, None, name, new).await
        })
        .await
    }

    /// Creates a session for this account: whoever has its secret is signed in.
    pub async fn create_account_session(&self, account: &Account, new: &NewSession) -> Result<SignInSession> {
        self.transaction(async |tx| insert_account_session(tx, account, new).await).await
    }

    /// The session with this secret, with the time of the database; also one that has expired.
    pub async fn session_by_secret(&self, secret: &SecretHash) -> Result<Option<SignInSession>> {
        let read = sessions!("where s.secret_hash = $1");
        let row: Option<SessionRow> = self.query(read).bind(&secret[..]).fetch_optional().await?;
        let Some(session) = row.map(SessionRow::into_session).transpose()? else { return Ok(None) };
        let roles = match session.account {
            Some(account) => self.staff_roles(account).await?,
            None => Vec::new(),
        };
        Ok(Some(SignInSession { roles, ..session }))
    }

    /// Writes down that a session is used now, which makes it last longer. Gives its new end; `None`: the session was ended.
    pub async fn touch_session(&self, id: SignInSessionId) -> Result<Option<Millis>> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let write =
                "update sign_in_sessions set last_used_at = $2, expires_at = $3 where id = $1 and expires_at > $2";
            let expires_at = now + SESSION_IDLE_MAX_MS;
            let changed = tx.query(write).bind(id.0).bind(now).bind(expires_at).execute().await?;
            Ok((changed > 0).then_some(expires_at))
        })
        .await
    }

    /// The sessions of a user that have not expired: the one that was used last comes first.
    pub async fn sessions_of(&self, user: &UserId) -> Result<Vec<SignInSession>> {
        let read = sessions!("where s.user_id = $1 order by s.last_used_at desc, s.id desc limit $2");
        let rows: Vec<SessionRow> = self.query(read).bind(user.as_str()).bind(SESSIONS_OF_USER_MAX).fetch_all().await?;
        rows.into_iter().map(SessionRow::into_session).collect()
    }

    /// Changes the name of a guest or an account, in all its sessions. Nobody but the staff gets a name that reads like one of the staff.
    pub async fn rename_user(&self, user: &UserId, name: &Name, is_staff: bool) -> Result<()> {
        self.transaction(async |tx| {
            if !is_staff {
                check_name_is_free(tx, name).await?;
            }
            let sessions = "update sign_in_sessions set name = $2 where user_id = $1";
            tx.query(sessions).bind(user.as_str()).bind(name.as_str()).execute().await?;
            if let Some(account) = AccountId::of_user(user) {
                let rename = "update accounts set name = $2 where id = $1";
                tx.query(rename).bind(account.0).bind(name.as_str()).execute().await?;
            }
            Ok(())
        })
        .await
    }

    /// Ends one session of a user, and tells every node. `false`: the user has no such session.
    pub async fn end_session(&self, actor: &Actor, id: SignInSessionId) -> Result<bool> {
        self.transaction(async |tx| {
            let delete = "delete from sign_in_sessions where id = $1 and user_id = $2";
            let ended = tx.query(delete).bind(id.0).bind(actor.user.as_str()).execute().await? > 0;
            if ended {
                revoke_shortly(tx, actor, &RevokedTokens::One { jti: SignInSession::token_id(id) }).await?;
            }
            Ok(ended)
        })
        .await
    }

    /// Ends every session of a user, and tells every node.
    pub async fn end_all_sessions(&self, actor: &Actor) -> Result<u64> {
        self.transaction(async |tx| end_sessions_of(tx, actor, &actor.user).await).await
    }

    /// Deletes sessions, challenges for passkeys and sign-ins at an identity provider that have expired, and codes that are not counted any more, at most `most` of each.
    /// Gives how many went.
    pub async fn delete_expired_sign_ins(&self, codes_before: Millis, most: i64) -> Result<u64> {
        self.transaction(async |tx| {
            let now = tx.time_of_day().await?;
            let sessions = "delete from sign_in_sessions where id in
                (select id from sign_in_sessions where expires_at <= $1 order by expires_at limit $2)";
            let sessions = tx.query(sessions).bind(now).bind(most).execute().await?;
            let codes = "delete from email_codes where id in
                (select id from email_codes where created_at < $1 order by created_at limit $2)";
            let codes = tx.query(codes).bind(codes_before).bind(most).execute().await?;
            let challenges = "delete from passkey_challenges where challenge_hash in
                (select challenge_hash from passkey_challenges where expires_at <= $1 order by expires_at limit $2)";
            let challenges = tx.query(challenges).bind(now).bind(most).execute().await?;
            let begun = "delete from oidc_sign_ins where state_hash in
                (select state_hash from oidc_sign_ins where expires_at <= $1 order by expires_at limit $2)";
            let begun = tx.query(begun).bind(now).bind(most).execute().await?;
            Ok(sessions + codes + challenges + begun)
        })
        .await
    }
}

/// Ends every session of a user, and tells every node that `by` did so.
pub(super) async fn end_sessions_of(tx: &mut Transaction<'_>, by: &Actor, user: &UserId) -> Result<u64> {
    let delete = "delete from sign_in_sessions where user_id = $1";
    let ended = tx.query(delete).bind(user.as_str()).execute().await?;
    // A session that is created in this millisecond is a new one.
    let not_before = tx.time_of_day().await?;
    revoke_shortly(tx, by, &RevokedTokens::OfUser { user: user.clone(), not_before }).await?;
    Ok(ended)
}

pub(super) async fn insert_account_session(
    tx: &mut Transaction<'_>,
    account: &Account,
    new: &NewSession,
) -> Result<SignInSession> {
    let user = account.id.user();
    let session = insert_session(tx, SignInSessionId::new(), &user, Some(account.id), &account.name, new).await?;
    let oldest = "delete from sign_in_sessions where id in (select id from sign_in_sessions where user_id = $1
        order by last_used_at desc, id desc limit 1000 offset $2)";
    tx.query(oldest).bind(user.as_str()).bind(SESSIONS_OF_USER_MAX).execute().await?;
    let (person, email) = (account.person.clone(), account.email.clone());
    let passkey = PasskeyStanding::of(count_passkeys(tx, account.id).await? > 0, new.is_strong);
    Ok(SignInSession { person, email, passkey, roles: read_roles(tx, account.id).await?, ..session })
}

async fn insert_session(
    tx: &mut Transaction<'_>,
    id: SignInSessionId,
    user: &UserId,
    account: Option<AccountId>,
    name: &Name,
    NewSession { secret, user_agent, is_strong }: &NewSession,
) -> Result<SignInSession> {
    let now = tx.time_of_day().await?;
    let expires_at = now + SESSION_IDLE_MAX_MS;
    let insert = "insert into sign_in_sessions
            (id, secret_hash, user_id, account, name, created_at, last_used_at, expires_at, user_agent, passkey_at)
        values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)";
    tx.query(insert)
        .bind(id.0)
        .bind(&secret[..])
        .bind(user.as_str())
        .bind(account.map(|account| account.0))
        .bind(name.as_str())
        .bind(now)
        .bind(expires_at)
        .bind(user_agent)
        .bind(is_strong.then_some(now))
        .execute()
        .await?;
    Ok(SignInSession {
        id,
        user: user.clone(),
        account,
        person: PersonKey::of_user(user),
        name: name.clone(),
        email: None,
        created_at: now,
        last_used_at: now,
        expires_at,
        stepped_up_at: None,
        user_agent: user_agent.clone(),
        passkey: PasskeyStanding::None,
        roles: Vec::new(),
    })
}
