//! The streams that this node has cached, and who may act in them.

mod cached_stream;
mod sanctions;
mod shop_blocks;

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::cache::Cache;
use super::context::Context;
use super::error::{Error, Result};
use super::publisher::Publisher;
use super::state_changes::{chat_rules_change, chat_rules_view, coupon_change, pin_change, stream_change};
use crate::domain::{
    Actor, Blocklist, LiveStream, Millis, Permission, Place, Refusal, SanctionKind, Standing, StreamId, UserId,
    authorize, authorize_by_role,
};
use crate::protocol::{Close, StateChange, StreamView};

pub use cached_stream::CachedStream;
pub use shop_blocks::{ShopBlockJob, ShopBlocks};

/// More streams than one node serves, and streams with an open room are used every few seconds, so they stay. An evicted
/// stream is read again from the store; its rate limits start again. A stream whose likes are not stored yet is not evicted, and
/// neither is one whose change is being written: the writer holds the cached stream until the change is in it.
const STREAM_CACHE_MAX: usize = 50_000;
/// Ids of streams that do not exist are remembered for this long, so that a client that asks again costs no query. It is short
/// because another node may create the stream.
const MISSING_TTL_MS: Millis = 2_000;
/// The most ids that are remembered; the least used are forgotten.
const MISSING_MAX: usize = 10_000;
/// Background reads from the store that run concurrently: a thousand at once would take the database away from buyers.
const CONCURRENT_REFRESHES_MAX: usize = 4;
/// Maximum age of a cached stream whose changes this node does not receive.
const UNSUBSCRIBED_TTL_MS: Millis = 1_000;

