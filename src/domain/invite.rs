//! Invites: links by which the host adds helpers to the team of one show.

use sha2::{Digest, Sha256};

use super::limits;
use super::product::in_range;
use super::{InviteId, Millis, Refusal, Role, StreamId, UserId};

/// The SHA-256 hash of an invite code. Only the hash is stored.
pub type CodeHash = [u8; 32];

/// An invite link. A user who opens it while it is valid joins the team of one show, in one role.
#[derive(Clone, PartialEq, Debug)]
pub struct Invite {
    pub id: InviteId,
    pub stream: StreamId,
    pub role: Role,
    /// The name of the team member who created it.
    pub by: String,
    pub created_at: Millis,
    /// The time at which the link and the roles of its helpers expire.
    pub expires_at: Millis,
    pub revoked_at: Option<Millis>,
    pub helpers: Vec<Helper>,
}

/// A user who joined the team by an invite.
#[derive(Clone, PartialEq, Debug)]
pub struct Helper {
    pub user: UserId,
    pub name: String,
    pub joined_at: Millis,
}

impl Invite {
    /// The most helpers per invite. An invite is for a team; a leaked link must not let in everybody.
    pub const HELPERS_MAX: i64 = 20;
    /// The most valid invites that one show has at a time.
    pub const ACTIVE_MAX: i64 = 50;

    /// Checks that an invite may give this role: never a role that runs the show.
    pub fn allowed_role(role: Role) -> Result<Role, Refusal> {
        if role.can_be_invited() {
            Ok(role)
        } else {
            Err(Refusal::bad_field("role", "must be moderator, producer or analyst."))
        }
    }

    /// Checks the lifetime of an invite, 10 minutes to 30 days, and converts it to milliseconds.
    pub fn lifetime_ms(seconds: i64) -> Result<Millis, Refusal> {
        Ok(in_range(seconds, limits::INVITE_S, "expires_s")? * 1_000)
    }

    pub fn hash(code: &str) -> CodeHash {
        Sha256::digest(code.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invite_gives_no_role_that_runs_the_show() {
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
