//! Tests of the state lane.

use super::*;

#[test]
fn values_since_a_revision_are_those_that_changed() {
    let (one, two) = (OfferId::new(), OfferId::new());
    let mut state = RoomState::default();
    let since = |state: &RoomState, after| {
        let mut out = Vec::new();
        state.write_since(after, &mut out);
        String::from_utf8(out).unwrap()
    };
    state.set(offer(one, 1, false, "{}"));
    state.set(offer(two, 1, false, "{}"));
    state.set(StateChange::StockAlerts { offer: one, count: 2 });
    let seen = state.revision();
    assert_eq!(since(&state, seen), "{}");
    assert!(!state.set(StateChange::Likes(0)) && !state.set(offer(one, 1, false, "{}")), "a repetition");
    assert_eq!((state.revision(), since(&state, seen).as_str()), (seen, "{}"));
    state.set(StateChange::Stream { v: [1, 1], json: "{}".into() });
    assert_eq!(since(&state, seen), "{}", "the stream is in no tick");
    state.set_viewers(7);
    state.set(StateChange::Likes(5));
    // Sent to the others meanwhile.
    state.mark_sent();
    // It is closed, so later snapshots leave it out, and the last stock alert is gone.
    state.set(offer(two, 2, true, r#"{"status":"closed"}"#));
    state.set(StateChange::StockAlerts { offer: one, count: 0 });
    state.mark_sent();
    let expected =
        format!(r#"{{"offers":{{"{two}":{{"status":"closed"}}}},"viewers":7,"likes":5,"stock_alerts":{{"{one}":0}}}}"#);
    assert_eq!(since(&state, seen), expected);
    assert_eq!(since(&state, state.revision()), "{}");
}

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
fn older_count_never_replaces_a_newer_one() {
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
fn emoji_of_all_nodes_are_summed_and_never_fall() {
    let sent = |node, clap, fire| {
        let counts = ReactionCounts { clap, fire, ..ReactionCounts::default() };
        StateChange::Reactions { node, counts }
    };
    let mut state = RoomState::default();
    assert!(!state.set(sent(1, 0, 0)), "nothing was sent");
    assert!(state.set(sent(1, 2, 0)) && state.set(sent(2, 1, 5)));
    assert!(!state.set(sent(1, 1, 0)), "an older count of that node");
    assert_eq!(unsent(&mut state), r#"{"reactions":{"clap":3,"fire":5}}"#);
    assert!(state.set(sent(2, 1, 6)));
    assert_eq!(unsent(&mut state), r#"{"reactions":{"clap":3,"fire":6}}"#);
    assert!(all(&state).contains(r#""likes":0,"reactions":{"clap":3,"fire":6},"chat""#), "{}", all(&state));
    for node in 3..=64 {
        assert!(state.set(sent(node, 1, 0)), "node {node}");
    }
    assert!(!state.set(sent(65, 1, 0)), "the number of nodes is limited");
    assert!(state.set(sent(64, 2, 0)), "those that are known go on");
}

#[test]
fn tick_has_the_changes_and_snapshot_has_all_values() {
    let mut state = RoomState::default();
    assert!(!state.has_unsent());
    assert_eq!(unsent(&mut state), "{}");
    assert_eq!(all(&state), r#"{"pin":null,"offers":{},"viewers":0,"likes":0,"chat":{"slow_ms":0,"notice":null}}"#);
    state.set_viewers(3);
    state.set(offer(id(2), 1, false, "{2}"));
    state.set(offer(id(1), 1, false, "{1}"));
    assert!(state.has_unsent());
    let offers = r#""offers":{"00000000-0000-0000-0000-000000000001":{1},"00000000-0000-0000-0000-000000000002":{2}}"#;
    assert_eq!(unsent(&mut state), format!(r#"{{{offers},"viewers":3}}"#));
    assert!(!state.has_unsent());
    state.set(StateChange::Likes(9));
    state.set(StateChange::Likes(8));
    state.set(StateChange::Chat { v: [1, 1], json: "{}".into() });
    state.set(StateChange::Pin { v: [1, 1], json: "{\"offer\":null}".into() });
    assert_eq!(unsent(&mut state), r#"{"pin":{"offer":null},"likes":9,"chat":{}}"#);
    assert_eq!(all(&state), format!(r#"{{"pin":{{"offer":null}},{offers},"viewers":3,"likes":9,"chat":{{}}}}"#));
    assert!(!state.set_viewers(3), "the number did not change");
}

#[test]
fn delay_is_sent_when_it_begins_and_when_it_ends() {
    let mut state = RoomState::default();
    assert!(!state.set(StateChange::Delayed(None)));
    assert!(state.set(StateChange::Delayed(Some(7))));
    assert!(!state.set(StateChange::Delayed(Some(9))), "the delay keeps its start, 7");
    assert_eq!(unsent(&mut state), r#"{"delayed":{"since":7}}"#);
    assert!(all(&state).ends_with(r#","delayed":{"since":7}}"#));
    assert!(state.set(StateChange::Delayed(None)));
    assert_eq!(unsent(&mut state), r#"{"delayed":null}"#);
    assert!(!all(&state).contains("delayed"));
}

#[test]
fn stock_alerts_are_sent_when_they_change_and_removed_at_zero() {
    let mut state = RoomState::default();
    let alerts = |count| StateChange::StockAlerts { offer: id(1), count };
    assert!(!state.set(alerts(0)));
    assert!(state.set(alerts(2)));
    assert!(!state.set(alerts(2)), "a repetition is not a change");
    let two = r#""stock_alerts":{"00000000-0000-0000-0000-000000000001":2}"#;
    assert_eq!(unsent(&mut state), format!("{{{two}}}"));
    assert!(all(&state).ends_with(&format!(",{two}}}")));
    assert!(state.set(alerts(0)));
    assert!(!all(&state).contains("stock_alerts"));
    assert!(unsent(&mut state).contains("\"00000000-0000-0000-0000-000000000001\":0"));
    assert!(!state.has_unsent());
}

#[test]
fn closed_offer_is_sent_once_and_stays_only_while_pinned() {
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
    assert!(!state.set(offer(id(1), 1, false, "{}")), "a late message does not reopen the offer");
    state.set(offer(id(2), 1, true, "\"late\""));
    assert!(all(&state).contains("late"), "not sent yet");
    unsent(&mut state);
    assert!(!all(&state).contains("late"));
}

#[test]
fn show_is_in_a_tick_only_when_it_was_changed_itself() {
    let mut state = RoomState::default();
    let show = |v, edition, now| {
        let json = format!(r#"{{"version":{edition},"now":{now}}}"#);
        StateChange::Stream { v: [1, v], json: json.into() }
    };
    let unsent = |state: &mut RoomState| {
        let mut out = Vec::new();
        state.write_unsent(&mut out);
        String::from_utf8(out).unwrap()
    };
    state.set(show(1, 1, 10));
    state.mark_sent();
    let before = state.revision();
    assert!(state.set(show(2, 1, 20)), "a pin raises the version of the row");
    assert!(!state.has_unsent());
    assert!(state.set(show(3, 2, 30)) && state.has_unsent());
    assert_eq!(unsent(&mut state), r#"{"stream":{"version":2,"now":30}}"#);
    assert!(!state.has_unsent());
    let since = |after| {
        let mut out = Vec::new();
        state.write_since(after, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(since(before), r#"{"stream":{"version":2,"now":30}}"#, "a slow viewer learns of it");
    assert_eq!(since(state.revision()), "{}");
}
