//! The state lane: keyed values of which only the newest matters, each with a version that never decreases.
//!
//! A room has one [`RoomState`]. It tracks the changes since the last frame and writes either the changes or all values.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde::Deserialize;

use super::state_sync::json_bytes;
use crate::domain::reaction::ReactionCounts;
use crate::domain::{Millis, OfferId};

/// `[epoch, version]`: the larger of two is newer. The epoch is compared first.
pub type StateVersion = [i64; 2];

/// A new value for one key, already encoded as JSON.
#[derive(Clone, PartialEq, Debug)]
pub enum StateChange {
    /// `{"offer":…,"v":…}` or `null`.
    Pin { v: StateVersion, json: Bytes },
    /// The whole offer. A closed offer is sent once and then left out, unless it is pinned.
    Offer { id: OfferId, v: StateVersion, closed: bool, json: Bytes },
    /// The number of likes. It only grows, so the larger number is newer.
    Likes(i64),
    /// The emoji that the viewers of one node sent. Each node counts its own, and viewers get the sum.
    Reactions { node: u64, counts: ReactionCounts },
    /// The coupon that the team shows, or `null`.
    Coupon { v: StateVersion, json: Bytes },
    /// `{"slow_ms":…,"notice":…,"off":…,"links":…,"review_all":…,"pinned":…}`
    Chat { v: StateVersion, json: Bytes },
    /// The `stream` object of hello and snapshot. It is a part of a tick when the show itself was changed: then its `version` is higher.
    Stream { v: StateVersion, json: Bytes },
    /// The time since when this node is not connected to the broker: chat pauses, and counts may be late. Never sent to other nodes.
    Delayed(Option<Millis>),
    /// The number of stock alerts of an offer; 0: none. Each node reads it from the store; it is never sent to other nodes.
    StockAlerts { offer: OfferId, count: i64 },
}

/// The key that a change sets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StateKey {
    Pin,
    Offer(OfferId),
    Likes,
    Reactions(u64),
    Coupon,
    Chat,
    Stream,
    Delayed,
    StockAlerts(OfferId),
}

impl StateChange {
    pub fn key(&self) -> StateKey {
        match self {
            StateChange::Pin { .. } => StateKey::Pin,
            StateChange::Offer { id, .. } => StateKey::Offer(*id),
            StateChange::Likes(_) => StateKey::Likes,
            StateChange::Reactions { node, .. } => StateKey::Reactions(*node),
            StateChange::Coupon { .. } => StateKey::Coupon,
            StateChange::Chat { .. } => StateKey::Chat,
            StateChange::Stream { .. } => StateKey::Stream,
            StateChange::Delayed(_) => StateKey::Delayed,
            StateChange::StockAlerts { offer, .. } => StateKey::StockAlerts(*offer),
        }
    }

    /// A hash of the key. It is stable during the life of the process only.
    pub fn key_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.key().hash(&mut hasher);
        hasher.finish()
    }

    /// The version of the value. Of two changes of one key, the one with the higher version is newer.
    pub fn version(&self) -> StateVersion {
        match self {
            StateChange::Pin { v, .. }
            | StateChange::Offer { v, .. }
            | StateChange::Coupon { v, .. }
            | StateChange::Chat { v, .. }
            | StateChange::Stream { v, .. } => *v,
            StateChange::Likes(likes) => [0, *likes],
            StateChange::Reactions { counts, .. } => [0, counts.total()],
            StateChange::Delayed(_) | StateChange::StockAlerts { .. } => [0, 0],
        }
    }

    /// Does this change replace `earlier`? It does when the keys differ or the version is not lower.
    pub fn supersedes(&self, earlier: &StateChange) -> bool {
        self.key() != earlier.key() || earlier.version() <= self.version()
    }
}

