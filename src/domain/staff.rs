//! The staff of the shop: accounts with a role, in the whole shop or in one show, and the invites by which they came.
//!
//! Roles are given only downwards in rank, and the last owner stays: a shop without an owner could be run by nobody.

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{AccountId, EmailAddress, Millis, Name, Refusal, Role, StaffInviteId, StreamId};

/// An invite ends after seven days.
pub const STAFF_INVITE_TTL_MS: Millis = 7 * 86_400_000;
/// Invites that are open at the same time.
pub const STAFF_INVITES_MAX: i64 = 100;
/// Roles that are given at the same time, in the whole shop and in its shows.
pub const STAFF_MAX: i64 = 500;

/// The roles that staff may have, highest first.
pub const STAFF_ROLES: [Role; 6] =
    [Role::Owner, Role::Admin, Role::Host, Role::Producer, Role::Moderator, Role::Analyst];

/// A role and where it holds. `stream: None`: in the whole shop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct StaffRole {
    pub role: Role,
    pub stream: Option<StreamId>,
}

impl StaffRole {
    /// A role that staff may have in that place. Owners and admins are those of the whole shop.
    pub fn new(role: Role, stream: Option<StreamId>) -> Result<Self, Refusal> {
        if role.is_audience() {
            return Err(Refusal::bad_field("role", "is not a role of the staff."));
        }
        if stream.is_some() && matches!(role, Role::Owner | Role::Admin) {
            return Err(Refusal::bad_field("stream", "must be left out: this role holds in the whole shop."));
        }
        Ok(Self { role, stream })
    }
}

/// Somebody with a role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaffMember {
    pub account: AccountId,
    pub name: Name,
    /// `None`: the account was made without an address.
    pub email: Option<EmailAddress>,
    pub place: StaffRole,
    /// The name of whoever gave the role.
    pub by: String,
    pub created_at: Millis,
}

/// An invite to one address, for one use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaffInvite {
    pub id: StaffInviteId,
    pub email: EmailAddress,
    pub place: StaffRole,
    pub by: String,
    pub created_at: Millis,
    pub expires_at: Millis,
}

/// The SHA-256 hash of the code of an invite or of a set-up link. Only the hash is stored.
pub type LinkHash = [u8; 32];

/// The hash of the code that a link carries.
pub fn link_hash(code: &str) -> LinkHash {
    Sha256::digest(code.as_bytes()).into()
}

/// May somebody with this role in the shop give or take `other`? Only downwards in rank; owners may make owners.
pub fn check_rank(own: Role, other: Role) -> Result<(), Refusal> {
    if own == Role::Owner || own.outranks(other) { Ok(()) } else { Err(Refusal::Outranked) }
}

/// Refuses a change that would leave the shop without an owner. `owners`: how many there are before it.
pub fn check_owner_stays(before: Role, after: Option<Role>, owners: i64) -> Result<(), Refusal> {
    let loses_owner = before == Role::Owner && after != Some(Role::Owner);
    if loses_owner && owners <= 1 { Err(Refusal::LastOwner) } else { Ok(()) }
}

/// The highest role that holds in `stream`, or in the whole shop. Of equal ones the one of the show counts.
pub fn highest_role(roles: &[StaffRole], stream: Option<StreamId>) -> Option<Role> {
    let own = roles.iter().find(|place| place.stream.is_some() && place.stream == stream).map(|place| place.role);
    let in_shop = roles.iter().find(|place| place.stream.is_none()).map(|place| place.role);
    match (own, in_shop) {
        (Some(own), Some(in_shop)) if in_shop.outranks(own) => Some(in_shop),
        (own, in_shop) => own.or(in_shop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_given_only_downwards_and_owners_make_owners() {
        use Role::*;
        for (own, other, is_allowed) in [
            (Owner, Owner, true),
            (Owner, Admin, true),
            (Owner, Analyst, true),
            (Admin, Owner, false),
            (Admin, Admin, false),
            (Admin, Host, true),
            (Host, Host, false),
            (Host, Producer, true),
            (Moderator, Analyst, false),
            (Viewer, Moderator, false),
        ] {
            assert_eq!(check_rank(own, other).is_ok(), is_allowed, "{own:?} {other:?}");
        }
    }

    #[test]
    fn last_owner_stays() {
        for (before, after, owners, stays) in [
            (Role::Owner, None, 1, true),
            (Role::Owner, Some(Role::Admin), 1, true),
            (Role::Owner, Some(Role::Owner), 1, false),
            (Role::Owner, None, 2, false),
            (Role::Admin, None, 1, false),
        ] {
            let refused = check_owner_stays(before, after, owners) == Err(Refusal::LastOwner);
            assert_eq!(refused, stays, "{before:?} {after:?} {owners}");
        }
    }

    #[test]
    fn role_of_the_shop_is_not_given_for_one_show() {
        let show = StreamId::new();
        for (role, stream, is_valid) in [
            (Role::Owner, None, true),
            (Role::Owner, Some(show), false),
            (Role::Admin, Some(show), false),
            (Role::Host, Some(show), true),
            (Role::Analyst, None, true),
            (Role::Viewer, None, false),
            (Role::Anonymous, Some(show), false),
        ] {
            assert_eq!(StaffRole::new(role, stream).is_ok(), is_valid, "{role:?} {stream:?}");
        }
    }

    #[test]
    fn higher_of_two_roles_counts_in_a_show() {
        let (show, other) = (StreamId::new(), StreamId::new());
        let place = |role, stream| StaffRole { role, stream };
        let roles = [place(Role::Moderator, None), place(Role::Host, Some(show)), place(Role::Analyst, Some(other))];
        assert_eq!(highest_role(&roles, Some(show)), Some(Role::Host));
        assert_eq!(highest_role(&roles, Some(other)), Some(Role::Analyst), "of equals the one of the show counts");
        assert_eq!(highest_role(&roles, None), Some(Role::Moderator));
        assert_eq!(
            highest_role(&[place(Role::Admin, None), place(Role::Host, Some(show))], Some(show)),
            Some(Role::Admin)
        );
        assert_eq!(highest_role(&roles[1..2], None), None);
    }
}
