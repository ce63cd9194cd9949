//! Tests of a node's cached copy of a stream.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::{BlockAction, BlockedWord, ChatRules, Name, PersonKey, Role, StreamId};

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
        edition: 1,
        ..LiveStream::default()
    };
    CachedStream::new(stream, vec![], vec![], Blocklist::empty())
}

const OFF: ChatRateLimit = ChatRateLimit { viewer_per_s: 0.0, room_per_s: 0.0 };
/// Posts a text that was not posted before.
fn admit_unique(
    cached: &CachedStream,
    actor: &Actor,
    now: Millis,
    limit: ChatRateLimit,
) -> std::result::Result<(), Refusal> {
    static POSTED: AtomicUsize = AtomicUsize::new(0);
    let text = format!("number {}", POSTED.fetch_add(1, Ordering::Relaxed));
    cached.admit_message(actor, &text, now, limit).map(|_| ())
}

const ONE_PER_SECOND: ChatRateLimit = ChatRateLimit { viewer_per_s: 1.0, room_per_s: 0.0 };

fn actor(name: &str, role: Role) -> Actor {
    let (user, name) = (UserId::parse(name).unwrap(), Name::parse(name).unwrap());
    Actor { user, name, role, stream: None, expires_at: None, token: Default::default(), session: None }
}

#[test]
fn slow_mode_limits_viewers_but_not_the_team() {
    let (cached, ann, host) = (cached_stream(10_000), actor("ann", Role::Viewer), actor("h", Role::Host));
    assert_eq!(admit_unique(&cached, &ann, 0, ONE_PER_SECOND), Ok(()));
    assert_eq!(admit_unique(&cached, &ann, 4_000, ONE_PER_SECOND), Err(Refusal::SlowMode { retry_ms: 6_000 }));
    assert_eq!(admit_unique(&cached, &ann, 10_000, ONE_PER_SECOND), Ok(()));
    assert!((0..20).all(|_| admit_unique(&cached, &host, 0, ONE_PER_SECOND).is_ok()));
}

