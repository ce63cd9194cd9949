//! The verb about the video.

use serde::Deserialize;
use utoipa::ToSchema;

use super::reply::Done;
use super::{RestRoute, Verb, VerbContext};
use crate::app::Result;
use crate::domain::Role;
use crate::domain::video::VideoFaultKind;

/// Reports that the video does not play, and why. Reports are counted for the host and the operator, at most one a second from a
/// connection; nothing else depends on them.
#[derive(Deserialize, ToSchema)]
pub struct ReportVideoFault {
    kind: VideoFaultKind,
}

impl Verb for ReportVideoFault {
    const NAME: &'static str = "report_video_fault";
    const LEAST_ROLE: Role = Role::Anonymous;
    const IS_SLOW: bool = false;
    const REST: Option<RestRoute> = None;
    type Reply = Done;

    async fn run(self, context: &VerbContext<'_>) -> Result<Done> {
        if let Some(member) = context.member {
            member.report_video_fault(self.kind);
        }
        Ok(Done)
    }
}
