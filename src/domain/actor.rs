//! Who asks, and what their role lets them do. Watching is open to all; talking, buying and hosting need a signed token.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Millis, Name, Refusal, StreamId, UserId};

/// What a person is in a show. A guest has no token.
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

    /// A role a token may carry; `guest` is the absence of one.
    pub fn parse(text: &str) -> Option<Self> {
        [Role::Viewer, Role::Moderator, Role::Producer, Role::Analyst, Role::Host, Role::Admin]
            .into_iter()
            .find(|role| role.name() == text)
    }

    /// In the team, without running the show: what an invite may make of somebody.
    pub fn can_be_invited(self) -> bool {
        matches!(self, Role::Moderator | Role::Producer | Role::Analyst)
    }

    /// Part of the audience, not of the team.
    pub fn is_audience(self) -> bool {
        matches!(self, Role::Guest | Role::Viewer)
    }
}

/// What one can ask for, as far as roles tell it apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Chat and react.
    Chat,
    Buy,
    /// Delete messages, mute, ban, chat rules and words, what waits for review, notices; and read what was done.
    Moderate,
    /// Pin, offers, products; see drafts and pools.
    ManageOffers,
    /// Create, start and end shows.
    ManageStreams,
    /// Sales figures.
    ViewReports,
    /// Another person's data, for good.
    EraseUserData,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user: UserId,
    pub name: Name,
    pub role: Role,
    /// The one stream the role holds in; everywhere else its bearer is a viewer. `None`: all streams.
    pub stream: Option<StreamId>,
    /// When the token ends; `None` for a guest.
    pub expires_at: Option<Millis>,
}

impl Actor {
    /// The actor as they stand in `stream`: a token for another show makes a viewer.
    pub fn scoped_to(mut self, stream: StreamId) -> Self {
        if self.stream.is_some_and(|own| own != stream) && self.role != Role::Guest {
            self.role = Role::Viewer;
            self.stream = None;
        }
        self
    }

    /// Refuses what the role does not allow in `stream`; `None` asks for the shop as a whole.
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
            Permission::EraseUserData => role == Role::Admin,
            Permission::ManageStreams => matches!(role, Role::Host | Role::Admin),
            Permission::ViewReports => matches!(role, Role::Producer | Role::Analyst | Role::Host | Role::Admin),
        };
        if allowed { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Chat budgets and slow mode are for the audience.
    pub fn is_team(&self) -> bool {
        !self.role.is_audience()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role, stream: Option<StreamId>) -> Actor {
        Actor { user: UserId::parse("u").unwrap(), name: Name::parse("U").unwrap(), role, stream, expires_at: None }
    }

    #[test]
    fn roles_may_what_the_table_says() {
        use Permission::*;
        let all = [Chat, Buy, Moderate, ManageOffers, ManageStreams, ViewReports, EraseUserData];
        for (role, allowed) in [
            (Role::Guest, vec![]),
            (Role::Viewer, vec![Chat, Buy]),
            (Role::Moderator, vec![Chat, Buy, Moderate]),
            (Role::Analyst, vec![Chat, Buy, ViewReports]),
            (Role::Producer, vec![Chat, Buy, Moderate, ManageOffers, ViewReports]),
            (Role::Host, all[..6].to_vec()),
            (Role::Admin, all.to_vec()),
        ] {
            for action in all {
                assert_eq!(
                    actor(role, None).authorize(action, None).is_ok(),
                    allowed.contains(&action),
                    "{role:?} {action:?}"
                );
            }
        }
    }

    #[test]
    fn a_token_for_one_stream_gives_no_power_in_another() {
        let (own, other) = (StreamId::new(), StreamId::new());
        let host = actor(Role::Host, Some(own));
        assert!(host.authorize(Permission::ManageOffers, Some(own)).is_ok());
        assert!(matches!(host.authorize(Permission::ManageOffers, Some(other)), Err(Refusal::Forbidden)));
        assert!(matches!(host.authorize(Permission::ManageStreams, None), Err(Refusal::Forbidden)));
        assert!(host.authorize(Permission::Buy, Some(other)).is_ok());
        assert_eq!(host.scoped_to(other).role, Role::Viewer);
    }
}
