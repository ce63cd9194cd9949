//! The streams that this node has cached, and who may act in them.

mod cached_stream;

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::cache::Cache;
use super::context::Context;
use super::error::Result;
use super::publisher::Publisher;
use super::state_changes::{chat_rules_change, chat_rules_view, pin_change, stream_change};
use crate::domain::{Actor, Blocklist, LiveStream, Millis, Permission, Refusal, SanctionKind, StreamId, UserId};
use crate::protocol::{Close, StateChange, StreamView};

pub use cached_stream::CachedStream;

/// More streams than one node serves, and streams with an open room are used every few seconds, so they stay. An evicted
/// stream is read again from the store; its rate limits start again. A stream whose likes are not stored yet is not evicted, and
/// neither is one whose change is being written: whoever writes holds the cached stream until the change is in it.
const STREAM_CACHE_MAX: usize = 50_000;
/// Background reads from the store that run concurrently: a thousand at once would take the database away from buyers.
const CONCURRENT_REFRESHES_MAX: usize = 4;
/// Maximum age of a cached stream whose changes this node does not receive.
const UNSUBSCRIBED_TTL_MS: Millis = 1_000;

pub struct StreamCache {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    streams: Cache<StreamId, CachedStream>,
    /// Bounds the background reads from the store.
    pub refresh_permits: Semaphore,
}

impl StreamCache {
    pub fn new(context: &Arc<Context>, publisher: &Arc<Publisher>) -> Arc<Self> {
        Self::with_capacity(context, publisher, STREAM_CACHE_MAX)
    }

    fn with_capacity(context: &Arc<Context>, publisher: &Arc<Publisher>, capacity: usize) -> Arc<Self> {
        let (context, publisher) = (context.clone(), publisher.clone());
        let streams = Cache::with_capacity(capacity);
        Arc::new(Self { context, publisher, streams, refresh_permits: Semaphore::new(CONCURRENT_REFRESHES_MAX) })
    }

    /// The stream, if the actor has this permission in it. A user who is banned from a stream may do nothing in it,
    /// whatever their token says.
    pub async fn authorize(
        self: &Arc<Self>,
        actor: &Actor,
        permission: Permission,
        id: StreamId,
    ) -> Result<Arc<CachedStream>> {
        actor.authorize(permission, Some(id))?;
        let cached = self.find_stream(id).await?;
        if cached.refusal_for(actor, self.context.now()) == Some(Refusal::Banned) {
            return Err(Refusal::Banned.into());
        }
        Ok(cached)
    }

    /// The stream, from the cache or from the store.
    pub async fn find_stream(self: &Arc<Self>, id: StreamId) -> Result<Arc<CachedStream>> {
        if let Some(cached) = self.cached_stream(id) {
            // Changes of a stream that has no viewers here are not received by this node.
            let is_unsubscribed = self.publisher.broker.is_shared() && self.publisher.rooms.get(id).is_none();
            if is_unsubscribed && cached.begin_check_if_older(UNSUBSCRIBED_TTL_MS, self.context.now()) {
                let _ = Box::pin(self.reload_stream(id, &cached)).await;
            }
            return Ok(cached);
        }
        // Boxed: loading is rare, and its future would otherwise enlarge the future of everyone who joins.
        let load = Box::pin(async {
            let store = &self.context.store;
            let stream = store.stream(id).await?.ok_or(Refusal::NoSuchStream)?;
            let sanctions = store.sanctions(id, self.context.now()).await?;
            let revoked_helpers = store.revoked_helpers(id, self.context.now()).await?;
            let blocklist =
                if stream.blocklist_version == 0 { Blocklist::empty() } else { store.blocklist(id).await? };
            Ok(CachedStream::new(stream, sanctions, revoked_helpers, blocklist))
        });
        self.streams.get_or_load(id, load).await
    }

    /// Refused when there is no such stream. Needs no database query for a stream that this node has cached.
    pub async fn check_stream_exists(self: &Arc<Self>, id: StreamId) -> Result<()> {
        self.find_stream(id).await.map(|_| ())
    }

    pub fn cached_stream(&self, id: StreamId) -> Option<Arc<CachedStream>> {
        self.streams.get(id)
    }

