//! Hearts: counted, not kept one by one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Refusal;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReactionKind {
    Heart,
}

/// How many hearts one frame may carry; a page gathers taps and sends them together.
pub const REACTION_COUNT_MAX: i64 = 50;

pub fn validate_count(given: i64) -> Result<i64, Refusal> {
    if (1..=REACTION_COUNT_MAX).contains(&given) { Ok(given) } else { Err(Refusal::bad_request("count is 1 to 50")) }
}
