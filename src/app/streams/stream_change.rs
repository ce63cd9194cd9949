//! Changes of a show: its form, calling it off, a copy with its line-up, and a weekly series.

use std::sync::Arc;

use serde::Serialize;

use super::Streams;
use crate::app::error::{Result, as_outcome_unknown};
use crate::domain::order::request_hash;
use crate::domain::stream_change::StreamForm;
use crate::domain::{
    Actor, AuditAction, AuditEntry, Author, Event, IdempotencyKey, LiveStream, Millis, Permission, Refusal, StreamId,
    series,
};
use crate::protocol::{StreamCopyView, StreamView};
use crate::store::KeyedRequest;

impl Streams {
    /// Changes a show. Its viewers see it on every node within two seconds; a new address of the video switches their players.
    /// Refused as [`Refusal::Outdated`] if somebody changed it meanwhile.
    pub async fn change_stream(self: &Arc<Self>, actor: &Actor, id: StreamId, form: StreamForm) -> Result<StreamView> {
        self.authorize_change(actor, id).await?;
        let entry = self.stream_entry(actor, id, AuditAction::ChangeShow);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let changed = this.context.store.change_stream(id, &form, &entry).await?;
                Ok(this.stream_cache.publish_stream(&changed))
            })
            .await
    }

    /// Cancels a show that has not begun. Its page says so, and its offers give their units back.
    pub async fn cancel_stream(self: &Arc<Self>, actor: &Actor, id: StreamId) -> Result<StreamView> {
        self.authorize_change(actor, id).await?;
        let entry = self.stream_entry(actor, id, AuditAction::CancelShow);
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let now = this.context.store.now().await?;
                let cancelled = this.context.store.cancel_stream(id, now, &entry).await?;
                if let Err(error) = this.close_open_offers(id).await {
                    tracing::warn!(stream.id = %id, error = %error, "not every offer of a cancelled show could be closed yet");
                }
                this.publisher.publish_committed_event(id, &Event::Ended {}).await;
                Ok(this.stream_cache.publish_stream(&cancelled))
            })
            .await
    }

    /// Copies a show with its line-up: drafts of its offers, with units from the stock. Retries with the same key give the same copy.
    pub async fn copy_stream(
        self: &Arc<Self>,
        actor: &Actor,
        id: StreamId,
        scheduled_at: Option<Millis>,
        key: IdempotencyKey,
    ) -> Result<StreamCopyView> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await?;
        let copy = self.copy_of(actor, id, scheduled_at).await?;
        let request = copy_request(actor, key, &(id, scheduled_at));
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let shop = this.context.shop().id;
                let copied = this.context.store.copy_stream(shop, (Some(id), &copy), Some(&request)).await?;
                let stream = this.context.store.stream(copied.id).await?.ok_or(Refusal::NoSuchStream)?;
                let stream = this.stream_cache.stream_view(&stream);
                Ok(StreamCopyView { stream, copied: copied.copied, skipped: copied.skipped })
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// Creates `count` shows like this one, without its line-up: every week at the same time of day in the time zone of the shop. A
    /// retry with the same key gives the same shows, and makes those that are missing.
    pub async fn create_series(
        self: &Arc<Self>,
        actor: &Actor,
        id: StreamId,
        (first, count): (&str, i64),
        key: IdempotencyKey,
    ) -> Result<Vec<StreamView>> {
        self.stream_cache.authorize_in_shop(actor, Permission::ManageStreams).await?;
        let profile = self.context.profile();
        let starts = series::weekly(first, profile.time_zone.as_deref().unwrap_or("UTC"), count)?;
        let mut shows = Vec::with_capacity(starts.len());
        for (number, at) in starts.into_iter().enumerate() {
            let copy = self.copy_of(actor, id, Some(at)).await?;
            // Each show has a key of its own, made from the one of the request.
            shows.push((copy, copy_request(actor, key.numbered(number), &(id, first, count))));
        }
        let this = self.clone();
        self.context
            .spawn_write(async move {
                let shop = this.context.shop().id;
                let mut made = Vec::with_capacity(shows.len());
                for (copy, request) in &shows {
                    let copied = this.context.store.copy_stream(shop, (None, copy), Some(request)).await?;
                    let stream = this.context.store.stream(copied.id).await?.ok_or(Refusal::NoSuchStream)?;
                    made.push(this.stream_cache.stream_view(&stream));
                }
                Ok(made)
            })
            .await
            .map_err(as_outcome_unknown)
    }

    /// A new show with the texts and addresses of this one.
    async fn copy_of(&self, actor: &Actor, id: StreamId, scheduled_at: Option<Millis>) -> Result<LiveStream> {
        let source = self.context.store.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
        let copy = LiveStream {
            id: StreamId::new(),
            title: source.title,
            titles: source.titles,
            host: actor.name.as_str().to_owned(),
            video: source.video,
            whep: source.whep,
            poster: source.poster,
            tags: source.tags,
            scheduled_at,
            version: 1,
            edition: 1,
            ..LiveStream::default()
        };
        Ok(copy.validated()?)
    }

    /// Checks that the actor may change this show.
    pub async fn authorize_change(&self, actor: &Actor, id: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::ManageStreams, id).await.map(drop)
    }

    /// Checks that the actor may watch this show: it exists, and they are not banned from it.
    pub async fn authorize_watching(&self, actor: &Actor, id: StreamId) -> Result<()> {
        self.stream_cache.authorize(actor, Permission::Watch, id).await.map(drop)
    }

    pub(super) fn stream_entry(&self, actor: &Actor, id: StreamId, kind: AuditAction) -> AuditEntry {
        AuditEntry::new(id, Author::from(actor), kind, self.context.now())
    }
}

/// A request for a copy. The same key with other input is refused.
fn copy_request(actor: &Actor, key: IdempotencyKey, input: &impl Serialize) -> KeyedRequest {
    let input = serde_json::to_string(input).unwrap_or_default();
    let (user, name, verb) = (actor.user.clone(), actor.name.as_str().to_owned(), "copy_stream");
    KeyedRequest { user, name, verb, key, hash: request_hash(&[verb, &input]), entry: None }
}
