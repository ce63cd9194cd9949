//! This node's cached copy of a stream: its row, chat rules and sanctions, and the rate limits of its users.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use super::sanctions::Sanctions;
use super::shop_blocks::ShopBlocks;
use crate::app::cache::CacheValue;
use crate::app::settings::ChatRateLimit;
use crate::domain::reaction::{ReactionCounts, ReactionKind};
use crate::domain::{
    Actor, Blocklist, ChatDecision, LiveStream, Millis, Permission, Place, Refusal, Sanction, SanctionKind, Standing,
    StreamStatus, TokenBucket, UserId, authorize, blocklist, team_name,
};

#[derive(Debug)]
pub struct CachedStream(Mutex<CachedStreamInner>);

#[derive(Debug)]
struct CachedStreamInner {
    stream: LiveStream,
    sanctions: Sanctions,
    /// Those of the whole shop bind here too.
    shop_blocks: Arc<ShopBlocks>,
    /// How often sanctions were changed on this node: what was read from the store before a change is outdated.
    sanctions_revision: u64,
    /// Helpers whose invite was revoked: their tokens are still valid, but their permissions are gone.
    revoked_helpers: HashSet<UserId>,
    blocklist: Arc<Blocklist>,
    /// Version of the blocklist, to be compared with the version in the stream.
    blocklist_version: i64,
    users: HashMap<UserId, UserChatState>,
    /// Rate limit of all viewers of the stream together; the team's messages and purchase events are charged first.
    room_rate_limit: Option<TokenBucket>,
    /// Likes since the last write to the store.
    unsaved_likes: i64,
    /// Likes of a demo's simulated viewers since the start: shown, but neither stored nor in a report.
    simulated_likes: i64,
    /// The emoji that viewers of this node sent. They are not stored: after an eviction they begin again.
    reactions: ReactionCounts,
    /// The emoji that the other nodes know of.
    published_reactions: ReactionCounts,
    refresh: RefreshState,
    /// When the store was last checked.
    checked_at: Millis,
}

/// Whether the stream is being reloaded from the store.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
enum RefreshState {
    #[default]
    Idle,
    Requested,
    Running,
    /// Something changed during the reload.
    RunningAndRequested,
}

/// When a user last posted, and their rate limits.
#[derive(Debug)]
struct UserChatState {
    message_rate_limit: Option<TokenBucket>,
    reaction_rate_limit: TokenBucket,
    last_message_at: Option<Millis>,
    /// Digests of the user's recent messages, and when each was posted.
    recent_messages: Vec<(u64, Millis)>,
}

const VIEWER_BURST_MESSAGES: f64 = 5.0;
/// Reaction frames per second of one user; each may carry fifty reactions.
const REACTION_FRAMES_PER_S: f64 = 3.0;
/// For this long a user may not post the same text again, as far as their last few messages are remembered. The limit
/// holds per node: a user with connections to two nodes may post a text on each. The same text from many users is no
/// duplicate, because a room greets and cheers together.
const DUPLICATE_WINDOW_MS: Millis = 30_000;
const RECENT_MESSAGES_MAX: usize = 8;
/// Above this many users, those who were quiet for five minutes are forgotten.
const USER_STATES_MAX: usize = 10_000;
const USER_STATE_IDLE_MS: Millis = 300_000;

impl CacheValue for CachedStream {
    fn has_unsaved(&self) -> bool {
        self.lock().unsaved_likes != 0
    }
}

impl CachedStream {
    pub fn new(
        stream: LiveStream,
        sanctions: Vec<Sanction>,
        revoked_helpers: Vec<UserId>,
        blocklist: Blocklist,
    ) -> Self {
        Self(Mutex::new(CachedStreamInner {
            blocklist: Arc::new(blocklist),
            blocklist_version: stream.blocklist_version,
            stream,
            sanctions: Sanctions::new(sanctions),
            shop_blocks: Arc::default(),
            sanctions_revision: 0,
            revoked_helpers: revoked_helpers.into_iter().collect(),
            users: HashMap::new(),
            room_rate_limit: None,
            unsaved_likes: 0,
            simulated_likes: 0,
            reactions: ReactionCounts::default(),
            published_reactions: ReactionCounts::default(),
            refresh: RefreshState::Idle,
            checked_at: 0,
        }))
    }

    /// The same with the blocks of the whole shop.
    pub fn with_shop_blocks(self, blocks: &Arc<ShopBlocks>) -> Self {
        self.lock().shop_blocks = blocks.clone();
        self
    }