    /// The streams with likes that are not stored yet.
    pub fn streams_with_unsaved_likes(&self) -> Vec<(StreamId, Arc<CachedStream>)> {
        self.streams.unsaved()
    }

    /// Reloads a stream in the background. A request during a reload leads to one more reload after it.
    pub fn refresh_stream(self: &Arc<Self>, stream: StreamId) {
        let Some(cached) = self.cached_stream(stream) else { return };
        if !cached.request_refresh() {
            return;
        }
        let this = self.clone();
        self.context.tasks.spawn(async move {
            while cached.begin_refresh() {
                let _permit = this.refresh_permits.acquire().await;
                if let Err(error) = this.reload_stream(stream, &cached).await {
                    tracing::warn!(stream.id = %stream, error = %error, "a stream could not be reloaded");
                }
            }
        });
    }

    /// Reloads a stream from the store, and shows this node's viewers what changed.
    pub async fn reload_stream(self: &Arc<Self>, id: StreamId, cached: &CachedStream) -> Result<()> {
        let Some(stream) = self.context.store.stream(id).await? else { return Ok(()) };
        self.update_cached_stream(&stream, cached).await?;
        let epoch = self.context.epoch();
        self.publisher.set_local_state(id, pin_change(&stream, epoch), false);
        self.publisher.set_local_state(id, chat_rules_change(&chat_rules_view(&stream, epoch)), false);
        self.publisher.set_local_state(id, stream_change(&self.stream_view(&stream), &stream, epoch), false);
        self.publisher.set_local_state(id, StateChange::Likes(cached.likes()), false);
        Ok(())
    }

    /// Brings the cached stream up to date with this row, its sanctions, blocklist and helpers. Users who are banned or
    /// revoked meanwhile lose their connections.
    pub async fn update_cached_stream(self: &Arc<Self>, stream: &LiveStream, cached: &CachedStream) -> Result<()> {
        let (id, store) = (stream.id, &self.context.store);
        let revision = cached.sanctions_revision();
        let sanctions = store.sanctions(id, self.context.now()).await?;
        for banned in sanctions.iter().filter(|sanction| sanction.kind == SanctionKind::Ban) {
            self.publisher.rooms.close_user(id, &banned.user, Close::Banned);
        }
        let is_blocklist_current = cached.blocklist_version() == stream.blocklist_version;
        let blocklist = if is_blocklist_current { None } else { Some(Arc::new(store.blocklist(id).await?)) };
        if !cached.update_from_store(stream, (revision, sanctions), blocklist) {
            self.refresh_stream(id);
        }
        self.revoke_helpers(id, cached, store.revoked_helpers(id, self.context.now()).await?);
        Ok(())
    }

    /// Revokes these helpers on this node and closes their connections.
    pub fn revoke_helpers(&self, id: StreamId, cached: &CachedStream, users: Vec<UserId>) {
        for user in cached.revoke_helpers(users) {
            self.publisher.rooms.close_user(id, &user, Close::Token);
        }
    }

    pub fn stream_view(&self, stream: &LiveStream) -> StreamView {
        StreamView::of(stream, self.publisher.viewer_count(stream.id), self.context.now())
    }

    /// Publishes the stream's new state to its room.
    pub fn publish_stream(self: &Arc<Self>, stream: &LiveStream) -> StreamView {
        self.update_stream(stream);
        let view = self.stream_view(stream);
        self.publisher.publish_state(stream.id, &stream_change(&view, stream, self.context.epoch()), true);
        view
    }

    /// Takes a changed row into the cache.
    pub fn update_stream(self: &Arc<Self>, stream: &LiveStream) {
        if let Some(cached) = self.cached_stream(stream.id) {
            cached.update_stream(stream);
        } else if self.streams.is_loading(stream.id) {
            // The load may have read the row before it was changed.
            let (this, stream) = (self.clone(), stream.clone());
            self.context.tasks.spawn(async move {
                if let Some(cached) = this.streams.get_after_load(stream.id).await {
                    cached.update_stream(&stream);
                }
            });
        }
    }
}

#[cfg(test)]
mod eviction_test;
