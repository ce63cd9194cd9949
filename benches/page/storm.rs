//! 200 messages and 167 hearts a second in the demo's show, from people who are not the page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use loadtest::{Crowd, Flow, Target};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::outside::process::Server;

const MESSAGES_PER_S: f64 = 200.0;
/// 10,000 a minute.
const HEARTS: i64 = 10;
const HEARTS_EVERY: Duration = Duration::from_millis(60);
/// One person's hearts have a budget.
const PEOPLE: usize = 40;
/// Enough for the longest measurement; the storm is ended before.
const LONGEST_US: u64 = 3_600_000_000;

pub struct Storm {
    over: Arc<AtomicBool>,
    talk: JoinHandle<()>,
    hearts: tokio::task::JoinHandle<()>,
}

impl Storm {
    pub async fn start(server: &Server) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let token = server.started["host_token"].as_str().unwrap().to_owned();
        let (stream, address) = (server.stream().to_owned(), server.address());
        let (ended, said_by) = (Arc::clone(&over), token.clone());
        let talk = std::thread::spawn(move || {
            let target = Target { address, host: address.to_string(), sources: vec![], seed: 1 };
            let mut crowd = Crowd::new(target).unwrap();
            let room = crowd.add_room(&stream);
            let senders: Vec<u32> = (0..4).map(|_| crowd.add_viewer(room, Some(&said_by))).collect();
            crowd.arrive(senders.clone().into_iter(), 0, Duration::from_millis(100));
            crowd.run_for(Duration::from_millis(500));
            let from = crowd.now();
            crowd.talk(Flow {
                room,
                senders,
                rate: MESSAGES_PER_S,
                from,
                until: from + LONGEST_US,
                length: 60,
                said: 0,
            });
            crowd.run_while(from + LONGEST_US, |_| !ended.load(Ordering::Relaxed));
        });
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            let made = server.rest().post("/v1/dev/tokens", json!({"name": format!("P{n}"), "role": "viewer"})).await;
            people.push(server.rest().with_token(made.body["token"].as_str().unwrap()));
        }
        let path = format!("/v1/streams/{}/reactions", server.stream());
        let hearts = tokio::spawn(async move {
            let mut turn = interval(HEARTS_EVERY);
            turn.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for person in people.iter().cycle() {
                turn.tick().await;
                person.post(&path, json!({"kind": "heart", "count": HEARTS})).await.expect(204);
            }
        });
        Self { over, talk, hearts }
    }

    pub async fn end(self) {
        assert!(!self.hearts.is_finished(), "the hearts stopped before the end");
        assert!(!self.talk.is_finished(), "the talk stopped before the end");
        self.hearts.abort();
        self.over.store(true, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || self.talk.join().unwrap()).await.unwrap();
    }
}
