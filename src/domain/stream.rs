//! One show: scheduled → live → ended. Never called `Stream` in code; tokio and futures own that word.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChatRules, Millis, OfferId, Refusal, StreamId, Titles};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamStatus {
    Scheduled,
    Live,
    Ended,
}

impl StreamStatus {
    pub fn name(self) -> &'static str {
        match self {
            StreamStatus::Scheduled => "scheduled",
            StreamStatus::Live => "live",
            StreamStatus::Ended => "ended",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [StreamStatus::Scheduled, StreamStatus::Live, StreamStatus::Ended].into_iter().find(|s| s.name() == text)
    }

    /// A show starts once and ends once.
    pub fn check_transition(self, target: StreamStatus) -> Result<(), Refusal> {
        match (self, target) {
            (StreamStatus::Scheduled, StreamStatus::Live) | (StreamStatus::Live, StreamStatus::Ended) => Ok(()),
            (StreamStatus::Scheduled, StreamStatus::Ended) => Ok(()),
            (StreamStatus::Ended, _) => Err(Refusal::StreamEnded),
            _ => Err(Refusal::WrongStatus("the show is live already")),
        }
    }
}

/// Where a stream's event log stands: `seq` counts from 1 within `epoch`, and a new epoch begins when the count is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPosition {
    pub epoch: Arc<str>,
    pub seq: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct LiveStream {
    pub id: StreamId,
    pub title: String,
    pub titles: Titles,
    pub host: String,
    pub status: StreamStatus,
    /// An HLS playlist; without one the page shows a stand-in.
    pub video: Option<String>,
    pub poster: Option<String>,
    pub scheduled_at: Option<Millis>,
    pub started_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    pub pin: Option<Pin>,
    pub chat: ChatRules,
    /// The version in which its muted words last changed; 0: it never had any.
    pub blocklist_version: i64,
    pub likes: i64,
    /// Raised by every change of the row: the `v` of pin.
    pub version: i64,
}

/// The offer being shown now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    pub offer: OfferId,
}
