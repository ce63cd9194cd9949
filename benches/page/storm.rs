//! 200 messages and 167 hearts a second in the demo's show, from people who are not the page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loadtest::{ChatLoad, Simulation, TargetServer};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::outside::process::Server;

const MESSAGES_PER_S: f64 = 200.0;
/// 10,000 a minute.
const REACTIONS_PER_REQUEST: i64 = 10;
const REACTION_INTERVAL: Duration = Duration::from_millis(60);
/// One person's hearts have a budget.
const REACTING_VIEWERS: usize = 40;
/// Enough for the longest measurement; the storm is ended before.
const STORM_MAX_US: u64 = 3_600_000_000;

pub struct ChatStorm {
    stopped: Arc<AtomicBool>,
    chat: JoinHandle<()>,
    reactions: tokio::task::JoinHandle<()>,
}

impl ChatStorm {
    pub async fn start(server: &Server) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let token = server.started["host_token"].as_str().unwrap().to_owned();
        let (stream, address) = (server.stream().to_owned(), server.address());
        let (ended, said_by) = (Arc::clone(&over), token.clone());
        let talk = std::thread::spawn(move || {
            let target = TargetServer { address, host: address.to_string(), sources: vec![], seed: 1 };
            let mut crowd = Simulation::new(target).unwrap();
            let room = crowd.add_room(&stream);
            let senders: Vec<u32> = (0..4).map(|_| crowd.add_viewer(room, Some(&said_by))).collect();
            crowd.schedule_arrivals(senders.clone().into_iter(), 0, Duration::from_millis(100));
            crowd.run_for(Duration::from_millis(500));
            let from = crowd.now();
            crowd.talk(ChatLoad {
                room,
                senders,
                rate: MESSAGES_PER_S,
                from,
                until: from + STORM_MAX_US,
                length: 60,
                said: 0,
            });
            crowd.run_while(from + STORM_MAX_US, |_| !ended.load(Ordering::Relaxed));
        });
        let mut people = Vec::new();
        for n in 0..REACTING_VIEWERS {
            let made = server.rest().post("/v1/dev/tokens", json!({"name": format!("P{n}"), "role": "viewer"})).await;
            people.push(server.rest().with_token(made.body["token"].as_str().unwrap()));
        }
        let path = format!("/v1/streams/{}/reactions", server.stream());
        let hearts = tokio::spawn(async move {
            let mut turn = interval(REACTION_INTERVAL);
            turn.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for person in people.iter().cycle() {
                turn.tick().await;
                person.post(&path, json!({"kind": "heart", "count": REACTIONS_PER_REQUEST})).await.expect(204);
            }
        });
        Self { stopped: over, chat: talk, reactions: hearts }
    }

    pub async fn end(self) {
        assert!(!self.reactions.is_finished(), "the hearts stopped before the end");
        assert!(!self.chat.is_finished(), "the talk stopped before the end");
        self.reactions.abort();
        self.stopped.store(true, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || self.chat.join().unwrap()).await.unwrap();
    }
}
