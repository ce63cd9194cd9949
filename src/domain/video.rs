//! Faults of the video, as viewers report them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why the video of a show does not play for a viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VideoFaultKind {
    /// The playlist is not there, or cannot be read: the encoder has not started.
    Playlist,
    /// A part of the video did not arrive.
    Network,
    /// A part of the video cannot be decoded.
    Media,
    /// The picture stood still.
    Stall,
    /// The browser cannot play the video, and hls.js is not installed.
    Unsupported,
}

impl VideoFaultKind {
    pub const ALL: [Self; 5] = [Self::Playlist, Self::Network, Self::Media, Self::Stall, Self::Unsupported];

    /// The name on the wire and in the metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Playlist => "playlist",
            Self::Network => "network",
            Self::Media => "media",
            Self::Stall => "stall",
            Self::Unsupported => "unsupported",
        }
    }
}
