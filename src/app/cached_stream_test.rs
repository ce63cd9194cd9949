//! Facts of what a node remembers of a show.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::{BlockAction, BlockedWord, ChatRules, Name, Role};

fn cached_stream(slow_ms: i64) -> CachedStream {
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
        blocklist_version: 0,
        likes: 0,
        version: 1,
    };
    CachedStream(Mutex::new(CachedStreamInner {
        stream,
        sanctions: vec![],
        sanctions_revision: 0,
        revoked_helpers: HashSet::new(),
        blocklist: Arc::new(Blocklist::empty()),
        blocklist_version: 0,
        users: HashMap::new(),
        room_rate_limit: None,
        unsaved_likes: 0,
        refresh: RefreshState::Idle,
        checked_at: 0,
    }))
}

const OFF: ChatRateLimit = ChatRateLimit { viewer_per_s: 0.0, room_per_s: 0.0 };
/// Something that was not said before.
fn admit_unique(
    show: &CachedStream,
    actor: &Actor,
    now: Millis,
    budget: ChatRateLimit,
) -> std::result::Result<(), Refusal> {
    static SAID: AtomicUsize = AtomicUsize::new(0);
    let text = format!("number {}", SAID.fetch_add(1, Ordering::Relaxed));
    show.admit_message(actor, &text, now, budget).map(|_| ())
}

const ONE_PER_SECOND: ChatRateLimit = ChatRateLimit { viewer_per_s: 1.0, room_per_s: 0.0 };

fn actor(name: &str, role: Role) -> Actor {
    let (user, name) = (UserId::parse(name).unwrap(), Name::parse(name).unwrap());
    Actor { user, name, role, stream: None, expires_at: None }
}

#[test]
fn slow_mode_holds_viewers_and_lets_the_team_speak() {
    let (show, ann, host) = (cached_stream(10_000), actor("ann", Role::Viewer), actor("h", Role::Host));
    assert_eq!(admit_unique(&show, &ann, 0, ONE_PER_SECOND), Ok(()));
    assert_eq!(admit_unique(&show, &ann, 4_000, ONE_PER_SECOND), Err(Refusal::SlowMode { retry_ms: 6_000 }));
    assert_eq!(admit_unique(&show, &ann, 10_000, ONE_PER_SECOND), Ok(()));
    assert!((0..20).all(|_| admit_unique(&show, &host, 0, ONE_PER_SECOND).is_ok()));
}

