//! Authorization: may this actor do this here? One pure function, [`authorize`], answers for every route, verb and socket.
//!
//! It combines the role of the token, which may be valid in one stream only, with the actor's [`Standing`]: bans, mutes and
//! revocations, which the app looks up. Sanctions work only downwards in rank: one binds those who rank below the role that
//! imposed it, also if that was not known when it was imposed.
//!
//! `docs/permissions.md` lists what follows from this for every route and verb.

use super::{Actor, Millis, Refusal, Role, Sanction, SanctionKind, StreamId};

/// What an actor may be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Join a show and receive its events. Open to anonymous users.
    Watch,
    /// Send chat messages.
    Chat,
    /// Send reactions; a muted user may.
    React,
    /// Reserve units, or ask for a stock alert. Not for the team, which knows and changes what is sold; the host may try the
    /// shop out.
    Buy,
    /// Read and change the caller's own data: orders, payments, addresses, alerts, messages in review. A banned user keeps this
    /// permission.
    UseOwnData,
    /// Moderation: delete messages, mute, ban, set chat rules and the blocklist, decide the review queue, post notices, and read
    /// the audit log.
    Moderate,
    /// Pin, change offers and products, and see drafts, stock pools and delivery addresses.
    ManageOffers,
    /// Sell units at the price 0.
    SellForFree,
    /// Create, start and end shows, refund orders, and choose the team.
    ManageStreams,
    /// See the sales figures.
    ViewReports,
    /// Erase another user's data forever.
    EraseUserData,
    /// Revoke tokens, and read the audit log of the whole shop.
    RevokeTokens,
    /// See and change the staff of the shop. Whom one may change follows from the ranks.
    ManageStaff,
    /// Undo an import or a bulk edit that somebody else made.
    UndoForOthers,
    /// Change the settings of the shop.
    ManageSettings,
    /// See, make and end API keys.
    ManageApiKeys,
}

impl Permission {
    fn is_given_to(self, role: Role) -> bool {
        use Role::*;
        match self {
            // Whoever owns the shop may also try it out.
            _ if role == Owner => true,
            Permission::Watch => true,
            Permission::Chat | Permission::React | Permission::UseOwnData => role != Anonymous,
            Permission::Buy => matches!(role, Viewer | Host),
            Permission::Moderate => matches!(role, Moderator | Producer | Host | Admin),
            Permission::ManageOffers => matches!(role, Producer | Host | Admin),
            Permission::SellForFree | Permission::ManageStreams => matches!(role, Host | Admin),
            Permission::ViewReports => matches!(role, Producer | Analyst | Host | Admin),
            Permission::EraseUserData
            | Permission::RevokeTokens
            | Permission::ManageStaff
            | Permission::UndoForOthers
            | Permission::ManageSettings
            | Permission::ManageApiKeys => role == Admin,
        }
    }

    /// The refusal of a user whose role does not have it.
    fn refusal(self) -> Refusal {
        match self {
            Permission::Buy => Refusal::TeamCannotBuy,
            Permission::SellForFree => Refusal::PriceNeedsHost,
            _ => Refusal::Forbidden,
        }
    }

    /// Only the team has it.
    pub fn is_of_the_team(self) -> bool {
        !self.is_given_to(Role::Viewer)
    }
}

/// Where an actor acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The shop as a whole: the catalogue, the list of shows, the caller's own data.
    Shop,
    Stream(StreamId),
}

/// What the server knows about an actor in a place, besides the token. The default: nothing.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Standing {
    /// The invite that gave the token was revoked: the token gives nothing anywhere.
    pub is_revoked: bool,
    /// The role that banned the actor here; for the shop, the highest role that banned the actor in any of its streams.
    pub banned_by: Option<Role>,
    /// The role that muted the actor here, and until when.
    pub muted_by: Option<(Role, Millis)>,
}

