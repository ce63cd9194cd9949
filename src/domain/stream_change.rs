//! Changes of a show: what a form leaves as it is, and what can no longer change.

use std::collections::HashSet;

use super::picture::check_new_picture;
use super::{LiveStream, Millis, Refusal, StreamStatus, Titles, limits, text};

/// Tags of one show.
pub const TAGS_MAX: usize = 10;
/// In characters.
pub const TAG_LENGTH_MAX: usize = 30;

/// A change of a show. What is `None` stays; the inner `None` takes a value away.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StreamForm {
    /// The edition that the author of the change has seen.
    pub edition: i64,
    pub title: Option<String>,
    pub titles: Option<Titles>,
    pub video: Option<Option<String>>,
    pub whep: Option<Option<String>>,
    pub poster: Option<Option<String>>,
    pub replay: Option<Option<String>>,
    pub replay_started_at: Option<Option<Millis>>,
    pub scheduled_at: Option<Option<Millis>>,
    pub tags: Option<Vec<String>>,
}

impl StreamForm {
    /// The show after the change. Its edition is the next one. Refused as [`Refusal::Outdated`] if the author of the change has not
    /// seen the newest edition, and as `wrong_status` if a show that has begun would begin at another time.
    pub fn apply(&self, stream: &LiveStream) -> Result<LiveStream, Refusal> {
        if self.edition != stream.edition {
            return Err(Refusal::Outdated);
        }
        let moves = self.scheduled_at.is_some_and(|at| at != stream.scheduled_at);
        if moves && stream.status != StreamStatus::Scheduled {
            return Err(Refusal::WrongStatus("The show has begun, so its start cannot be moved."));
        }
        check_new_picture(self.poster.as_ref().and_then(Option::as_deref), stream.poster.as_deref(), "poster")?;
        let mut changed = LiveStream { edition: stream.edition + 1, ..stream.clone() };
        set(&mut changed.title, &self.title);
        set(&mut changed.titles, &self.titles);
        set(&mut changed.video, &self.video);
        set(&mut changed.whep, &self.whep);
        set(&mut changed.poster, &self.poster);
        set(&mut changed.replay, &self.replay);
        set(&mut changed.replay_started_at, &self.replay_started_at);
        set(&mut changed.scheduled_at, &self.scheduled_at);
        set(&mut changed.tags, &self.tags);
        changed.with_checked_replay(stream)?.validated()
    }
}

fn set<T: Clone>(field: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}

impl LiveStream {
    /// Checks what a host typed.
    pub fn validated(mut self) -> Result<Self, Refusal> {
        let (low, high) = limits::SCHEDULED_AT;
        if self.scheduled_at.is_some_and(|at| !(low..=high).contains(&at)) {
            return Err(Refusal::bad_field("scheduled_at", "must be a time in epoch milliseconds."));
        }
        self.title = text::title(&self.title)?;
        self.titles = text::titles(&self.titles)?;
        let address = |given: Option<String>, field| {
            given.as_deref().map(text::media_url).transpose().map_err(|refusal| refusal.in_field(field))
        };
        self.video = address(self.video, "video")?;
        self.whep = address(self.whep, "whep")?;
        self.poster = address(self.poster, "poster")?;
        self.tags = validated_tags(self.tags)?;
        Ok(self)
    }
}

/// Each tag once, in the order in which they were typed.
fn validated_tags(tags: Vec<String>) -> Result<Vec<String>, Refusal> {
    if TAGS_MAX < tags.len() {
        return Err(Refusal::bad_field("tags", format!("must be at most {TAGS_MAX} tags.")));
    }
    let tag =
        |tag: String| text::exact_line(&tag, TAG_LENGTH_MAX).map_err(|fault| fault.refusal("tags", TAG_LENGTH_MAX));
    let tags: Vec<String> = tags.into_iter().map(tag).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    Ok(tags.into_iter().filter(|tag| seen.insert(tag.clone())).collect())
}

/// How many units a copy of a show asks the stock for: as many as the offer has; of a closed one, as many as it sold, at least one.
pub fn copied_quantity(is_closed: bool, quantity: i64, in_stock: i64) -> i64 {
    let wanted = if is_closed { quantity.max(1) } else { quantity };
    wanted.min(in_stock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(status: StreamStatus) -> LiveStream {
        LiveStream {
            edition: 2,
            title: "Evening".into(),
            status,
            scheduled_at: Some(1_800_000_000_000),
            ..Default::default()
        }
    }

    fn form(change: impl FnOnce(&mut StreamForm)) -> StreamForm {
        let mut form = StreamForm { edition: 2, ..StreamForm::default() };
        change(&mut form);
        form
    }

    #[test]
    fn form_changes_what_it_names_and_leaves_the_rest() {
        let live = show(StreamStatus::Live);
        let changed = form(|form| form.video = Some(Some("https://a.example/live.m3u8".into()))).apply(&live).unwrap();
        let expected = LiveStream { edition: 3, video: Some("https://a.example/live.m3u8".into()), ..live.clone() };
        assert_eq!(changed, expected);
        assert_eq!(form(|form| form.edition = 1).apply(&live), Err(Refusal::Outdated));
        let tags =
            form(|form| form.tags = Some(vec!["bags ".into(), "bags".into(), "حقائب".into()])).apply(&live).unwrap();
        assert_eq!(tags.tags, ["bags", "حقائب"]);
    }

    #[test]
    fn show_that_has_begun_cannot_be_moved() {
        let moved = form(|form| form.scheduled_at = Some(Some(1_900_000_000_000)));
        let unmoved = form(|form| form.scheduled_at = Some(Some(1_800_000_000_000)));
        for (status, expected) in [
            (StreamStatus::Scheduled, "ok"),
            (StreamStatus::Live, "wrong_status"),
            (StreamStatus::Ended, "wrong_status"),
        ] {
            let code = |form: &StreamForm| form.apply(&show(status)).map_or_else(|refusal| refusal.code(), |_| "ok");
            assert_eq!((code(&moved), code(&unmoved)), (expected, "ok"), "{status:?}");
        }
    }

    #[test]
    fn copy_asks_for_what_was_offered_or_sold_and_takes_what_is_there() {
        for (is_closed, quantity, in_stock, expected) in
            [(false, 10, 50, 10), (false, 10, 4, 4), (true, 0, 50, 1), (true, 7, 50, 7), (true, 0, 0, 0)]
        {
            assert_eq!(copied_quantity(is_closed, quantity, in_stock), expected);
        }
    }
}
