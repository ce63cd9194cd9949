//! Actors and roles: who makes a request. Watching is open to everybody; chatting, buying and hosting need an identity.
//! What a role allows is in `authorization.rs`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use std::sync::Arc;

use super::staff::{StaffRole, highest_role};
use super::{
    AccountId, EmailAddress, Millis, Name, PersonKey, Place, Refusal, SignInSessionId, StreamId, TokenStamp, UserId,
};

/// The role of a user in a show. An anonymous user has no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Anonymous,
    Viewer,
    Moderator,
    Producer,
    Analyst,
    Host,
    Admin,
    /// Only a member of the staff who signed in on our own pages has it. No token gives it.
    Owner,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Anonymous => "anonymous",
            Role::Viewer => "viewer",
            Role::Moderator => "moderator",
            Role::Producer => "producer",
            Role::Analyst => "analyst",
            Role::Host => "host",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }

    /// Parses the role of somebody who has an identity, so `anonymous` is not among them.
    pub fn parse(text: &str) -> Option<Self> {
        [Role::Viewer, Role::Moderator, Role::Producer, Role::Analyst, Role::Host, Role::Admin, Role::Owner]
            .into_iter()
            .find(|role| role.name() == text)
    }

    /// Parses the roles that a token may carry: all but the owner's. A shop whose signing key leaked keeps its owner.
    pub fn of_token(text: &str) -> Option<Self> {
        Self::parse(text).filter(|role| *role != Role::Owner)
    }

    /// Is this a role that an invite may give? Such a role belongs to the team but does not run the show.
    pub fn can_be_invited(self) -> bool {
        matches!(self, Role::Moderator | Role::Producer | Role::Analyst)
    }

    /// Does this role allow nothing that `max` does not allow?
    pub fn is_within(self, max: Role) -> bool {
        match max {
            Role::Anonymous => self == Role::Anonymous,
            Role::Viewer => self.is_audience(),
            Role::Moderator | Role::Analyst => self.is_audience() || self == max,
            Role::Producer => !matches!(self, Role::Host | Role::Admin | Role::Owner),
            Role::Host => !matches!(self, Role::Admin | Role::Owner),
            Role::Admin => self != Role::Owner,
            Role::Owner => true,
        }
    }

    /// Does this role rank above the other? Sanctions work only downwards. A moderator and an analyst are equals.
    pub fn outranks(self, other: Role) -> bool {
        let rank = |role| match role {
            Role::Anonymous => 0,
            Role::Viewer => 1,
            Role::Moderator | Role::Analyst => 2,
            Role::Producer => 3,
            Role::Host => 4,
            Role::Admin => 5,
            Role::Owner => 6,
        };
        rank(self) > rank(other)
    }

    /// Does this role belong to the audience, not to the team?
    pub fn is_audience(self) -> bool {
        matches!(self, Role::Anonymous | Role::Viewer)
    }
}

/// The user who makes a request.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user: UserId,
    pub name: Name,
    pub role: Role,
    /// The only stream in which the role is valid; in every other stream the user is a viewer. `None`: valid in all streams.
    pub stream: Option<StreamId>,
    /// The time from which the token is refused: its end and the leeway for clocks; `None` for an anonymous user.
    pub expires_at: Option<Millis>,
    /// What the token or the session says about itself, so that it can be revoked.
    pub token: TokenStamp,
    /// The session of our own pages by which the user signed in; `None`: by a token, or not at all. Behind a pointer, because every
    /// connection keeps its actor.
    pub session: Option<Arc<ActorSession>>,
}

/// What is known of a user who signed in on our own pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActorSession {
    pub id: SignInSessionId,
    /// `None`: a guest.
    pub account: Option<AccountId>,
    /// The address that the user proved.
    pub email: Option<EmailAddress>,
    pub person: PersonKey,
    /// When the user last proved again who they are.
    pub stepped_up_at: Option<Millis>,
    pub passkey: PasskeyStanding,
    /// The roles of a member of the staff, in the shop and in its shows. None while a passkey is needed.
    pub roles: Vec<StaffRole>,
}

/// What a session has to do with the passkeys of its account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasskeyStanding {
    /// The account has none.
    #[default]
    None,
    /// The account has some, and none was used in this session: its roles do not count here.
    Needed,
    Proved,
}

impl PasskeyStanding {
    /// `has_passkeys`: the account has some. `is_proved`: one was used in the session, or the machine of the shop vouches for it.
    pub fn of(has_passkeys: bool, is_proved: bool) -> Self {
        match (has_passkeys, is_proved) {
            (false, _) => Self::None,
            (true, false) => Self::Needed,
            (true, true) => Self::Proved,
        }
    }

    pub fn is_needed(self) -> bool {
        self == Self::Needed
    }
}

/// What cannot be undone needs a sign-in that is at most this old.
pub const RECENT_SIGN_IN_MS: Millis = 600_000;

/// How a user is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// Not signed in.
    Anonymous,
    /// By a name that they chose themselves.
    Guest,
    Account,
    /// By a token of the shop's own site.
    Token,
}

impl Actor {
    /// The same actor with the role that is valid in `stream`. A token for another show makes the actor a viewer; its stream
    /// stays known, because the token may be revoked there.
    pub fn scoped_to(self, stream: StreamId) -> Self {
        Self { role: self.role_in(Place::Stream(stream)), ..self }
    }