impl Standing {
    /// The standing that follows from a user's sanctions in one stream at `now`.
    pub fn of_sanctions<'a>(sanctions: impl Iterator<Item = &'a Sanction>, now: Millis) -> Self {
        let mut standing = Self::default();
        for sanction in sanctions {
            match (sanction.kind, sanction.until) {
                (SanctionKind::Ban, _) => standing.banned_by = Some(sanction.by_role),
                (SanctionKind::Mute, Some(until)) if now < until => standing.muted_by = Some((sanction.by_role, until)),
                (SanctionKind::Mute, _) => {}
            }
        }
        standing
    }

    /// The end of the mute, if it binds this role.
    pub fn muted_until(&self, role: Role) -> Option<Millis> {
        self.muted_by.filter(|(by, _)| by.outranks(role)).map(|(_, until)| until)
    }

    fn is_banned(&self, role: Role) -> bool {
        self.banned_by.is_some_and(|by| by.outranks(role))
    }
}

/// May this actor do this here? `standing` is what is known about the actor in `place` at `now`.
pub fn authorize(
    actor: &Actor,
    permission: Permission,
    place: Place,
    standing: &Standing,
    now: Millis,
) -> Result<(), Refusal> {
    if standing.is_revoked {
        return Err(Refusal::TokenInvalid);
    }
    let role = actor.role_in(place);
    if role == Role::Anonymous && permission != Permission::Watch {
        return Err(Refusal::SignIn);
    }
    if !permission.is_given_to(role) {
        return Err(permission.refusal());
    }
    if permission != Permission::UseOwnData && standing.is_banned(role) {
        return Err(Refusal::Banned);
    }
    match standing.muted_until(role) {
        Some(until) if permission == Permission::Chat => Err(Refusal::Muted { until, now }),
        _ => Ok(()),
    }
}

