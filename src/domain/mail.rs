//! E-mails that the shop sends: what they say, and what happens after an attempt to send one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::follow::NEWS_TTL_MS;
use super::{EmailAddress, FollowId, Language, MailId, Millis, OrderId, ProductId, StreamId, UserId};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    SignInCode,
    OrderPlaced,
    OrderConfirmed,
    OrderCancelled,
    OrderSent,
    OrderRefunded,
    Withdrawal,
    StaffInvite,
    PasskeyAdded,
    PasskeyRemoved,
    FollowConfirmation,
    ShowStarted,
    ProductUp,
    Test,
}

impl MailKind {
    pub const ALL: [MailKind; 14] = {
        use MailKind::*;
        [
            SignInCode,
            OrderPlaced,
            OrderConfirmed,
            OrderCancelled,
            OrderSent,
            OrderRefunded,
            Withdrawal,
            StaffInvite,
            PasskeyAdded,
            PasskeyRemoved,
            FollowConfirmation,
            ShowStarted,
            ProductUp,
            Test,
        ]
    };

    pub fn name(self) -> &'static str {
        match self {
            MailKind::SignInCode => "sign_in_code",
            MailKind::OrderPlaced => "order_placed",
            MailKind::OrderConfirmed => "order_confirmed",
            MailKind::OrderCancelled => "order_cancelled",
            MailKind::OrderSent => "order_sent",
            MailKind::OrderRefunded => "order_refunded",
            MailKind::Withdrawal => "withdrawal",
            MailKind::StaffInvite => "staff_invite",
            MailKind::PasskeyAdded => "passkey_added",
            MailKind::PasskeyRemoved => "passkey_removed",
            MailKind::FollowConfirmation => "follow_confirmation",
            MailKind::ShowStarted => "show_started",
            MailKind::ProductUp => "product_up",
            MailKind::Test => "test",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// Somebody waits in front of a screen, so it goes before the others.
    pub fn is_urgent(self) -> bool {
        matches!(self, MailKind::SignInCode | MailKind::StaffInvite | MailKind::Test)
    }

    /// It goes to many at once, so it goes after the others.
    pub fn is_for_followers(self) -> bool {
        matches!(self, MailKind::ShowStarted | MailKind::ProductUp)
    }

    /// In which order mails go: 0, then 1, then 2.
    pub fn priority(self) -> i64 {
        match self {
            urgent if urgent.is_urgent() => 0,
            bulk if bulk.is_for_followers() => BULK_PRIORITY,
            _ => 1,
        }
    }

    /// What it says is erased once it was sent or has failed, so it cannot be sent again: it contains a secret, or was news.
    pub fn is_secret(self) -> bool {
        matches!(self, MailKind::SignInCode | MailKind::StaffInvite | MailKind::FollowConfirmation)
            || self.is_for_followers()
    }
}

/// What a mail says, apart from what is read from its order when it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailContent {
    SignInCode {
        code: String,
        expires_at: Millis,
    },
    /// The shop receives the payment itself: what is to be paid, until when, and where.
    OrderPlaced {
        order: OrderId,
        #[serde(default)]
        link: Option<String>,
    },
    /// A placed order was cancelled, by the shop or because its time was over.
    OrderCancelled {
        order: OrderId,
    },
    OrderConfirmed {
        order: OrderId,
        /// The secret of a link to the order, for a buyer who has nothing to sign in with.
        #[serde(default)]
        link: Option<String>,
    },
    OrderSent {
        order: OrderId,
        /// The other orders in the same parcel.
        #[serde(default)]
        with: Vec<OrderId>,
    },
    OrderRefunded {
        order: OrderId,
        /// Which refund of the order; `None`: the whole order, in a mail from before there were others.
        #[serde(default)]
        n: Option<i64>,
    },
    /// The buyer withdrew from the purchase.
    Withdrawal {
        order: OrderId,
    },
    StaffInvite {
        /// The link that accepts the invite.
        url: String,
        /// The name of the role on the wire.
        role: String,
        /// Who invites.
        by: String,
        expires_at: Millis,
    },
    /// The account has a new passkey. Its owner is informed, because somebody else may have made it.
    PasskeyAdded {
        /// The name of the passkey.
        passkey: String,
    },
    PasskeyRemoved {
        passkey: String,
    },
    /// Somebody typed this address to follow the shop or a product. Its owner confirms it by a link.
    FollowConfirmation {
        /// The secret of the link.
        secret: String,
        /// `None`: the shop.
        product: Option<ProductId>,
        expires_at: Millis,
    },
    ShowStarted {
        follow: FollowId,
        stream: StreamId,
        announced_at: Millis,
    },
    /// A product that somebody follows is pinned or on sale in a live show.
    ProductUp {
        follow: FollowId,
        stream: StreamId,
        announced_at: Millis,
    },
    Test,
}

