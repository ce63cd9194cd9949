//! The life of a show: create, list, start, end; and its numbers.

use super::{App, Result};
use crate::domain::{
    Action, Actor, ChatRules, Event, LiveStream, Millis, Refusal, Stage, StreamId, StreamStatus, Titles, text,
};
use crate::protocol::{CardReach, Report, StateChange, StreamView, json_bytes};
use crate::room::Reach;

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
            video: self.video.as_deref().map(text::address).transpose()?,
            poster: self.poster.as_deref().map(text::address).transpose()?,
            scheduled_at: self.scheduled_at,
            started_at: None,
            ended_at: None,
            pin: None,
            chat: ChatRules::default(),
            words_v: 0,
            likes: 0,
            version: 1,
        })
    }
}

impl App {
    pub async fn create_stream(&self, actor: &Actor, new: NewStream) -> Result<StreamView> {
        actor.may(Action::Run, None)?;
        let stream = new.checked(actor.name.as_str())?;
        let app = self.clone();
        self.write(async move {
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
        actor.may(Action::Run, Some(id))?;
        let app = self.clone();
        self.write(async move {
            let now = app.store().now().await?;
            let started = app.store().start_stream(id, now).await?;
            app.tell(id, &Event::Started {}).await;
            Ok(app.show_stream(&started))
        })
        .await
    }

    /// Ends a show and every sale in it. Orders that are held may still be paid.
    pub async fn end_stream(&self, actor: &Actor, id: StreamId) -> Result<StreamView> {
        actor.may(Action::Run, Some(id))?;
        let app = self.clone();
        self.write(async move {
            let now = app.store().now().await?;
            let ended = app.store().end_stream(id, now).await?;
            // The show is over from here on, so the room hears of it; a sale left open is closed by the sweeper.
            if let Err(error) = app.close_sales(id).await {
                tracing::warn!(stream.id = %id, error = %error, "not every sale of a show that is over is closed yet");
            }
            app.tell(id, &Event::Ended {}).await;
            Ok(app.show_stream(&ended))
        })
        .await
    }

    async fn close_sales(&self, id: StreamId) -> Result<()> {
        for offer in self.store().offers_of(id).await? {
            if offer.terms.stage != Stage::Closed {
                self.close_now(offer.id).await?;
            }
        }
        Ok(())
    }

    /// The show in numbers, for those who may see them.
    pub async fn report(&self, actor: &Actor, id: StreamId) -> Result<Report> {
        actor.may(Action::SeeNumbers, Some(id))?;
        let likes = self.find_show(id).await?.stream().likes;
        let sums = self.store().sums(id).await?;
        let messages = self.store().count_messages(id).await?;
        let room = self.rooms().get(id);
        Ok(Report {
            orders_held: sums.orders_held,
            orders_paid: sums.orders_paid,
            units_paid: sums.units_paid,
            amount_paid: sums.amount_paid,
            orders_refunded: sums.orders_refunded,
            amount_refunded: sums.amount_refunded,
            currency: self.shop().currency.clone(),
            messages,
            viewers: room.as_ref().map_or(0, |room| room.viewers_shown() as u64),
            viewers_peak: room.as_ref().map_or(0, |room| room.viewers_peak() as u64),
            likes,
            card: room.and_then(|room| room.reach()).map(|Reach { offer, asked, seen, p50_ms, p95_ms }| CardReach {
                offer,
                asked,
                seen,
                p50_ms,
                p95_ms,
            }),
        })
    }

    pub(super) fn stream_view(&self, stream: &LiveStream) -> StreamView {
        StreamView::of(stream, self.viewers(stream.id), self.now())
    }

    /// Tells the room what the show is now.
    fn show_stream(&self, stream: &LiveStream) -> StreamView {
        if let Some(show) = self.known_show(stream.id) {
            show.set_stream(stream);
        }
        let view = self.stream_view(stream);
        self.show(stream.id, &stream_change(&view, stream, self.epoch()), true);
        view
    }
}

pub(super) fn stream_change(view: &StreamView, stream: &LiveStream, epoch: i64) -> StateChange {
    StateChange::Stream { v: [epoch, stream.version], json: json_bytes(view) }
}
