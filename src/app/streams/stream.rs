//! The life cycle of a stream: create, list, start, end.

use std::sync::Arc;

use super::Streams;
use crate::app::error::Result;
use crate::domain::picture::check_new_picture;
use crate::domain::{Actor, Event, LiveStream, Millis, OfferStage, Permission, Refusal, ShowFilter, StreamId, Titles};
use crate::protocol::StreamView;

/// A new stream as entered by a host.
#[derive(Clone, Debug, Default)]
pub struct NewStream {
    pub title: String,
    pub titles: Titles,
    pub video: Option<String>,
    pub whep: Option<String>,
    pub poster: Option<String>,
    pub scheduled_at: Option<Millis>,
    pub tags: Vec<String>,
}

impl NewStream {
    fn validated(self, host: &str) -> std::result::Result<LiveStream, Refusal> {
        let Self { title, titles, video, whep, poster, scheduled_at, tags } = self;
        check_new_picture(poster.as_deref(), None, "poster")?;
        let (host, version, edition) = (host.to_owned(), 1, 1);
        let new = LiveStream {
            title,
            titles,
            host,
            video,
            whep,
            poster,
            scheduled_at,
            tags,
            version,
            edition,
            ..Default::default()
        };
        new.validated()
    }
}

impl Streams {
    pub async fn create_stream(self: &Arc<Self>, actor: &Actor, new: NewStream) -> Result<StreamView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await?;
        let stream = new.validated(actor.name.as_str())?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                this.context.store.create_stream(this.context.shop().id, &stream).await?;
                Ok(this.stream_cache.stream_view(&stream))
            })
            .await
    }

    pub async fn stream(&self, id: StreamId) -> Result<StreamView> {
        let stream = self.context.store.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        Ok(self.stream_cache.stream_view(&stream))
    }

    /// The shows that the filter leaves, newest first.
    pub async fn streams(&self, filter: ShowFilter, after: Option<StreamId>, limit: i64) -> Result<Vec<StreamView>> {
        let store = &self.context.store;
        let streams = match filter.recorded {
            Some(product) => store.recordings(product, filter.status, after, limit).await?,
            None => store.streams(filter.status, after, limit).await?,
        };
        Ok(streams.iter().map(|stream| self.stream_cache.stream_view(stream)).collect())
    }

    pub async fn start_stream(self: &Arc<Self>, actor: &Actor, id: StreamId) -> Result<StreamView> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, id).await?;
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let now = this.context.store.now().await?;
                let started = this.context.store.start_stream(id, now).await?;
                this.publisher.publish_committed_event(id, &Event::Started {}).await;
                Ok(this.stream_cache.publish_stream(&started))
            })
            .await
    }

    /// Ends a stream and every sale in it. Held orders may still be paid.
    pub async fn end_stream(self: &Arc<Self>, actor: &Actor, id: StreamId) -> Result<StreamView> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, id).await?;
        let this = self.clone();
        self.context.spawn_write(async move {
            let now = this.context.store.now().await?;
            let ended = this.context.store.end_stream(id, now).await?;
            // The stream is over from here on, so the room must get the event; a sale that stays open is closed by the
            // offer job.
            if let Err(error) = this.close_open_offers(id).await {
                tracing::warn!(stream.id = %id, error = %error, "not every sale of an ended stream could be closed yet");
            }
            this.publisher.publish_committed_event(id, &Event::Ended {}).await;
            // Then a report that is requested now contains the last minute too, on every node.
            // Logged where it failed; the samples are kept for the next run.
            let _ = this.flush_minute_samples(Millis::MAX).await;
            Ok(this.stream_cache.publish_stream(&ended))
        })
        .await
    }

    pub(super) async fn close_open_offers(&self, id: StreamId) -> Result<()> {
        for offer in self.context.store.offers_of_stream(id).await? {
            if offer.terms.stage != OfferStage::Closed {
                self.catalogue.close_offer_now(offer.id).await?;
            }
        }
        Ok(())
    }
}