impl MailContent {
    pub fn kind(&self) -> MailKind {
        match self {
            MailContent::SignInCode { .. } => MailKind::SignInCode,
            MailContent::OrderPlaced { .. } => MailKind::OrderPlaced,
            MailContent::OrderConfirmed { .. } => MailKind::OrderConfirmed,
            MailContent::OrderCancelled { .. } => MailKind::OrderCancelled,
            MailContent::OrderSent { .. } => MailKind::OrderSent,
            MailContent::OrderRefunded { .. } => MailKind::OrderRefunded,
            MailContent::Withdrawal { .. } => MailKind::Withdrawal,
            MailContent::StaffInvite { .. } => MailKind::StaffInvite,
            MailContent::PasskeyAdded { .. } => MailKind::PasskeyAdded,
            MailContent::PasskeyRemoved { .. } => MailKind::PasskeyRemoved,
            MailContent::FollowConfirmation { .. } => MailKind::FollowConfirmation,
            MailContent::ShowStarted { .. } => MailKind::ShowStarted,
            MailContent::ProductUp { .. } => MailKind::ProductUp,
            MailContent::Test => MailKind::Test,
        }
    }

    pub fn order(&self) -> Option<OrderId> {
        match self {
            MailContent::OrderPlaced { order, .. }
            | MailContent::OrderConfirmed { order, .. }
            | MailContent::OrderCancelled { order }
            | MailContent::OrderSent { order, .. }
            | MailContent::OrderRefunded { order, .. }
            | MailContent::Withdrawal { order } => Some(*order),
            MailContent::SignInCode { .. }
            | MailContent::StaffInvite { .. }
            | MailContent::PasskeyAdded { .. }
            | MailContent::PasskeyRemoved { .. }
            | MailContent::FollowConfirmation { .. }
            | MailContent::ShowStarted { .. }
            | MailContent::ProductUp { .. }
            | MailContent::Test => None,
        }
    }

    /// Until when it is worth sending, if it was written at `now`.
    fn give_up_at(&self, now: Millis) -> Millis {
        match self {
            MailContent::SignInCode { expires_at, .. } => *expires_at,
            MailContent::StaffInvite { expires_at, .. } | MailContent::FollowConfirmation { expires_at, .. } => {
                (*expires_at).min(now + MAIL_LIFETIME_MS)
            }
            MailContent::ShowStarted { announced_at, .. } | MailContent::ProductUp { announced_at, .. } => {
                announced_at + NEWS_TTL_MS
            }
            _ => now + MAIL_LIFETIME_MS,
        }
    }
}

/// A mail that is written to the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMail {
    pub to: EmailAddress,
    pub language: Language,
    /// The user whom it is about, for the export and the erasure of their data.
    pub user: Option<UserId>,
    pub content: MailContent,
}