#[test]
fn clock_that_was_corrected_is_no_slow_mode() {
    let (cached, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    assert_eq!(admit_unique(&cached, &ann, 1_000, OFF), Ok(()));
    assert_eq!(admit_unique(&cached, &ann, 940, OFF), Ok(()), "slow mode is off");
}

#[test]
fn sixth_message_in_a_second_is_over_the_limit_unless_it_is_off() {
    let (cached, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    assert!((0..5).all(|_| admit_unique(&cached, &ann, 0, ONE_PER_SECOND).is_ok()));
    assert_eq!(admit_unique(&cached, &ann, 0, ONE_PER_SECOND), Err(Refusal::ChatBudget { retry_ms: 1_000 }));
    assert!((0..50).all(|_| admit_unique(&cached, &actor("bob", Role::Viewer), 0, OFF).is_ok()));
}

#[test]
fn room_rate_limit_refuses_viewers_but_never_the_team() {
    let (cached, host) = (cached_stream(0), actor("h", Role::Host));
    let limit = ChatRateLimit { viewer_per_s: 1.0, room_per_s: 10.0 };
    let viewer = |n: usize| actor(&format!("v{n}"), Role::Viewer);
    let accepted = (0..50).filter(|n| admit_unique(&cached, &viewer(*n), 0, limit).is_ok()).count();
    assert_eq!(accepted, 20, "a burst of two seconds");
    assert!((0..15).all(|_| admit_unique(&cached, &host, 0, limit).is_ok()), "the team is not limited");
    cached.charge_sale_event(0, limit);
    let Err(Refusal::ChatBudget { retry_ms }) = admit_unique(&cached, &viewer(50), 0, limit) else { panic!("shed") };
    assert!(
        (1_700 + 100..1_700 + 1_000).contains(&retry_ms),
        "{retry_ms}: the team's messages and the sale were charged first"
    );
    assert_eq!(admit_unique(&cached, &viewer(51), 1_700, limit), Ok(()));
    assert!(matches!(admit_unique(&cached, &viewer(52), 1_700, limit), Err(Refusal::ChatBudget { .. })));
    assert!((0..500).all(|n| admit_unique(&cached, &viewer(n + 100), 1_700, OFF).is_ok()));
}

#[test]
fn ban_is_reported_before_mute() {
    let (cached, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    let sanction = |kind, until| Sanction {
        user: ann.user.clone(),
        person: ann.person(),
        name: "Ann".into(),
        kind,
        until,
        by: "mo".into(),
        by_role: Role::Moderator,
        reason: None,
    };
    let chat = |actor: &Actor, now| cached.authorize(actor, Permission::Chat, now);
    cached.add_sanction(sanction(SanctionKind::Mute, Some(100)));
    assert_eq!(chat(&ann, 0), Err(Refusal::Muted { until: 100, now: 0 }));
    cached.add_sanction(sanction(SanctionKind::Ban, None));
    assert_eq!(chat(&ann, 0), Err(Refusal::Banned));
    for role in [Role::Moderator, Role::Producer, Role::Host] {
        let above = Actor { role, ..ann.clone() };
        assert_eq!(chat(&above, 0), Ok(()), "a moderator's ban does not bind a {role:?}");
    }
    cached.remove_sanction(&ann.user, SanctionKind::Ban);
    assert_eq!(chat(&ann, 100), Ok(()));
}

#[test]
fn duplicate_message_is_refused_for_30_seconds() {
    let (cached, ann, host) = (cached_stream(0), actor("ann", Role::Viewer), actor("h", Role::Host));
    let say = |who: &Actor, text: &str, now| cached.admit_message(who, text, now, OFF);
    assert_eq!(say(&ann, "كم السعر؟", 0), Ok(ChatDecision::Publish));
    assert_eq!(say(&ann, "كَم  السِّعر؟", 10_000), Err(Refusal::DuplicateMessage { retry_ms: 20_000 }));
    assert_eq!(
        say(&actor("bob", Role::Viewer), "كم السعر؟", 10_000),
        Ok(ChatDecision::Publish),
        "several users may post the same text"
    );
    assert_eq!(say(&ann, "and now?", 10_000), Ok(ChatDecision::Publish));
    assert_eq!(
        say(&ann, "كم السعر؟", 29_999),
        Err(Refusal::DuplicateMessage { retry_ms: 1 }),
        "a different message in between does not change that"
    );
    assert_eq!(say(&ann, "كم السعر؟", 30_000), Ok(ChatDecision::Publish));
    assert!((0..3).all(|_| say(&host, "hello", 0).is_ok()), "the team is not limited");
    assert_eq!(say(&ann, "lost", 40_000), Ok(ChatDecision::Publish));
    cached.retract_message(&ann);
    assert_eq!(say(&ann, "lost", 40_000), Ok(ChatDecision::Publish), "an unpublished message is no duplicate");
}

#[test]
fn blocklist_applies_to_viewers_only_and_a_mute_is_reported_first() {
    let (cached, ann, host) = (cached_stream(0), actor("ann", Role::Viewer), actor("h", Role::Host));
    let word = BlockedWord { word: "scam".into(), whole_word: false, action: BlockAction::Refuse };
    let stream = LiveStream { blocklist_version: 2, version: 2, ..cached.stream() };
    cached.update_from_store(&stream, (0, vec![]), Some(Arc::new(Blocklist::parse(vec![word]).unwrap())));
    assert_eq!(cached.admit_message(&ann, "a SCAM!", 0, OFF), Err(Refusal::BlockedWord));
    assert_eq!(cached.admit_message(&host, "a SCAM!", 0, OFF), Ok(ChatDecision::Publish));
    let (user, name, by) = (ann.user.clone(), "Ann".to_owned(), "h".to_owned());
    let reason = Some("spam".to_owned());
    cached.add_sanction(Sanction {
        person: PersonKey::of_user(&user),
        user,
        name,
        kind: SanctionKind::Mute,
        until: Some(100),
        by,
        by_role: Role::Moderator,
        reason: reason.clone(),
    });
    assert_eq!(cached.admit_message(&ann, "a SCAM!", 0, OFF), Err(Refusal::Muted { until: 100, now: 0 }));
    assert_eq!(cached.mute_reason(&ann.user), reason);
}

#[test]
fn ban_survives_a_reload_that_began_before_it() {
    let (cached, ann) = (cached_stream(0), actor("ann", Role::Viewer));
    let before = cached.sanctions_revision();
    let (user, by) = (ann.user.clone(), "h".to_owned());
    let (kind, by_role) = (SanctionKind::Ban, Role::Host);
    cached.add_sanction(Sanction {
        person: PersonKey::of_user(&user),
        user,
        name: "Ann".into(),
        kind,
        until: None,
        by,
        by_role,
        reason: None,
    });
    assert!(!cached.update_from_store(&cached.stream(), (before, vec![]), None), "must be read again");
    assert_eq!(cached.authorize(&ann, Permission::Watch, 0), Err(Refusal::Banned));
    assert!(cached.update_from_store(&cached.stream(), (cached.sanctions_revision(), vec![]), None));
    assert_eq!(cached.authorize(&ann, Permission::Watch, 0), Ok(()));
}

#[test]
fn stream_with_an_outdated_blocklist_has_version_zero() {
    let cached = cached_stream(0);
    assert_eq!(cached.version(), 1);
    cached.update_stream(&LiveStream { version: 5, blocklist_version: 4, ..cached.stream() });
    assert_eq!(cached.version(), 0);
    cached.update_from_store(&cached.stream(), (0, vec![]), Some(Arc::new(Blocklist::empty())));
    assert_eq!(cached.version(), 5);
}
