//! People who sign in on our own pages: guests, accounts, and their sessions.
//!
//! A session is looked up by the hash of its cookie. Each node keeps what it read for a moment, so that a change of an account
//! counts everywhere within two seconds; the end of a session counts sooner, as a revocation.

mod cleanup;
mod email_code;
mod oidc;
mod passkey;

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::context::Context;
use super::error::Result;
use super::stream_cache::StreamCache;
use super::token::Tokens;
use crate::domain::sign_in_session::{SESSION_TOUCH_MS, clean_user_agent};
use crate::domain::{
    Account, Actor, IdentityKind, Millis, Name, Refusal, SecretHash, SessionSecret, SignInSession, SignInSessionId,
    UserId,
};
use crate::store::NewSession;

pub use cleanup::SignInCleanupJob;
pub use oidc::OidcAnswer;
pub use passkey::{PasskeyChallenge, PasskeyUse};

/// Sessions that a node keeps, about 500 bytes each. Above that, those that were used least are read again.
const SESSIONS_CACHED_MAX: usize = 50_000;
/// How long a session is not read again: a new name, role or block of its user counts within two seconds.
const SESSION_FRESH_MS: Millis = 1_500;
/// How long a session that was read remains valid while the database is down.
const SESSION_STALE_MAX_MS: Millis = 60_000;

pub struct Accounts {
    context: Arc<Context>,
    stream_cache: Arc<StreamCache>,
    tokens: Arc<Tokens>,
    sessions: Cache<SecretHash, CachedSession>,
}

#[derive(Clone)]
struct CachedSession {
    /// `None`: there is no session with this secret.
    session: Option<Arc<SignInSession>>,
    read_at: Millis,
}

/// A session that begins, with the secret that its browser gets.
#[derive(Clone, Debug)]
pub struct StartedSession {
    pub session: SignInSession,
    pub secret: SessionSecret,
}

impl Accounts {
    pub fn new(context: &Arc<Context>, stream_cache: &Arc<StreamCache>, tokens: &Arc<Tokens>) -> Arc<Self> {
        let (context, stream_cache, tokens) = (context.clone(), stream_cache.clone(), tokens.clone());
        Arc::new(Self { context, stream_cache, tokens, sessions: Cache::new(SESSIONS_CACHED_MAX) })
    }

    /// The user of a session; `None`: it has ended, or there never was one with this secret.
    pub async fn authenticate(self: &Arc<Self>, secret: &SessionSecret) -> Result<Option<Actor>> {
        let Some(session) = self.session(secret.hash()).await? else { return Ok(None) };
        if session.expires_at <= self.context.now() {
            return Ok(None);
        }
        self.touch(&session);
        let actor = session.actor();
        Ok(self.tokens.check(&actor).is_ok().then_some(actor))
    }

