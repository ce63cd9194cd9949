//! Chat: messages, chat rules and moderation decisions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::blocklist::{BlockAction, Blocklist};
use super::limits;
use super::product::in_range;
use super::spam::{has_link, has_too_many_repeats};
use super::{Author, Event, MessageId, Millis, Refusal, StreamId, UserId, text};

/// The text of a chat message: 1–200 characters on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChatText(String);

impl ChatText {
    pub const LENGTH_MAX: usize = 200;

    pub fn parse(given: &str) -> Result<Self, Refusal> {
        text::single_line(given, Self::LENGTH_MAX)
            .map(Self)
            .ok_or_else(|| Refusal::bad_field("text", "must have 1 to 200 characters."))
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
    pub from: Author,
    pub text: String,
    /// The message that this one replies to.
    pub reply: Option<Quote>,
    pub deleted: bool,
}

impl ChatMessage {
    pub fn event(&self) -> Event {
        let Self { id, from, text, reply, .. } = self.clone();
        Event::Chat { id, from, text, reply }
    }

    /// The quote that is shown above a reply: at most the first 80 characters of the message.
    pub fn quote(&self) -> Quote {
        let Author { id: user, name, .. } = self.from.clone();
        Quote { id: self.id, user, name, text: self.text.chars().take(Quote::LENGTH_MAX).collect() }
    }
}

/// A message that another message quotes. The quote is removed when the quoted message is removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Quote {
    pub id: MessageId,
    /// The author of the quoted message.
    pub user: UserId,
    pub name: String,
    pub text: String,
}

impl Quote {
    pub const LENGTH_MAX: usize = 80;
}

/// What happens to a viewer's message that contains a link. The team may always send links.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkRule {
    Allow,
    Review,
    /// The default of a new show. `Review` is not the default, because an unattended review queue would hide messages without
    /// an answer.
    #[default]
    Refuse,
}

impl LinkRule {
    pub fn name(self) -> &'static str {
        match self {
            LinkRule::Allow => "allow",
            LinkRule::Review => "review",
            LinkRule::Refuse => "refuse",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [LinkRule::Allow, LinkRule::Review, LinkRule::Refuse].into_iter().find(|rule| rule.name() == text)
    }
}

/// The chat rules of a show.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
pub struct ChatRules {
    /// Slow mode: the least number of milliseconds between two messages of one viewer; 0 is off.
    pub slow_ms: i64,
    /// The host's notice, shown until it is removed.
    pub notice: Option<String>,
    /// Only the team may send messages.
    pub off: bool,
    pub links: LinkRule,
    /// Every viewer's message goes to the review queue.
    pub review_all: bool,
    /// The pinned message, shown above the others.
    pub pinned: Option<Quote>,
}

/// The most messages that one review queue holds; the next ones are refused.
pub const REVIEW_QUEUE_MAX: i64 = 500;

/// The decision of the rules about a message that they do not refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChatDecision {
    Publish,
    /// The message goes to the review queue.
    Review,
}

impl ChatRules {
    /// Decides about a viewer's message by these rules and the blocklist. Name and text must be [folded](super::blocklist::fold).
    /// A viewer can rewrite a text but not their name, so a blocked word or a link in the name leads to review, not to a refusal.
    pub fn evaluate(
        &self,
        folded_name: &str,
        folded_text: &str,
        blocklist: &Blocklist,
    ) -> Result<ChatDecision, Refusal> {
        if self.off {
            return Err(Refusal::ChatOff);
        }
        if has_too_many_repeats(folded_text) {
            return Err(Refusal::RepeatedCharacters);
        }
        let word_action = blocklist.strictest_match(folded_text);
        if word_action == Some(BlockAction::Refuse) {
            return Err(Refusal::BlockedWord);
        }
        let is_restricted_link = |text| self.is_restricted_link(text);
        if is_restricted_link(folded_text) && self.links == LinkRule::Refuse {
            return Err(Refusal::LinksNotAllowed);
        }
        let name_needs_review = !self.may_show_name(folded_name, blocklist);
        Ok(if is_restricted_link(folded_text) || word_action.is_some() || name_needs_review || self.review_all {
            ChatDecision::Review
        } else {
            ChatDecision::Publish
        })
    }
}

impl ChatRules {
    /// May this name of a viewer be shown without a review? It must be [folded](super::blocklist::fold).
    pub fn may_show_name(&self, folded_name: &str, blocklist: &Blocklist) -> bool {
        blocklist.strictest_match(folded_name).is_none() && !self.is_restricted_link(folded_name)
    }

