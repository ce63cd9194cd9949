//! Events of a stream: the event lane. Events are numbered, ordered and recoverable.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Actor, CouponId, MessageId, Millis, OfferId, Quote, Role, UserId};

/// The author of a message or notice, as other viewers see them.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Author {
    pub id: UserId,
    pub name: String,
    pub role: Role,
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        Self { id: actor.user.clone(), name: actor.name.as_str().to_owned(), role: actor.role }
    }
}

/// Something that happened in a stream.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Chat {
        id: MessageId,
        from: Author,
        text: String,
        /// The message that this one replies to.
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<Quote>,
    },
    Pinned {
        offer: OfferId,
    },
    Unpinned {},
    /// The sale starts now: the countdown is over, or there was none.
    SaleOpened {
        offer: OfferId,
    },
    SaleClosed {
        offer: OfferId,
    },
    /// The team shows a coupon, which viewers can claim.
    CouponShown {
        coupon: CouponId,
        code: String,
    },
    /// An order was paid. The name is the display name of the buyer, or its initials, as the shop chose; it is empty if the shop hides
    /// names, the chat would not show this one (blocklist, link, a name that looks like the team) or the buyer's data was erased.
    Purchased {
        name: String,
        qty: i64,
        offer: OfferId,
    },
    /// A message was deleted.
    Deleted {
        id: MessageId,
    },
    /// The user may not send messages until `until`. The user's messages are removed.
    Muted {
        user: UserId,
        name: String,
        until: Millis,
    },
    Unmuted {
        user: UserId,
    },
    /// The user was banned. The user's messages are removed.
    Banned {
        user: UserId,
        name: String,
    },
    /// The user's data was erased. The user's messages are removed.
    Erased {
        user: UserId,
    },
    Announced {
        text: String,
        from: Author,
    },
    Started {},
    Ended {},
}

impl Event {
    /// The `type` of the event on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Chat { .. } => "chat",
            Event::Pinned { .. } => "pinned",
            Event::Unpinned {} => "unpinned",
            Event::SaleOpened { .. } => "sale_opened",
            Event::SaleClosed { .. } => "sale_closed",
            Event::CouponShown { .. } => "coupon_shown",
            Event::Purchased { .. } => "purchased",
            Event::Deleted { .. } => "deleted",
            Event::Muted { .. } => "muted",
            Event::Unmuted { .. } => "unmuted",
            Event::Banned { .. } => "banned",
            Event::Erased { .. } => "erased",
            Event::Announced { .. } => "announced",
            Event::Started {} => "started",
            Event::Ended {} => "ended",
        }
    }

    /// The id of the offer, message or user that the event is about, if there is one.
    pub fn subject(&self) -> Option<String> {
        match self {
            Event::Pinned { offer }
            | Event::SaleOpened { offer }
            | Event::SaleClosed { offer }
            | Event::Purchased { offer, .. } => Some(offer.to_string()),
            Event::CouponShown { coupon, .. } => Some(coupon.to_string()),
            Event::Chat { id, .. } | Event::Deleted { id } => Some(id.to_string()),
            Event::Muted { user, .. }
            | Event::Unmuted { user }
            | Event::Banned { user, .. }
            | Event::Erased { user } => Some(user.to_string()),
            Event::Unpinned {} | Event::Announced { .. } | Event::Started {} | Event::Ended {} => None,
        }
    }

    /// Does the event remove messages from the screens, or allow a user to chat again?
    pub fn is_moderation(&self) -> bool {
        matches!(self, Event::Deleted { .. } | Event::Unmuted { .. }) || self.removes_messages_of().is_some()
    }

    /// The user whose messages this event removes from the screens.
    pub fn removes_messages_of(&self) -> Option<&UserId> {
        match self {
            Event::Muted { user, .. } | Event::Banned { user, .. } | Event::Erased { user } => Some(user),
            _ => None,
        }
    }

    /// Is the event broadcast immediately, without waiting for the next tick? Viewers act on such an event.
    pub fn is_urgent(&self) -> bool {
        matches!(
            self,
            Event::Pinned { .. }
                | Event::Unpinned {}
                | Event::SaleOpened { .. }
                | Event::SaleClosed { .. }
                | Event::Started {}
                | Event::Ended {}
        )
    }
}
