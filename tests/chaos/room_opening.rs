//! The subscriber links of every node are killed again and again while new shows open. Afterwards every show must be
//! heard on every node: no room may stay deaf.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::ChaosCluster;
use crate::fault::NODES;
use crate::live_connection::{LiveConnection, join};
use crate::oracle::PromiseViolation;
use crate::support::rest::Rest;

/// A room that has not heard a message by then is deaf.
const DEAF_AFTER: Duration = Duration::from_secs(15);
const TRIES_MAX: usize = 20;
/// A node may be restarting.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// A show that was opened during the kills, and a viewer of it.
pub struct OpenedRoom {
    stream: String,
    viewer_node: usize,
    viewer: LiveConnection,
}

/// Kills the links for this long, and opens shows meanwhile. Gives the rooms that were opened.
pub async fn open_rooms(cluster: &ChaosCluster, length: Duration, rng: &mut StdRng) -> Vec<OpenedRoom> {
    let (context, until) = (&cluster.injector.context, Instant::now() + length);
    let token = context.token("the-host", "host");
    let mut opening = JoinSet::new();
    while Instant::now() < until {
        cluster.kill_subscribers().await;
        sleep(Duration::from_millis(rng.random_range(0..120))).await;
        let (host_node, viewer_node) = (rng.random_range(0..NODES), rng.random_range(0..NODES));
        // A show opens while the next kills happen.
        opening.spawn(open_room(context.rest(host_node, &token), context.urls[viewer_node].clone(), viewer_node));
    }
    let (mut rooms, mut failures) = (Vec::new(), BTreeMap::<String, usize>::new());
    while let Some(opened) = opening.join_next().await {
        match opened.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(room) => rooms.push(room),
            Err(why) => *failures.entry(why).or_default() += 1,
        }
    }
    println!("{} shows were opened while links were killed; not opened: {failures:?}", rooms.len());
    rooms
}

async fn open_room(rest: Rest, viewer_url: String, viewer_node: usize) -> Result<OpenedRoom, String> {
    let post = async |path: &str, body: Value| {
        let sent = timeout(REQUEST_DEADLINE, rest.try_send(reqwest::Method::POST, path, &[], Some(body))).await;
        let answer = sent.map_err(|_| "no answer in time".to_owned())?.map_err(|_| "connection failed".to_owned())?;
        if answer.is_success() { Ok(answer.body) } else { Err(format!("status {}", answer.status)) }
    };
    let made = post("/v1/streams", json!({"title": "New show"})).await?;
    let stream = made["id"].as_str().ok_or("no id")?.to_owned();
    post(&format!("/v1/streams/{stream}/start"), json!({})).await?;
    let joined = timeout(REQUEST_DEADLINE, join(&viewer_url, &stream, None)).await;
    let (viewer, _hello) = joined.map_err(|_| "no hello in time".to_owned())?.map_err(|_| "no join".to_owned())?;
    Ok(OpenedRoom { stream, viewer_node, viewer })
}

/// Sends a message into each room from another node than its viewer's.
pub async fn find_deaf(cluster: &ChaosCluster, rooms: Vec<OpenedRoom>) -> Vec<PromiseViolation> {
    let context = &cluster.injector.context;
    let token = context.token("the-host", "host");
    let mut deaf = Vec::new();
    for (number, OpenedRoom { stream, viewer_node, mut viewer }) in rooms.into_iter().enumerate() {
        let text = format!("can room {number} hear this");
        if !say(&context.urls[(viewer_node + 1) % NODES], &stream, &token, &text).await {
            continue; // The node is away or refuses: this says nothing about the room.
        }
        let heard = async {
            loop {
                match viewer.next().await {
                    Ok(frame) if frame["t"] == "moving" => return None,
                    Ok(frame) if frame.to_string().contains(&text) => return Some(()),
                    Ok(_) => {}
                    Err(_) => return None, // The viewer lost its connection; another check judges that.
                }
            }
        };
        if timeout(DEAF_AFTER, heard).await.is_err() {
            let what = format!("room {stream} on node {viewer_node} did not hear a message of another node");
            deaf.push(PromiseViolation::new("no room is deaf", what));
        }
    }
    deaf
}

/// Whether the message was acknowledged.
async fn say(url: &str, stream: &str, token: &str, text: &str) -> bool {
    for _ in 0..TRIES_MAX {
        if let Ok((mut host, _)) = join(url, stream, Some(token)).await
            && host.send(&json!({"ref": "1", "do": "say", "text": text})).await.is_ok()
        {
            let replied = async {
                while let Ok(frame) = host.next().await {
                    if frame["t"] == "reply" {
                        return frame.get("ok").is_some();
                    }
                }
                false
            };
            if timeout(Duration::from_secs(5), replied).await == Ok(true) {
                return true;
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
    false
}
