//! The state lane: values of which only the newest matters, each with a version that never goes back.
//!
//! A room holds one [`State`]: it knows what changed since the last frame and writes either that or all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde::Deserialize;

use crate::domain::{Millis, OfferId};

/// `[epoch, version]`, compared in this order.
pub type StateVersion = [i64; 2];

/// A new value for one key, its JSON encoded already.
#[derive(Clone, PartialEq, Debug)]
pub enum StateChange {
    /// `{"offer":…,"v":…}` or `null`.
    Pin { v: StateVersion, json: Bytes },
    /// The whole offer. A closed one is sent once and then forgotten, unless it is pinned.
    Offer { id: OfferId, v: StateVersion, closed: bool, json: Bytes },
    /// Likes only grow: the larger number is the newer one.
    Likes(i64),
    /// `{"slow_ms":…,"notice":…,"off":…,"links":…,"hold_all":…,"pinned":…}`
    Chat { v: StateVersion, json: Bytes },
    /// The `stream` object of hello and snapshot; no tick carries it.
    Stream { v: StateVersion, json: Bytes },
    /// Since when this node does not hear the others: talk waits, numbers may be late. Never told to another node.
    Delayed(Option<Millis>),
    /// How many wait for units to come back; 0 is nobody. Each node looks for itself: never told to another node.
    StockAlerts { offer: OfferId, count: i64 },
}

/// Which value a change is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StateKey {
    Pin,
    Offer(OfferId),
    Likes,
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
            StateChange::Chat { .. } => StateKey::Chat,
            StateChange::Stream { .. } => StateKey::Stream,
            StateChange::Delayed(_) => StateKey::Delayed,
            StateChange::StockAlerts { offer, .. } => StateKey::StockAlerts(*offer),
        }
    }

    /// The key as a number, the same for as long as the process lives.
    pub fn key_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.key().hash(&mut hasher);
        hasher.finish()
    }

    /// Of two changes of one key the one with the higher rank is the newer.
    pub fn version(&self) -> StateVersion {
        match self {
            StateChange::Pin { v, .. }
            | StateChange::Offer { v, .. }
            | StateChange::Chat { v, .. }
            | StateChange::Stream { v, .. } => *v,
            StateChange::Likes(likes) => [0, *likes],
            StateChange::Delayed(_) | StateChange::StockAlerts { .. } => [0, 0],
        }
    }

    /// Whether this takes the place of `earlier`, a change of the same key.
    pub fn supersedes(&self, earlier: &StateChange) -> bool {
        self.key() != earlier.key() || earlier.version() <= self.version()
    }
}

/// All values of a room, and which of them the viewers have not been sent yet.
pub struct RoomState {
    pin: VersionedJson,
    pinned: Option<OfferId>,
    offers: BTreeMap<OfferId, OfferValue>,
    viewers: u64,
    likes: i64,
    chat: VersionedJson,
    stream: VersionedJson,
    delayed: Option<Millis>,
    /// Of offers for which somebody waits, or did.
    stock_alerts: BTreeMap<OfferId, i64>,
    unsent: UnsentChanges,
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
    chat: bool,
    delayed: bool,
}

const OLDEST: StateVersion = [i64::MIN; 2];

