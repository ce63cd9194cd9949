//! Search in the shows, by the same rule as in the catalogue. A shop has some thousands of them at most, so their words are kept in memory for
//! some seconds, and no index is needed.

use std::collections::HashSet;
use std::sync::Arc;

use super::Streams;
use crate::app::cache::{Cache, CacheValue};
use crate::app::error::{Error, Result};
use crate::domain::search_text::{SearchedWords, words};
use crate::domain::{Millis, ShowFilter, StreamId, StreamStatus};
use crate::protocol::StreamView;
use crate::store::{RECORDINGS_SEARCHED_MAX, ShowTexts};

/// The newest shows, which a search finds.
const SHOWS_MAX: i64 = 10_000;
/// For how long the words are remembered.
const REMEMBERED_MS: Millis = 5_000;
/// Shows that are read in the one query of a search: more than a page has, because some may have another status by now.
const READ_TOGETHER_MAX: usize = 200;

/// The words of the shows, by time.
pub struct ShowWords(Cache<Millis, WordsOfShows>);

/// Newest first.
struct WordsOfShows {
    shows: Vec<FoundShow>,
    words: SearchedWords,
}

#[derive(Clone, Copy)]
struct FoundShow {
    id: StreamId,
    status: StreamStatus,
    is_recorded: bool,
}

impl CacheValue for WordsOfShows {}

impl Default for ShowWords {
    fn default() -> Self {
        Self(Cache::with_capacity(2))
    }
}

impl Streams {
    /// The shows that have the words of a search and that the filter leaves, newest first. Refused as `busy` when too many search.
    pub async fn search_streams(
        self: &Arc<Self>,
        search: String,
        filter: ShowFilter,
        after: Option<StreamId>,
        limit: i64,
    ) -> Result<Vec<StreamView>> {
        let known = self.show_words.0.get_or_load(self.context.clock.now() / REMEMBERED_MS, self.read_words()).await?;
        let store = &self.context.store;
        let ShowFilter { status, recorded } = filter;
        let find = async move |turn| {
            let sold_it: Option<HashSet<StreamId>> = match recorded.flatten() {
                Some(product) => {
                    let shows = store.recordings(Some(product), status, None, RECORDINGS_SEARCHED_MAX).await?;
                    Some(shows.into_iter().map(|show| show.id).collect())
                }
                None => None,
            };
            // It is work for the processor alone, some milliseconds for a mistyped word.
            let compare = move || {
                // It goes on when the client hangs up, and holds its turn until it is done.
                let _turn = turn;
                let found = known.words.matching(&search).into_iter().map(|at| known.shows[at]);
                let is_meant = |show: &FoundShow| {
                    after.is_none_or(|after| show.id < after)
                        && status.is_none_or(|status| show.status == status)
                        && (recorded.is_none() || show.is_recorded)
                        && sold_it.as_ref().is_none_or(|shows| shows.contains(&show.id))
                };
                found.filter(is_meant).map(|show| show.id).take(READ_TOGETHER_MAX).collect::<Vec<_>>()
            };
            let ids = tokio::task::spawn_blocking(compare).await.unwrap_or_default();
            let mut shows = store.streams_by_id(&ids, status).await?;
            // The recording may have been taken away since.
            shows.retain(|show| recorded.is_none() || show.replay.is_some());
            Ok(shows)
        };
        let mut found = self.catalogue.public_searches.run_with_turn(find).await?;
        found.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(found.iter().map(|stream| self.stream_cache.stream_view(stream)).collect())
    }

    async fn read_words(&self) -> Result<WordsOfShows> {
        let texts = self.context.store.show_texts(SHOWS_MAX).await?;
        let split = move || {
            let split = |ShowTexts { id, status, is_recorded, text }: ShowTexts| {
                (FoundShow { id, status, is_recorded }, words(&text))
            };
            let (shows, texts) = texts.into_iter().map(split).unzip();
            WordsOfShows { shows, words: SearchedWords::new(texts) }
        };
        tokio::task::spawn_blocking(split).await.map_err(|_| Error::Unavailable)
    }
}
