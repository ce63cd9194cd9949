//! What the team did in a show, to whom and why: the log of actions.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ActionId, MessageId, Millis, Refusal, Speaker, StreamId, UserId, text};

macro_rules! kinds {
    ($($kind:ident $name:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = ActionKind)]
        pub enum DeedKind {
            $($kind,)*
        }

        impl DeedKind {
            pub const ALL: &[DeedKind] = &[$(DeedKind::$kind,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(DeedKind::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    Delete "delete",
    Mute "mute",
    Unmute "unmute",
    Ban "ban",
    Unban "unban",
    Approve "approve",
    Hide "hide",
    Rules "rules",
    Words "words",
    Announce "announce",
    PinMessage "pin_message",
    UnpinMessage "unpin_message",
    Pin "pin",
    Unpin "unpin",
    Open "open",
    Pause "pause",
    Close "close",
    Restock "restock",
    Extend "extend",
    Refund "refund",
    Erase "erase",
}

impl DeedKind {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text)
    }

    /// Done to a person, who may know.
    pub fn concerns(self) -> bool {
        use DeedKind::*;
        matches!(self, Delete | Mute | Unmute | Ban | Unban | Approve | Hide)
    }
}

/// One entry of the log. Entries are never changed, but for the names of those who had their data erased.
#[derive(Clone, PartialEq, Debug)]
pub struct Deed {
    pub id: ActionId,
    pub stream: StreamId,
    pub at: Millis,
    pub by: Speaker,
    pub kind: DeedKind,
    /// Whom it was done to.
    pub user: Option<UserId>,
    pub name: Option<String>,
    pub message: Option<MessageId>,
    /// The offer or order it was about.
    pub subject: Option<String>,
    /// What exactly: seconds, units, the rules that changed.
    pub detail: Option<String>,
    pub reason: Option<String>,
    /// What the message said, read with the entry; never kept beside it.
    pub text: Option<String>,
}

impl Deed {
    pub fn new(stream: StreamId, by: Speaker, kind: DeedKind, now: Millis) -> Self {
        Self {
            id: ActionId::new(),
            stream,
            at: now,
            by,
            kind,
            user: None,
            name: None,
            message: None,
            subject: None,
            detail: None,
            reason: None,
            text: None,
        }
    }
}

pub const REASON_MAX: usize = 200;

/// Why it was done, in the words of whoever did it: at most 200 characters; nothing visible is none.
pub fn reason(given: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(given) = given.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let reason = text::line(given, REASON_MAX);
    reason.map(Some).ok_or_else(|| Refusal::bad_request("a reason has at most 200 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_by_its_name() {
        for kind in DeedKind::ALL {
            assert_eq!(DeedKind::parse(kind.name()), Some(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(DeedKind::parse("dance"), None);
    }

    #[test]
    fn a_reason_is_short_or_none() {
        assert_eq!(reason(None), Ok(None));
        assert_eq!(reason(Some("  ")), Ok(None));
        assert_eq!(reason(Some(" spam\nagain ")), Ok(Some("spam again".to_owned())));
        assert!(reason(Some(&"x".repeat(200))).is_ok());
        assert!(reason(Some(&"x".repeat(201))).is_err());
    }
}
