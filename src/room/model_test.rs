//! A room under a seeded mix of events, joins, drops, resumes, slow readers, holes and new epochs. Each client checks
//! for itself: no hole, no repeated event, no other order, unless the server said so (`recovered: false` or a
//! snapshot).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::fixture_test::*;
use super::*;

/// What one client knows: its position.
struct Oracle {
    epoch: String,
    seq: u64,
    snapshots: usize,
}

impl Oracle {
    /// `events_by_position`: the text of each event by epoch and number.
    fn check(&mut self, frame: &Value, events_by_position: &HashMap<(String, u64), String>) {
        let seq = frame["seq"].as_u64().unwrap();
        if frame["t"] == "snapshot" || (frame["t"] == "hello" && frame["recovered"] == false) {
            (self.epoch, self.seq) = (frame["epoch"].as_str().unwrap().to_owned(), seq);
            self.snapshots += usize::from(frame["t"] == "snapshot");
            return;
        }
        if frame["t"] == "hello" {
            assert_eq!(frame["epoch"], self.epoch.as_str());
        }
        for event in frame["events"].as_array().into_iter().flatten() {
            self.seq += 1;
            assert_eq!(event["seq"], self.seq, "no hole, no repeated event, no other order");
            assert_eq!(
                Some(event["text"].as_str().unwrap()),
                events_by_position.get(&(self.epoch.clone(), self.seq)).map(|s| &**s)
            );
        }
        assert_eq!(seq, self.seq, "the frame's number is that of its last event");
    }
}

struct CheckedViewer {
    viewer: TestViewer,
    oracle: Oracle,
}

impl CheckedViewer {
    /// Reads what has arrived so far.
    async fn read(&mut self, events_by_position: &HashMap<(String, u64), String>, wait: Duration) -> Result<usize, ()> {
        let mut frames = 0;
        while let Ok(seen) = tokio::time::timeout(wait, self.viewer.client.next()).await {
            match seen {
                ServerOutput::Text(frame) => {
                    self.oracle.check(&frame, events_by_position);
                    frames += 1;
                }
                ServerOutput::Close(4008) | ServerOutput::End | ServerOutput::Cut => return Err(()),
                other => panic!("{other:?}"),
            }
        }
        Ok(frames)
    }
}

/// `history` is what the broker's history contains.
async fn join_checked(
    room: &Arc<Room>,
    previous: Option<Oracle>,
    deflate: bool,
    history: &HashMap<(String, u64), String>,
) -> CheckedViewer {
    let position = previous.as_ref().map(|oracle| at(&oracle.epoch, oracle.seq));
    let mut missed = Vec::new();
    while let Some(StreamPosition { epoch, seq }) = &position
        && let Some(text) = history.get(&(epoch.to_string(), seq + 1 + missed.len() as u64))
    {
        missed.push((seq + 1 + missed.len() as u64, chat(text)));
    }
    let viewer = join_as(room, |request| JoinRequest { position, missed, deflate, ..request }).await;
    CheckedViewer { viewer, oracle: previous.unwrap_or(Oracle { epoch: "none".into(), seq: 0, snapshots: 0 }) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_sees_a_hole_a_repeated_event_or_another_order() {
    let mut resumed = 0;
    let only = std::env::var("LIVESOUK_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..8, |seed: u64| seed..seed + 1) {
        println!("LIVESOUK_SEED={seed}");
        resumed += run_room(seed).await;
    }
    assert!(resumed > 20 || only.is_some(), "{resumed} resumes: too few to prove anything");
}

async fn run_room(seed: u64) -> u64 {
    let mut random = SmallRng::seed_from_u64(seed);
    let clock = Clock::manual(1_000_000);
    let rooms = Rooms::new(clock.clone());
    let (room, _) = rooms.open(StreamId::new());
    room.sync(at("e0", 0), vec![], vec![]);
    let mut events_by_position: HashMap<(String, u64), String> = HashMap::new();
    let (mut epoch, mut seq) = (0, 0);
    let mut here: Vec<CheckedViewer> = Vec::new();
    let mut away: Vec<Oracle> = Vec::new();
    let (mut frames, mut closed) = (0, 0);
    for _ in 0..400 {
        match random.random_range(0..100) {
            0..40 => {
                let big = random.random_range(0..8) == 0;
                let count = random.random_range(1..6);
                let name = format!("e{epoch}");
                let mut events = Vec::new();
                let first = seq + 1;
                for _ in 0..count {
                    seq += 1;
                    let text = format!("{name}/{seq} {}", "x".repeat(if big { 9_000 } else { 10 }));
                    events_by_position.insert((name.clone(), seq), text.clone());
                    events.push(EncodedEvent { is_urgent: random.random_range(0..20) == 0, ..chat(&text) });
                }
                // The broker may repeat itself.
                if random.random_range(0..5) == 0 {
                    room.append_events(name.as_str(), first, events.clone());
                }
                room.append_events(name.as_str(), first, events);
            }
            40 if random.random() => seq += random.random_range(1..5), // lost in the broker
            41 if random.random() => (epoch, seq) = (epoch + 1, random.random_range(0..3)),
            43..55 if here.len() < 12 => {
                let previous = if random.random() { away.pop() } else { None };
                let nothing = HashMap::new();
                let history = if random.random() { &events_by_position } else { &nothing };
                here.push(join_checked(&room, previous, random.random(), history).await);
            }
            55..60 if !here.is_empty() => {
                let CheckedViewer { viewer, oracle } = here.swap_remove(random.random_range(0..here.len()));
                viewer.task.abort();
                if oracle.epoch != "none" {
                    away.push(oracle);
                }
            }
            60..80 if !here.is_empty() => {
                let index = random.random_range(0..here.len());
                match here[index].read(&events_by_position, Duration::from_millis(1)).await {
                    Ok(more) => frames += more,
                    Err(()) => {
                        closed += 1;
                        let gone = here.swap_remove(index);
                        away.push(gone.oracle);
                    }
                }
            }
            80..82 => room.set_state(StateChange::Likes(random.random_range(0..1_000)), false),
            _ => clock.advance(random.random_range(1..60)),
        }
        if random.random() {
            tokio::task::yield_now().await;
        }
    }
    // At the end, every client that is still connected reaches the last event.
    let last = format!("e{epoch}");
    seq += 1;
    events_by_position.insert((last.clone(), seq), "end".into());
    room.append_events(last.as_str(), seq, vec![chat("end")]);
    clock.advance(1_000);
    let mut snapshots = 0;
    for viewer_check in &mut here {
        for _ in 0..200 {
            clock.advance(5);
            match viewer_check.read(&events_by_position, Duration::from_millis(20)).await {
                Ok(more) => frames += more,
                Err(()) => {
                    closed += 1;
                    break;
                }
            }
            if (&viewer_check.oracle.epoch, viewer_check.oracle.seq) == (&last, seq) {
                break;
            }
        }
        snapshots += viewer_check.oracle.snapshots;
    }
    let at_end = here.iter().filter(|w| (&w.oracle.epoch, w.oracle.seq) == (&last, seq)).count();
    assert!(at_end + closed >= here.len(), "seed {seed}: {at_end} of {} at the end, {closed} closed", here.len());
    assert!(frames > 50, "seed {seed}: too few frames");
    let resumed = rooms.counters.resumed.load(Ordering::Relaxed);
    println!("seed {seed}: {frames} frames, {snapshots} snapshots, {closed} closed, {at_end} at the end");
    println!("{:?}", rooms.counters);
    resumed
}
