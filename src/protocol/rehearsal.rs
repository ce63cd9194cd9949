//! A rehearsal as JSON, for the host.

use serde::Serialize;
use utoipa::ToSchema;

/// The status of a rehearsal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalStatus {
    Running,
    /// Every check passed.
    Passed,
    /// A check failed, or the rehearsal could not run: see `why`.
    Failed,
    /// A team member stopped it, or it exceeded its time limit.
    Stopped,
}

/// The state of a rehearsal and its results so far.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Rehearsal)]
pub struct RehearsalView {
    pub status: RehearsalStatus,
    /// The number of simulated viewers.
    pub viewers: u32,
    /// The viewers that are connected now, or were before the rehearsal ended.
    pub connected: u64,
    /// The length of the rehearsal in seconds.
    pub seconds: u64,
    /// The seconds that have passed.
    pub elapsed_s: u64,
    pub messages: u64,
    pub orders_held: u64,
    /// The 99th percentile of the delivery time of messages in milliseconds: of the last second while the rehearsal runs, of the
    /// whole rehearsal afterwards; `null` before the first message.
    pub delivery_p99_ms: Option<f64>,
    /// The checks that passed, a sentence each.
    pub checks: Vec<String>,
    /// Why the rehearsal failed or was stopped.
    pub why: Option<String>,
}
