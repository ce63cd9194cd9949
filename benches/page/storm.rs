//! 200 messages and 167 reactions per second in the demo's stream, from users other than the page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loadtest::{ChatLoad, Simulation, TargetServer};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use testkit::process::Server;

const MESSAGES_PER_S: f64 = 200.0;
/// 10,000 per minute.
const REACTIONS_PER_REQUEST: i64 = 10;
const REACTION_INTERVAL: Duration = Duration::from_millis(60);
/// The reactions of one user have a rate limit.
const REACTING_VIEWERS: usize = 40;
/// Longer than the longest measurement; the load ends before.
const STORM_MAX_US: u64 = 3_600_000_000;

pub struct ChatStorm {
    stopped: Arc<AtomicBool>,
    chat: JoinHandle<()>,
    reactions: tokio::task::JoinHandle<()>,
}

impl ChatStorm {
    pub async fn start(server: &Server) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let token = server.started["host_token"].as_str().unwrap().to_owned();
        let (stream, address) = (server.stream().to_owned(), server.address());
        let (thread_stopped, sender_token) = (Arc::clone(&stopped), token.clone());
        let chat = std::thread::spawn(move || {
            let target = TargetServer { address, host: address.to_string(), sources: vec![], seed: 1 };
            let mut simulation = Simulation::new(target).unwrap();
            let room = simulation.add_room(&stream);
            let senders: Vec<u32> = (0..4).map(|_| simulation.add_viewer(room, Some(&sender_token))).collect();
            simulation.schedule_arrivals(senders.clone().into_iter(), 0, Duration::from_millis(100));
            simulation.run_for(Duration::from_millis(500));
            let from = simulation.now();
            simulation.start_chat(ChatLoad {
                room,
                senders,
                rate: MESSAGES_PER_S,
                from,
                until: from + STORM_MAX_US,
                length: 60,
                sent: 0,
            });
            simulation.run_while(from + STORM_MAX_US, |_| !thread_stopped.load(Ordering::Relaxed));
        });
        let mut users = Vec::new();
        for n in 0..REACTING_VIEWERS {
            let response =
                server.rest().post("/v1/dev/tokens", json!({"name": format!("P{n}"), "role": "viewer"})).await;
            users.push(server.rest().with_token(response.body["token"].as_str().unwrap()));
        }
        let path = format!("/v1/streams/{}/reactions", server.stream());
        let reactions = tokio::spawn(async move {
            let mut ticks = interval(REACTION_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for user in users.iter().cycle() {
                ticks.tick().await;
                user.post(&path, json!({"kind": "heart", "count": REACTIONS_PER_REQUEST})).await.expect(204);
            }
        });
        Self { stopped, chat, reactions }
    }

    pub async fn end(self) {
        assert!(!self.reactions.is_finished(), "the reactions stopped before the end");
        assert!(!self.chat.is_finished(), "the chat stopped before the end");
        self.reactions.abort();
        self.stopped.store(true, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || self.chat.join().unwrap()).await.unwrap();
    }
}
