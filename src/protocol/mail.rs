//! E-mails as the seller's desk shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Language, MailId, MailKind, MailStatus, Millis, OrderId};

/// An e-mail that the shop sends: without what it says.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Mail)]
pub struct MailView {
    pub id: MailId,
    pub kind: MailKind,
    /// The address to which it goes.
    pub to: String,
    pub language: Language,
    /// The order that it is about.
    pub order: Option<OrderId>,
    pub status: MailStatus,
    pub attempts: i64,
    /// Why the last attempt did not succeed, in the words of the mail server.
    pub error: Option<String>,
    pub created_at: Millis,
    /// When it is tried next, if it waits.
    pub next_try_at: Option<Millis>,
    pub sent_at: Option<Millis>,
    /// Whether it can be sent again: not while it waits, and not if it had a secret.
    pub can_send_again: bool,
}
