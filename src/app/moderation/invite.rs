//! Helpers: invite links into a stream's team, the users who accepted them, and their revocation.
//!
//! A helper's token is verified like any other, without a query to the store. Revocations are therefore cached with the
//! stream on every node: each helper has a user id of their own, and revoked ids are listed.

use std::sync::Arc;

use super::Moderation;
use crate::app::error::Result;
use crate::domain::{
    Actor, Helper, Invite, InviteId, Millis, Name, Permission, Refusal, Role, StreamId, TokenStamp, UserId,
};
use crate::protocol::{InviteView, NewInvite};

/// The result of accepting an invite: the helper's identity in the stream, and until when it is valid.
pub struct AcceptedInvite {
    pub actor: Actor,
    pub stream: StreamId,
    pub ttl_ms: Millis,
}

impl Moderation {
    /// Creates an invite link. Its code is returned once, here.
    pub async fn create_invite(
        self: &Arc<Self>,
        actor: &Actor,
        stream: StreamId,
        role: Role,
        seconds: i64,
        uses: i64,
    ) -> Result<NewInvite> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, stream).await?;
        let (role, length, uses_max) =
            (Invite::allowed_role(role)?, Invite::lifetime_ms(seconds)?, Invite::allowed_uses(uses)?);
        let code = hex::encode(rand::random::<[u8; 20]>());
        let now = self.context.now();
        let invite = Invite {
            id: InviteId::new(),
            stream,
            role,
            by: actor.name.as_str().to_owned(),
            created_at: now,
            expires_at: now + length,
            revoked_at: None,
            uses_max,
            helpers: Vec::new(),
        };
        let (this, hash) = (self.clone(), Invite::hash(&code));
        self.context
            .spawn_write(async move {
                this.context.store.create_invite(&invite, &hash).await?;
                Ok(NewInvite { code, invite: InviteView::from(invite) })
            })
            .await
    }

    pub async fn invites(&self, actor: &Actor, stream: StreamId) -> Result<Vec<InviteView>> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, stream).await?;
        let mut views: Vec<InviteView> =
            self.context.store.invites(stream).await?.into_iter().map(InviteView::from).collect();
        // Shows only users connected to this node; the console needs no more than a hint.
        for helper in views.iter_mut().flat_map(|view| &mut view.helpers) {
            helper.online = self.publisher.rooms.is_user_connected(&helper.user);
        }
        Ok(views)
    }

    /// Revokes an invite and the permissions of everyone who accepted it, on all nodes within about two seconds.
    pub async fn revoke_invite(self: &Arc<Self>, actor: &Actor, stream: StreamId, id: InviteId) -> Result<()> {
        let cached = self.stream_cache.authorize(actor, Permission::ManageStreams, stream).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let Some(changed) = this.context.store.revoke_invite(stream, id, this.context.now()).await? else {
                    return Ok(());
                };
                let revoked = this.context.store.revoked_helpers(stream, this.context.now()).await?;
                this.stream_cache.revoke_helpers(&cached, revoked);
                this.stream_cache.publish_stream(&changed);
                Ok(())
            })
            .await
    }

    /// Accepts an invite under the given name.
    pub async fn accept_invite(self: &Arc<Self>, code: &str, name: Name) -> Result<AcceptedInvite> {
        let user = UserId::parse(&format!("helper-{}", uuid::Uuid::new_v4().simple()))?;
        let now = self.context.now();
        let helper = Helper { user: user.clone(), name: name.as_str().to_owned(), joined_at: now };
        let (this, hash) = (self.clone(), Invite::hash(code));
        let invite = self
            .context
            .spawn_write(async move { Ok(this.context.store.accept_invite(&hash, &helper).await?) })
            .await?;
        let Invite { stream, role, expires_at, .. } = invite;
        let token = TokenStamp::default();
        let actor =
            Actor { user, name, role, stream: Some(stream), expires_at: Some(expires_at), token, session: None };
        Ok(AcceptedInvite { actor, stream, ttl_ms: expires_at - now })
    }

    /// Refuses a helper whose invite was revoked, also where the role is not valid. All other users pass without a check.
    pub async fn check_helper_access(&self, actor: &Actor) -> Result<()> {
        if self.stream_cache.is_revoked(actor).await? { Err(Refusal::TokenInvalid.into()) } else { Ok(()) }
    }
}
