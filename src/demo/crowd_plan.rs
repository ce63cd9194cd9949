//! What the simulated viewers of a demo do next. Pure: randomness and time are parameters.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand::{Rng, RngExt};
use serde::Deserialize;

use crate::domain::{Millis, OfferStatus};

/// The crowd is silent when nobody has been there for this long.
pub const SILENT_AFTER_MS: Millis = 600_000;
/// This many things happen one after the other at the start, so that a viewer who opens the demo finds a show that has begun.
const OPENING_ACTIONS: u32 = 5;
const OPENING_PAUSE: Duration = Duration::from_millis(300);
/// How often the silent crowd looks whether somebody came.
const SILENT_PAUSE: Duration = Duration::from_secs(2);
/// How many other texts are said before a text is said again.
const TEXTS_REMEMBERED: usize = 16;
/// The crowd leaves at least this share of an offer to people.
const LEFT_PERCENT_MIN: i64 = 90;

#[derive(Deserialize)]
pub struct CrowdSeed {
    pub viewers: Vec<SeedViewer>,
    /// By language.
    chat_texts: HashMap<String, SeedTexts>,
}

#[derive(Deserialize)]
pub struct SeedViewer {
    pub id: String,
    /// Says that the viewer is not a person, in the viewer's language.
    pub name: String,
    language: String,
}

#[derive(Deserialize)]
struct SeedTexts {
    any: Vec<String>,
    /// By the name of a product's picture.
    products: HashMap<String, Vec<String>>,
}

/// What one of the viewers does. `viewer` is an index into the viewers of the seed.
#[derive(Debug, PartialEq)]
pub struct CrowdAction {
    pub viewer: usize,
    pub kind: CrowdActionKind,
}

#[derive(Debug, PartialEq)]
pub enum CrowdActionKind {
    Say(String),
    /// So many taps on a heart or an emoji.
    React(i64),
    /// One unit of what is pinned.
    Buy,
}

/// The state of the crowd between two actions.
pub struct CrowdPlan {
    seed: CrowdSeed,
    /// When a person was last there; at first the start, so that the first visitor finds a lively show.
    person_seen_at: Millis,
    actions: u32,
    recent_texts: VecDeque<String>,
}

impl CrowdPlan {
    pub fn new(seed: CrowdSeed, now: Millis) -> Self {
        Self { seed, person_seen_at: now, actions: 0, recent_texts: VecDeque::new() }
    }

    pub fn viewers(&self) -> &[SeedViewer] {
        &self.seed.viewers
    }

    /// Is the crowd silent now? `is_person_here`: at least one real connection is open.
    pub fn is_silent(&mut self, is_person_here: bool, now: Millis) -> bool {
        if is_person_here {
            self.person_seen_at = now;
        }
        self.person_seen_at + SILENT_AFTER_MS <= now
    }

    /// The pause after an action, or while the crowd is silent.
    pub fn pause(&self, is_silent: bool, rng: &mut impl Rng) -> Duration {
        match self.actions {
            _ if is_silent => SILENT_PAUSE,
            1..OPENING_ACTIONS => OPENING_PAUSE,
            _ => Duration::from_millis(rng.random_range(3_000..9_000)),
        }
    }

    /// What happens next, while a product with this picture is pinned.
    pub fn next_action(&mut self, pinned: Option<&str>, rng: &mut impl Rng) -> CrowdAction {
        self.actions = self.actions.saturating_add(1);
        let viewer = rng.random_range(0..self.seed.viewers.len());
        let kind = match rng.random_range(0..100) {
            _ if self.actions < OPENING_ACTIONS => CrowdActionKind::Say(self.chat_text(viewer, pinned, rng)),
            0..8 if pinned.is_some() => CrowdActionKind::Buy,
            0..35 => CrowdActionKind::React(rng.random_range(1..=6)),
            _ => CrowdActionKind::Say(self.chat_text(viewer, pinned, rng)),
        };
        CrowdAction { viewer, kind }
    }

    /// A text of this viewer that was not said lately.
    fn chat_text(&mut self, viewer: usize, pinned: Option<&str>, rng: &mut impl Rng) -> String {
        let texts = &self.seed.chat_texts[&self.seed.viewers[viewer].language];
        let of_product = pinned.and_then(|picture| texts.products.get(picture)).map(Vec::as_slice).unwrap_or_default();
        let about_product = rng.random_bool(0.6);
        let fresh = |from: &[String]| from.iter().filter(|text| !self.recent_texts.contains(text)).cloned().collect();
        let mut choice: Vec<String> = if about_product { fresh(of_product) } else { Vec::new() };
        if choice.is_empty() {
            choice = fresh(&texts.any);
        }
        if choice.is_empty() {
            choice.clone_from(&texts.any);
        }
        let text = choice.swap_remove(rng.random_range(0..choice.len()));
        self.recent_texts.push_back(text.clone());
        if self.recent_texts.len() > TEXTS_REMEMBERED {
            self.recent_texts.pop_front();
        }
        text
    }
}

