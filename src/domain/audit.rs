//! The audit log: which team member did what in a show or in the shop, to whom and why.

use serde::Serialize;
use utoipa::ToSchema;

use super::{AuditEntryId, Author, MessageId, Millis, Refusal, StreamId, UserId, text};

/// Defines the actions and their names from one list.
macro_rules! audit_actions {
    ($($action:ident $name:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        /// An action of the team that the audit log records.
        pub enum AuditAction {
            $($action,)*
        }

        impl AuditAction {
            pub const ALL: &[AuditAction] = &[$(AuditAction::$action,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(AuditAction::$action => $name,)*
                }
            }
        }
    };
}

audit_actions! {
    Delete "delete",
    Mute "mute",
    Unmute "unmute",
    Ban "ban",
    Unban "unban",
    Approve "approve",
    Reject "reject",
    Requeue "requeue",
    Rules "rules",
    Blocklist "blocklist",
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
    SetPayLater "set_pay_later",
    Refund "refund",
    MarkPaid "mark_paid",
    CancelOrder "cancel_order",
    CloseDispute "close_dispute",
    Packed "packed",
    Sent "sent",
    Delivered "delivered",
    UndoFulfilment "undo_fulfilment",
    ReadAddress "read_address",
    ExportOrders "export_orders",
    ExportAuditLog "export_audit_log",
    ReadMails "read_mails",
    SendMailAgain "send_mail_again",
    Erase "erase",
    RevokeTokens "revoke_tokens",
    RestoreTokens "restore_tokens",
    SetUp "set_up",
    ChangeSettings "change_settings",
    SetMailServer "set_mail_server",
    RemoveMailServer "remove_mail_server",
    SetStripeKeys "set_stripe_keys",
    RemoveStripeKeys "remove_stripe_keys",
    InviteStaff "invite_staff",
    WithdrawStaffInvite "withdraw_staff_invite",
    AcceptStaffInvite "accept_staff_invite",
    SetStaffRole "set_staff_role",
    RemoveStaff "remove_staff",
    CreateApiKey "create_api_key",
    RotateApiKey "rotate_api_key",
    EndApiKey "end_api_key",
    BlockCustomer "block_customer",
    UnblockCustomer "unblock_customer",
    ExportUserData "export_user_data",
    ChangeProduct "change_product",
    ArchiveProduct "archive_product",
    RestoreProduct "restore_product",
    ImportProducts "import_products",
    UndoImport "undo_import",
    BulkEdit "bulk_edit",
    StockTake "stock_take",
    ChangeShow "change_show",
    CancelShow "cancel_show",
    CreatePublishKey "create_publish_key",
    RotatePublishKey "rotate_publish_key",
    EndPublishKeys "end_publish_keys",
    CreateCoupon "create_coupon",
    ChangeCoupon "change_coupon",
    EndCoupon "end_coupon",
    ShowCoupon "show_coupon",
    HideCoupon "hide_coupon",
}

impl AuditAction {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text)
    }

    /// Is this an action on one user, who may see the entry?
    pub fn affects_user(self) -> bool {
        use AuditAction::*;
        matches!(self, Delete | Mute | Unmute | Ban | Unban | Approve | Reject | Requeue)
    }
}

/// One entry of the audit log. An entry never changes, except that the names of users are removed when their data is erased; the database
/// refuses everything else.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEntry {
    pub id: AuditEntryId,
    /// The show, or [`AuditEntry::WHOLE_SHOP`].
    pub stream: StreamId,
    pub at: Millis,
    pub by: Author,
    pub kind: AuditAction,
    /// The user on whom the action was taken.
    pub user: Option<UserId>,
    pub name: Option<String>,
    pub message: Option<MessageId>,
    /// The id of the offer, order or product that the action concerns.
    pub subject: Option<String>,
    /// Details of the action: seconds, units, the rules that changed.
    pub detail: Option<String>,
    pub reason: Option<String>,
    /// The text of the message. It is read together with the entry and never stored in it.
    pub text: Option<String>,
}

impl AuditEntry {
    /// Replaces the show in an entry about the whole shop: its bits are all zero.
    pub const WHOLE_SHOP: StreamId = StreamId(uuid::Uuid::nil());

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

/// Which entries of all that the shop has somebody wants to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    pub kind: Option<AuditAction>,
    /// Only what this user did.
    pub by: Option<UserId>,
}

/// In characters.
pub const REASON_LENGTH_MAX: usize = 200;

/// Checks the reason that a team member gave: at most 200 characters. A text without visible characters becomes `None`.
pub fn parse_reason(given: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(given) = given.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let reason = text::single_line(given, REASON_LENGTH_MAX);
    reason.map(Some).ok_or_else(|| Refusal::bad_field("reason", "must have at most 200 characters."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_parsed_from_its_name() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.name()), Some(*action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
        assert_eq!(AuditAction::parse("dance"), None);
    }

    #[test]
    fn reason_has_at_most_200_characters_or_is_none() {
        assert_eq!(parse_reason(None), Ok(None));
        assert_eq!(parse_reason(Some("  ")), Ok(None));
        assert_eq!(parse_reason(Some(" spam\nagain ")), Ok(Some("spam again".to_owned())));
        assert!(parse_reason(Some(&"x".repeat(200))).is_ok());
        assert!(parse_reason(Some(&"x".repeat(201))).is_err());
    }
}
