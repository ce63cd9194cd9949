//! Facts of what a node remembers of a show.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::{ChatRules, MutedWord, Name, Role, WordAct};

fn show(slow_ms: i64) -> Show {
    let stream = LiveStream {
        id: StreamId::new(),
        title: "t".into(),
        titles: Default::default(),
        host: "h".into(),
        status: StreamStatus::Live,
        video: None,
        poster: None,
        scheduled_at: None,
        started_at: None,
        ended_at: None,
        pin: None,
        chat: ChatRules { slow_ms, ..ChatRules::default() },
        words_v: 0,
        likes: 0,
        version: 1,
    };
    Show(Mutex::new(Inner {
        stream,
        sanctions: vec![],
        sanctions_changed: 0,
        out: HashSet::new(),
        words: Arc::new(Words::none()),
        words_v: 0,
        voices: HashMap::new(),
        floor: None,
        fresh_likes: 0,
        refresh: Refresh::No,
        read_at: 0,
    }))
}

const OFF: ChatBudget = ChatBudget { viewer: 0.0, room: 0.0 };
/// Something that was not said before.
fn floor(show: &Show, actor: &Actor, now: Millis, budget: ChatBudget) -> std::result::Result<(), Refusal> {
    static SAID: AtomicUsize = AtomicUsize::new(0);
    let text = format!("number {}", SAID.fetch_add(1, Ordering::Relaxed));
    show.take_floor(actor, &text, now, budget).map(|_| ())
}

const ONE: ChatBudget = ChatBudget { viewer: 1.0, room: 0.0 };

fn actor(name: &str, role: Role) -> Actor {
    let (user, name) = (UserId::parse(name).unwrap(), Name::parse(name).unwrap());
    Actor { user, name, role, stream: None, expires_at: None }
}

#[test]
fn slow_mode_holds_viewers_and_lets_the_team_speak() {
    let (show, ann, host) = (show(10_000), actor("ann", Role::Viewer), actor("h", Role::Host));
    assert_eq!(floor(&show, &ann, 0, ONE), Ok(()));
    assert_eq!(floor(&show, &ann, 4_000, ONE), Err(Refusal::SlowMode { retry_ms: 6_000 }));
    assert_eq!(floor(&show, &ann, 10_000, ONE), Ok(()));
    assert!((0..20).all(|_| floor(&show, &host, 0, ONE).is_ok()));
}

#[test]
fn sixth_message_in_a_second_is_over_the_budget_unless_it_is_off() {
    let (show, ann) = (show(0), actor("ann", Role::Viewer));
    assert!((0..5).all(|_| floor(&show, &ann, 0, ONE).is_ok()));
    assert_eq!(floor(&show, &ann, 0, ONE), Err(Refusal::ChatBudget { retry_ms: 1_000 }));
    assert!((0..50).all(|_| floor(&show, &actor("bob", Role::Viewer), 0, OFF).is_ok()));
}

#[test]
fn a_room_sheds_viewers_and_never_the_team() {
    let (show, host) = (show(0), actor("h", Role::Host));
    let budget = ChatBudget { viewer: 1.0, room: 10.0 };
    let viewer = |n: usize| actor(&format!("v{n}"), Role::Viewer);
    let said = (0..50).filter(|n| floor(&show, &viewer(*n), 0, budget).is_ok()).count();
    assert_eq!(said, 20, "a burst of two seconds");
    assert!((0..15).all(|_| floor(&show, &host, 0, budget).is_ok()), "the team is not bound");
    show.note_sale(0, budget);
    let Err(Refusal::ChatBudget { retry_ms }) = floor(&show, &viewer(50), 0, budget) else { panic!("shed") };
    assert!((1_700 + 100..1_700 + 1_000).contains(&retry_ms), "{retry_ms}: the team and the sale went first");
    assert_eq!(floor(&show, &viewer(51), 1_700, budget), Ok(()));
    assert!(matches!(floor(&show, &viewer(52), 1_700, budget), Err(Refusal::ChatBudget { .. })));
    assert!((0..500).all(|n| floor(&show, &viewer(n + 100), 1_700, OFF).is_ok()));
}

