//! What is reported about the video of a show.

use serde::Serialize;
use utoipa::ToSchema;

/// Faults of the video by kind, since the node opened the room.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct VideoFaultCounts {
    /// The playlist was not there, or could not be read.
    pub playlist: u64,
    /// A part of the video did not arrive.
    pub network: u64,
    /// A part of the video could not be decoded.
    pub media: u64,
    /// The picture stood still.
    pub stall: u64,
    /// The browser cannot play the video, and hls.js is not installed.
    pub unsupported: u64,
}
