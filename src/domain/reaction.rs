//! Reactions: a heart or one of four emoji. They are counted, not stored one by one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Refusal;

/// What a viewer may send. The set is fixed and small, so that every page can draw each kind without loading a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReactionKind {
    Heart,
    Clap,
    Fire,
    Laugh,
    Wow,
}

/// The most reactions in one frame. A page collects taps and sends them together.
pub const REACTION_COUNT_MAX: i64 = 50;

/// Checks the number of reactions in one frame.
pub fn validate_count(given: i64) -> Result<i64, Refusal> {
    if (1..=REACTION_COUNT_MAX).contains(&given) {
        Ok(given)
    } else {
        Err(Refusal::bad_field("count", format!("must be 1 to {REACTION_COUNT_MAX}.")))
    }
}

/// How often each emoji was sent since the node opened the show. A kind that nobody sent is left out. Hearts are the rest of the
/// likes, which count reactions of every kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ReactionCounts {
    #[serde(skip_serializing_if = "is_zero")]
    pub clap: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub fire: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub laugh: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub wow: i64,
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

impl ReactionCounts {
    /// Counts reactions of one kind. Hearts are only counted as likes.
    pub fn add(&mut self, kind: ReactionKind, count: i64) {
        let counter = match kind {
            ReactionKind::Heart => return,
            ReactionKind::Clap => &mut self.clap,
            ReactionKind::Fire => &mut self.fire,
            ReactionKind::Laugh => &mut self.laugh,
            ReactionKind::Wow => &mut self.wow,
        };
        *counter = counter.saturating_add(count);
    }

    /// The counts of two nodes together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.combine(other, i64::saturating_add)
    }

    /// The newer of two counts of one node: they only grow, so it is the larger number of each kind.
    #[must_use]
    pub fn newest(self, other: Self) -> Self {
        self.combine(other, i64::max)
    }

    /// Reactions of all kinds but hearts.
    pub fn total(self) -> i64 {
        [self.clap, self.fire, self.laugh, self.wow].into_iter().fold(0, i64::saturating_add)
    }

    fn combine(self, other: Self, of_two: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            clap: of_two(self.clap, other.clap),
            fire: of_two(self.fire, other.fire),
            laugh: of_two(self.laugh, other.laugh),
            wow: of_two(self.wow, other.wow),
        }
    }
}
