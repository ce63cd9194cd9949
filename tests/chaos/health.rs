//! What nodes say of themselves, asked ten times a second.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::oracle::broker::HealthCheck;
use crate::run_context::RunContext;

const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub struct HealthLog(Mutex<Vec<HealthCheck>>);

impl HealthLog {
    pub fn checks(&self) -> Vec<HealthCheck> {
        self.0.lock().unwrap().clone()
    }
}

/// Asks one node until there is nothing left to see. One that does not answer says nothing.
pub async fn poll_health(board: Arc<RunContext>, health: Arc<HealthLog>, node: usize) {
    let rest = board.rest(node, "");
    while !board.unwatched.is_cancelled() {
        let asked = board.now();
        let answer = timeout(Duration::from_secs(5), rest.try_send(reqwest::Method::GET, "/readyz", &[], None)).await;
        if let Ok(Ok(answer)) = answer
            && let Some(word) = answer.body["broker"].as_str()
        {
            health.0.lock().unwrap().push(HealthCheck { asked, told: board.now(), is_connected: word == "ok" });
        }
        sleep(POLL_INTERVAL).await;
    }
}
