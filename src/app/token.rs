//! Revocation of tokens: a user is signed out everywhere, or one token is refused.
//!
//! The store is the truth. Each node has all revocations in memory, so that a request costs no query, and reads their version
//! once a second; messages between nodes are not needed, so a revocation works without Redis too. Connections whose token is
//! revoked are closed.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use utoipa::ToSchema;

use super::audit::AuditLog;
use super::context::Context;
use super::error::Result;
use super::jobs::{BackgroundJob, JobSpec, NextRun};
use super::publisher::Publisher;
use crate::domain::token::{LEEWAY_MS, TokenId};
use crate::domain::{
    Actor, AuditAction, AuditEntry, Millis, Permission, Place, Refusal, TokenRevocationId, TokenRevocations, UserId,
    audit, authorize_by_role,
};
use crate::protocol::Close;

pub use crate::protocol::TokenRevocationView;

/// A revocation takes effect on every node within two seconds: this, and the time of a query.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What to revoke: a user's tokens, or one token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct RevocationForm {
    /// The `sub` of a user: every token that was issued until now is refused.
    #[schema(min_length = 1, max_length = 64)]
    pub user: Option<String>,
    /// The `jti` of a token, 1 to 256 characters.
    #[schema(min_length = 1, max_length = 256)]
    pub jti: Option<String>,
    /// With `jti`: when that token expires, in epoch milliseconds. Default: after the longest lifetime of a token.
    pub expires_at: Option<Millis>,
    /// At most 200 characters; for the audit log.
    pub reason: Option<String>,
}

pub struct Tokens {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    audit: Arc<AuditLog>,
}

impl Tokens {
    /// Reads the revocations, so that no request is answered without them.
    pub async fn start(context: &Arc<Context>, publisher: &Arc<Publisher>, audit: &Arc<AuditLog>) -> Result<Arc<Self>> {
        let (context, publisher, audit) = (context.clone(), publisher.clone(), audit.clone());
        let tokens = Arc::new(Self { context, publisher, audit });
        tokens.refresh().await?;
        Ok(tokens)
    }

    /// Refuses an actor whose token was revoked.
    pub fn check(&self, actor: &Actor) -> std::result::Result<(), Refusal> {
        if self.context.revoked_tokens.contains(actor) { Err(Refusal::TokenRevoked) } else { Ok(()) }
    }

    /// How many revocations this node knows.
    pub fn revocations_in_force(&self) -> usize {
        self.context.revoked_tokens.len()
    }

    /// Revokes a user's tokens or one token. On this node it holds when this returns, on all others within two seconds.
    pub async fn revoke(self: &Arc<Self>, actor: &Actor, form: RevocationForm) -> Result<TokenRevocationView> {
        authorize_by_role(actor, Permission::RevokeTokens, Place::Shop)?;
        actor.check_recent_sign_in(self.context.now())?;
        let RevocationForm { user, jti, expires_at, reason } = form;
        let reason = audit::parse_reason(reason.as_deref())?;
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::RevokeTokens);
        let entry = AuditEntry { reason, ..entry };
        // A token that is signed with a clock that is ahead lives a little longer, and it is accepted a little longer.
        let ttl_ms = self.context.settings.token_max_ttl_ms + 2 * LEEWAY_MS;
        let this = self.clone();
        match (user, jti) {
            (Some(user), None) => {
                let user = UserId::parse(&user)?;
                let entry = AuditEntry { user: Some(user.clone()), ..entry };
                self.context
                    .spawn_write(async move {
                        let made = this.context.store.revoke_tokens_of_user(&user, ttl_ms, &entry).await?;
                        this.refresh_after_change().await;
                        Ok(TokenRevocationView::from(made))
                    })
                    .await
            }
            (None, Some(jti)) if (1..=TokenId::LENGTH_MAX).contains(&jti.len()) => {
                let entry = AuditEntry { subject: Some(jti.clone()), ..entry };
                self.context
                    .spawn_write(async move {
                        let made = this.context.store.revoke_token(&jti, expires_at, ttl_ms, &entry).await?;
                        this.refresh_after_change().await;
                        Ok(TokenRevocationView::from(made))
                    })
                    .await
            }
            (None, Some(_)) => Err(Refusal::bad_field("jti", "must have 1 to 256 characters.").into()),
            _ => Err(Refusal::bad_request("Give either `user` or `jti`.").into()),
        }
    }

    /// A page of the revocations, newest first.
    pub async fn revocations(
        &self,
        actor: &Actor,
        after: Option<TokenRevocationId>,
        limit: i64,
    ) -> Result<Vec<TokenRevocationView>> {
        authorize_by_role(actor, Permission::RevokeTokens, Place::Shop)?;
        let found = self.context.store.token_revocations(after, limit).await?;
        Ok(found.into_iter().map(TokenRevocationView::from).collect())
    }

    /// Undoes a revocation: tokens that have not expired are valid again.
    pub async fn undo(self: &Arc<Self>, actor: &Actor, id: TokenRevocationId) -> Result<()> {
        authorize_by_role(actor, Permission::RevokeTokens, Place::Shop)?;
        actor.check_recent_sign_in(self.context.now())?;
        let entry = self.audit.audit_entry(actor, AuditEntry::WHOLE_SHOP, AuditAction::RestoreTokens);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.undo_token_revocation(id, &entry).await?;
                this.refresh_after_change().await;
                Ok(())
            })
            .await
    }

    /// The change is committed. If it cannot be read back now, the next poll reads it.
    pub async fn refresh_after_change(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(error = %error, "the revocations of tokens could not be read");
        }
    }

    /// Reads the revocations if they have changed, and closes the connections whose token is revoked.
    async fn refresh(&self) -> Result<()> {
        let Context { store, revoked_tokens, .. } = &*self.context;
        let epoch = self.context.epoch();
        let (mut version, is_ahead) = store.token_revocation_version().await?;
        if is_ahead {
            let corrected = store.correct_future_sign_outs().await?;
            tracing::warn!(corrected, "sign-outs were dated in the future: a clock was ahead when they were made");
            version += 1;
        }
        if revoked_tokens.version() == (epoch, version) {
            return Ok(());
        }
        let revoked = Arc::new(TokenRevocations::new(store.revoked_tokens().await?));
        revoked_tokens.replace((epoch, version), &revoked);
        let closed = self.publisher.rooms.close_all(Close::Token, |actor| revoked.contains(actor));
        tracing::info!(version, revocations = revoked.len(), closed, "the revocations of tokens have changed");
        Ok(())
    }
}

/// Reads the revocations that other nodes made.
pub struct TokenRevocationJob(pub Arc<Tokens>);

impl BackgroundJob for TokenRevocationJob {
    fn spec(&self) -> JobSpec {
        JobSpec::new("token_revocations", POLL_INTERVAL, Duration::from_secs(10))
    }

    async fn run(&mut self, _is_last: bool) -> Result<NextRun> {
        self.0.refresh().await?;
        Ok(NextRun::AfterInterval)
    }
}
