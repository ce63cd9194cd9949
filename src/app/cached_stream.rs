//! What this node remembers of a show between verbs: its rules, who is kept quiet, who spoke when.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{App, Result};
use crate::domain::{
    Actor, Blocklist, ChatDecision, LiveStream, Millis, Permission, Refusal, Sanction, SanctionKind, StreamId,
    StreamStatus, TokenBucket, UserId, blocklist,
};

#[derive(Debug)]
pub struct CachedStream(Mutex<CachedStreamInner>);

#[derive(Debug)]
struct CachedStreamInner {
    stream: LiveStream,
    sanctions: Vec<Sanction>,
    /// How often they were changed here: what was read from the store before a change is older than it.
    sanctions_revision: u64,
    /// Helpers whose link was taken back: their tokens are still good, their powers are not.
    revoked_helpers: HashSet<UserId>,
    blocklist: Arc<Blocklist>,
    /// The version of the words, to be compared with the stream's.
    blocklist_version: i64,
    users: HashMap<UserId, UserChatState>,
    /// What all viewers together may say; the team and what is sold go first.
    room_rate_limit: Option<TokenBucket>,
    /// Hearts since the last write to the store.
    unsaved_likes: i64,
    refresh: RefreshState,
    /// When the store was last asked.
    checked_at: Millis,
}

/// Whether the show is being read again from the store.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
enum RefreshState {
    #[default]
    Idle,
    Requested,
    Running,
    /// Something changed while it was read.
    RunningAndRequested,
}

/// When someone last spoke, and how much more they may say.
#[derive(Debug)]
struct UserChatState {
    message_rate_limit: Option<TokenBucket>,
    reaction_rate_limit: TokenBucket,
    last_message_at: Option<Millis>,
    /// What they said lately, as digests, and when.
    recent_messages: Vec<(u64, Millis)>,
}

/// Messages each second on average: of one viewer, with a burst of five, and of a show's viewers together on this node,
/// with a burst of two seconds. 0 is no limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ChatRateLimit {
    pub viewer_per_s: f64,
    pub room_per_s: f64,
}

const VIEWER_BURST_MESSAGES: f64 = 5.0;
/// Heart frames a second; each may carry fifty.
const REACTION_FRAMES_PER_S: f64 = 3.0;
/// So long nobody says the same again, as far as their last few messages go. On this node: who is connected to two may say a
/// thing on each. The same said by many is no repetition: a room greets and cheers in one voice.
const DUPLICATE_WINDOW_MS: Millis = 30_000;
const RECENT_MESSAGES_MAX: usize = 8;
/// Above this many, voices quiet for five minutes are forgotten.
const USER_STATES_MAX: usize = 10_000;
const USER_STATE_IDLE_MS: Millis = 300_000;
/// So old what we remember of a show may be that we do not hear of.
const UNSUBSCRIBED_TTL_MS: Millis = 1_000;

