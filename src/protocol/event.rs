//! An encoded event: its JSON, encoded once on the node where it happened, and the facts that a room needs.
//!
//! The nodes pass on the same bytes. The number (`seq`) is assigned later, so it is inserted at the front without encoding again.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use crate::domain::{Event, MessageId, Millis, UserId};

/// One event of the event lane, without its number.
#[derive(Clone, PartialEq, Debug)]
pub struct EncodedEvent {
    /// `{"at":…,"type":…,…}`
    pub json: Bytes,
    /// The event is broadcast without waiting for the next tick.
    pub is_urgent: bool,
    /// The event is shown to viewers who join later.
    pub is_visible: bool,
    /// The id of the message, if the event is one, so that a deletion can find it.
    pub message: Option<MessageId>,
    /// The message that this event deletes.
    pub deletes: Option<MessageId>,
    /// The event mutes, bans or unmutes a user.
    pub changes_sanctions: bool,
    /// The author of the message, or the user whose messages are removed.
    pub user: Option<UserId>,
    /// The event removes all earlier messages of `user`.
    pub removes_user_messages: bool,
    /// The message that this one quotes, and the author of the quoted message.
    pub quotes: Option<(MessageId, UserId)>,
}

impl EncodedEvent {
    /// Encodes an event that happened at `at`.
    pub fn new(at: Millis, event: &Event) -> Self {
        let mut json = format!(r#"{{"at":{at},"#).into_bytes();
        // This cannot fail: an event is a tagged struct of texts and numbers, and its map keys are field names.
        let body = serde_json::to_vec(event).unwrap_or_else(|_| b"{}".to_vec());
        json.extend_from_slice(&body[1..]);
        let (message, deletes) = match event {
            Event::Chat { id, .. } => (Some(*id), None),
            Event::Deleted { id } => (None, Some(*id)),
            _ => (None, None),
        };
        let is_visible = matches!(event, Event::Chat { .. } | Event::Announced { .. } | Event::Purchased { .. });
        let removes_user_messages = event.removes_messages_of().is_some();
        let changes_sanctions = removes_user_messages || matches!(event, Event::Unmuted { .. });
        let user = match event {
            Event::Chat { from, .. } => Some(from.id.clone()),
            event => event.removes_messages_of().cloned(),
        };
        let quotes = match event {
            Event::Chat { reply: Some(quote), .. } => Some((quote.id, quote.user.clone())),
            _ => None,
        };
        Self {
            json: json.into(),
            is_urgent: event.is_urgent(),
            is_visible,
            message,
            deletes,
            changes_sanctions,
            user,
            removes_user_messages,
            quotes,
        }
    }

    /// Reads the facts from an event that another node encoded. An event of an unknown type (of a newer node) is accepted without
    /// facts. `None`: the bytes are not an event.
    pub fn from_bytes(json: Bytes) -> Option<Self> {
        #[derive(Deserialize)]
        struct EventFacts<'a> {
            #[serde(rename = "at")]
            _at: Millis,
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
            id: Option<MessageId>,
            #[serde(borrow)]
            from: Option<AuthorFacts<'a>>,
            #[serde(borrow)]
            user: Option<Cow<'a, str>>,
            #[serde(borrow)]
            reply: Option<ReplyFacts<'a>>,
        }
        #[derive(Deserialize)]
        struct ReplyFacts<'a> {
            id: MessageId,
            #[serde(borrow)]
            user: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct AuthorFacts<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
        }
        // The number will be inserted after the first byte.
        if json.first() != Some(&b'{') {
            return None;
        }
        let EventFacts { kind, id, from, user, reply, .. } = serde_json::from_slice(&json).ok()?;
        let is_urgent = matches!(&*kind, "pinned" | "unpinned" | "sale_opened" | "sale_closed" | "started" | "ended");
        let is_visible = matches!(&*kind, "chat" | "announced" | "purchased");
        let message = id.filter(|_| kind == "chat");
        let deletes = id.filter(|_| kind == "deleted");
        let removes_user_messages = matches!(&*kind, "muted" | "banned" | "erased");
        let changes_sanctions = removes_user_messages || kind == "unmuted";
        let user_id = if removes_user_messages { user } else { from.map(|from| from.id).filter(|_| message.is_some()) };
        let user = user_id.and_then(|id| UserId::parse(&id).ok());
        let quotes =
            reply.filter(|_| message.is_some()).and_then(|reply| Some((reply.id, UserId::parse(&reply.user).ok()?)));
        Some(Self {
            is_urgent,
            is_visible,
            message,
            deletes,
            changes_sanctions,
            user,
            removes_user_messages,
            quotes,
            json,
        })
    }

    /// Is this the same event? The quote is not compared, because one of them may have lost it.
    pub fn is_same_event(&self, other: &Self) -> bool {
        self.json == other.json || self.message.is_some() && self.message == other.message
    }

    /// The same event without its quote.
    pub fn without_quote(&self) -> Self {
        let json =
            serde_json::from_slice(&self.json).and_then(|mut event: serde_json::Map<String, serde_json::Value>| {
                event.remove("reply");
                serde_json::to_vec(&event)
            });
        // The JSON was parsed before, so this cannot fail.
        Self { json: json.map_or_else(|_| self.json.clone(), Bytes::from), quotes: None, ..self.clone() }
    }

    /// The author and time of a chat message; `None` for other events.
    pub fn author_and_time(&self) -> Option<(UserId, Millis)> {
        #[derive(Deserialize)]
        struct EventTime {
            at: Millis,
        }
        self.message?;
        let event: EventTime = serde_json::from_slice(&self.json).ok()?;
        Some((self.user.clone()?, event.at))
    }

    /// Appends the event with its number: `{"seq":N,"at":…,…}`.
    pub fn write_with_seq(&self, seq: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"seq\":");
        out.extend_from_slice(seq.to_string().as_bytes());
        out.push(b',');
        out.extend_from_slice(&self.json[1..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Author, CouponId, OfferId, Quote, Role, UserId};

    fn one_of_each() -> Vec<Event> {
        let user = UserId::parse("u1").unwrap();
        let name = || "Ann \"Q\"".to_owned();
        let from = Author { id: user.clone(), name: name(), role: Role::Viewer };
        let offer = OfferId::new();
        vec![
            Event::Chat { id: MessageId::new(), from: from.clone(), text: "hi \u{1F600} \\".into(), reply: None },
            Event::Chat {
                id: MessageId::new(),
                from: from.clone(),
                text: "yes".into(),
                reply: Some(Quote { id: MessageId::new(), user: user.clone(), name: name(), text: "no?".into() }),
            },
            Event::Pinned { offer },
            Event::Unpinned {},
            Event::SaleOpened { offer },
            Event::SaleClosed { offer },
            Event::CouponShown { coupon: CouponId::new(), code: name() },
            Event::Purchased { name: name(), qty: 1, offer },
            Event::Deleted { id: MessageId::new() },
            Event::Muted { user: user.clone(), name: name(), until: 7 },
            Event::Unmuted { user: user.clone() },
            Event::Banned { user: user.clone(), name: name() },
            Event::Erased { user },
            Event::Announced { text: "soon".into(), from },
            Event::Started {},
            Event::Ended {},
        ]
    }

    #[test]
    fn another_node_reads_the_same_facts() {
        for event in one_of_each() {
            let encoded = EncodedEvent::new(5, &event);
            assert_eq!(EncodedEvent::from_bytes(encoded.json.clone()), Some(encoded), "{event:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_an_event_are_refused() {
        for (json, good) in [
            (r#"{"at":1,"type":"chat"}"#, true),
            (r#"{"at":1,"type":"from_the_future","id":"0199e6a0-0000-7000-8000-000000000000"}"#, true),
            (r#"{"type":"chat"}"#, false),
            (r#"{"at":1}"#, false),
            (r#" {"at":1,"type":"chat"}"#, false),
            (r#"{"at":1,"type":"chat"} {}"#, false),
            (r#"[1]"#, false),
            ("", false),
        ] {
            assert_eq!(EncodedEvent::from_bytes(json.into()).is_some(), good, "{json}");
        }
    }

    #[test]
    fn number_is_inserted_at_the_front() {
        let mut out = Vec::new();
        EncodedEvent::new(100, &Event::Unpinned {}).write_with_seq(42, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"seq":42,"at":100,"type":"unpinned"}"#);
    }
}