/// All values of the state lane of a room, and the keys that were not sent to the viewers yet.
pub struct RoomState {
    pin: VersionedJson,
    pinned: Option<OfferId>,
    offers: BTreeMap<OfferId, OfferValue>,
    viewers: u64,
    likes: i64,
    /// Node → the emoji of its viewers; at most [`REACTING_NODES_MAX`].
    reactions: BTreeMap<u64, ReactionCounts>,
    coupon: VersionedJson,
    chat: VersionedJson,
    stream: VersionedJson,
    /// The `version` in the stream object; `None` before the first one.
    edition: Option<i64>,
    delayed: Option<Millis>,
    /// The number of stock alerts per offer. An entry with 0 stays: a viewer who gets the values later has to learn of it.
    stock_alerts: BTreeMap<OfferId, i64>,
    unsent: UnsentChanges,
    revisions: Revisions,
}

/// When each value changed last, as a number that grows with each change.
#[derive(Default)]
struct Revisions {
    newest: u64,
    keys: BTreeMap<StateKey, u64>,
    viewers: u64,
    /// When the show itself changed last.
    edition: u64,
}

struct VersionedJson {
    v: StateVersion,
    json: Bytes,
}

struct OfferValue {
    v: StateVersion,
    closed: bool,
    json: Bytes,
}

