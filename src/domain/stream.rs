//! A show: scheduled → live → ended. The type is `LiveStream`, never `Stream`, because tokio and futures use that name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChatRules, Millis, OfferId, ProductId, Refusal, ShownCoupon, StreamId, Titles};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamStatus {
    #[default]
    Scheduled,
    Live,
    Ended,
}

impl StreamStatus {
    pub const ALL: [Self; 3] = [StreamStatus::Scheduled, StreamStatus::Live, StreamStatus::Ended];

    pub fn name(self) -> &'static str {
        match self {
            StreamStatus::Scheduled => "scheduled",
            StreamStatus::Live => "live",
            StreamStatus::Ended => "ended",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == text)
    }

    /// Checks a change of the status. A show starts once and ends once.
    pub fn check_transition(self, target: StreamStatus) -> Result<(), Refusal> {
        match (self, target) {
            (StreamStatus::Scheduled, StreamStatus::Live) | (StreamStatus::Live, StreamStatus::Ended) => Ok(()),
            (StreamStatus::Scheduled, StreamStatus::Ended) => Ok(()),
            (StreamStatus::Ended, _) => Err(Refusal::StreamEnded),
            _ => Err(Refusal::WrongStatus("The show is already live.")),
        }
    }
}

/// A position in the events of a stream: `seq` counts from 1 within `epoch`. A new epoch starts when the count is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamPosition {
    pub epoch: Arc<str>,
    pub seq: u64,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct LiveStream {
    pub id: StreamId,
    pub title: String,
    pub titles: Titles,
    pub host: String,
    pub status: StreamStatus,
    /// The URL of an HLS playlist. Without one, the page shows the poster.
    pub video: Option<String>,
    /// The URL of the same video with low delay (WHEP). Pages fall back to `video`.
    pub whep: Option<String>,
    pub poster: Option<String>,
    /// The URL of the recording of a show that has ended.
    pub replay: Option<String>,
    /// When its first picture was taken; `None`: when the show went live.
    pub replay_started_at: Option<Millis>,
    pub scheduled_at: Option<Millis>,
    pub started_at: Option<Millis>,
    pub ended_at: Option<Millis>,
    /// It was cancelled before it began; its status is `Ended`.
    pub cancelled_at: Option<Millis>,
    /// Words by which the shop sorts its shows.
    pub tags: Vec<String>,
    pub pin: Option<Pin>,
    /// The coupon that viewers see.
    pub coupon: Option<ShownCoupon>,
    pub chat: ChatRules,
    /// The version in which the blocklist last changed; 0: the stream never had one.
    pub blocklist_version: i64,
    pub likes: i64,
    /// Increases with every change of the row. It is the `v` of the pin.
    pub version: i64,
    /// Increases with every change of the show itself: title, times, addresses, tags. On the wire it is the `version`.
    pub edition: i64,
}

/// The pinned offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    pub offer: OfferId,
}
/// Which shows are listed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ShowFilter {
    pub status: Option<StreamStatus>,
    /// Only shows that have a recording; with a product, those of the newest ones in which it was on sale.
    pub recorded: Option<Option<ProductId>>,
}
