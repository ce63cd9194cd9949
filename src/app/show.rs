//! What this node remembers of a show between verbs: its rules, who is kept quiet, who spoke when.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{App, Result};
use crate::domain::{
    Action, Actor, LiveStream, Millis, Refusal, Ruling, Sanction, SanctionKind, StreamId, StreamStatus, TokenBucket,
    UserId, Words, words,
};

#[derive(Debug)]
pub struct Show(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    stream: LiveStream,
    sanctions: Vec<Sanction>,
    /// How often they were changed here: what was read from the store before a change is older than it.
    sanctions_changed: u64,
    /// Helpers whose link was taken back: their tokens are still good, their powers are not.
    out: HashSet<UserId>,
    words: Arc<Words>,
    /// The version of the words, to be compared with the stream's.
    words_v: i64,
    voices: HashMap<UserId, Voice>,
    /// What all viewers together may say; the team and what is sold go first.
    floor: Option<TokenBucket>,
    /// Hearts since the last write to the store.
    fresh_likes: i64,
    refresh: Refresh,
    /// When the store was last asked.
    read_at: Millis,
}

/// Whether the show is being read again from the store.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
enum Refresh {
    #[default]
    No,
    Wanted,
    Running,
    /// Something changed while it was read.
    RunningAndWanted,
}

/// When someone last spoke, and how much more they may say.
#[derive(Debug)]
struct Voice {
    bucket: Option<TokenBucket>,
    hearts: TokenBucket,
    said_at: Option<Millis>,
    /// What they said lately, as digests, and when.
    said: Vec<(u64, Millis)>,
}

/// Messages each second on average: of one viewer, with a burst of five, and of a show's viewers together on this node,
/// with a burst of two seconds. 0 is no limit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ChatBudget {
    pub viewer: f64,
    pub room: f64,
}

const CHAT_BURST: f64 = 5.0;
/// Heart frames a second; each may carry fifty.
const HEART_FRAMES: f64 = 3.0;
/// So long nobody says the same again, as far as their last few messages go. On this node: who is connected to two may say a
/// thing on each. The same said by many is no repetition: a room greets and cheers in one voice.
const REPEAT_MS: Millis = 30_000;
const SAID_KEPT: usize = 8;
/// Above this many, voices quiet for five minutes are forgotten.
const VOICES_KEPT: usize = 10_000;
const QUIET_MS: Millis = 300_000;
/// So old what we remember of a show may be that we do not hear of.
const UNHEARD_MS: Millis = 1_000;

impl Show {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    pub fn stream(&self) -> LiveStream {
        self.lock().stream.clone()
    }

    /// Takes a newer version of the stream; an older one is ignored.
    pub fn set_stream(&self, stream: &LiveStream) {
        let mut inner = self.lock();
        if inner.stream.version <= stream.version {
            let likes = inner.stream.likes;
            inner.stream = LiveStream { likes, ..stream.clone() };
            if stream.status == StreamStatus::Ended {
                inner.voices = HashMap::new();
            }
        }
    }

    /// As of which version everything is known; 0 while the words are older than the rest.
    pub fn version(&self) -> i64 {
        let inner = self.lock();
        if inner.words_v == inner.stream.words_v { inner.stream.version } else { 0 }
    }

    /// To be asked before the sanctions are read, for [`Show::read`].
    pub fn sanctions_changed(&self) -> u64 {
        self.lock().sanctions_changed
    }

    /// Takes what the store has; of two readings the newer one stays. `false`: somebody was silenced or let in again
    /// here since `changed`, so the sanctions are to be read again.
    pub fn read(
        &self,
        stream: &LiveStream,
        (changed, sanctions): (u64, Vec<Sanction>),
        words: Option<Arc<Words>>,
    ) -> bool {
        let mut inner = self.lock();
        let likes = inner.stream.likes.max(stream.likes + inner.fresh_likes);
        let current = inner.sanctions_changed == changed;
        if inner.stream.version <= stream.version {
            inner.stream = stream.clone();
            if current {
                inner.sanctions = sanctions;
            }
            if stream.status == StreamStatus::Ended {
                // Nobody speaks any more.
                inner.voices = HashMap::new();
            }
            if let Some(words) = words {
                inner.words = words;
                inner.words_v = stream.words_v;
            }
        }
        inner.stream.likes = likes;
        current
    }

    /// `true` when the store was not asked for so long; then the caller asks it.
    fn outlived(&self, age: Millis, now: Millis) -> bool {
        let mut inner = self.lock();
        let old = inner.read_at + age < now;
        if old {
            inner.read_at = now;
        }
        old
    }

    /// `true`: nobody reads it yet, so the caller shall.
    pub fn wants_refresh(&self) -> bool {
        let mut inner = self.lock();
        let (next, begin) = match inner.refresh {
            Refresh::No => (Refresh::Wanted, true),
            Refresh::Wanted => (Refresh::Wanted, false),
            Refresh::Running | Refresh::RunningAndWanted => (Refresh::RunningAndWanted, false),
        };
        inner.refresh = next;
        begin
    }

