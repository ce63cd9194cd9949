//! Payments that buyers dispute at their banks: what the provider says of them, and what the team says of one that the provider does not let
//! the shop read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::REASON_LENGTH_MAX;
use super::{Millis, Minor, OrderId, Refusal, text};

/// How long a dispute that the provider does not let us read is asked for.
pub const DISPUTE_UNREAD_MAX_MS: Millis = 14 * 24 * 3_600_000;
/// A dispute of a provider that only says in its events how disputes end is given up after this time: no bank takes as long.
pub const DISPUTE_END_MAX_MS: Millis = 120 * 24 * 3_600_000;
/// How long a dispute is listed that the team has closed: in this time a wrong result is seen and can be corrected.
pub const CLOSED_SHOWN_MS: Millis = 7 * 24 * 3_600_000;
/// The longest id of a dispute, in bytes.
pub const DISPUTE_REFERENCE_MAX: usize = 255;

/// How far a dispute is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    Open,
    /// The money stays with the shop; also an inquiry that ended without a dispute.
    Won,
    /// The buyer has the money.
    Lost,
}

impl DisputeStatus {
    pub fn name(self) -> &'static str {
        match self {
            DisputeStatus::Open => "open",
            DisputeStatus::Won => "won",
            DisputeStatus::Lost => "lost",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [DisputeStatus::Open, DisputeStatus::Won, DisputeStatus::Lost].into_iter().find(|one| one.name() == text)
    }
}

/// How a dispute ended that was given up, as somebody of the team saw it at the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeResult {
    /// The bank decided for the shop.
    Won,
    /// The buyer has the money.
    Lost,
    /// The buyer withdrew it, or it was an inquiry only: the money stays with the shop, and the sums count it as won.
    Withdrawn,
}

impl DisputeResult {
    pub fn name(self) -> &'static str {
        match self {
            DisputeResult::Won => "won",
            DisputeResult::Lost => "lost",
            DisputeResult::Withdrawn => "withdrawn",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [DisputeResult::Won, DisputeResult::Lost, DisputeResult::Withdrawn].into_iter().find(|one| one.name() == text)
    }

    /// What the sums count it as.
    pub fn status(self) -> DisputeStatus {
        match self {
            DisputeResult::Won | DisputeResult::Withdrawn => DisputeStatus::Won,
            DisputeResult::Lost => DisputeStatus::Lost,
        }
    }
}

/// What the team says of a dispute that was given up.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[schema(as = CloseDisputeRequest)]
pub struct DisputeEnd {
    /// The provider's id of the dispute, as the list has it; null or left out: the one of which the provider gave no details.
    #[serde(default)]
    pub reference: Option<String>,
    pub result: DisputeResult,
    /// Where and when somebody saw it, for the audit log: 1 to 200 characters in one line.
    pub note: String,
}

impl DisputeEnd {
    /// Checks what was typed. The note becomes what is stored.
    pub fn checked(self) -> Result<Self, Refusal> {
        let is_id = |text: &str| {
            (1..=DISPUTE_REFERENCE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.reference.as_deref().is_some_and(|reference| !is_id(reference)) {
            return Err(Refusal::bad_field("reference", "must be the id of a dispute."));
        }
        let note = text::single_line(&self.note, REASON_LENGTH_MAX);
        let note = note.ok_or_else(|| Refusal::bad_field("note", "must have 1 to 200 characters."))?;
        Ok(Self { note, ..self })
    }
}

/// A dispute as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderDispute {
    /// The provider's id of it.
    pub reference: String,
    pub status: DisputeStatus,
    /// The shop has not sent its evidence.
    pub needs_answer: bool,
    pub amount: Minor,
    pub currency: String,
    /// As the provider calls it.
    pub reason: Option<String>,
    /// Until when the shop can answer.
    pub due_at: Option<Millis>,
    pub opened_at: Millis,
}

/// A dispute that has not ended, or that the team has closed a short time ago.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenDispute {
    pub order: OrderId,
    /// The number that people say.
    pub order_number: Option<i64>,
    pub provider: String,
    pub dispute: ProviderDispute,
    /// The provider gave no details: the amount is that of the payment.
    pub has_details: bool,
    /// Since when it could not be read at the provider. `None`: the last request could read it.
    pub unread_since: Option<Millis>,
    /// It is not asked for any more.
    pub is_given_up: bool,
    /// What the team said of it, and when.
    pub closed: Option<(DisputeResult, Millis)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_a_dispute_is_checked() {
        let end = |reference: Option<&str>, note: &str| {
            let end = DisputeEnd {
                reference: reference.map(str::to_owned),
                result: DisputeResult::Won,
                note: note.to_owned(),
            };
            end.checked().map(|end| end.note).map_err(|refusal| refusal.field().unwrap_or_default().to_owned())
        };
        assert_eq!(end(Some("du_1"), " Seen\n at Stripe "), Ok("Seen at Stripe".to_owned()));
        assert_eq!(end(None, &"x".repeat(200)), Ok("x".repeat(200)));
        for (reference, note, field) in [
            (None, "", "note"),
            (None, "\u{200b}", "note"),
            (None, &*"x".repeat(201), "note"),
            (Some(""), "Seen", "reference"),
            (Some("du 1"), "Seen", "reference"),
            (Some("du_\0"), "Seen", "reference"),
            (Some(&*"x".repeat(256)), "Seen", "reference"),
        ] {
            assert_eq!(end(reference, note), Err(field.to_owned()), "{reference:?} {note:?}");
        }
    }

    #[test]
    fn dispute_that_was_withdrawn_counts_as_won() {
        for (result, status) in [
            (DisputeResult::Won, DisputeStatus::Won),
            (DisputeResult::Withdrawn, DisputeStatus::Won),
            (DisputeResult::Lost, DisputeStatus::Lost),
        ] {
            assert_eq!(result.status(), status);
            assert_eq!(DisputeResult::parse(result.name()), Some(result));
            assert_eq!(serde_json::to_value(result).unwrap(), result.name());
        }
    }
}
