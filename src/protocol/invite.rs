//! Invites as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Helper, Invite, InviteId, Millis, Role, UserId};

/// An invite link to the team of a show.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Invite)]
pub struct InviteView {
    pub id: InviteId,
    /// `moderator`, `producer` or `analyst`.
    pub role: Role,
    /// The name of the team member who created it.
    pub by: String,
    pub created_at: Millis,
    /// The time at which the link and the roles of its helpers expire.
    pub expires_at: Millis,
    /// Epoch milliseconds; `null`: the invite is not revoked.
    pub revoked_at: Option<Millis>,
    /// How many users may accept it; the link ends when `helpers` has this number of users.
    pub uses: i64,
    pub helpers: Vec<HelperView>,
}

/// A user who joined the team by an invite.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Helper)]
pub struct HelperView {
    pub user: UserId,
    pub name: String,
    pub joined_at: Millis,
    /// Is the helper connected to the node that answers?
    pub online: bool,
}

impl From<Invite> for InviteView {
    fn from(invite: Invite) -> Self {
        let Invite { id, role, by, created_at, expires_at, revoked_at, uses_max: uses, helpers, .. } = invite;
        let view = |Helper { user, name, joined_at }| HelperView { user, name, joined_at, online: false };
        Self {
            id,
            role,
            by,
            created_at,
            expires_at,
            revoked_at,
            uses,
            helpers: helpers.into_iter().map(view).collect(),
        }
    }
}

/// A new invite with its code. The code is sent only once, because only its hash is stored.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct NewInvite {
    /// 40 characters. The link is `/host?stream=…#invite=CODE`.
    pub code: String,
    pub invite: InviteView,
}