impl Default for RoomState {
    fn default() -> Self {
        Self {
            pin: VersionedJson { v: OLDEST, json: Bytes::from_static(b"null") },
            pinned: None,
            offers: BTreeMap::new(),
            viewers: 0,
            likes: 0,
            chat: VersionedJson { v: OLDEST, json: Bytes::from_static(br#"{"slow_ms":0,"notice":null}"#) },
            stream: VersionedJson { v: OLDEST, json: Bytes::from_static(b"null") },
            delayed: None,
            stock_alerts: BTreeMap::new(),
            unsent: UnsentChanges::default(),
        }
    }
}

impl RoomState {
    /// Takes a value unless it is older than the one held. Says whether anything is different now: nodes repeat
    /// what they know every second, and a repetition is not worth a frame.
    pub fn set(&mut self, change: StateChange) -> bool {
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
            StateChange::Chat { v, json } => {
                let changed = self.chat.set(v, json);
                self.unsent.keys.chat |= changed;
                changed
            }
            StateChange::Stream { v, json } => self.stream.set(v, json),
            StateChange::Delayed(since) => {
                // What lasts goes on since it began.
                let changed = self.delayed.is_some() != since.is_some();
                if changed {
                    self.delayed = since;
                }
                self.unsent.keys.delayed |= changed;
                changed
            }
            StateChange::StockAlerts { offer, count: people } => {
                let before = self.stock_alerts.insert(offer, people).unwrap_or(0);
                let changed = before != people;
                if changed {
                    self.unsent.stock_alerts.insert(offer);
                }
                changed
            }
        }
    }

    pub fn set_viewers(&mut self, viewers: u64) -> bool {
        let changed = self.viewers != viewers;
        self.viewers = viewers;
        self.unsent.keys.viewers |= changed;
        changed
    }

    pub fn has_unsent(&self) -> bool {
        self.unsent.keys != UnsentKeys::default() || !self.unsent.stock_alerts.is_empty()
    }

    /// The offer being shown.
    pub fn pinned(&self) -> Option<OfferId> {
        self.pinned
    }

    pub fn stream(&self) -> &Bytes {
        &self.stream.json
    }

    /// Appends an object of the keys changed since the last call; from then on they count as sent.
    pub fn write_unsent(&mut self, out: &mut Vec<u8>) {
        let UnsentChanges { keys, offers, stock_alerts: waiting } = std::mem::take(&mut self.unsent);
        let waiting = waiting.iter().filter_map(|id| self.stock_alerts.get_key_value(id));
        self.write(out, keys, offers.iter().filter_map(|id| self.offers.get_key_value(id)), waiting);
        self.stock_alerts.retain(|_, people| *people > 0);
    }

    /// Everybody has been sent everything.
    pub fn mark_sent(&mut self) {
        self.unsent = UnsentChanges::default();
        self.stock_alerts.retain(|_, people| *people > 0);
    }

    /// Appends an object of every key. A closed offer is in it only while it is pinned or still to be sent.
    pub fn write_all(&self, out: &mut Vec<u8>) {
        let shown = self
            .offers
            .iter()
            .filter(|(id, value)| !value.closed || self.pinned == Some(**id) || self.unsent.offers.contains(*id));
        let delayed = self.delayed.is_some();
        let all = UnsentKeys { pin: true, offers: true, viewers: true, likes: true, chat: true, delayed };
        self.write(out, all, shown, self.stock_alerts.iter().filter(|(_, people)| **people > 0));
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
        if keys.chat {
            out.extend_from_slice(b",\"chat\":");
            out.extend_from_slice(&self.chat.json);
        }
        match self.delayed.filter(|_| keys.delayed) {
            Some(since) => out.extend_from_slice(format!(",\"delayed\":{{\"since\":{since}}}").as_bytes()),
            None if keys.delayed => out.extend_from_slice(b",\"delayed\":null"),
            None => {}
        }
        let mut has_stock_alerts = false;
        for (id, people) in stock_alerts {
            let before = if has_stock_alerts { "," } else { ",\"waiting\":{" };
            out.extend_from_slice(format!("{before}\"{id}\":{people}").as_bytes());
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

/// The offer a pin's JSON names.
fn pinned_offer(json: &[u8]) -> Option<OfferId> {
    #[derive(Deserialize)]
    struct PinJson {
        offer: OfferId,
    }
    serde_json::from_slice::<Option<PinJson>>(json).ok().flatten().map(|pin| pin.offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(id: OfferId, version: i64, closed: bool, json: &'static str) -> StateChange {
        StateChange::Offer { id, v: [1, version], closed, json: json.into() }
    }

    fn unsent(state: &mut RoomState) -> String {
        let mut out = Vec::new();
        state.write_unsent(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn all(state: &RoomState) -> String {
        let mut out = Vec::new();
        state.write_all(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn id(last: u128) -> OfferId {
        OfferId(uuid::Uuid::from_u128(last))
    }

    #[test]
    fn an_older_count_never_follows_a_newer_one() {
        let mut state = RoomState::default();
        for (version, json, changed) in [
            ([1, 5], "5", true),
            ([1, 4], "4", false),
            ([1, 5], "5", false),
            ([1, 5], "five", true),
            ([2, 1], "21", true),
            ([1, 9], "9", false),
        ] {
            let change = StateChange::Offer { id: id(1), v: version, closed: false, json: json.into() };
            assert_eq!(state.set(change), changed, "{version:?} {json}");
        }
        assert!(unsent(&mut state).ends_with("1\":21}}"));
    }

    #[test]
    fn a_tick_has_what_changed_and_a_snapshot_has_all() {
        let mut state = RoomState::default();
        assert!(!state.has_unsent());
        assert_eq!(unsent(&mut state), "{}");
        assert_eq!(all(&state), r#"{"pin":null,"offers":{},"viewers":0,"likes":0,"chat":{"slow_ms":0,"notice":null}}"#);
        state.set_viewers(3);
        state.set(offer(id(2), 1, false, "{2}"));
        state.set(offer(id(1), 1, false, "{1}"));
        assert!(state.has_unsent());
        let offers =
            r#""offers":{"00000000-0000-0000-0000-000000000001":{1},"00000000-0000-0000-0000-000000000002":{2}}"#;
        assert_eq!(unsent(&mut state), format!(r#"{{{offers},"viewers":3}}"#));
        assert!(!state.has_unsent());
        state.set(StateChange::Likes(9));
        state.set(StateChange::Likes(8));
        state.set(StateChange::Chat { v: [1, 1], json: "{}".into() });
        state.set(StateChange::Pin { v: [1, 1], json: "{\"offer\":null}".into() });
        assert_eq!(unsent(&mut state), r#"{"pin":{"offer":null},"likes":9,"chat":{}}"#);
        assert_eq!(all(&state), format!(r#"{{"pin":{{"offer":null}},{offers},"viewers":3,"likes":9,"chat":{{}}}}"#));
        assert!(!state.set_viewers(3), "the same number is no news");
    }

    #[test]
    fn what_is_delayed_is_said_when_it_begins_and_when_it_ends() {
        let mut state = RoomState::default();
        assert!(!state.set(StateChange::Delayed(None)));
        assert!(state.set(StateChange::Delayed(Some(7))));
        assert!(!state.set(StateChange::Delayed(Some(9))), "it lasts since 7");
        assert_eq!(unsent(&mut state), r#"{"delayed":{"since":7}}"#);
        assert!(all(&state).ends_with(r#","delayed":{"since":7}}"#));
        assert!(state.set(StateChange::Delayed(None)));
        assert_eq!(unsent(&mut state), r#"{"delayed":null}"#);
        assert!(!all(&state).contains("delayed"));
    }

    #[test]
    fn how_many_wait_is_told_when_it_changes_and_forgotten_at_none() {
        let mut state = RoomState::default();
        let waiting = |people| StateChange::StockAlerts { offer: id(1), count: people };
        assert!(!state.set(waiting(0)));
        assert!(state.set(waiting(2)));
        assert!(!state.set(waiting(2)), "repeated every second");
        let two = r#""waiting":{"00000000-0000-0000-0000-000000000001":2}"#;
        assert_eq!(unsent(&mut state), format!("{{{two}}}"));
        assert!(all(&state).ends_with(&format!(",{two}}}")));
        assert!(state.set(waiting(0)));
        assert!(!all(&state).contains("waiting"));
        assert!(unsent(&mut state).contains("\"00000000-0000-0000-0000-000000000001\":0"));
        assert!(!state.has_unsent() && state.stock_alerts.is_empty());
    }

    #[test]
    fn a_closed_offer_is_sent_once_and_stays_only_while_pinned() {
        let mut state = RoomState::default();
        state.set(offer(id(1), 1, false, "{}"));
        let pin = format!(r#"{{"offer":"{}","v":1}}"#, id(1));
        state.set(StateChange::Pin { v: [1, 1], json: pin.into() });
        unsent(&mut state);
        state.set(offer(id(1), 2, true, "\"closed\""));
        assert!(unsent(&mut state).contains("closed"));
        assert!(all(&state).contains("closed"), "still pinned");
        state.set(StateChange::Pin { v: [1, 2], json: "null".into() });
        assert!(!all(&state).contains("closed"));
        assert!(!state.set(offer(id(1), 1, false, "{}")), "a late message does not bring it back");
        state.set(offer(id(2), 1, true, "\"late\""));
        assert!(all(&state).contains("late"), "not sent yet");
        unsent(&mut state);
        assert!(!all(&state).contains("late"));
    }
}