/// [`authorize`] by the token alone, where nothing else is known yet: a refusal is final, a permission is not.
pub fn authorize_by_role(actor: &Actor, permission: Permission, place: Place) -> Result<(), Refusal> {
    authorize(actor, permission, place, &Standing::default(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Name, PersonKey, TokenStamp, UserId};

    const ROLES: [Role; 8] = [
        Role::Anonymous,
        Role::Viewer,
        Role::Moderator,
        Role::Analyst,
        Role::Producer,
        Role::Host,
        Role::Admin,
        Role::Owner,
    ];
    const PERMISSIONS: [Permission; 16] = [
        Permission::Watch,
        Permission::Chat,
        Permission::React,
        Permission::Buy,
        Permission::UseOwnData,
        Permission::Moderate,
        Permission::ManageOffers,
        Permission::SellForFree,
        Permission::ManageStreams,
        Permission::ViewReports,
        Permission::EraseUserData,
        Permission::RevokeTokens,
        Permission::ManageStaff,
        Permission::UndoForOthers,
        Permission::ManageSettings,
        Permission::ManageApiKeys,
    ];

    fn actor(role: Role, stream: Option<StreamId>) -> Actor {
        let (user, name) = (UserId::parse("u").unwrap(), Name::parse("U").unwrap());
        Actor { user, name, role, stream, expires_at: None, token: TokenStamp::default(), session: None }
    }

    fn code(actor: &Actor, permission: Permission, place: Place, standing: Standing) -> &'static str {
        authorize(actor, permission, place, &standing, 50).map_or_else(|refusal| refusal.code(), |()| "ok")
    }

    #[test]
    fn each_role_has_exactly_the_permissions_of_the_table() {
        use Permission::*;
        let audience = [Watch, Chat, React, UseOwnData];
        for (role, more) in [
            (Role::Viewer, &[Buy][..]),
            (Role::Moderator, &[Moderate]),
            (Role::Analyst, &[ViewReports]),
            (Role::Producer, &[Moderate, ManageOffers, ViewReports]),
            (Role::Host, &[Buy, Moderate, ManageOffers, SellForFree, ManageStreams, ViewReports]),
            (
                Role::Admin,
                &[
                    Moderate,
                    ManageOffers,
                    SellForFree,
                    ManageStreams,
                    ViewReports,
                    EraseUserData,
                    RevokeTokens,
                    ManageStaff,
                    UndoForOthers,
                    ManageSettings,
                    ManageApiKeys,
                ],
            ),
            (Role::Owner, &PERMISSIONS),
        ] {
            for permission in PERMISSIONS {
                let expected = match permission {
                    allowed if audience.contains(&allowed) || more.contains(&allowed) => "ok",
                    Buy => "team_cannot_buy",
                    SellForFree => "price_needs_host",
                    _ => "forbidden",
                };
                let found = code(&actor(role, None), permission, Place::Shop, Standing::default());
                assert_eq!(found, expected, "{role:?} {permission:?}");
            }
        }
        for permission in PERMISSIONS {
            let expected = if permission == Watch { "ok" } else { "sign_in" };
            assert_eq!(code(&actor(Role::Anonymous, None), permission, Place::Shop, Standing::default()), expected);
        }
    }

    #[test]
    fn token_for_one_stream_makes_a_viewer_everywhere_else() {
        let (own, other) = (StreamId::new(), StreamId::new());
        for role in ROLES.into_iter().filter(|role| *role != Role::Anonymous) {
            let (helper, viewer) = (actor(role, Some(own)), actor(Role::Viewer, None));
            for permission in PERMISSIONS {
                for place in [Place::Shop, Place::Stream(other)] {
                    let found = code(&helper, permission, place, Standing::default());
                    assert_eq!(found, code(&viewer, permission, place, Standing::default()), "{role:?} {permission:?}");
                }
                let (there, here) = (Place::Stream(own), actor(role, None));
                let found = code(&helper, permission, there, Standing::default());
                assert_eq!(found, code(&here, permission, there, Standing::default()), "{role:?} {permission:?}");
            }
        }
    }

    #[test]
    fn ban_takes_everything_but_ones_own_data_from_those_who_rank_below_its_author() {
        let place = Place::Stream(StreamId::new());
        for by in ROLES {
            let banned = Standing { banned_by: Some(by), ..Standing::default() };
            for role in ROLES {
                for permission in PERMISSIONS {
                    let free = code(&actor(role, None), permission, place, Standing::default());
                    let is_bound = by.outranks(role) && permission != Permission::UseOwnData && free == "ok";
                    let expected = if is_bound { "banned" } else { free };
                    let found = code(&actor(role, None), permission, place, banned);
                    assert_eq!(found, expected, "{by:?} banned {role:?}: {permission:?}");
                }
            }
        }
    }

    #[test]
    fn mute_stops_only_messages_and_only_until_its_end() {
        let place = Place::Stream(StreamId::new());
        let muted = Standing { muted_by: Some((Role::Moderator, 100)), ..Standing::default() };
        for (role, permission, expected) in [
            (Role::Viewer, Permission::Chat, "muted"),
            (Role::Viewer, Permission::React, "ok"),
            (Role::Viewer, Permission::Buy, "ok"),
            (Role::Moderator, Permission::Chat, "ok"),
            (Role::Producer, Permission::Chat, "ok"),
        ] {
            assert_eq!(code(&actor(role, None), permission, place, muted), expected, "{role:?} {permission:?}");
        }
        let user = UserId::parse("u").unwrap();
        let mute = Sanction {
            person: PersonKey::of_user(&user),
            user,
            name: "U".into(),
            kind: SanctionKind::Mute,
            until: Some(100),
            by: "mo".into(),
            by_role: Role::Moderator,
            reason: None,
        };
        let at = |now| Standing::of_sanctions([&mute].into_iter(), now).muted_until(Role::Viewer);
        assert_eq!((at(99), at(100)), (Some(100), None));
    }

    #[test]
    fn revoked_token_gives_nothing_anywhere() {
        let own = StreamId::new();
        let revoked = Standing { is_revoked: true, ..Standing::default() };
        for permission in PERMISSIONS {
            for place in [Place::Shop, Place::Stream(own), Place::Stream(StreamId::new())] {
                let found = code(&actor(Role::Producer, Some(own)), permission, place, revoked);
                assert_eq!(found, "token_invalid", "{permission:?}");
            }
        }
    }
}
