//! What nodes say of themselves, asked ten times a second.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::board::Board;
use crate::oracle::bus::Look;

const EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct Health(Mutex<Vec<Look>>);

impl Health {
    pub fn looks(&self) -> Vec<Look> {
        self.0.lock().unwrap().clone()
    }
}

/// Asks one node until the run is over. One that does not answer says nothing.
pub async fn look(board: Arc<Board>, health: Arc<Health>, node: usize) {
    let rest = board.rest(node, "");
    while !board.over.is_cancelled() {
        let asked = board.now();
        let answer = timeout(Duration::from_secs(5), rest.try_send(reqwest::Method::GET, "/readyz", &[], None)).await;
        if let Ok(Ok(answer)) = answer
            && let Some(word) = answer.body["broker"].as_str()
        {
            health.0.lock().unwrap().push(Look { asked, told: board.now(), hears: word == "ok" });
        }
        sleep(EVERY).await;
    }
}
