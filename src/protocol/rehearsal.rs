//! How a rehearsal is told to the host.

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalStatus {
    Running,
    /// Every check held.
    Passed,
    /// A check did not hold, or the rehearsal could not be played: see `why`.
    Failed,
    /// Somebody stopped it, or it took longer than it may.
    Stopped,
}

#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Rehearsal)]
pub struct RehearsalView {
    pub status: RehearsalStatus,
    /// How many come, and how many are there, or were before it ended.
    pub viewers: u32,
    pub connected: u64,
    /// How long the show is, and how far the rehearsal has got.
    pub seconds: u64,
    pub elapsed_s: u64,
    pub messages: u64,
    pub orders_held: u64,
    /// 99 of 100 messages were with their viewers in so many milliseconds: in the last second while it runs, over all of
    /// it afterwards; null before the first.
    pub delivery_p99_ms: Option<f64>,
    /// What was checked and held, a sentence each.
    pub checks: Vec<String>,
    /// Why it failed or was stopped.
    pub why: Option<String>,
}
