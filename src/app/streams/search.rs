//! Search in the shows, by the same rule as in the catalogue. A shop has some thousands of them at most, so their words stand in memory for
//! some seconds, and no index is needed.

use std::sync::Arc;

use super::Streams;
use crate::app::cache::{Cache, CacheValue};
use crate::app::error::{Error, Result};
use crate::domain::search_text::{SearchedWords, words};
use crate::domain::{Millis, StreamId, StreamStatus};
use crate::protocol::StreamView;

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
    shows: Vec<(StreamId, StreamStatus)>,
    words: SearchedWords,
}

impl CacheValue for WordsOfShows {}

impl Default for ShowWords {
    fn default() -> Self {
        Self(Cache::with_capacity(2))
    }
}

impl Streams {
    /// The shows that have the words of a search, newest first. Refused as `busy` when too many search.
    pub async fn search_streams(
        self: &Arc<Self>,
        search: String,
        status: Option<StreamStatus>,
        after: Option<StreamId>,
        limit: i64,
    ) -> Result<Vec<StreamView>> {
        let known = self.show_words.0.get_or_load(self.context.clock.now() / REMEMBERED_MS, self.read_words()).await?;
        let store = &self.context.store;
        let find = async move |turn| {
            // It is work for the processor alone, some milliseconds for a mistyped word.
            let compare = move || {
                // It goes on when the client hangs up, and holds its turn until it is done.
                let _turn = turn;
                let found = known.words.matching(&search).into_iter().map(|at| known.shows[at]);
                let is_meant = |(id, now): &(StreamId, StreamStatus)| {
                    after.is_none_or(|after| *id < after) && status.is_none_or(|status| *now == status)
                };
                found.filter(is_meant).map(|(id, _)| id).take(READ_TOGETHER_MAX).collect::<Vec<_>>()
            };
            let ids = tokio::task::spawn_blocking(compare).await.unwrap_or_default();
            store.streams_by_id(&ids, status).await
        };
        let mut found = self.catalogue.public_searches.run_with_turn(find).await?;
        found.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(found.iter().map(|stream| self.stream_cache.stream_view(stream)).collect())
    }

    async fn read_words(&self) -> Result<WordsOfShows> {
        let texts = self.context.store.show_texts(SHOWS_MAX).await?;
        let split = move || {
            let (shows, texts) = texts.into_iter().map(|(id, status, text)| ((id, status), words(&text))).unzip();
            WordsOfShows { shows, words: SearchedWords::new(texts) }
        };
        tokio::task::spawn_blocking(split).await.map_err(|_| Error::Unavailable)
    }
}
