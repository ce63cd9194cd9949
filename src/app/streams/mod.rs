//! Streams: their life cycle, their rooms, reports and rehearsals.

mod history_reads;
mod minute_samples;
mod order_sums;
mod publish_key;
mod rehearsal;
mod report;
mod room;
mod search;
mod stream;
mod stream_change;

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::chat::Chat;
use super::context::Context;
use super::publisher::Publisher;
use super::stream_cache::StreamCache;
use history_reads::HistoryReads;
use minute_samples::MinuteSamples;
use rehearsal::Rehearsals;
use report::RememberedReports;
use search::ShowWords;

pub use minute_samples::MinuteSampleJob;
pub use order_sums::OrderSumJob;
pub use rehearsal::{Rehearsal, RehearsalPlan, RehearsalRunner};
pub use room::IdleRoomJob;
pub use stream::NewStream;

pub struct Streams {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    stream_cache: Arc<StreamCache>,
    chat: Arc<Chat>,
    catalogue: Arc<Catalogue>,
    history_reads: HistoryReads,
    minute_samples: MinuteSamples,
    rehearsals: Rehearsals,
    reports: RememberedReports,
    show_words: ShowWords,
}

impl Streams {
    pub fn new(
        context: &Arc<Context>,
        publisher: &Arc<Publisher>,
        stream_cache: &Arc<StreamCache>,
        chat: &Arc<Chat>,
        catalogue: &Arc<Catalogue>,
    ) -> Arc<Self> {
        let (context, publisher, stream_cache, chat, catalogue) =
            (context.clone(), publisher.clone(), stream_cache.clone(), chat.clone(), catalogue.clone());
        let (history_reads, minute_samples, rehearsals, reports, show_words) = Default::default();
        Arc::new(Self {
            context,
            publisher,
            stream_cache,
            chat,
            catalogue,
            history_reads,
            minute_samples,
            rehearsals,
            reports,
            show_words,
        })
    }
}
