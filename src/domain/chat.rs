//! Talk: what may be said, by whom, how often.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::product::in_range;
use super::{Event, MessageId, Millis, Refusal, Speaker, StreamId, UserId, text};

/// A line of chat that may be shown: 1–200 characters on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatText(String);

impl ChatText {
    pub const LENGTH_MAX: usize = 200;

    pub fn parse(given: &str) -> Result<Self, Refusal> {
        text::line(given, Self::LENGTH_MAX)
            .map(Self)
            .ok_or_else(|| Refusal::bad_request("a message has 1 to 200 characters"))
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ChatMessage {
    pub id: MessageId,
    pub stream: StreamId,
    pub at: Millis,
    pub from: Speaker,
    pub text: String,
    pub deleted: bool,
}

impl ChatMessage {
    pub fn event(&self) -> Event {
        Event::Chat { id: self.id, from: self.from.clone(), text: self.text.clone() }
    }
}

/// What holds for everybody's talk in a show.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct ChatRules {
    /// At least this many milliseconds between two messages of one viewer; 0 is off.
    pub slow_ms: i64,
    /// The host's notice, shown until it is taken away.
    pub notice: Option<String>,
}

/// Slow mode in seconds: 0 (off) to 300.
pub fn slow_ms(seconds: i64) -> Result<i64, Refusal> {
    Ok(in_range(seconds, 0, 300, "slow mode seconds")? * 1_000)
}

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

/// A person kept quiet (mute, for a time) or out (ban, until lifted) in one show.
#[derive(Clone, PartialEq, Debug)]
pub struct Sanction {
    pub user: UserId,
    pub name: String,
    pub kind: SanctionKind,
    /// `None`: until lifted.
    pub until: Option<Millis>,
    pub by: String,
}

impl Sanction {
    /// Mutes last 10 seconds to 7 days.
    pub fn mute_ms(seconds: i64) -> Result<i64, Refusal> {
        Ok(in_range(seconds, 10, 7 * 24 * 3_600, "mute seconds")? * 1_000)
    }

    pub fn refuses(&self, now: Millis) -> Option<Refusal> {
        match (self.kind, self.until) {
            (SanctionKind::Ban, _) => Some(Refusal::Banned),
            (SanctionKind::Mute, Some(until)) if now < until => Some(Refusal::Muted { until, now }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_ends_and_a_ban_does_not() {
        let by = |kind, until| Sanction {
            user: UserId::parse("u").unwrap(),
            name: "U".into(),
            kind,
            until,
            by: "host".into(),
        };
        let mute = by(SanctionKind::Mute, Some(100));
        assert_eq!(mute.refuses(99), Some(Refusal::Muted { until: 100, now: 99 }));
        assert_eq!(mute.refuses(100), None);
        assert_eq!(by(SanctionKind::Ban, None).refuses(i64::MAX), Some(Refusal::Banned));
    }

    #[test]
    fn message_of_200_is_said_and_of_201_is_not() {
        assert!(ChatText::parse(&"ك".repeat(200)).is_ok());
        assert!(ChatText::parse(&"x".repeat(201)).is_err());
        assert!(ChatText::parse(" \n ").is_err());
    }
}
