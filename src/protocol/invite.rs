//! Links into the team as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Helper, Invite, InviteId, Millis, Role, UserId};

/// A link into the team of a show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Invite)]
pub struct InviteView {
    pub id: InviteId,
    /// `moderator`, `producer` or `analyst`.
    pub role: Role,
    pub by: String,
    pub created_at: Millis,
    /// Then the link ends, and the powers of everybody who came by it.
    pub expires_at: Millis,
    /// Epoch milliseconds; null: it holds.
    pub revoked_at: Option<Millis>,
    pub helpers: Vec<HelperView>,
}

/// Somebody who came by an invite.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Helper)]
pub struct HelperView {
    pub user: UserId,
    pub name: String,
    pub joined_at: Millis,
    /// Connected to the node that was asked.
    pub online: bool,
}

impl From<Invite> for InviteView {
    fn from(invite: Invite) -> Self {
        let Invite { id, role, by, created_at, expires_at, revoked_at, helpers, .. } = invite;
        let view = |Helper { user, name, joined_at }| HelperView { user, name, joined_at, online: false };
        Self { id, role, by, created_at, expires_at, revoked_at, helpers: helpers.into_iter().map(view).collect() }
    }
}

/// A new link, with its code: told once, and only its hash is kept.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct NewInvite {
    /// 40 characters; the link is `/host?stream=…#invite=CODE`.
    pub code: String,
    pub invite: InviteView,
}