impl CachedStream {
    fn lock(&self) -> MutexGuard<'_, CachedStreamInner> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    pub fn stream(&self) -> LiveStream {
        self.lock().stream.clone()
    }

    /// Takes a newer version of the stream; an older one is ignored.
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

    /// As of which version everything is known; 0 while the words are older than the rest.
    pub fn version(&self) -> i64 {
        let inner = self.lock();
        if inner.blocklist_version == inner.stream.blocklist_version { inner.stream.version } else { 0 }
    }

    /// To be asked before the sanctions are read, for [`Show::read`].
    pub fn sanctions_revision(&self) -> u64 {
        self.lock().sanctions_revision
    }

    /// Takes what the store has; of two readings the newer one stays. `false`: somebody was silenced or let in again
    /// here since `changed`, so the sanctions are to be read again.
    pub fn update_from_store(
        &self,
        stream: &LiveStream,
        (changed, sanctions): (u64, Vec<Sanction>),
        words: Option<Arc<Blocklist>>,
    ) -> bool {
        let mut inner = self.lock();
        let likes = inner.stream.likes.max(stream.likes + inner.unsaved_likes);
        let current = inner.sanctions_revision == changed;
        if inner.stream.version <= stream.version {
            inner.stream = stream.clone();
            if current {
                inner.sanctions = sanctions;
            }
            if stream.status == StreamStatus::Ended {
                // Nobody speaks any more.
                inner.users = HashMap::new();
            }
            if let Some(words) = words {
                inner.blocklist = words;
                inner.blocklist_version = stream.blocklist_version;
            }
        }
        inner.stream.likes = likes;
        current
    }

    /// `true` when the store was not asked for so long; then the caller asks it.
    fn begin_check_if_older(&self, age: Millis, now: Millis) -> bool {
        let mut inner = self.lock();
        let old = inner.checked_at + age < now;
        if old {
            inner.checked_at = now;
        }
        old
    }

    /// `true`: nobody reads it yet, so the caller shall.
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

    /// For the one who reads: `true` as long as there is something to read.
    pub fn begin_refresh(&self) -> bool {
        let mut inner = self.lock();
        let goes_on = matches!(inner.refresh, RefreshState::Requested | RefreshState::RunningAndRequested);
        inner.refresh = if goes_on { RefreshState::Running } else { RefreshState::Idle };
        goes_on
    }

    pub fn is_slow_mode(&self) -> bool {
        self.lock().stream.chat.slow_ms > 0
    }

    /// Somebody spoke on another node: slow mode holds there and here.
    pub fn record_remote_message(&self, user: &UserId, at: Millis) {
        let mut inner = self.lock();
        let voice = inner.user_state(user, at);
        voice.last_message_at = Some(voice.last_message_at.map_or(at, |said_at| said_at.max(at)));
    }

    pub fn likes(&self) -> i64 {
        self.lock().stream.likes
    }

    /// All nodes' hearts that the store knows, perhaps more than we do; says whether it is.
    pub fn update_likes(&self, stored: i64) -> bool {
        let mut inner = self.lock();
        let likes = stored + inner.unsaved_likes;
        let more = inner.stream.likes < likes;
        inner.stream.likes = inner.stream.likes.max(likes);
        more
    }

    /// May this person say this now? If so, it counts as said; and whether it waits for the team first.
    pub fn admit_message(
        &self,
        actor: &Actor,
        text: &str,
        now: Millis,
        budget: ChatRateLimit,
    ) -> std::result::Result<ChatDecision, Refusal> {
        let fold = |text: &str| if actor.is_team() { String::new() } else { blocklist::fold(text) };
        let (name, folded) = (fold(actor.name.as_str()), fold(text));
        let mut inner = self.lock();
        if inner.stream.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded);
        }
        if let Some(refusal) = inner.refusal_for(actor, now) {
            return Err(refusal);
        }
        if actor.is_team() {
            inner.room_rate_limit(now, budget).into_iter().for_each(|floor| floor.take_with_priority(now));
            return Ok(ChatDecision::Publish);
        }
        let ruling = inner.stream.chat.evaluate(&name, &folded, &inner.blocklist)?;
        let slow_ms = inner.stream.chat.slow_ms;
        let voice = inner.user_state(&actor.user, now);
        if let Some(said_at) = voice.last_message_at
            && now < said_at + slow_ms
        {
            return Err(Refusal::SlowMode { retry_ms: said_at + slow_ms - now });
        }
        let digest = digest(&folded);
        voice.recent_messages.retain(|(_, at)| now < at + DUPLICATE_WINDOW_MS);
        if let Some((_, at)) = voice.recent_messages.iter().find(|(said, _)| *said == digest) {
            return Err(Refusal::DuplicateMessage { retry_ms: at + DUPLICATE_WINDOW_MS - now });
        }
        if budget.viewer_per_s > 0.0 {
            let bucket = voice
                .message_rate_limit
                .get_or_insert_with(|| TokenBucket::new(budget.viewer_per_s, VIEWER_BURST_MESSAGES, now));
            bucket.take(now).map_err(|retry_ms| Refusal::ChatBudget { retry_ms })?;
        }
        // The room's budget after one's own: who says too much alone takes nothing from the others. Those who are shed
        // are told to come at different times.
        if let Some(floor) = inner.room_rate_limit(now, budget) {
            let shed = |retry_ms| Refusal::ChatBudget { retry_ms: retry_ms + rand::random_range(100..1_000) };
            floor.take(now).map_err(shed)?;
        }
        let voice = inner.user_state(&actor.user, now);
        voice.last_message_at = Some(now);
        if voice.recent_messages.len() == RECENT_MESSAGES_MAX {
            voice.recent_messages.remove(0);
        }
        voice.recent_messages.push((digest, now));
        Ok(ruling)
    }

    /// What was said could not be told: neither slow mode counts it nor is it a repetition to say it again.
    pub fn retract_message(&self, actor: &Actor) {
        if let Some(voice) = self.lock().users.get_mut(&actor.user) {
            voice.last_message_at = None;
            voice.recent_messages.pop();
        }
    }

    /// Something was sold, and everybody is told: it comes before talk.
    pub fn charge_sale_event(&self, now: Millis, budget: ChatRateLimit) {
        self.lock().room_rate_limit(now, budget).into_iter().for_each(|floor| floor.take_with_priority(now));
    }

    /// Counts hearts and gives the new sum.
    pub fn add_likes(&self, actor: &Actor, count: i64, now: Millis) -> std::result::Result<i64, Refusal> {
        let mut inner = self.lock();
        if inner.stream.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded);
        }
        if let Some(Refusal::Banned) = inner.refusal_for(actor, now) {
            return Err(Refusal::Banned);
        }
        inner
            .user_state(&actor.user, now)
            .reaction_rate_limit
            .take(now)
            .map_err(|retry_ms| Refusal::Busy { retry_ms })?;
        inner.unsaved_likes += count;
        inner.stream.likes += count;
        Ok(inner.stream.likes)
    }

    /// Hearts that the store does not know yet; they are the caller's to write, or to [give back](Self::give_back_likes).
    pub fn take_unsaved_likes(&self) -> i64 {
        std::mem::take(&mut self.lock().unsaved_likes)
    }

    pub fn restore_unsaved_likes(&self, likes: i64) {
        self.lock().unsaved_likes += likes;
    }

    pub fn sanctions(&self, now: Millis) -> Vec<Sanction> {
        let mut inner = self.lock();
        inner.sanctions.retain(|sanction| sanction.until.is_none_or(|until| now < until));
        inner.sanctions.clone()
    }

    pub fn add_sanction(&self, sanction: Sanction) {
        let mut inner = self.lock();
        inner.sanctions.retain(|old| old.user != sanction.user || old.kind != sanction.kind);
        inner.sanctions.push(sanction);
        inner.sanctions_revision += 1;
    }

    pub fn remove_sanction(&self, user: &UserId, kind: SanctionKind) {
        let mut inner = self.lock();
        inner.sanctions.retain(|sanction| sanction.user != *user || sanction.kind != kind);
        inner.sanctions_revision += 1;
    }

    /// Helpers who are out from now on; gives those who were not yet. Nobody comes back: a new link is a new id.
    pub fn revoke_helpers(&self, users: Vec<UserId>) -> Vec<UserId> {
        let mut inner = self.lock();
        users.into_iter().filter(|user| inner.revoked_helpers.insert(user.clone())).collect()
    }

    pub fn is_revoked(&self, user: &UserId) -> bool {
        self.lock().revoked_helpers.contains(user)
    }

    /// What the team said when it muted this person.
    pub fn mute_reason(&self, user: &UserId) -> Option<String> {
        let inner = self.lock();
        let mute = inner.sanctions.iter().find(|it| it.user == *user && it.kind == SanctionKind::Mute)?;
        mute.reason.clone()
    }

    /// Why this person may not speak (muted) or not be here (banned).
    pub fn refusal_for(&self, actor: &Actor, now: Millis) -> Option<Refusal> {
        self.lock().refusal_for(actor, now)
    }
}

