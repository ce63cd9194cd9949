//! Sanctions: mutes and bans, which work only downwards along the roles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::product::in_range;
use super::{Millis, PersonKey, Refusal, Role, UserId, limits};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SanctionKind {
    Mute,
    Ban,
}

impl SanctionKind {
    pub fn name(self) -> &'static str {
        match self {
            SanctionKind::Mute => "mute",
            SanctionKind::Ban => "ban",
        }
    }
}

/// A user who is muted (for a time) or banned (until the ban is lifted) in one show.
#[derive(Clone, PartialEq, Debug)]
pub struct Sanction {
    pub user: UserId,
    /// The person behind the user: it binds every identity of this person.
    pub person: PersonKey,
    pub name: String,
    pub kind: SanctionKind,
    /// `None`: until lifted.
    pub until: Option<Millis>,
    pub by: String,
    /// The role of the team member who imposed it. It binds only those who rank below, and those who rank below cannot change it.
    pub by_role: Role,
    pub reason: Option<String>,
}

impl Sanction {
    /// Checks the seconds of a mute, 10 seconds to 7 days, and converts them to milliseconds.
    pub fn mute_ms(seconds: i64) -> Result<i64, Refusal> {
        Ok(in_range(seconds, limits::MUTE_S, "seconds")? * 1_000)
    }

    /// Sanctions work only downwards: refuses a team member who does not rank above the user. `target` is the highest role that
    /// the user is known to have in the show.
    pub fn check_rank(by: Role, target: Role) -> Result<(), Refusal> {
        if by.outranks(target) { Ok(()) } else { Err(Refusal::Outranked) }
    }

    /// Refuses to replace or lift a sanction that somebody of a higher rank imposed.
    pub fn check_change(by: Role, imposed_by: Role) -> Result<(), Refusal> {
        if imposed_by.outranks(by) { Err(Refusal::Outranked) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanction_works_only_downwards_and_is_changed_only_from_its_rank_on() {
        for (by, target, imposes, lifts) in [
            (Role::Moderator, Role::Viewer, true, true),
            (Role::Moderator, Role::Moderator, false, true),
            (Role::Moderator, Role::Producer, false, false),
            (Role::Producer, Role::Moderator, true, true),
            (Role::Host, Role::Host, false, true),
            (Role::Host, Role::Admin, false, false),
            (Role::Admin, Role::Host, true, true),
        ] {
            assert_eq!(Sanction::check_rank(by, target).is_ok(), imposes, "{by:?} on {target:?}");
            assert_eq!(Sanction::check_change(by, target).is_ok(), lifts, "{by:?} changes what {target:?} imposed");
        }
    }
}
