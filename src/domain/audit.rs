//! What the team did in a show, to whom and why: the log of actions.

use serde::Serialize;
use utoipa::ToSchema;

use super::{AuditEntryId, Author, MessageId, Millis, Refusal, StreamId, UserId, text};

macro_rules! kinds {
    ($($kind:ident $name:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = ActionKind)]
        pub enum AuditAction {
            $($kind,)*
        }

        impl AuditAction {
            pub const ALL: &[AuditAction] = &[$(AuditAction::$kind,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(AuditAction::$kind => $name,)*
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
    Reject "hide",
    Rules "rules",
    Blocklist "words",
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

impl AuditAction {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text)
    }

    /// Done to a person, who may know.
    pub fn affects_user(self) -> bool {
        use AuditAction::*;
        matches!(self, Delete | Mute | Unmute | Ban | Unban | Approve | Reject)
    }
}

/// One entry of the log. Entries are never changed, but for the names of those who had their data erased.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEntry {
    pub id: AuditEntryId,
    pub stream: StreamId,
    pub at: Millis,
    pub by: Author,
    pub kind: AuditAction,
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

impl AuditEntry {
    pub fn new(stream: StreamId, by: Author, kind: AuditAction, now: Millis) -> Self {
        Self {
            id: AuditEntryId::new(),
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

pub const REASON_LENGTH_MAX: usize = 200;

/// Why it was done, in the words of whoever did it: at most 200 characters; nothing visible is none.
pub fn parse_reason(given: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(given) = given.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let reason = text::single_line(given, REASON_LENGTH_MAX);
    reason.map(Some).ok_or_else(|| Refusal::bad_request("a reason has at most 200 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_by_its_name() {
        for kind in AuditAction::ALL {
            assert_eq!(AuditAction::parse(kind.name()), Some(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(AuditAction::parse("dance"), None);
    }

    #[test]
    fn a_reason_is_short_or_none() {
        assert_eq!(parse_reason(None), Ok(None));
        assert_eq!(parse_reason(Some("  ")), Ok(None));
        assert_eq!(parse_reason(Some(" spam\nagain ")), Ok(Some("spam again".to_owned())));
        assert!(parse_reason(Some(&"x".repeat(200))).is_ok());
        assert!(parse_reason(Some(&"x".repeat(201))).is_err());
    }
}