    /// The role that is valid in `place`.
    pub fn role_in(&self, place: Place) -> Role {
        let stream = if let Place::Stream(stream) = place { Some(stream) } else { None };
        match (self.stream, self.role, &self.session) {
            (_, Role::Anonymous, _) => Role::Anonymous,
            // A session has the roles of its account, which may differ from show to show.
            (_, _, Some(session)) => highest_role(&session.roles, stream).unwrap_or(Role::Viewer),
            (Some(own), _, _) if place != Place::Stream(own) => Role::Viewer,
            (_, role, _) => role,
        }
    }

    /// Refuses a session of our own pages that is too old for what cannot be undone: a browser that was left open must not refund
    /// or erase. Tokens are short-lived, and the site that signs them decides.
    pub fn check_recent_sign_in(&self, now: Millis) -> Result<(), Refusal> {
        let Some(session) = &self.session else { return Ok(()) };
        let proved_at = self.token.issued_at.max(session.stepped_up_at).unwrap_or_default();
        if now < proved_at + RECENT_SIGN_IN_MS { Ok(()) } else { Err(Refusal::SignInAgain) }
    }

    pub fn kind(&self) -> IdentityKind {
        match &self.session {
            _ if self.role == Role::Anonymous => IdentityKind::Anonymous,
            None => IdentityKind::Token,
            Some(session) if session.account.is_some() => IdentityKind::Account,
            Some(_) => IdentityKind::Guest,
        }
    }

    /// The person for whom limits and pauses hold.
    pub fn person(&self) -> PersonKey {
        self.session.as_ref().map_or_else(|| PersonKey::of_user(&self.user), |session| session.person.clone())
    }

    /// Is the actor part of the team? Chat rate limits and slow mode apply to the audience only.
    pub fn is_team(&self) -> bool {
        !self.role.is_audience()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanctions_follow_the_ranks() {
        use Role::*;
        let order = [Anonymous, Viewer, Moderator, Producer, Host, Admin, Owner];
        for (at, role) in order.into_iter().enumerate() {
            for (other_at, other) in order.into_iter().enumerate() {
                assert_eq!(role.outranks(other), at > other_at, "{role:?} and {other:?}");
            }
        }
        assert!(!Role::Moderator.outranks(Role::Analyst) && !Role::Analyst.outranks(Role::Moderator));
    }

    #[test]
    fn no_token_gives_the_role_of_the_owner() {
        assert_eq!((Role::of_token("owner"), Role::parse("owner")), (None, Some(Role::Owner)));
        assert_eq!((Role::of_token("admin"), Role::of_token("anonymous")), (Some(Role::Admin), None));
        assert!(!Role::Owner.is_within(Role::Admin), "a key for every role gives no owner");
    }

    #[test]
    fn staff_have_the_role_of_each_place_and_prove_themselves_for_what_cannot_be_undone() {
        let (own, other) = (StreamId::new(), StreamId::new());
        let user = UserId::parse("u").unwrap();
        let roles =
            vec![StaffRole { role: Role::Analyst, stream: None }, StaffRole { role: Role::Host, stream: Some(own) }];
        let session = ActorSession {
            id: SignInSessionId::new(),
            account: Some(AccountId::new()),
            email: None,
            person: PersonKey::of_user(&user),
            stepped_up_at: None,
            passkey: PasskeyStanding::None,
            roles,
        };
        let token = TokenStamp { issued_at: Some(1_000), id: None };
        let (name, role) = (Name::parse("U").unwrap(), Role::Host);
        let staff = Actor { user, name, role, stream: None, expires_at: None, token, session: Some(session.into()) };
        assert_eq!(staff.role_in(Place::Stream(own)), Role::Host);
        let there = staff.clone().scoped_to(own);
        assert_eq!((there.role_in(Place::Shop), there.role_in(Place::Stream(other))), (Role::Analyst, Role::Analyst));
        assert_eq!(staff.check_recent_sign_in(1_000 + RECENT_SIGN_IN_MS - 1), Ok(()));
        assert_eq!(staff.check_recent_sign_in(1_000 + RECENT_SIGN_IN_MS), Err(Refusal::SignInAgain));
        let by_token = Actor { session: None, ..staff };
        assert_eq!(by_token.check_recent_sign_in(i64::MAX), Ok(()));
    }

    #[test]
    fn role_holds_in_the_stream_of_the_token_only() {
        let (own, other) = (StreamId::new(), StreamId::new());
        let (user, name) = (UserId::parse("u").unwrap(), Name::parse("U").unwrap());
        let token = TokenStamp::default();
        let host = Actor { user, name, role: Role::Host, stream: Some(own), expires_at: None, token, session: None };
        let role = |place| host.role_in(place);
        assert_eq!(role(Place::Stream(own)), Role::Host);
        assert_eq!((role(Place::Stream(other)), role(Place::Shop)), (Role::Viewer, Role::Viewer));
        let elsewhere = host.clone().scoped_to(other);
        assert_eq!((elsewhere.role, elsewhere.stream), (Role::Viewer, Some(own)));
    }
}
