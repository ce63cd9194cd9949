//! Reactions (hearts). They are counted, not stored one by one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Refusal;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReactionKind {
    Heart,
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
