//! Something that happened in a stream: the log lane. Numbered, ordered, recoverable.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Actor, MessageId, Millis, OfferId, Quote, Role, UserId};

/// Who said it, as others see them.
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

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Chat {
        id: MessageId,
        from: Author,
        text: String,
        /// What it answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<Quote>,
    },
    Pinned {
        offer: OfferId,
    },
    Unpinned {},
    /// Selling starts now: the countdown is over, or there was none.
    SaleOpened {
        offer: OfferId,
    },
    SaleClosed {
        offer: OfferId,
    },
    /// An order was paid; the name is the one its buyer chose.
    Purchased {
        name: String,
        qty: i64,
        offer: OfferId,
    },
    /// A message was taken away.
    Deleted {
        id: MessageId,
    },
    /// May not speak for a time; what they said goes too.
    Muted {
        user: UserId,
        name: String,
        until: Millis,
    },
    Unmuted {
        user: UserId,
    },
    /// Was sent out; what they said goes too.
    Banned {
        user: UserId,
        name: String,
    },
    /// Had their data erased: what they said goes.
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
    /// Its `type` on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Chat { .. } => "chat",
            Event::Pinned { .. } => "pinned",
            Event::Unpinned {} => "unpinned",
            Event::SaleOpened { .. } => "sale_opened",
            Event::SaleClosed { .. } => "sale_closed",
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

    /// The id of the offer, the message or the person it is about, where it is about one.
    pub fn subject(&self) -> Option<String> {
        match self {
            Event::Pinned { offer }
            | Event::SaleOpened { offer }
            | Event::SaleClosed { offer }
            | Event::Purchased { offer, .. } => Some(offer.to_string()),
            Event::Chat { id, .. } | Event::Deleted { id } => Some(id.to_string()),
            Event::Muted { user, .. }
            | Event::Unmuted { user }
            | Event::Banned { user, .. }
            | Event::Erased { user } => Some(user.to_string()),
            Event::Unpinned {} | Event::Announced { .. } | Event::Started {} | Event::Ended {} => None,
        }
    }

    /// Takes something or somebody from the screens, or gives it back.
    pub fn is_moderation(&self) -> bool {
        matches!(self, Event::Deleted { .. } | Event::Unmuted { .. }) || self.removes_messages_of().is_some()
    }

    /// The person whose messages go from the screens with this.
    pub fn removes_messages_of(&self) -> Option<&UserId> {
        match self {
            Event::Muted { user, .. } | Event::Banned { user, .. } | Event::Erased { user } => Some(user),
            _ => None,
        }
    }

    /// Goes out past the tick: viewers act on it at once.
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