    fn lock(&self) -> MutexGuard<'_, CachedStreamInner> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    pub fn stream(&self) -> LiveStream {
        self.lock().stream.clone()
    }

    /// Takes a newer version of the stream; an older version is ignored.
    pub fn update_stream(&self, stream: &LiveStream) {
        let mut inner = self.lock();
        if inner.stream.version <= stream.version {
            let likes = inner.stream.likes;
            inner.stream = LiveStream { likes, ..stream.clone() };
            if stream.status == StreamStatus::Ended {
                inner.users = HashMap::new();
            }
        }
    }

    /// The version up to which everything is known; 0 while the blocklist is older than the rest.
    pub fn version(&self) -> i64 {
        let inner = self.lock();
        if inner.blocklist_version == inner.stream.blocklist_version { inner.stream.version } else { 0 }
    }

    pub fn blocklist_version(&self) -> i64 {
        self.lock().blocklist_version
    }

    /// Read this before the sanctions are read from the store, for [`CachedStream::update_from_store`].
    pub fn sanctions_revision(&self) -> u64 {
        self.lock().sanctions_revision
    }

    /// Takes what the store returned; of two reads the newer one wins. Returns `false` if a sanction was changed on
    /// this node since `revision`, so the sanctions must be read again.
    pub fn update_from_store(
        &self,
        stream: &LiveStream,
        (revision, sanctions): (u64, Vec<Sanction>),
        blocklist: Option<Arc<Blocklist>>,
    ) -> bool {
        let mut inner = self.lock();
        let likes = inner.stream.likes.max(stream.likes + inner.unsaved_likes);
        let is_current = inner.sanctions_revision == revision;
        if inner.stream.version <= stream.version {
            inner.stream = stream.clone();
            if is_current {
                inner.sanctions = Sanctions::new(sanctions);
            }
            if stream.status == StreamStatus::Ended {
                // An ended stream has no chat, so the users' state is not needed anymore.
                inner.users = HashMap::new();
            }
            if let Some(blocklist) = blocklist {
                inner.blocklist = blocklist;
                inner.blocklist_version = stream.blocklist_version;
            }
        }
        inner.stream.likes = likes;
        is_current
    }

    /// `true` if the store was not checked for this long; then the caller must check it.
    pub fn begin_check_if_older(&self, age: Millis, now: Millis) -> bool {
        let mut inner = self.lock();
        let is_old = inner.checked_at + age < now;
        if is_old {
            inner.checked_at = now;
        }
        is_old
    }

    /// `true` if no reload is running, so the caller must start one.
    pub fn request_refresh(&self) -> bool {
        let mut inner = self.lock();
        let (next, begin) = match inner.refresh {
            RefreshState::Idle => (RefreshState::Requested, true),
            RefreshState::Requested => (RefreshState::Requested, false),
            RefreshState::Running | RefreshState::RunningAndRequested => (RefreshState::RunningAndRequested, false),
        };
        inner.refresh = next;
        begin
    }

    /// For the task that reloads: `true` as long as another reload was requested.
    pub fn begin_refresh(&self) -> bool {
        let mut inner = self.lock();
        let is_requested = matches!(inner.refresh, RefreshState::Requested | RefreshState::RunningAndRequested);
        inner.refresh = if is_requested { RefreshState::Running } else { RefreshState::Idle };
        is_requested
    }

    pub fn is_slow_mode(&self) -> bool {
        self.lock().stream.chat.slow_ms > 0
    }

    /// A user posted on another node: slow mode applies there and here.
    pub fn record_remote_message(&self, user: &UserId, at: Millis) {
        let mut inner = self.lock();
        let user = inner.user_state(user, at);
        user.last_message_at = Some(user.last_message_at.map_or(at, |last_message_at| last_message_at.max(at)));
    }

    /// The likes that viewers see.
    pub fn likes(&self) -> i64 {
        let inner = self.lock();
        inner.stream.likes + inner.simulated_likes
    }

    pub fn simulated_likes(&self) -> i64 {
        self.lock().simulated_likes
    }

    /// Takes the sum of likes in the store, which contains those of all nodes. Returns whether it was more than we
    /// knew.
    pub fn update_likes(&self, stored: i64) -> bool {
        let mut inner = self.lock();
        let likes = stored + inner.unsaved_likes;
        let is_more = inner.stream.likes < likes;
        inner.stream.likes = inner.stream.likes.max(likes);
        is_more
    }

    /// Decides whether this user may post this message now. If so, the message counts towards the limits. The decision
    /// says whether it must be reviewed first.
    pub fn admit_message(
        &self,
        actor: &Actor,
        text: &str,
        now: Millis,
        limit: ChatRateLimit,
    ) -> std::result::Result<ChatDecision, Refusal> {
        let fold = |text: &str| if actor.is_team() { String::new() } else { blocklist::fold(text) };
        let (name, folded) = (fold(actor.name.as_str()), fold(text));
        let mut inner = self.lock();
        if inner.stream.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded);
        }
        inner.authorize(actor, Permission::Chat, now)?;
        if actor.is_team() {
            inner.room_rate_limit(now, limit).into_iter().for_each(|room_limit| room_limit.take_with_priority(now));
            return Ok(ChatDecision::Publish);
        }
        if actor.name.claims_role() {
            return Err(Refusal::NameClaimsRole);
        }
        let decision = inner.stream.chat.evaluate(&name, &folded, &inner.blocklist)?;
        let slow_ms = inner.stream.chat.slow_ms;
        let user = inner.user_state(&actor.user, now);
        // Without slow mode the time of the last message does not matter: it may be a moment ahead of a clock that was corrected.
        if slow_ms > 0
            && let Some(last_message_at) = user.last_message_at
            && now < last_message_at + slow_ms
        {
            return Err(Refusal::SlowMode { retry_ms: last_message_at + slow_ms - now });
        }
        let digest = digest(&folded);
        user.recent_messages.retain(|(_, at)| now < at + DUPLICATE_WINDOW_MS);
        if let Some((_, at)) = user.recent_messages.iter().find(|(other, _)| *other == digest) {
            return Err(Refusal::DuplicateMessage { retry_ms: at + DUPLICATE_WINDOW_MS - now });
        }
        if limit.viewer_per_s > 0.0 {
            let bucket = user
                .message_rate_limit
                .get_or_insert_with(|| TokenBucket::new(limit.viewer_per_s, VIEWER_BURST_MESSAGES, now));
            bucket.take(now).map_err(|retry_ms| Refusal::ChatBudget { retry_ms })?;
        }
        // The stream's rate limit is charged after the user's own: a user who posts too much alone takes nothing from
        // the others. Refused users get different retry times, so that they do not come back all at once.
        if let Some(room_limit) = inner.room_rate_limit(now, limit) {
            let refuse = |retry_ms| Refusal::ChatBudget { retry_ms: retry_ms + rand::random_range(100..1_000) };
            room_limit.take(now).map_err(refuse)?;
        }
        let user = inner.user_state(&actor.user, now);
        user.last_message_at = Some(now);
        if user.recent_messages.len() == RECENT_MESSAGES_MAX {
            user.recent_messages.remove(0);
        }
        user.recent_messages.push((digest, now));
        Ok(decision)
    }

    /// Undoes [`admit_message`](Self::admit_message) for a message that could not be published: it counts neither for
    /// slow mode nor as a duplicate.
    pub fn retract_message(&self, actor: &Actor) {
        if let Some(user) = self.lock().users.get_mut(&actor.user) {
            user.last_message_at = None;
            user.recent_messages.pop();
        }
    }

    /// Charges a purchase event to the stream's rate limit: it has priority over chat.
    pub fn charge_sale_event(&self, now: Millis, limit: ChatRateLimit) {
        self.lock().room_rate_limit(now, limit).into_iter().for_each(|room_limit| room_limit.take_with_priority(now));
    }

    /// May the audience read this name of a viewer? Not if the chat would refuse or review a message under it.
    pub fn may_show_name(&self, name: &str) -> bool {
        let folded = blocklist::fold(name);
        let inner = self.lock();
        inner.stream.chat.may_show_name(&folded, &inner.blocklist) && !team_name::claims_role(name)
    }

    /// Adds reactions and returns the new sum of likes that viewers see, and this node's emoji.
    pub fn add_reactions(
        &self,
        actor: &Actor,
        kind: ReactionKind,
        count: i64,
        now: Millis,
    ) -> std::result::Result<(i64, ReactionCounts), Refusal> {
        let mut inner = self.lock();
        if inner.stream.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded);
        }
        inner.authorize(actor, Permission::React, now)?;
        inner
            .user_state(&actor.user, now)
            .reaction_rate_limit
            .take(now)
            .map_err(|retry_ms| Refusal::Busy { retry_ms })?;
        if actor.user.is_simulated() {
            inner.simulated_likes += count;
        } else {
            inner.unsaved_likes += count;
            inner.stream.likes += count;
        }
        inner.reactions.add(kind, count);
        Ok((inner.stream.likes + inner.simulated_likes, inner.reactions))
    }

    /// This node's emoji, if there are more than the other nodes know of. From then on they count as known.
    pub fn take_unpublished_reactions(&self) -> Option<ReactionCounts> {
        let mut inner = self.lock();
        let reactions = inner.reactions;
        let is_news = inner.published_reactions != reactions;
        inner.published_reactions = reactions;
        is_news.then_some(reactions)
    }

    /// Takes the likes that the store does not know yet. The caller must write them or
    /// [restore](Self::restore_unsaved_likes) them.
    pub fn take_unsaved_likes(&self) -> i64 {
        std::mem::take(&mut self.lock().unsaved_likes)
    }

    pub fn restore_unsaved_likes(&self, likes: i64) {
        self.lock().unsaved_likes += likes;
    }

    /// Whether the store has this sanction of the user, as far as this node knows.
    pub fn has_sanction(&self, user: &UserId, kind: SanctionKind, now: Millis) -> bool {
        let inner = self.lock();
        let mut in_force = inner.sanctions.of(user).filter(|sanction| sanction.until.is_none_or(|until| now < until));
        in_force.any(|sanction| sanction.kind == kind)
    }

    pub fn sanctions(&self, now: Millis) -> Vec<Sanction> {
        self.lock().sanctions.in_force(now)
    }

    pub fn add_sanction(&self, sanction: Sanction) {
        let mut inner = self.lock();
        inner.sanctions.set(sanction);
        inner.sanctions_revision += 1;
    }

    pub fn remove_sanction(&self, user: &UserId, kind: SanctionKind) {
        let mut inner = self.lock();
        inner.sanctions.remove(user, kind);
        inner.sanctions_revision += 1;
    }

    /// Revokes these helpers and returns those who were not revoked before. A revocation is final: a new invite creates
    /// a new user id.
    pub fn revoke_helpers(&self, users: Vec<UserId>) -> Vec<UserId> {
        let mut inner = self.lock();
        users.into_iter().filter(|user| inner.revoked_helpers.insert(user.clone())).collect()
    }

    pub fn is_revoked(&self, user: &UserId) -> bool {
        self.lock().revoked_helpers.contains(user)
    }

    /// The reason that the team gave for this user's mute.
    pub fn mute_reason(&self, user: &UserId) -> Option<String> {
        let inner = self.lock();
        let mute = inner.sanctions.of(user).find(|sanction| sanction.kind == SanctionKind::Mute)?;
        mute.reason.clone()
    }

    /// What this node knows about an actor in this stream: also what was imposed on another identity of the same person.
    pub fn standing(&self, actor: &Actor, now: Millis) -> Standing {
        self.lock().standing(actor, now)
    }

    /// May this actor do this in this stream? For code that must not wait: a token of another stream that was revoked there is
    /// not noticed here.
    pub fn authorize(&self, actor: &Actor, permission: Permission, now: Millis) -> std::result::Result<(), Refusal> {
        self.lock().authorize(actor, permission, now)
    }
}

