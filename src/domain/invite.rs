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
    /// How many users may accept it.
    pub uses_max: i64,
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
    /// How many users may accept an invite, unless the host chooses another number: a link that is passed on lets in nobody else.
    pub const USES_DEFAULT: i64 = 1;
    /// The most users who may accept one invite.
    pub const USES_MAX: i64 = limits::INVITE_USES.1;
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

    /// Checks how many users may accept an invite, 1 to [`USES_MAX`](Self::USES_MAX).
    pub fn allowed_uses(uses: i64) -> Result<i64, Refusal> {
        in_range(uses, limits::INVITE_USES, "uses")
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
            (Role::Anonymous, false),
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
