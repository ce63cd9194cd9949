//! Actors, roles and permissions: who makes a request, and what their role allows. Watching is open to everybody; chatting,
//! buying and hosting need a signed token.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Millis, Name, Refusal, StreamId, TokenStamp, UserId};

/// The role of a user in a show. A guest has no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Guest,
    Viewer,
    Moderator,
    Producer,
    Analyst,
    Host,
    Admin,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Guest => "guest",
            Role::Viewer => "viewer",
            Role::Moderator => "moderator",
            Role::Producer => "producer",
            Role::Analyst => "analyst",
            Role::Host => "host",
            Role::Admin => "admin",
        }
    }

    /// Parses the roles that a token may carry. A guest has no token, so `guest` is not among them.
    pub fn parse(text: &str) -> Option<Self> {
        [Role::Viewer, Role::Moderator, Role::Producer, Role::Analyst, Role::Host, Role::Admin]
            .into_iter()
            .find(|role| role.name() == text)
    }

    /// Is this a role that an invite may give? Such a role belongs to the team but does not run the show.
    pub fn can_be_invited(self) -> bool {
        matches!(self, Role::Moderator | Role::Producer | Role::Analyst)
    }

    /// Does this role allow nothing that `max` does not allow?
    pub fn is_within(self, max: Role) -> bool {
        match max {
            Role::Guest => self == Role::Guest,
            Role::Viewer => self.is_audience(),
            Role::Moderator | Role::Analyst => self.is_audience() || self == max,
            Role::Producer => !matches!(self, Role::Host | Role::Admin),
            Role::Host => self != Role::Admin,
            Role::Admin => true,
        }
    }

    /// Does this role belong to the audience, not to the team?
    pub fn is_audience(self) -> bool {
        matches!(self, Role::Guest | Role::Viewer)
    }
}

/// The permissions that a role may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Send chat messages and reactions.
    Chat,
    Buy,
    /// Moderation: delete messages, mute, ban, set chat rules and the blocklist, decide the review queue, post notices, and read
    /// the audit log.
    Moderate,
    /// Pin, change offers and products, and see drafts and stock pools.
    ManageOffers,
    /// Create, start and end shows.
    ManageStreams,
    /// See the sales figures.
    ViewReports,
    /// Erase another user's data for ever.
    EraseUserData,
    /// Revoke tokens, and read the audit log of the whole shop.
    RevokeTokens,
}

/// The user who makes a request.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user: UserId,
    pub name: Name,
    pub role: Role,
    /// The only stream in which the role is valid; in every other stream the user is a viewer. `None`: valid in all streams.
    pub stream: Option<StreamId>,
    /// The time from which the token is refused: its end and the leeway for clocks; `None` for a guest.
    pub expires_at: Option<Millis>,
    /// What the token says about itself, so that it can be revoked.
    pub token: TokenStamp,
}

impl Actor {
    /// The same actor with the role that is valid in `stream`. A token for another show makes the actor a viewer.
    pub fn scoped_to(mut self, stream: StreamId) -> Self {
        if self.stream.is_some_and(|own| own != stream) && self.role != Role::Guest {
            self.role = Role::Viewer;
            self.stream = None;
        }
        self
    }

    /// Refuses when the role does not have the permission in `stream`. `None` means the whole shop.
    pub fn authorize(&self, permission: Permission, stream: Option<StreamId>) -> Result<(), Refusal> {
        let role = match (self.stream, self.role) {
            (_, Role::Guest) => Role::Guest,
            (Some(own), _) if stream != Some(own) => Role::Viewer,
            (_, role) => role,
        };
        if role == Role::Guest {
            return Err(Refusal::SignIn);
        }
        let allowed = match permission {
            Permission::Chat | Permission::Buy => true,
            Permission::Moderate => matches!(role, Role::Moderator | Role::Producer | Role::Host | Role::Admin),
            Permission::ManageOffers => matches!(role, Role::Producer | Role::Host | Role::Admin),
            Permission::EraseUserData | Permission::RevokeTokens => role == Role::Admin,
            Permission::ManageStreams => matches!(role, Role::Host | Role::Admin),
            Permission::ViewReports => matches!(role, Role::Producer | Role::Analyst | Role::Host | Role::Admin),
        };
        if allowed { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Is the actor part of the team? Chat rate limits and slow mode apply to the audience only.
    pub fn is_team(&self) -> bool {
        !self.role.is_audience()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, stream: Option<StreamId>) -> Actor {
        let (user, name) = (UserId::parse("u").unwrap(), Name::parse("U").unwrap());
        Actor { user, name, role, stream, expires_at: None, token: TokenStamp::default() }
    }

    #[test]
    fn each_role_has_exactly_the_permissions_of_the_table() {
        use Permission::*;
        let all = [Chat, Buy, Moderate, ManageOffers, ManageStreams, ViewReports, EraseUserData, RevokeTokens];
        for (role, allowed) in [
            (Role::Guest, vec![]),
            (Role::Viewer, vec![Chat, Buy]),
            (Role::Moderator, vec![Chat, Buy, Moderate]),
            (Role::Analyst, vec![Chat, Buy, ViewReports]),
            (Role::Producer, vec![Chat, Buy, Moderate, ManageOffers, ViewReports]),
            (Role::Host, all[..6].to_vec()),
            (Role::Admin, all.to_vec()),
        ] {
            for permission in all {
                assert_eq!(
                    actor(role, None).authorize(permission, None).is_ok(),
                    allowed.contains(&permission),
                    "{role:?} {permission:?}"
                );
            }
        }
    }

    #[test]
    fn token_for_one_stream_gives_no_permission_in_another() {
        let (own, other) = (StreamId::new(), StreamId::new());
        let host = actor(Role::Host, Some(own));
        assert!(host.authorize(Permission::ManageOffers, Some(own)).is_ok());
        assert!(matches!(host.authorize(Permission::ManageOffers, Some(other)), Err(Refusal::Forbidden)));
        assert!(matches!(host.authorize(Permission::ManageStreams, None), Err(Refusal::Forbidden)));
        assert!(host.authorize(Permission::Buy, Some(other)).is_ok());
        assert_eq!(host.scoped_to(other).role, Role::Viewer);
    }
}