    /// For the one who reads: `true` as long as there is something to read.
    pub fn begin_refresh(&self) -> bool {
        let mut inner = self.lock();
        let goes_on = matches!(inner.refresh, Refresh::Wanted | Refresh::RunningAndWanted);
        inner.refresh = if goes_on { Refresh::Running } else { Refresh::No };
        goes_on
    }

    pub fn is_slow(&self) -> bool {
        self.lock().stream.chat.slow_ms > 0
    }

    /// Somebody spoke on another node: slow mode holds there and here.
    pub fn heard(&self, user: &UserId, at: Millis) {
        let mut inner = self.lock();
        let voice = inner.voice(user, at);
        voice.said_at = Some(voice.said_at.map_or(at, |said_at| said_at.max(at)));
    }

    pub fn likes(&self) -> i64 {
        self.lock().stream.likes
    }

    /// All nodes' hearts that the store knows, perhaps more than we do; says whether it is.
    pub fn heed_likes(&self, stored: i64) -> bool {
        let mut inner = self.lock();
        let likes = stored + inner.fresh_likes;
        let more = inner.stream.likes < likes;
        inner.stream.likes = inner.stream.likes.max(likes);
        more
    }

    /// May this person say this now? If so, it counts as said; and whether it waits for the team first.
    pub fn take_floor(
        &self,
        actor: &Actor,
        text: &str,
        now: Millis,
        budget: ChatBudget,
    ) -> std::result::Result<Ruling, Refusal> {
        let fold = |text: &str| if actor.is_team() { String::new() } else { words::fold(text) };
        let (name, folded) = (fold(actor.name.as_str()), fold(text));
        let mut inner = self.lock();
        if inner.stream.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded);
        }
        if let Some(refusal) = inner.refuses(actor, now) {
            return Err(refusal);
        }
        if actor.is_team() {
            inner.floor(now, budget).into_iter().for_each(|floor| floor.take_first(now));
            return Ok(Ruling::Say);
        }
        let ruling = inner.stream.chat.judge(&name, &folded, &inner.words)?;
        let slow_ms = inner.stream.chat.slow_ms;
        let voice = inner.voice(&actor.user, now);
        if let Some(said_at) = voice.said_at
            && now < said_at + slow_ms
        {
            return Err(Refusal::SlowMode { retry_ms: said_at + slow_ms - now });
        }
        let digest = digest(&folded);
        voice.said.retain(|(_, at)| now < at + REPEAT_MS);
        if let Some((_, at)) = voice.said.iter().find(|(said, _)| *said == digest) {
            return Err(Refusal::Repeated { retry_ms: at + REPEAT_MS - now });
        }
        if budget.viewer > 0.0 {
            let bucket = voice.bucket.get_or_insert_with(|| TokenBucket::new(budget.viewer, CHAT_BURST, now));
            bucket.take(now).map_err(|retry_ms| Refusal::ChatBudget { retry_ms })?;
        }
        // The room's budget after one's own: who says too much alone takes nothing from the others. Those who are shed
        // are told to come at different times.
        if let Some(floor) = inner.floor(now, budget) {
            let shed = |retry_ms| Refusal::ChatBudget { retry_ms: retry_ms + rand::random_range(100..1_000) };
            floor.take(now).map_err(shed)?;
        }
        let voice = inner.voice(&actor.user, now);
        voice.said_at = Some(now);
        if voice.said.len() == SAID_KEPT {
            voice.said.remove(0);
        }
        voice.said.push((digest, now));
        Ok(ruling)
    }

    /// What was said could not be told: neither slow mode counts it nor is it a repetition to say it again.
    pub fn unsaid(&self, actor: &Actor) {
        if let Some(voice) = self.lock().voices.get_mut(&actor.user) {
            voice.said_at = None;
            voice.said.pop();
        }
    }

    /// Something was sold, and everybody is told: it comes before talk.
    pub fn note_sale(&self, now: Millis, budget: ChatBudget) {
        self.lock().floor(now, budget).into_iter().for_each(|floor| floor.take_first(now));
    }

    /// Counts hearts and gives the new sum.
    pub fn like(&self, actor: &Actor, count: i64, now: Millis) -> std::result::Result<i64, Refusal> {
        let mut inner = self.lock();
        if inner.stream.status == StreamStatus::Ended {
            return Err(Refusal::StreamEnded);
        }
        if let Some(Refusal::Banned) = inner.refuses(actor, now) {
            return Err(Refusal::Banned);
        }
        inner.voice(&actor.user, now).hearts.take(now).map_err(|retry_ms| Refusal::Busy { retry_ms })?;
        inner.fresh_likes += count;
        inner.stream.likes += count;
        Ok(inner.stream.likes)
    }

    /// Hearts that the store does not know yet; they are the caller's to write, or to [give back](Self::give_back_likes).
    pub fn take_fresh_likes(&self) -> i64 {
        std::mem::take(&mut self.lock().fresh_likes)
    }

    pub fn give_back_likes(&self, likes: i64) {
        self.lock().fresh_likes += likes;
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
        inner.sanctions_changed += 1;
    }

    pub fn lift(&self, user: &UserId, kind: SanctionKind) {
        let mut inner = self.lock();
        inner.sanctions.retain(|sanction| sanction.user != *user || sanction.kind != kind);
        inner.sanctions_changed += 1;
    }

    /// Helpers who are out from now on; gives those who were not yet. Nobody comes back: a new link is a new id.
    pub fn send_out(&self, users: Vec<UserId>) -> Vec<UserId> {
        let mut inner = self.lock();
        users.into_iter().filter(|user| inner.out.insert(user.clone())).collect()
    }

    pub fn is_out(&self, user: &UserId) -> bool {
        self.lock().out.contains(user)
    }

    /// What the team said when it muted this person.
    pub fn muted_because(&self, user: &UserId) -> Option<String> {
        let inner = self.lock();
        let mute = inner.sanctions.iter().find(|it| it.user == *user && it.kind == SanctionKind::Mute)?;
        mute.reason.clone()
    }

    /// Why this person may not speak (muted) or not be here (banned).
    pub fn refuses(&self, actor: &Actor, now: Millis) -> Option<Refusal> {
        self.lock().refuses(actor, now)
    }
}

