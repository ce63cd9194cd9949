//! Helpers: people the host lets into the team of one show, by a link.

use sha2::{Digest, Sha256};

use super::product::in_range;
use super::{InviteId, Millis, Refusal, Role, StreamId, UserId};

/// What is kept of a link's code.
pub type CodeHash = [u8; 32];

/// A link into the team: whoever opens it while it holds helps in one show, in one role.
#[derive(Clone, PartialEq, Debug)]
pub struct Invite {
    pub id: InviteId,
    pub stream: StreamId,
    pub role: Role,
    /// Who made it.
    pub by: String,
    pub created_at: Millis,
    /// Then the link ends, and the powers of everybody who came by it.
    pub expires_at: Millis,
    pub revoked_at: Option<Millis>,
    pub helpers: Vec<Helper>,
}

/// Somebody who came by an invite.
#[derive(Clone, PartialEq, Debug)]
pub struct Helper {
    pub user: UserId,
    pub name: String,
    pub joined_at: Millis,
}

impl Invite {
    /// A link is for a team, not for a crowd that it leaked to.
    pub const HELPERS_MAX: i64 = 20;
    /// Links of one show that hold at once.
    pub const ACTIVE_MAX: i64 = 50;

    /// The roles a link may give: never one that runs the show.
    pub fn allowed_role(role: Role) -> Result<Role, Refusal> {
        if role.can_be_invited() {
            Ok(role)
        } else {
            Err(Refusal::bad_request("role is moderator, producer or analyst"))
        }
    }

    /// A link holds 10 minutes to 30 days.
    pub fn lifetime_ms(seconds: i64) -> Result<Millis, Refusal> {
        Ok(in_range(seconds, 600, 30 * 24 * 3_600, "expires_s")? * 1_000)
    }

    pub fn hash(code: &str) -> CodeHash {
        Sha256::digest(code.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_gives_no_role_that_runs_the_show() {
        for (role, good) in [
            (Role::Guest, false),
            (Role::Viewer, false),
            (Role::Moderator, true),
            (Role::Producer, true),
            (Role::Analyst, true),
            (Role::Host, false),
            (Role::Admin, false),
        ] {
            assert_eq!(Invite::allowed_role(role).is_ok(), good, "{role:?}");
        }
    }
}