#[derive(Default)]
struct UnsentChanges {
    keys: UnsentKeys,
    offers: BTreeSet<OfferId>,
    stock_alerts: BTreeSet<OfferId>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct UnsentKeys {
    pin: bool,
    offers: bool,
    viewers: bool,
    likes: bool,
    reactions: bool,
    coupon: bool,
    chat: bool,
    delayed: bool,
    stream: bool,
}

/// The most nodes whose emoji a room counts; a restart of a node is another one.
const REACTING_NODES_MAX: usize = 64;

const NO_COUPON: &[u8] = b"null";

const OLDEST: StateVersion = [i64::MIN; 2];

impl Default for RoomState {
    fn default() -> Self {
        Self {
            pin: VersionedJson { v: OLDEST, json: Bytes::from_static(b"null") },
            pinned: None,
            offers: BTreeMap::new(),
            viewers: 0,
            likes: 0,
            reactions: BTreeMap::new(),
            coupon: VersionedJson { v: OLDEST, json: Bytes::from_static(NO_COUPON) },
            chat: VersionedJson { v: OLDEST, json: Bytes::from_static(br#"{"slow_ms":0,"notice":null}"#) },
            stream: VersionedJson { v: OLDEST, json: Bytes::from_static(b"null") },
            edition: None,
            delayed: None,
            stock_alerts: BTreeMap::new(),
            unsent: UnsentChanges::default(),
            revisions: Revisions::default(),
        }
    }
}

impl RoomState {
    /// Sets a value unless it is older than the current one. Returns whether the value changed: the nodes repeat their values every
    /// second, and a repetition needs no frame.
    pub fn set(&mut self, change: StateChange) -> bool {
        let key = change.key();
        let changed = self.apply(change);
        if changed {
            self.revisions.newest += 1;
            self.revisions.keys.insert(key, self.revisions.newest);
        }
        changed
    }

    fn apply(&mut self, change: StateChange) -> bool {
        match change {
            StateChange::Pin { v, json } => {
                let changed = self.pin.set(v, json);
                if changed {
                    self.pinned = pinned_offer(&self.pin.json);
                }
                self.unsent.keys.pin |= changed;
                changed
            }
            StateChange::Offer { id, v, closed, json } => {
                let value = self.offers.entry(id).or_insert(OfferValue { v: OLDEST, closed, json: Bytes::new() });
                if v < value.v || (v == value.v && json == value.json) {
                    return false;
                }
                *value = OfferValue { v, closed, json };
                self.unsent.keys.offers = true;
                self.unsent.offers.insert(id);
                true
            }
            StateChange::Likes(likes) => {
                let changed = self.likes < likes;
                self.likes = self.likes.max(likes);
                self.unsent.keys.likes |= changed;
                changed
            }
            StateChange::Reactions { node, counts } => self.set_reactions(node, counts),
            StateChange::Coupon { v, json } => {
                let changed = self.coupon.set(v, json);
                self.unsent.keys.coupon |= changed;
                changed
            }
            StateChange::Chat { v, json } => {
                let changed = self.chat.set(v, json);
                self.unsent.keys.chat |= changed;
                changed
            }
            StateChange::Stream { v, json } => {
                let changed = self.stream.set(v, json);
                if changed {
                    self.note_edition();
                }
                changed
            }
            StateChange::Delayed(since) => {
                // A delay that continues keeps its start.
                let changed = self.delayed.is_some() != since.is_some();
                if changed {
                    self.delayed = since;
                }
                self.unsent.keys.delayed |= changed;
                changed
            }
            StateChange::StockAlerts { offer, count } => {
                let before = self.stock_alerts.insert(offer, count).unwrap_or(0);
                let changed = before != count;
                if changed {
                    self.unsent.stock_alerts.insert(offer);
                }
                changed
            }
        }
    }

    /// Each start of a node counts as another one, so their number is limited: the emoji of those beyond it are shown as hearts.
    fn set_reactions(&mut self, node: u64, counts: ReactionCounts) -> bool {
        if self.reactions.len() >= REACTING_NODES_MAX && !self.reactions.contains_key(&node) {
            return false;
        }
        let known = self.reactions.entry(node).or_default();
        let newest = known.newest(counts);
        let changed = *known != newest;
        *known = newest;
        self.unsent.keys.reactions |= changed;
        changed
    }

    /// The emoji of all nodes together.
    fn reactions(&self) -> ReactionCounts {
        self.reactions.values().fold(ReactionCounts::default(), |sum, counts| sum.plus(*counts))
    }

    /// Viewers get the show again when it was changed itself. The object also differs after each pin: that is no news.
    fn note_edition(&mut self) {
        let edition = stream_edition(&self.stream.json);
        if self.edition.is_some_and(|before| before < edition) {
            self.unsent.keys.stream = true;
            // The revision that `set` gives to this change.
            self.revisions.edition = self.revisions.newest + 1;
        }
        self.edition = self.edition.max(Some(edition));
    }

    /// Sets the number of viewers. Returns whether it changed.
    pub fn set_viewers(&mut self, viewers: u64) -> bool {
        let changed = self.viewers != viewers;
        self.viewers = viewers;
        self.unsent.keys.viewers |= changed;
        if changed {
            self.revisions.newest += 1;
            self.revisions.viewers = self.revisions.newest;
        }
        changed
    }

    /// The number of the newest change.
    pub fn revision(&self) -> u64 {
        self.revisions.newest
    }

    pub fn has_unsent(&self) -> bool {
        self.unsent.keys != UnsentKeys::default() || !self.unsent.stock_alerts.is_empty()
    }

    /// The pinned offer.
    pub fn pinned(&self) -> Option<OfferId> {
        self.pinned
    }

    /// The `stream` object as JSON.
    pub fn stream(&self) -> &Bytes {
        &self.stream.json
    }

    /// Appends a JSON object with the keys that changed since the last call. They count as sent afterwards.
    pub fn write_unsent(&mut self, out: &mut Vec<u8>) {
        let UnsentChanges { keys, offers, stock_alerts } = std::mem::take(&mut self.unsent);
        let stock_alerts = stock_alerts.iter().filter_map(|id| self.stock_alerts.get_key_value(id));
        self.write(out, keys, offers.iter().filter_map(|id| self.offers.get_key_value(id)), stock_alerts);
    }

    /// Appends a JSON object with the keys that changed after this revision.
    pub fn write_since(&self, after: u64, out: &mut Vec<u8>) {
        let (viewers, stream) = (after < self.revisions.viewers, after < self.revisions.edition);
        let mut keys = UnsentKeys { viewers, stream, ..UnsentKeys::default() };
        let (mut offers, mut stock_alerts) = (Vec::new(), Vec::new());
        for (key, _) in self.revisions.keys.iter().filter(|(_, changed)| after < **changed) {
            match key {
                StateKey::Pin => keys.pin = true,
                StateKey::Likes => keys.likes = true,
                StateKey::Reactions(_) => keys.reactions = true,
                StateKey::Coupon => keys.coupon = true,
                StateKey::Chat => keys.chat = true,
                StateKey::Delayed => keys.delayed = true,
                StateKey::Offer(id) => offers.extend(self.offers.get_key_value(id)),
                StateKey::StockAlerts(id) => stock_alerts.extend(self.stock_alerts.get_key_value(id)),
                // Only with a new edition, see above.
                StateKey::Stream => {}
            }
        }
        keys.offers = !offers.is_empty();
        self.write(out, keys, offers.into_iter(), stock_alerts.into_iter());
    }

    /// Marks all values as sent.
    pub fn mark_sent(&mut self) {
        self.unsent = UnsentChanges::default();
    }

    /// Appends a JSON object with every key; the show stands beside it in its frames. A closed offer is included only while it is pinned or not sent yet.
    pub fn write_all(&self, out: &mut Vec<u8>) {
        let shown = self
            .offers
            .iter()
            .filter(|(id, value)| !value.closed || self.pinned == Some(**id) || self.unsent.offers.contains(*id));
        let delayed = self.delayed.is_some();
        let reactions = self.reactions().total() > 0;
        let all = UnsentKeys {
            pin: true,
            offers: true,
            viewers: true,
            likes: true,
            reactions,
            coupon: self.coupon.json[..] != *NO_COUPON,
            chat: true,
            delayed,
            stream: false,
        };
        self.write(out, all, shown, self.stock_alerts.iter().filter(|(_, count)| **count > 0));
    }

    fn write<'a>(
        &self,
        out: &mut Vec<u8>,
        keys: UnsentKeys,
        offers: impl Iterator<Item = (&'a OfferId, &'a OfferValue)>,
        stock_alerts: impl Iterator<Item = (&'a OfferId, &'a i64)>,
    ) {
        let start = out.len();
        if keys.pin {
            out.extend_from_slice(b",\"pin\":");
            out.extend_from_slice(&self.pin.json);
        }
        if keys.offers {
            out.extend_from_slice(b",\"offers\":{");
            for (place, (id, value)) in offers.enumerate() {
                let comma = if place == 0 { "" } else { "," };
                out.extend_from_slice(format!("{comma}\"{id}\":").as_bytes());
                out.extend_from_slice(&value.json);
            }
            out.push(b'}');
        }
        for (wanted, name, number) in
            [(keys.viewers, "viewers", self.viewers as i64), (keys.likes, "likes", self.likes)]
        {
            if wanted {
                out.extend_from_slice(format!(",\"{name}\":{number}").as_bytes());
            }
        }
        if keys.reactions {
            out.extend_from_slice(b",\"reactions\":");
            out.extend_from_slice(&json_bytes(&self.reactions()));
        }
        if keys.coupon {
            out.extend_from_slice(b",\"coupon\":");
            out.extend_from_slice(&self.coupon.json);
        }
        if keys.chat {
            out.extend_from_slice(b",\"chat\":");
            out.extend_from_slice(&self.chat.json);
        }
        match self.delayed.filter(|_| keys.delayed) {
            Some(since) => out.extend_from_slice(format!(",\"delayed\":{{\"since\":{since}}}").as_bytes()),
            None if keys.delayed => out.extend_from_slice(b",\"delayed\":null"),
            None => {}
        }
        if keys.stream {
            out.extend_from_slice(b",\"stream\":");
            out.extend_from_slice(&self.stream.json);
        }
        let mut has_stock_alerts = false;
        for (id, count) in stock_alerts {
            let before = if has_stock_alerts { "," } else { ",\"stock_alerts\":{" };
            out.extend_from_slice(format!("{before}\"{id}\":{count}").as_bytes());
            has_stock_alerts = true;
        }
        if has_stock_alerts {
            out.push(b'}');
        }
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
}

impl VersionedJson {
    fn set(&mut self, v: StateVersion, json: Bytes) -> bool {
        let changed = self.v <= v && self.json != json;
        if self.v <= v {
            *self = Self { v, json };
        }
        changed
    }
}

/// The offer in the JSON of a pin.
fn pinned_offer(json: &[u8]) -> Option<OfferId> {
    #[derive(Deserialize)]
    struct PinJson {
        offer: OfferId,
    }
    serde_json::from_slice::<Option<PinJson>>(json).ok().flatten().map(|pin| pin.offer)
}

/// The `version` in the JSON of a stream; 0: it is from a node that knows none.
fn stream_edition(json: &[u8]) -> i64 {
    #[derive(Default, Deserialize)]
    struct StreamJson {
        #[serde(default)]
        version: i64,
    }
    serde_json::from_slice::<StreamJson>(json).unwrap_or_default().version
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