#[test]
fn sixth_message_in_a_second_is_over_the_budget_unless_it_is_off() {
    let (show, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    assert!((0..5).all(|_| admit_unique(&show, &ann, 0, ONE_PER_SECOND).is_ok()));
    assert_eq!(admit_unique(&show, &ann, 0, ONE_PER_SECOND), Err(Refusal::ChatBudget { retry_ms: 1_000 }));
    assert!((0..50).all(|_| admit_unique(&show, &actor("bob", Role::Viewer), 0, OFF).is_ok()));
}

#[test]
fn a_room_sheds_viewers_and_never_the_team() {
    let (show, host) = (cached_stream(0), actor("h", Role::Host));
    let budget = ChatRateLimit { viewer_per_s: 1.0, room_per_s: 10.0 };
    let viewer = |n: usize| actor(&format!("v{n}"), Role::Viewer);
    let said = (0..50).filter(|n| admit_unique(&show, &viewer(*n), 0, budget).is_ok()).count();
    assert_eq!(said, 20, "a burst of two seconds");
    assert!((0..15).all(|_| admit_unique(&show, &host, 0, budget).is_ok()), "the team is not bound");
    show.charge_sale_event(0, budget);
    let Err(Refusal::ChatBudget { retry_ms }) = admit_unique(&show, &viewer(50), 0, budget) else { panic!("shed") };
    assert!((1_700 + 100..1_700 + 1_000).contains(&retry_ms), "{retry_ms}: the team and the sale went first");
    assert_eq!(admit_unique(&show, &viewer(51), 1_700, budget), Ok(()));
    assert!(matches!(admit_unique(&show, &viewer(52), 1_700, budget), Err(Refusal::ChatBudget { .. })));
    assert!((0..500).all(|n| admit_unique(&show, &viewer(n + 100), 1_700, OFF).is_ok()));
}

#[test]
fn a_banned_person_is_told_so_even_if_muted_too() {
    let (show, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    let sanction = |kind, until| Sanction {
        user: ann.user.clone(),
        name: "Ann".into(),
        kind,
        until,
        by: "h".into(),
        reason: None,
    };
    show.add_sanction(sanction(SanctionKind::Mute, Some(100)));
    assert_eq!(show.refusal_for(&ann, 0), Some(Refusal::Muted { until: 100, now: 0 }));
    show.add_sanction(sanction(SanctionKind::Ban, None));
    assert_eq!(show.refusal_for(&ann, 0), Some(Refusal::Banned));
    let host = Actor { role: Role::Host, ..ann.clone() };
    assert_eq!(show.refusal_for(&host, 0), None, "who runs the show is not bound");
    show.remove_sanction(&ann.user, SanctionKind::Ban);
    assert_eq!(show.refusal_for(&ann, 100), None);
}

#[test]
fn the_same_person_says_the_same_once_in_half_a_minute() {
    let (show, ann, host) = (cached_stream(0), actor("ann", Role::Viewer), actor("h", Role::Host));
    let say = |who: &Actor, text: &str, now| show.admit_message(who, text, now, OFF);
    assert_eq!(say(&ann, "كم السعر؟", 0), Ok(ChatDecision::Publish));
    assert_eq!(say(&ann, "كَم  السِّعر؟", 10_000), Err(Refusal::DuplicateMessage { retry_ms: 20_000 }));
    assert_eq!(say(&actor("bob", Role::Viewer), "كم السعر؟", 10_000), Ok(ChatDecision::Publish), "many may cheer");
    assert_eq!(say(&ann, "and now?", 10_000), Ok(ChatDecision::Publish));
    assert_eq!(
        say(&ann, "كم السعر؟", 29_999),
        Err(Refusal::DuplicateMessage { retry_ms: 1 }),
        "not by one in between either"
    );
    assert_eq!(say(&ann, "كم السعر؟", 30_000), Ok(ChatDecision::Publish));
    assert!((0..3).all(|_| say(&host, "hello", 0).is_ok()), "the team is not bound");
    assert_eq!(say(&ann, "lost", 40_000), Ok(ChatDecision::Publish));
    show.retract_message(&ann);
    assert_eq!(say(&ann, "lost", 40_000), Ok(ChatDecision::Publish), "what was not told was not said");
}

#[test]
fn words_bind_viewers_and_not_the_team_and_a_mute_is_told_first() {
    let (show, ann, host) = (cached_stream(0), actor("ann", Role::Viewer), actor("h", Role::Host));
    let word = BlockedWord { word: "scam".into(), whole: false, act: BlockAction::Refuse };
    let stream = LiveStream { blocklist_version: 2, version: 2, ..show.stream() };
    show.update_from_store(&stream, (0, vec![]), Some(Arc::new(Blocklist::parse(vec![word]).unwrap())));
    assert_eq!(show.admit_message(&ann, "a SCAM!", 0, OFF), Err(Refusal::BlockedWord));
    assert_eq!(show.admit_message(&host, "a SCAM!", 0, OFF), Ok(ChatDecision::Publish));
    let (user, name, by) = (ann.user.clone(), "Ann".to_owned(), "h".to_owned());
    let reason = Some("spam".to_owned());
    show.add_sanction(Sanction { user, name, kind: SanctionKind::Mute, until: Some(100), by, reason: reason.clone() });
    assert_eq!(show.admit_message(&ann, "a SCAM!", 0, OFF), Err(Refusal::Muted { until: 100, now: 0 }));
    assert_eq!(show.mute_reason(&ann.user), reason);
}

#[test]
fn a_ban_is_not_forgotten_by_a_reading_that_began_before_it() {
    let (show, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    let before = show.sanctions_revision();
    let (user, by) = (ann.user.clone(), "h".to_owned());
    show.add_sanction(Sanction { user, name: "Ann".into(), kind: SanctionKind::Ban, until: None, by, reason: None });
    assert!(!show.update_from_store(&show.stream(), (before, vec![]), None), "to be read again");
    assert_eq!(show.refusal_for(&ann, 0), Some(Refusal::Banned));
    assert!(show.update_from_store(&show.stream(), (show.sanctions_revision(), vec![]), None));
    assert_eq!(show.refusal_for(&ann, 0), None);
}

#[test]
fn a_show_whose_words_are_older_than_its_row_counts_as_not_read() {
    let show = cached_stream(0);
    assert_eq!(show.version(), 1);
    show.update_stream(&LiveStream { version: 5, blocklist_version: 4, ..show.stream() });
    assert_eq!(show.version(), 0);
    show.update_from_store(&show.stream(), (0, vec![]), Some(Arc::new(Blocklist::empty())));
    assert_eq!(show.version(), 5);
}