impl CachedStreamInner {
    fn room_rate_limit(&mut self, now: Millis, budget: ChatRateLimit) -> Option<&mut TokenBucket> {
        let new = || TokenBucket::new(budget.room_per_s, (2.0 * budget.room_per_s).max(1.0), now);
        (budget.room_per_s > 0.0).then(|| self.room_rate_limit.get_or_insert_with(new))
    }

    /// A ban weighs more than a mute. Neither binds who runs the show: a moderator cannot shut the host out of it.
    fn refusal_for(&self, actor: &Actor, now: Millis) -> Option<Refusal> {
        if actor.authorize(Permission::ManageStreams, Some(self.stream.id)).is_ok() {
            return None;
        }
        let mut all = self.sanctions.iter().filter(|s| s.user == actor.user).filter_map(|s| s.refusal(now));
        let first = all.next()?;
        Some(all.find(|refusal| *refusal == Refusal::Banned).unwrap_or(first))
    }

    fn user_state(&mut self, user: &UserId, now: Millis) -> &mut UserChatState {
        if self.users.len() > USER_STATES_MAX && !self.users.contains_key(user) {
            self.users.retain(|_, voice| voice.last_message_at.is_some_and(|at| now - at < USER_STATE_IDLE_MS));
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

impl App {
    /// The muted words, if they are not the ones that `show` has.
    pub(super) async fn newer_blocklist(
        &self,
        stream: &LiveStream,
        show: &CachedStream,
    ) -> Result<Option<Arc<Blocklist>>> {
        if show.lock().blocklist_version == stream.blocklist_version {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.store().blocklist(stream.id).await?)))
    }

    /// The show, from memory or from the store.
    /// The show, for one of its team. Who was banned from it does nothing more in it, whatever their token says.
    pub(super) async fn authorize(&self, actor: &Actor, action: Permission, id: StreamId) -> Result<Arc<CachedStream>> {
        actor.authorize(action, Some(id))?;
        let show = self.find_stream(id).await?;
        if show.refusal_for(actor, self.now()) == Some(Refusal::Banned) {
            return Err(Refusal::Banned.into());
        }
        Ok(show)
    }

    pub(super) async fn find_stream(&self, id: StreamId) -> Result<Arc<CachedStream>> {
        if let Some(known) = self.cached_stream(id) {
            // A show that nobody watches here is not heard of.
            let unheard = self.0.broker.is_shared() && self.rooms().get(id).is_none();
            if unheard && known.begin_check_if_older(UNSUBSCRIBED_TTL_MS, self.now()) {
                let _ = Box::pin(self.reload_stream(id, &known)).await;
            }
            return Ok(known);
        }
        // Boxed: reading is rare, and its future would be part of everybody's who comes in.
        let read = Box::pin(async {
            let stream = self.store().stream(id).await?.ok_or(Refusal::NoSuchStream)?;
            let sanctions = self.store().sanctions(id, self.now()).await?;
            let out = self.store().revoked_helpers(id, self.now()).await?.into_iter().collect();
            let words =
                if stream.blocklist_version == 0 { Blocklist::empty() } else { self.store().blocklist(id).await? };
            Ok(CachedStream(Mutex::new(CachedStreamInner {
                blocklist: Arc::new(words),
                blocklist_version: stream.blocklist_version,
                stream,
                sanctions,
                sanctions_revision: 0,
                revoked_helpers: out,
                users: HashMap::new(),
                room_rate_limit: None,
                unsaved_likes: 0,
                refresh: RefreshState::Idle,
                checked_at: 0,
            })))
        });
        self.0.streams.find(id, read).await
    }

    /// Refused when there is no such show. Costs no database for a show this node has met.
    pub async fn check_stream_exists(&self, id: StreamId) -> Result<()> {
        self.find_stream(id).await.map(|_| ())
    }

    pub(super) fn cached_stream(&self, id: StreamId) -> Option<Arc<CachedStream>> {
        self.0.streams.get(id)
    }
}

#[cfg(test)]
#[path = "cached_stream_test.rs"]
mod tests;