impl NewMail {
    pub fn give_up_at(&self, now: Millis) -> Millis {
        self.content.give_up_at(now)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailStatus {
    /// Waits for its next attempt.
    Queued,
    /// A node sends it now.
    Sending,
    /// The mail server has accepted it.
    Sent,
    /// It is not tried again.
    Failed,
}

impl MailStatus {
    pub const ALL: [MailStatus; 4] = [MailStatus::Queued, MailStatus::Sending, MailStatus::Sent, MailStatus::Failed];

    pub fn name(self) -> &'static str {
        match self {
            MailStatus::Queued => "queued",
            MailStatus::Sending => "sending",
            MailStatus::Sent => "sent",
            MailStatus::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// A mail that a node has claimed: until `claimed_until` no other node sends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedMail {
    pub id: MailId,
    pub to: EmailAddress,
    pub language: Language,
    pub content: MailContent,
    /// This attempt is counted.
    pub attempts: i64,
    /// Earlier attempts of which nobody knows whether the mail server accepted the mail.
    pub unknown_outcomes: i64,
    pub created_at: Millis,
    pub give_up_at: Millis,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MailOutcome {
    Accepted,
    /// The server was not reached, or takes no mail from us now: certainly not sent.
    ServerUnavailable(String),
    /// The server told us to try this mail later.
    Deferred(String),
    /// The server refused this mail permanently.
    Rejected(String),
    /// The whole mail was transferred, and no answer came.
    Unknown(String),
    /// Nobody wants it any more: its reader has stopped such mails, or the show is over.
    Unwanted,
    /// The node stops, and nothing was transferred.
    Interrupted,
}

/// What happens to a mail after an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MailStep {
    Sent,
    Retry {
        after_ms: Millis,
        error: String,
        was_unknown: bool,
    },
    Fail {
        error: String,
    },
    /// As if there had been no attempt.
    Release,
    /// As if it had never been written.
    Drop,
}

/// The priority of mails that go to many at once.
pub const BULK_PRIORITY: i64 = 2;
/// The most attempts at one mail.
pub const MAIL_ATTEMPTS_MAX: i64 = 12;
/// How long a mail that could not be sent is tried again.
pub const MAIL_LIFETIME_MS: Millis = 36 * 3_600_000;
/// The pause after the first attempt. Each further pause is four times as long.
const FIRST_PAUSE_MS: Millis = 15_000;
const PAUSE_MAX_MS: Millis = 4 * 3_600_000;
/// The maximum number of attempts without a known outcome: two copies may have arrived, and a third must not.
const UNKNOWN_OUTCOMES_MAX: i64 = 2;

impl ClaimedMail {
    /// Why it is not even tried, if so.
    pub fn check_worth_sending(&self, now: Millis) -> Result<(), String> {
        if self.unknown_outcomes >= UNKNOWN_OUTCOMES_MAX {
            return Err(TWICE_UNKNOWN.to_owned());
        }
        match self.give_up_at <= now {
            true => Err("It could not be sent in time.".to_owned()),
            false => Ok(()),
        }
    }

    /// Decides what happens after this attempt.
    pub fn after(&self, outcome: MailOutcome, now: Millis) -> MailStep {
        let (error, was_unknown) = match outcome {
            MailOutcome::Accepted => return MailStep::Sent,
            MailOutcome::Interrupted => return MailStep::Release,
            MailOutcome::Unwanted => return MailStep::Drop,
            MailOutcome::Rejected(error) => return MailStep::Fail { error },
            MailOutcome::ServerUnavailable(error) | MailOutcome::Deferred(error) => (error, false),
            MailOutcome::Unknown(error) => (error, true),
        };
        if was_unknown && self.unknown_outcomes + 1 >= UNKNOWN_OUTCOMES_MAX {
            return MailStep::Fail { error: format!("{error} {TWICE_UNKNOWN}") };
        }
        let after_ms = pause_after(self.attempts);
        if self.attempts >= MAIL_ATTEMPTS_MAX || self.give_up_at <= now + after_ms {
            return MailStep::Fail { error };
        }
        MailStep::Retry { after_ms, error, was_unknown }
    }
}

const TWICE_UNKNOWN: &str = "Two attempts ended without an answer, so it may have arrived.";

/// 15 s, 1 min, 4 min, 16 min, 64 min, then 4 h.
fn pause_after(attempts: i64) -> Millis {
    let steps = u32::try_from((attempts - 1).clamp(0, 10)).unwrap_or(10);
    (FIRST_PAUSE_MS * 4_i64.pow(steps)).min(PAUSE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(attempts: i64, unknown_outcomes: i64) -> ClaimedMail {
        ClaimedMail {
            id: MailId::new(),
            to: EmailAddress::parse("ann@example.com").unwrap(),
            language: Language::English,
            content: MailContent::Test,
            attempts,
            unknown_outcomes,
            created_at: 0,
            give_up_at: MAIL_LIFETIME_MS,
        }
    }

    fn deferred() -> MailOutcome {
        MailOutcome::Deferred("451 later".to_owned())
    }

    #[test]
    fn pauses_grow_and_end_after_twelve_attempts() {
        let pauses: Vec<i64> = (1..=MAIL_ATTEMPTS_MAX)
            .map_while(|attempts| match claimed(attempts, 0).after(deferred(), 0) {
                MailStep::Retry { after_ms, .. } => Some(after_ms / 1_000),
                _ => None,
            })
            .collect();
        assert_eq!(pauses, [15, 60, 240, 960, 3_840, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400]);
        assert!(pauses.iter().sum::<i64>() * 1_000 < MAIL_LIFETIME_MS, "the attempts end before the lifetime");
        assert_eq!(claimed(12, 0).after(deferred(), 0), MailStep::Fail { error: "451 later".to_owned() });
    }

    #[test]
    fn refused_mail_fails_at_once() {
        let step = claimed(1, 0).after(MailOutcome::Rejected("550 no such user".to_owned()), 0);
        assert_eq!(step, MailStep::Fail { error: "550 no such user".to_owned() });
    }

    #[test]
    fn mail_without_an_answer_is_tried_once_more_and_never_a_third_time() {
        let unknown = || MailOutcome::Unknown("no answer".to_owned());
        assert!(matches!(claimed(1, 0).after(unknown(), 0), MailStep::Retry { was_unknown: true, .. }));
        assert!(matches!(claimed(2, 1).after(unknown(), 0), MailStep::Fail { .. }));
        // Two nodes died while they sent it.
        assert!(claimed(3, 2).check_worth_sending(0).is_err());
        assert!(claimed(3, 1).check_worth_sending(0).is_ok());
    }

    #[test]
    fn code_is_not_sent_after_its_time() {
        let content = MailContent::SignInCode { code: "123456".to_owned(), expires_at: 600_000 };
        let new = NewMail { to: claimed(0, 0).to, language: Language::English, user: None, content };
        let mail = ClaimedMail { give_up_at: new.give_up_at(0), ..claimed(3, 0) };
        assert!(mail.check_worth_sending(599_999).is_ok() && mail.check_worth_sending(600_000).is_err());
        assert!(matches!(mail.after(deferred(), 300_000), MailStep::Retry { .. }));
        assert!(matches!(mail.after(deferred(), 360_000), MailStep::Fail { .. }), "the next attempt would be too late");
    }

    #[test]
    fn news_goes_last_and_is_given_up_after_half_an_hour() {
        let (follow, stream, announced_at) = (FollowId::new(), StreamId::new(), 1_000);
        let content = MailContent::ShowStarted { follow, stream, announced_at };
        let priorities = [MailKind::SignInCode, MailKind::OrderConfirmed, content.kind()].map(MailKind::priority);
        assert_eq!(priorities, [0, 1, BULK_PRIORITY]);
        // It is written late, and the time still counts from the announcement.
        assert_eq!(content.give_up_at(900_000), 1_000 + NEWS_TTL_MS);
        assert_eq!(claimed(1, 0).after(MailOutcome::Unwanted, 0), MailStep::Drop);
    }

    #[test]
    fn content_is_read_as_it_was_written() {
        let order = OrderId::new();
        for content in [
            MailContent::Test,
            MailContent::OrderSent { order, with: vec![OrderId::new()] },
            MailContent::SignInCode { code: "000001".to_owned(), expires_at: 7 },
            MailContent::FollowConfirmation { secret: "s".to_owned(), product: Some(ProductId::new()), expires_at: 7 },
            MailContent::ShowStarted { follow: FollowId::new(), stream: StreamId::new(), announced_at: 7 },
        ] {
            let text = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<MailContent>(&text).unwrap(), content, "{text}");
            assert!(text.contains(content.kind().name()), "the kind has one name: {text}");
        }
        assert!(MailKind::ALL.iter().all(|kind| MailKind::parse(kind.name()) == Some(*kind)));
    }
}