#[test]
fn a_banned_person_is_told_so_even_if_muted_too() {
    let (show, ann) = (show(0), actor("ann", Role::Viewer));
    let sanction = |kind, until| Sanction {
        user: ann.user.clone(),
        name: "Ann".into(),
        kind,
        until,
        by: "h".into(),
        reason: None,
    };
    show.add_sanction(sanction(SanctionKind::Mute, Some(100)));
    assert_eq!(show.refuses(&ann, 0), Some(Refusal::Muted { until: 100, now: 0 }));
    show.add_sanction(sanction(SanctionKind::Ban, None));
    assert_eq!(show.refuses(&ann, 0), Some(Refusal::Banned));
    let host = Actor { role: Role::Host, ..ann.clone() };
    assert_eq!(show.refuses(&host, 0), None, "who runs the show is not bound");
    show.lift(&ann.user, SanctionKind::Ban);
    assert_eq!(show.refuses(&ann, 100), None);
}

#[test]
fn the_same_person_says_the_same_once_in_half_a_minute() {
    let (show, ann, host) = (show(0), actor("ann", Role::Viewer), actor("h", Role::Host));
    let say = |who: &Actor, text: &str, now| show.take_floor(who, text, now, OFF);
    assert_eq!(say(&ann, "كم السعر؟", 0), Ok(Ruling::Say));
    assert_eq!(say(&ann, "كَم  السِّعر؟", 10_000), Err(Refusal::Repeated { retry_ms: 20_000 }));
    assert_eq!(say(&actor("bob", Role::Viewer), "كم السعر؟", 10_000), Ok(Ruling::Say), "many may cheer");
    assert_eq!(say(&ann, "and now?", 10_000), Ok(Ruling::Say));
    assert_eq!(say(&ann, "كم السعر؟", 29_999), Err(Refusal::Repeated { retry_ms: 1 }), "not by one in between either");
    assert_eq!(say(&ann, "كم السعر؟", 30_000), Ok(Ruling::Say));
    assert!((0..3).all(|_| say(&host, "hello", 0).is_ok()), "the team is not bound");
    assert_eq!(say(&ann, "lost", 40_000), Ok(Ruling::Say));
    show.unsaid(&ann);
    assert_eq!(say(&ann, "lost", 40_000), Ok(Ruling::Say), "what was not told was not said");
}

#[test]
fn words_bind_viewers_and_not_the_team_and_a_mute_is_told_first() {
    let (show, ann, host) = (show(0), actor("ann", Role::Viewer), actor("h", Role::Host));
    let word = MutedWord { word: "scam".into(), whole: false, act: WordAct::Refuse };
    let stream = LiveStream { words_v: 2, version: 2, ..show.stream() };
    show.read(&stream, (0, vec![]), Some(Arc::new(Words::parse(vec![word]).unwrap())));
    assert_eq!(show.take_floor(&ann, "a SCAM!", 0, OFF), Err(Refusal::WordRefused));
    assert_eq!(show.take_floor(&host, "a SCAM!", 0, OFF), Ok(Ruling::Say));
    let (user, name, by) = (ann.user.clone(), "Ann".to_owned(), "h".to_owned());
    let reason = Some("spam".to_owned());
    show.add_sanction(Sanction { user, name, kind: SanctionKind::Mute, until: Some(100), by, reason: reason.clone() });
    assert_eq!(show.take_floor(&ann, "a SCAM!", 0, OFF), Err(Refusal::Muted { until: 100, now: 0 }));
    assert_eq!(show.muted_because(&ann.user), reason);
}

#[test]
fn a_ban_is_not_forgotten_by_a_reading_that_began_before_it() {
    let (show, ann) = (show(0), actor("ann", Role::Viewer));
    let before = show.sanctions_changed();
    let (user, by) = (ann.user.clone(), "h".to_owned());
    show.add_sanction(Sanction { user, name: "Ann".into(), kind: SanctionKind::Ban, until: None, by, reason: None });
    assert!(!show.read(&show.stream(), (before, vec![]), None), "to be read again");
    assert_eq!(show.refuses(&ann, 0), Some(Refusal::Banned));
    assert!(show.read(&show.stream(), (show.sanctions_changed(), vec![]), None));
    assert_eq!(show.refuses(&ann, 0), None);
}

#[test]
fn a_show_whose_words_are_older_than_its_row_counts_as_not_read() {
    let show = show(0);
    assert_eq!(show.version(), 1);
    show.set_stream(&LiveStream { version: 5, words_v: 4, ..show.stream() });
    assert_eq!(show.version(), 0);
    show.read(&show.stream(), (0, vec![]), Some(Arc::new(Words::none())));
    assert_eq!(show.version(), 5);
}