/// May the crowd buy a unit of an offer with this status, `left` of its `quantity`? Only while nearly all of it is left for people.
pub fn may_buy(status: OfferStatus, left: i64, quantity: i64) -> bool {
    status == OfferStatus::Open && (left - 1) * 100 >= quantity * LEFT_PERCENT_MIN
}

/// The name of a picture: `scarf` of `/assets/demo/scarf.svg`.
pub fn picture_name(image: &str) -> &str {
    let file = image.rsplit('/').next().unwrap_or(image);
    file.split('.').next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::domain::{ChatText, Name, UserId};

    fn seed() -> CrowdSeed {
        serde_json::from_str(super::super::crowd::CROWD_JSON).unwrap()
    }

    #[test]
    fn every_simulated_viewer_is_marked_and_speaks_a_language_of_the_pages() {
        let seed = seed();
        assert!((6..=12).contains(&seed.viewers.len()));
        let languages: HashSet<&str> = seed.viewers.iter().map(|viewer| viewer.language.as_str()).collect();
        assert_eq!(languages, HashSet::from(["ar", "en", "id"]));
        for viewer in &seed.viewers {
            let mark = if viewer.language == "ar" { "(تجريبي)" } else { "(demo)" };
            assert!(viewer.name.ends_with(mark), "{}", viewer.name);
            assert!(!Name::parse(&viewer.name).unwrap().claims_role(), "{}", viewer.name);
            assert!(UserId::parse(&format!("{}{}", UserId::SIMULATED, viewer.id)).unwrap().is_simulated());
        }
        for texts in seed.chat_texts.values() {
            for text in texts.any.iter().chain(texts.products.values().flatten()) {
                assert!(ChatText::parse(text).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn crowd_is_silent_ten_minutes_after_the_last_person() {
        let mut plan = CrowdPlan::new(seed(), 1_000);
        let minute = 60_000;
        assert!(!plan.is_silent(false, 1_000 + 10 * minute - 1));
        assert!(plan.is_silent(false, 1_000 + 10 * minute));
        assert!(!plan.is_silent(true, 30 * minute), "a person came");
        assert!(!plan.is_silent(false, 40 * minute - 1));
        assert!(plan.is_silent(false, 40 * minute));
    }

    #[test]
    fn crowd_talks_first_then_does_everything_and_repeats_no_text_soon() {
        let (mut plan, mut rng) = (CrowdPlan::new(seed(), 0), StdRng::seed_from_u64(7));
        let actions: Vec<CrowdActionKind> = (0..400).map(|_| plan.next_action(Some("scarf"), &mut rng).kind).collect();
        assert!(actions[..4].iter().all(|action| matches!(action, CrowdActionKind::Say(_))), "{:?}", &actions[..4]);
        let count = |wanted: fn(&CrowdActionKind) -> bool| actions.iter().filter(|action| wanted(action)).count();
        let (buys, reactions) = (
            count(|action| *action == CrowdActionKind::Buy),
            count(|action| matches!(action, CrowdActionKind::React(_))),
        );
        assert!((10..60).contains(&buys) && (60..180).contains(&reactions), "{buys} {reactions}");
        let said: Vec<&String> = actions
            .iter()
            .filter_map(|action| if let CrowdActionKind::Say(text) = action { Some(text) } else { None })
            .collect();
        for texts in said.windows(6) {
            assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 6, "{texts:?}");
        }
        let (mut plan, mut rng) = (CrowdPlan::new(seed(), 0), StdRng::seed_from_u64(7));
        assert!((0..400).all(|_| plan.next_action(None, &mut rng).kind != CrowdActionKind::Buy), "nothing is pinned");
    }

    #[test]
    fn crowd_leaves_nine_tenths_of_an_offer_to_people() {
        for (left, quantity, expected) in
            [(120, 120, true), (109, 120, true), (108, 120, false), (10, 10, true), (9, 10, false), (5, 5, false)]
        {
            assert_eq!(may_buy(OfferStatus::Open, left, quantity), expected, "{left} of {quantity}");
        }
        assert!(!may_buy(OfferStatus::Paused, 120, 120));
    }

    #[test]
    fn picture_is_named_without_folder_and_ending() {
        for (image, name) in
            [("/assets/demo/scarf.svg", "scarf"), ("https://shop.example/a/bag.jpg?x=1", "bag"), ("", "")]
        {
            assert_eq!(picture_name(image), name);
        }
    }
}
