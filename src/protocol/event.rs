//! An event as it travels: its JSON, encoded where it happened, and the few facts a room needs to know about it.
//!
//! Nodes pass the same bytes on; the number (`seq`) comes later, so it is put in front without encoding again.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use crate::domain::{Event, MessageId, Millis, UserId};

/// One entry of the log lane, without its number.
#[derive(Clone, PartialEq, Debug)]
pub struct EncodedEvent {
    /// `{"at":…,"type":…,…}`
    pub json: Bytes,
    /// Does not wait for the tick.
    pub is_urgent: bool,
    /// Shown to those who come in later.
    pub is_visible: bool,
    /// The message this is, so that a deletion finds it.
    pub message: Option<MessageId>,
    /// The message this takes away.
    pub deletes: Option<MessageId>,
    /// Somebody may speak or be here no more, or again.
    pub changes_sanctions: bool,
    /// Whose message this is, or whose messages this takes away.
    pub user: Option<UserId>,
    /// Takes away all that `who` said before.
    pub removes_user_messages: bool,
    /// The message this one quotes, and whose that is.
    pub quotes: Option<(MessageId, UserId)>,
}

impl EncodedEvent {
    pub fn new(at: Millis, event: &Event) -> Self {
        let mut json = format!(r#"{{"at":{at},"#).into_bytes();
        // Cannot fail: an event is a tagged struct of text and numbers, its map keys are field names.
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

    /// Reads the facts back from what another node encoded. A type that is unknown here (a newer node's) is passed on
    /// as plain; what is no event at all is refused.
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
        // The number is spliced in after the first byte.
        if json.first() != Some(&b'{') {
            return None;
        }
        let EventFacts { kind, id, from, user, reply, .. } = serde_json::from_slice(&json).ok()?;
        let urgent = matches!(&*kind, "pinned" | "unpinned" | "sale_opened" | "sale_closed" | "started" | "ended");
        let visible = matches!(&*kind, "chat" | "announced" | "purchased");
        let message = id.filter(|_| kind == "chat");
        let hides = id.filter(|_| kind == "deleted");
        let silences = matches!(&*kind, "muted" | "banned" | "erased");
        let sanctions = silences || kind == "unmuted";
        let named = if silences { user } else { from.map(|from| from.id).filter(|_| message.is_some()) };
        let who = named.and_then(|name| UserId::parse(&name).ok());
        let quotes = reply.filter(|_| message.is_some()).and_then(|it| Some((it.id, UserId::parse(&it.user).ok()?)));
        Some(Self {
            is_urgent: urgent,
            is_visible: visible,
            message,
            deletes: hides,
            changes_sanctions: sanctions,
            user: who,
            removes_user_messages: silences,
            quotes,
            json,
        })
    }

    /// Is this the same event? One may have lost its quote since.
    pub fn is_same_event(&self, other: &Self) -> bool {
        self.json == other.json || self.message.is_some() && self.message == other.message
    }

    /// The same without what it quotes.
    pub fn without_quote(&self) -> Self {
        let json =
            serde_json::from_slice(&self.json).and_then(|mut event: serde_json::Map<String, serde_json::Value>| {
                event.remove("reply");
                serde_json::to_vec(&event)
            });
        // It was read once before, so it can be again.
        Self { json: json.map_or_else(|_| self.json.clone(), Bytes::from), quotes: None, ..self.clone() }
    }

    /// Who said it and when, of a chat message.
    pub fn said(&self) -> Option<(UserId, Millis)> {
        #[derive(Deserialize)]
        struct EventTime {
            at: Millis,
        }
        self.message?;
        let said: EventTime = serde_json::from_slice(&self.json).ok()?;
        Some((self.user.clone()?, said.at))
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
    use crate::domain::{Author, OfferId, Quote, Role, UserId};

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
    fn another_node_reads_back_the_same_facts() {
        for event in one_of_each() {
            let logged = EncodedEvent::new(5, &event);
            assert_eq!(EncodedEvent::from_bytes(logged.json.clone()), Some(logged), "{event:?}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
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
    fn the_number_goes_in_front() {
        let mut out = Vec::new();
        EncodedEvent::new(100, &Event::Unpinned {}).write_with_seq(42, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"seq":42,"at":100,"type":"unpinned"}"#);
    }
}