impl CachedStreamInner {
    fn room_rate_limit(&mut self, now: Millis, limit: ChatRateLimit) -> Option<&mut TokenBucket> {
        let new = || TokenBucket::new(limit.room_per_s, (2.0 * limit.room_per_s).max(1.0), now);
        (limit.room_per_s > 0.0).then(|| self.room_rate_limit.get_or_insert_with(new))
    }

    fn standing(&self, actor: &Actor, now: Millis) -> Standing {
        let person = actor.person();
        let sanctions = self.sanctions.of_person(&actor.user, &person);
        let is_revoked = self.revoked_helpers.contains(&actor.user);
        let here = Standing::of_sanctions(sanctions, now);
        let in_shop = self.shop_blocks.blocked_by(&person);
        let banned_by = here.banned_by.into_iter().chain(in_shop).reduce(|a, b| if b.outranks(a) { b } else { a });
        Standing { is_revoked, banned_by, ..here }
    }

    fn authorize(&self, actor: &Actor, permission: Permission, now: Millis) -> std::result::Result<(), Refusal> {
        authorize(actor, permission, Place::Stream(self.stream.id), &self.standing(actor, now), now)
    }

    fn user_state(&mut self, user: &UserId, now: Millis) -> &mut UserChatState {
        if self.users.len() > USER_STATES_MAX && !self.users.contains_key(user) {
            self.users.retain(|_, user| user.last_message_at.is_some_and(|at| now - at < USER_STATE_IDLE_MS));
        }
        self.users.entry(user.clone()).or_insert_with(|| UserChatState {
            message_rate_limit: None,
            reaction_rate_limit: TokenBucket::new(REACTION_FRAMES_PER_S, REACTION_FRAMES_PER_S * 3.0, now),
            last_message_at: None,
            recent_messages: Vec::new(),
        })
    }
}

fn digest(folded: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    folded.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "cached_stream_test.rs"]
mod tests;
