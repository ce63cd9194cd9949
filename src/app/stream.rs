//! The life of a show: create, list, start, end.

use super::{App, Result};
use crate::domain::{
    Actor, ChatRules, Event, LiveStream, Millis, OfferStage, Permission, Refusal, StreamId, StreamStatus, Titles, text,
};
use crate::protocol::{StateChange, StreamView, json_bytes};

/// A new show as a host typed it.
#[derive(Clone, Debug)]
pub struct NewStream {
    pub title: String,
    pub titles: Titles,
    pub video: Option<String>,
    pub poster: Option<String>,
    pub scheduled_at: Option<Millis>,
}

impl NewStream {
    fn checked(self, host: &str) -> std::result::Result<LiveStream, Refusal> {
        // Up to the year 2200: a time in seconds or microseconds is a client's mistake.
        if self.scheduled_at.is_some_and(|at| !(1_000_000_000_000..7_258_118_400_000).contains(&at)) {
            return Err(Refusal::bad_request("scheduled_at is in epoch milliseconds"));
        }
        Ok(LiveStream {
            id: StreamId::new(),
            title: text::title(&self.title)?,
            titles: text::titles(&self.titles)?,
            host: host.to_owned(),
            status: StreamStatus::Scheduled,
            video: self.video.as_deref().map(text::media_url).transpose()?,
            poster: self.poster.as_deref().map(text::media_url).transpose()?,
            scheduled_at: self.scheduled_at,
            started_at: None,
            ended_at: None,
            pin: None,
            chat: ChatRules::default(),
            blocklist_version: 0,
            likes: 0,
            version: 1,
        })
    }
}

impl App {
    pub async fn create_stream(&self, actor: &Actor, new: NewStream) -> Result<StreamView> {
        actor.authorize(Permission::ManageStreams, None)?;
        let stream = new.checked(actor.name.as_str())?;
        let app = self.clone();
        self.spawn_write(async move {
            app.store().create_stream(app.shop().id, &stream).await?;
            Ok(app.stream_view(&stream))
        })
        .await
    }

    pub async fn stream(&self, id: StreamId) -> Result<StreamView> {
        let stream = self.store().stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        Ok(self.stream_view(&stream))
    }

    /// Shows, newest first.
    pub async fn streams(
        &self,
        status: Option<StreamStatus>,
        after: Option<StreamId>,
        limit: i64,
    ) -> Result<Vec<StreamView>> {
        let streams = self.store().streams(status, after, limit).await?;
        Ok(streams.iter().map(|stream| self.stream_view(stream)).collect())
    }

    pub async fn start_stream(&self, actor: &Actor, id: StreamId) -> Result<StreamView> {
        actor.authorize(Permission::ManageStreams, Some(id))?;
        let app = self.clone();
        self.spawn_write(async move {
            let now = app.store().now().await?;
            let started = app.store().start_stream(id, now).await?;
            app.publish_committed_event(id, &Event::Started {}).await;
            Ok(app.publish_stream(&started))
        })
        .await
    }

    /// Ends a show and every sale in it. Orders that are held may still be paid.
    pub async fn end_stream(&self, actor: &Actor, id: StreamId) -> Result<StreamView> {
        actor.authorize(Permission::ManageStreams, Some(id))?;
        let app = self.clone();
        self.spawn_write(async move {
            let now = app.store().now().await?;
            let ended = app.store().end_stream(id, now).await?;
            // The show is over from here on, so the room hears of it; a sale left open is closed by the sweeper.
            if let Err(error) = app.close_open_offers(id).await {
                tracing::warn!(stream.id = %id, error = %error, "not every sale of a show that is over is closed yet");
            }
            app.publish_committed_event(id, &Event::Ended {}).await;
            // Who asks for the report now sees the last minute too, on every node.
            app.flush_minute_samples(Millis::MAX).await;
            Ok(app.publish_stream(&ended))
        })
        .await
    }

    async fn close_open_offers(&self, id: StreamId) -> Result<()> {
        for offer in self.store().offers_of_stream(id).await? {
            if offer.terms.stage != OfferStage::Closed {
                self.close_offer_now(offer.id).await?;
            }
        }
        Ok(())
    }

    pub(super) fn stream_view(&self, stream: &LiveStream) -> StreamView {
        StreamView::of(stream, self.viewer_count(stream.id), self.now())
    }

    /// Tells the room what the show is now.
    pub(super) fn publish_stream(&self, stream: &LiveStream) -> StreamView {
        if let Some(show) = self.cached_stream(stream.id) {
            show.update_stream(stream);
        }
        let view = self.stream_view(stream);
        self.publish_state(stream.id, &stream_change(&view, stream, self.epoch()), true);
        view
    }
}

pub(super) fn stream_change(view: &StreamView, stream: &LiveStream, epoch: i64) -> StateChange {
    StateChange::Stream { v: [epoch, stream.version], json: json_bytes(view) }
}
