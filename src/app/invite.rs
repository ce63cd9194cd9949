//! Helpers: links into the team of a show, who came by them, and their end.
//!
//! A helper's token is checked like any other, without a look at the store. That a link was taken back is therefore
//! remembered with the show, on every node: each one who came by it has an id of their own, and those ids are out.

use super::{App, Result};
use crate::domain::{Actor, Helper, Invite, InviteId, Millis, Name, Permission, Refusal, Role, StreamId, UserId};
use crate::protocol::{Close, InviteView, NewInvite};

/// What opening a link gives: who one is in the show, and until when.
pub struct AcceptedInvite {
    pub actor: Actor,
    pub stream: StreamId,
    pub ttl_ms: Millis,
}

impl App {
    /// A new link. Its code is told once, here.
    pub async fn create_invite(&self, actor: &Actor, stream: StreamId, role: Role, seconds: i64) -> Result<NewInvite> {
        actor.authorize(Permission::ManageStreams, Some(stream))?;
        let (role, length) = (Invite::allowed_role(role)?, Invite::lifetime_ms(seconds)?);
        self.find_stream(stream).await?;
        let code = hex::encode(rand::random::<[u8; 20]>());
        let now = self.now();
        let invite = Invite {
            id: InviteId::new(),
            stream,
            role,
            by: actor.name.as_str().to_owned(),
            created_at: now,
            expires_at: now + length,
            revoked_at: None,
            helpers: Vec::new(),
        };
        let (app, hash) = (self.clone(), Invite::hash(&code));
        self.spawn_write(async move {
            app.store().create_invite(&invite, &hash).await?;
            Ok(NewInvite { code, invite: InviteView::from(invite) })
        })
        .await
    }

    pub async fn invites(&self, actor: &Actor, stream: StreamId) -> Result<Vec<InviteView>> {
        actor.authorize(Permission::ManageStreams, Some(stream))?;
        self.find_stream(stream).await?;
        let mut views: Vec<InviteView> =
            self.store().invites(stream).await?.into_iter().map(InviteView::from).collect();
        // Whom this node sees; the console asks for no more than a hint.
        for helper in views.iter_mut().flat_map(|view| &mut view.helpers) {
            helper.online = self.rooms().is_user_connected(&helper.user);
        }
        Ok(views)
    }

    /// Ends a link and the powers of everybody who came by it, on all nodes within about two seconds.
    pub async fn revoke_invite(&self, actor: &Actor, stream: StreamId, id: InviteId) -> Result<()> {
        actor.authorize(Permission::ManageStreams, Some(stream))?;
        let show = self.find_stream(stream).await?;
        let app = self.clone();
        self.spawn_write(async move {
            let Some(changed) = app.store().revoke_invite(stream, id, app.now()).await? else { return Ok(()) };
            app.revoke_helpers(stream, &show, app.store().revoked_helpers(stream, app.now()).await?);
            app.publish_stream(&changed);
            Ok(())
        })
        .await
    }

    /// Opens a link, under a name.
    pub async fn accept_invite(&self, code: &str, name: Name) -> Result<AcceptedInvite> {
        let user = UserId::parse(&format!("helper-{}", uuid::Uuid::new_v4().simple()))?;
        let now = self.now();
        let helper = Helper { user: user.clone(), name: name.as_str().to_owned(), joined_at: now };
        let (app, hash) = (self.clone(), Invite::hash(code));
        let invite = self.spawn_write(async move { Ok(app.store().accept_invite(&hash, &helper).await?) }).await?;
        let Invite { stream, role, expires_at, .. } = invite;
        let actor = Actor { user, name, role, stream: Some(stream), expires_at: Some(expires_at) };
        Ok(AcceptedInvite { actor, stream, ttl_ms: expires_at - now })
    }

    /// Refuses a helper whose link was taken back. Everybody else passes without a look.
    pub async fn check_helper_access(&self, actor: &Actor) -> Result<()> {
        let Some(stream) = actor.stream.filter(|_| actor.role.can_be_invited()) else { return Ok(()) };
        match self.find_stream(stream).await {
            Ok(show) if show.is_revoked(&actor.user) => Err(Refusal::TokenInvalid.into()),
            Ok(_) | Err(super::Error::Refused(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// These have no powers here any more, and their connections end.
    pub(super) fn revoke_helpers(
        &self,
        stream: StreamId,
        show: &super::cached_stream::CachedStream,
        users: Vec<UserId>,
    ) {
        for user in show.revoke_helpers(users) {
            self.rooms().close_user(stream, &user, Close::Token);
        }
    }
}
