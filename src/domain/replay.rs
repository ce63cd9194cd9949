//! The recording of an ended show: when it may be set, and which position in it shows a moment of the show.

use super::{LiveStream, Millis, Refusal, StreamStatus, limits, text};

impl LiveStream {
    /// When the first picture of the recording was taken; `None`: there is no recording.
    pub fn recorded_from(&self) -> Option<Millis> {
        self.replay.as_ref().and(self.replay_started_at.or(self.started_at))
    }

    /// The position in the recording, in milliseconds, at which a moment of the show is seen; `None`: it is not in the recording.
    pub fn replay_position(&self, at: Millis) -> Option<Millis> {
        let (from, ended_at) = (self.recorded_from()?, self.ended_at?);
        (from <= at && at <= ended_at).then(|| at - from)
    }

    /// Checks the recording after a change. Only a show that was live and has ended has one; to take it away is always possible.
    pub(super) fn with_checked_replay(mut self, before: &LiveStream) -> Result<Self, Refusal> {
        let Some(address) = self.replay.take() else {
            self.replay_started_at = None;
            return Ok(self);
        };
        if self.status != StreamStatus::Ended || self.started_at.is_none() {
            return Err(Refusal::WrongStatus("Only a show that was live and has ended can have a recording."));
        }
        // Other fields can be corrected without the recording being judged again.
        self.replay = match before.replay.as_ref() == Some(&address) {
            true => Some(address),
            false => Some(text::media_url(&address).map_err(|refusal| refusal.in_field("replay"))?),
        };
        let (low, high) = limits::SCHEDULED_AT;
        let end = self.ended_at.unwrap_or(high);
        if self.replay_started_at.is_some_and(|at| !(low..=high).contains(&at) || end <= at) {
            return Err(Refusal::invalid_value(
                "replay_started_at",
                "must be a time in epoch milliseconds before the end of the show.",
            ));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Millis = 1_800_000_000_000;

    fn ended() -> LiveStream {
        LiveStream {
            title: "Evening".into(),
            status: StreamStatus::Ended,
            started_at: Some(BEGIN),
            ended_at: Some(BEGIN + 60_000),
            ..Default::default()
        }
    }

    fn recorded(replay_started_at: Option<Millis>) -> LiveStream {
        LiveStream { replay: Some("https://cdn.example/show.mp4".into()), replay_started_at, ..ended() }
    }

    #[test]
    fn second_of_a_recording_is_counted_from_its_first_picture() {
        for (from, at, expected) in [
            (None, BEGIN, Some(0)),
            (None, BEGIN + 12_340, Some(12_340)),
            (Some(BEGIN - 5_000), BEGIN + 1_000, Some(6_000)),
            (Some(BEGIN + 5_000), BEGIN + 1_000, None),
            (None, BEGIN + 60_000, Some(60_000)),
            // Bought after the show.
            (None, BEGIN + 60_001, None),
        ] {
            assert_eq!(recorded(from).replay_position(at), expected, "{from:?} {at}");
        }
        assert_eq!(ended().replay_position(BEGIN), None, "no recording");
    }

    #[test]
    fn only_a_show_that_was_live_and_has_ended_has_a_recording() {
        let check = |stream: LiveStream| stream.with_checked_replay(&ended()).map(|stream| stream.recorded_from());
        assert_eq!(check(recorded(None)), Ok(Some(BEGIN)));
        assert_eq!(check(LiveStream { replay: None, ..recorded(Some(BEGIN)) }), Ok(None));
        for stream in [
            LiveStream { status: StreamStatus::Live, ended_at: None, ..recorded(None) },
            LiveStream { started_at: None, ..recorded(None) },
        ] {
            assert!(matches!(check(stream), Err(Refusal::WrongStatus(_))));
        }
        for (stream, field) in [
            (LiveStream { replay: Some("ftp://cdn.example/show".into()), ..recorded(None) }, "replay"),
            (recorded(Some(BEGIN + 60_000)), "replay_started_at"),
            (recorded(Some(12)), "replay_started_at"),
        ] {
            assert_eq!(check(stream).unwrap_err().field(), Some(field));
        }
    }
}