    async fn session(&self, secret: SecretHash) -> Result<Option<Arc<SignInSession>>> {
        let now = self.context.clock.now();
        let cached = self.sessions.get(&secret);
        if let Some(CachedSession { session, .. }) = cached.as_ref().filter(|one| now - one.read_at < SESSION_FRESH_MS)
        {
            return Ok(session.clone());
        }
        match (self.context.store.session_by_secret(&secret).await, cached) {
            (Ok(found), _) => {
                let session = found.map(Arc::new);
                self.sessions.insert(secret, CachedSession { session: session.clone(), read_at: now });
                Ok(session)
            }
            (Err(_), Some(stale)) if now - stale.read_at < SESSION_STALE_MAX_MS => Ok(stale.session),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Makes a session that is in use last longer, in the background.
    fn touch(self: &Arc<Self>, session: &SignInSession) {
        let (id, last_used_at) = (session.id, session.last_used_at);
        if self.context.now() - last_used_at < SESSION_TOUCH_MS {
            return;
        }
        let context = self.context.clone();
        self.context.spawn(async move {
            // The next use tries again.
            if let Err(error) = context.store.touch_session(id).await {
                tracing::debug!(error = %error, "the use of a session was not recorded");
            }
        });
    }

    /// Signs in a guest, who has only a name.
    pub async fn sign_in_guest(&self, name: Name, user_agent: &str) -> Result<StartedSession> {
        if name.claims_role() {
            return Err(Refusal::NameClaimsRole.into());
        }
        let (secret, new) = new_session(user_agent);
        let context = self.context.clone();
        let create = async move { Ok(context.store.create_guest_session(&name, &new).await?) };
        let session = self.context.spawn_write(create).await?;
        self.context.counters.sign_ins.increment("guest");
        Ok(StartedSession { session, secret })
    }

    /// Signs in to an account that was proved in another way than by a code: a set-up link, an invite, a passkey.
    pub async fn sign_in_account(&self, account: Account, user_agent: &str) -> Result<StartedSession> {
        let (secret, new) = new_session(user_agent);
        let context = self.context.clone();
        let create = async move { Ok(context.store.create_account_session(&account, &new).await?) };
        let session = self.context.spawn_write(create).await?;
        self.context.counters.sign_ins.increment("account");
        Ok(StartedSession { session, secret })
    }

    /// Changes the name of a guest or an account. Open connections keep the old name until they reconnect.
    pub async fn rename(&self, actor: &Actor, name: Name) -> Result<()> {
        own_session(actor)?;
        if name.claims_role() && !actor.is_team() {
            return Err(Refusal::NameClaimsRole.into());
        }
        let (context, user, is_staff) = (self.context.clone(), actor.user.clone(), actor.is_team());
        let rename = async move { Ok(context.store.rename_user(&user, &name, is_staff).await?) };
        self.context.spawn_write(rename).await?;
        self.forget(&actor.user);
        Ok(())
    }

    /// The sessions of the caller: the one that was used last comes first.
    pub async fn sessions(&self, actor: &Actor) -> Result<Vec<SignInSession>> {
        own_session(actor)?;
        let now = self.context.now();
        let mut sessions = self.context.store.sessions_of(&actor.user).await?;
        sessions.retain(|session| now < session.expires_at);
        Ok(sessions)
    }

    /// Ends one session of the caller. It holds on this node when this returns, and on all others within two seconds; its open
    /// connections are closed. Ending it twice has no further effect.
    pub async fn end_session(&self, actor: &Actor, id: SignInSessionId) -> Result<()> {
        own_session(actor)?;
        let (context, tokens, actor) = (self.context.clone(), self.tokens.clone(), actor.clone());
        self.context
            .spawn_write(async move {
                context.store.end_session(&actor, id).await?;
                tokens.refresh_after_change().await;
                Ok(())
            })
            .await
    }

    /// Ends every session of the caller: signs out everywhere.
    pub async fn end_all_sessions(&self, actor: &Actor) -> Result<()> {
        own_session(actor)?;
        let (context, tokens, actor) = (self.context.clone(), self.tokens.clone(), actor.clone());
        self.context
            .spawn_write(async move {
                context.store.end_all_sessions(&actor).await?;
                tokens.refresh_after_change().await;
                Ok(())
            })
            .await
    }

    /// Reads the sessions of this user again at the next request.
    pub fn forget(&self, user: &UserId) {
        self.sessions.retain(|_, cached| cached.session.as_ref().is_none_or(|session| session.user != *user));
    }
}

/// The session of an actor who signed in on our own pages.
fn own_session(actor: &Actor) -> std::result::Result<SignInSessionId, Refusal> {
    match (&actor.session, actor.kind()) {
        (Some(session), _) => Ok(session.id),
        (None, IdentityKind::Anonymous) => Err(Refusal::SignIn),
        (None, _) => Err(Refusal::NoSession),
    }
}

/// The secret of a session that is about to begin, and what the store keeps.
pub fn new_session(user_agent: &str) -> (SessionSecret, NewSession) {
    let secret = new_secret();
    let new = NewSession { secret: secret.hash(), user_agent: clean_user_agent(user_agent), is_strong: false };
    (secret, new)
}

fn new_secret() -> SessionSecret {
    SessionSecret::new(rand::random())
}