pub struct StreamCache {
    context: Arc<Context>,
    publisher: Arc<Publisher>,
    streams: Cache<StreamId, CachedStream>,
    /// When it was seen that a stream does not exist.
    missing: quick_cache::sync::Cache<StreamId, Millis>,
    /// Who is blocked in the whole shop.
    pub shop_blocks: Arc<ShopBlocks>,
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
        let missing = quick_cache::sync::Cache::new(MISSING_MAX);
        let refresh_permits = Semaphore::new(CONCURRENT_REFRESHES_MAX);
        let shop_blocks = Arc::default();
        Arc::new(Self { context, publisher, streams, missing, shop_blocks, refresh_permits })
    }

    /// The stream, if the actor may do this in it: [`domain::authorize`](crate::domain::authorize) with what is known about
    /// the actor there, and about the invite of a helper.
    pub async fn authorize(
        self: &Arc<Self>,
        actor: &Actor,
        permission: Permission,
        id: StreamId,
    ) -> Result<Arc<CachedStream>> {
        // An actor without the role learns nothing about the stream, and costs no look-up.
        authorize_by_role(actor, permission, Place::Stream(id))?;
        let cached = self.find_stream(id).await?;
        if actor.stream.is_some_and(|own| own != id) && self.is_revoked(actor).await? {
            return Err(Refusal::TokenInvalid.into());
        }
        cached.authorize(actor, permission, self.context.now())?;
        Ok(cached)
    }

    /// [`authorize`](Self::authorize) as a question: `false` for a refusal.
    pub async fn allows(self: &Arc<Self>, actor: &Actor, permission: Permission, id: StreamId) -> Result<bool> {
        match self.authorize(actor, permission, id).await {
            Ok(_) => Ok(true),
            Err(Error::Refused(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// May the actor do this in the shop as a whole? A user who is banned from one of its streams has no permission of the team
    /// here, until that ban is lifted. That is asked of the store each time: the team acts here rarely.
    pub async fn authorize_in_shop(self: &Arc<Self>, actor: &Actor, permission: Permission) -> Result<()> {
        authorize_by_role(actor, permission, Place::Shop)?;
        let banned_by = match permission.is_of_the_team() {
            true => self.context.store.highest_ban_of(&actor.person()).await?,
            false => None,
        };
        let standing = Standing { is_revoked: self.is_revoked(actor).await?, banned_by, muted_by: None };
        Ok(authorize(actor, permission, Place::Shop, &standing, self.context.now())?)
    }

    /// Was the invite of this helper revoked? A helper's token names the stream of the invite.
    pub async fn is_revoked(self: &Arc<Self>, actor: &Actor) -> Result<bool> {
        let Some(own) = actor.stream else { return Ok(false) };
        match self.find_stream(own).await {
            Ok(cached) => Ok(cached.is_revoked(&actor.user)),
            Err(Error::Refused(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// The stream, from the cache or from the store.
    pub async fn find_stream(self: &Arc<Self>, id: StreamId) -> Result<Arc<CachedStream>> {
        if let Some(cached) = self.cached_stream(id) {
            // Changes of a stream that has no viewers here are neither received nor polled by this node.
            let is_unsubscribed = self.context.store.is_shared() && self.publisher.rooms.get(id).is_none();
            if is_unsubscribed && cached.begin_check_if_older(UNSUBSCRIBED_TTL_MS, self.context.now()) {
                let _ = Box::pin(self.reload_if_changed(id, &cached)).await;
            }
            return Ok(cached);
        }
        if self.is_missing(id) {
            return Err(Refusal::NoSuchStream.into());
        }
        // Boxed: loading is rare, and its future would otherwise enlarge the future of everyone who joins.
        let load = Box::pin(async {
            let store = &self.context.store;
            let Some(stream) = store.stream(id).await? else {
                self.missing.insert(id, self.context.clock.now());
                return Err(Refusal::NoSuchStream.into());
            };
            let sanctions = store.sanctions(id, self.context.now()).await?;
            let revoked_helpers = store.revoked_helpers(id, self.context.now()).await?;
            let blocklist =
                if stream.blocklist_version == 0 { Blocklist::empty() } else { store.blocklist(id).await? };
            let cached = CachedStream::new(stream, sanctions, revoked_helpers, blocklist);
            Ok(cached.with_shop_blocks(&self.shop_blocks))
        });
        self.streams.get_or_load(id, load).await
    }

    /// Refused when there is no such stream. Needs no database query for a stream that this node has cached.
    pub async fn check_stream_exists(self: &Arc<Self>, id: StreamId) -> Result<()> {
        self.find_stream(id).await.map(|_| ())
    }

    /// Whether it is known without a query if this stream exists.
    pub fn is_known(&self, id: StreamId) -> bool {
        self.streams.get(id).is_some() || self.is_missing(id)
    }

    fn is_missing(&self, id: StreamId) -> bool {
        self.missing.get(&id).is_some_and(|seen_at| self.context.clock.now() < seen_at + MISSING_TTL_MS)
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
        self.context.spawn(async move {
            while cached.begin_refresh() {
                let _permit = this.refresh_permits.acquire().await;
                if let Err(error) = this.reload_stream(stream, &cached).await {
                    tracing::warn!(stream.id = %stream, error = %error, "a stream could not be reloaded");
                }
            }
        });
    }

    /// Reloads a stream without viewers here, if its version in the store is another one.
    async fn reload_if_changed(self: &Arc<Self>, id: StreamId, cached: &CachedStream) -> Result<()> {
        let Some(stream) = self.context.store.stream(id).await? else { return Ok(()) };
        cached.update_likes(stream.likes);
        if stream.version == cached.version() { Ok(()) } else { self.update_cached_stream(&stream, cached).await }
    }

    /// Reloads a stream from the store, and shows this node's viewers what changed.
    pub async fn reload_stream(self: &Arc<Self>, id: StreamId, cached: &CachedStream) -> Result<()> {
        let Some(stream) = self.context.store.stream(id).await? else { return Ok(()) };
        self.update_cached_stream(&stream, cached).await?;
        let epoch = self.context.epoch();
        self.publisher.set_local_state(id, pin_change(&stream, epoch), false);
        self.publisher.set_local_state(id, coupon_change(&stream, epoch), false);
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
            self.publisher.rooms.close_banned(id, &banned.user, banned.by_role);
        }
        let is_blocklist_current = cached.blocklist_version() == stream.blocklist_version;
        let blocklist = if is_blocklist_current { None } else { Some(Arc::new(store.blocklist(id).await?)) };
        if !cached.update_from_store(stream, (revision, sanctions), blocklist) {
            self.refresh_stream(id);
        }
        self.revoke_helpers(cached, store.revoked_helpers(id, self.context.now()).await?);
        Ok(())
    }

    /// Revokes these helpers on this node and closes their connections, also those to other streams: their token is not
    /// valid anymore.
    pub fn revoke_helpers(&self, cached: &CachedStream, users: Vec<UserId>) {
        for user in cached.revoke_helpers(users) {
            self.publisher.rooms.close_user(&user, Close::Token);
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
            self.context.spawn(async move {
                if let Some(cached) = this.streams.get_after_load(stream.id).await {
                    cached.update_stream(&stream);
                }
            });
        }
    }
}

#[cfg(test)]
mod eviction_test;