impl Inner {
    fn floor(&mut self, now: Millis, budget: ChatBudget) -> Option<&mut TokenBucket> {
        let new = || TokenBucket::new(budget.room, (2.0 * budget.room).max(1.0), now);
        (budget.room > 0.0).then(|| self.floor.get_or_insert_with(new))
    }

    /// A ban weighs more than a mute. Neither binds who runs the show: a moderator cannot shut the host out of it.
    fn refuses(&self, actor: &Actor, now: Millis) -> Option<Refusal> {
        if actor.may(Action::Run, Some(self.stream.id)).is_ok() {
            return None;
        }
        let mut all = self.sanctions.iter().filter(|s| s.user == actor.user).filter_map(|s| s.refuses(now));
        let first = all.next()?;
        Some(all.find(|refusal| *refusal == Refusal::Banned).unwrap_or(first))
    }

    fn voice(&mut self, user: &UserId, now: Millis) -> &mut Voice {
        if self.voices.len() > VOICES_KEPT && !self.voices.contains_key(user) {
            self.voices.retain(|_, voice| voice.said_at.is_some_and(|at| now - at < QUIET_MS));
        }
        self.voices.entry(user.clone()).or_insert_with(|| Voice {
            bucket: None,
            hearts: TokenBucket::new(HEART_FRAMES, HEART_FRAMES * 3.0, now),
            said_at: None,
            said: Vec::new(),
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
    pub(super) async fn newer_words(&self, stream: &LiveStream, show: &Show) -> Result<Option<Arc<Words>>> {
        if show.lock().words_v == stream.words_v {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.store().words(stream.id).await?)))
    }

    /// The show, from memory or from the store.
    /// The show, for one of its team. Who was banned from it does nothing more in it, whatever their token says.
    pub(super) async fn find_show_for(&self, actor: &Actor, action: Action, id: StreamId) -> Result<Arc<Show>> {
        actor.may(action, Some(id))?;
        let show = self.find_show(id).await?;
        if show.refuses(actor, self.now()) == Some(Refusal::Banned) {
            return Err(Refusal::Banned.into());
        }
        Ok(show)
    }

    pub(super) async fn find_show(&self, id: StreamId) -> Result<Arc<Show>> {
        if let Some(known) = self.known_show(id) {
            // A show that nobody watches here is not heard of.
            let unheard = self.0.broker.is_shared() && self.rooms().get(id).is_none();
            if unheard && known.outlived(UNHEARD_MS, self.now()) {
                let _ = Box::pin(self.read_again(id, &known)).await;
            }
            return Ok(known);
        }
        // Boxed: reading is rare, and its future would be part of everybody's who comes in.
        let read = Box::pin(async {
            let stream = self.store().stream(id).await?.ok_or(Refusal::NoSuchStream)?;
            let sanctions = self.store().sanctions(id, self.now()).await?;
            let out = self.store().revoked_helpers(id, self.now()).await?.into_iter().collect();
            let words = if stream.words_v == 0 { Words::none() } else { self.store().words(id).await? };
            Ok(Show(Mutex::new(Inner {
                words: Arc::new(words),
                words_v: stream.words_v,
                stream,
                sanctions,
                sanctions_changed: 0,
                out,
                voices: HashMap::new(),
                floor: None,
                fresh_likes: 0,
                refresh: Refresh::No,
                read_at: 0,
            })))
        });
        self.0.shows.find(id, read).await
    }

    /// Refused when there is no such show. Costs no database for a show this node has met.
    pub async fn knows(&self, id: StreamId) -> Result<()> {
        self.find_show(id).await.map(|_| ())
    }

    pub(super) fn known_show(&self, id: StreamId) -> Option<Arc<Show>> {
        self.0.shows.get(id)
    }
}

#[cfg(test)]
#[path = "show_test.rs"]
mod tests;
