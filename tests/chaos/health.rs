//! The health that nodes report, polled ten times a second.

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

/// Polls the readiness of one node until the observers stop. A node that does not answer adds no check.
pub async fn poll_health(context: Arc<RunContext>, health: Arc<HealthLog>, node: usize) {
    let rest = context.rest(node, "");
    while !context.unwatched.is_cancelled() {
        let sent_at = context.now();
        let answer = timeout(Duration::from_secs(5), rest.try_send(reqwest::Method::GET, "/readyz", &[], None)).await;
        if let Ok(Ok(answer)) = answer
            && let Some(word) = answer.body["broker"].as_str()
        {
            health.0.lock().unwrap().push(HealthCheck {
                sent_at,
                answered_at: context.now(),
                is_connected: word == "ok",
            });
        }
        sleep(POLL_INTERVAL).await;
    }
}