    fn is_restricted_link(&self, folded: &str) -> bool {
        self.links != LinkRule::Allow && has_link(folded)
    }
}

/// A change of the chat rules. A field that is absent stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
pub struct ChatRulesForm {
    /// Slow mode: the least number of seconds between two messages of one viewer; 0 (off) to 300.
    pub slow_s: Option<i64>,
    /// Only the team may send messages.
    pub off: Option<bool>,
    /// What happens to a viewer's message that contains a link.
    pub links: Option<LinkRule>,
    /// Every viewer's message goes to the review queue.
    pub review_all: Option<bool>,
}

impl ChatRulesForm {
    /// The change as text, for the audit log.
    pub fn describe(&self) -> String {
        let changes = [
            self.slow_s.map(|seconds| format!("slow_s {seconds}")),
            self.off.map(|off| format!("off {off}")),
            self.links.map(|links| format!("links {}", links.name())),
            self.review_all.map(|review_all| format!("review_all {review_all}")),
        ];
        changes.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Checks the seconds of slow mode, 0 (off) to 300, and converts them to milliseconds.
pub fn slow_ms(seconds: i64) -> Result<i64, Refusal> {
    Ok(in_range(seconds, limits::SLOW_S, "slow_s")? * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_takes_precedence_over_review() {
        let word = |word: &str, action| super::super::BlockedWord { word: word.into(), whole_word: false, action };
        let words =
            Blocklist::parse(vec![word("scam", BlockAction::Refuse), word("cheap", BlockAction::Review)]).unwrap();
        let open = ChatRules { links: LinkRule::Allow, ..ChatRules::default() };
        let rows = [
            (open.clone(), "how much?", Ok(ChatDecision::Publish)),
            (open.clone(), "see a.com", Ok(ChatDecision::Publish)),
            (open.clone(), "cheap", Ok(ChatDecision::Review)),
            (open.clone(), "cheap scam", Err(Refusal::BlockedWord)),
            (ChatRules { review_all: true, ..open.clone() }, "hi", Ok(ChatDecision::Review)),
            (ChatRules { review_all: true, ..open.clone() }, "scam", Err(Refusal::BlockedWord)),
            (ChatRules { links: LinkRule::Review, ..open.clone() }, "see a.com", Ok(ChatDecision::Review)),
            (ChatRules::default(), "see a.com", Err(Refusal::LinksNotAllowed)),
            (ChatRules::default(), "hi", Ok(ChatDecision::Publish)),
            (ChatRules::default(), "!!!!!!!!!!!!!!!!!!!!!!!", Err(Refusal::RepeatedCharacters)),
            (ChatRules { off: true, ..open }, "hi", Err(Refusal::ChatOff)),
        ];
        for (rules, text, expected) in rows {
            assert_eq!(rules.evaluate("ann", text, &words), expected, "{text} by {rules:?}");
        }
    }

    #[test]
    fn blocked_word_or_link_in_a_name_leads_to_review() {
        let scam = super::super::BlockedWord { word: "scam".into(), whole_word: false, action: BlockAction::Refuse };
        let words = Blocklist::parse(vec![scam]).unwrap();
        let links = |links| ChatRules { links, ..ChatRules::default() };
        for (rules, name, expected) in [
            (links(LinkRule::Refuse), "ann", ChatDecision::Publish),
            (links(LinkRule::Refuse), "a.scam er", ChatDecision::Review),
            (links(LinkRule::Refuse), "shop.com", ChatDecision::Review),
            (links(LinkRule::Allow), "shop.com", ChatDecision::Publish),
        ] {
            assert_eq!(rules.evaluate(name, "hello", &words), Ok(expected), "{name} by {rules:?}");
        }
    }

    #[test]
    fn quote_has_at_most_80_characters() {
        let from = Author { id: UserId::parse("u").unwrap(), name: "U".into(), role: super::super::Role::Viewer };
        let (id, stream) = (MessageId::new(), StreamId::new());
        let long = ChatMessage { id, stream, at: 0, from, text: "ك".repeat(200), reply: None, deleted: false };
        assert_eq!(
            long.quote(),
            Quote { id, user: UserId::parse("u").unwrap(), name: "U".into(), text: "ك".repeat(80) }
        );
    }

    #[test]
    fn message_of_200_characters_is_accepted_and_of_201_is_refused() {
        assert!(ChatText::parse(&"ك".repeat(200)).is_ok());
        assert!(ChatText::parse(&"x".repeat(201)).is_err());
        assert!(ChatText::parse(" \n ").is_err());
    }
}
