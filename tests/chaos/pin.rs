//! The host points at things: now at this sale, now at that one, at whatever node.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::oracle::PromiseViolation;
use crate::run_context::RunContext;

/// Until the run is calm.
pub async fn pin_repeatedly(board: Arc<RunContext>, mut rng: StdRng) {
    while !board.is_calm() {
        if let Some(sale) = board.pick_sale(&mut rng) {
            let node = rng.random_range(0..board.urls.len());
            set_pin(&board, node, rng.random_bool(0.9).then_some(&*sale.offer)).await;
        }
        sleep(Duration::from_millis(rng.random_range(500..2_000))).await;
    }
}

/// Pins an offer or takes the pin away; says whether that was certainly done.
pub async fn set_pin(board: &RunContext, node: usize, offer: Option<&str>) -> bool {
    let rest = board.rest(node, &board.token("the-host", "host"));
    let path = format!("/v1/streams/{}/pin", board.stream);
    let (method, body) = match offer {
        Some(offer) => (reqwest::Method::PUT, Some(json!({"offer": offer}))),
        None => (reqwest::Method::DELETE, None),
    };
    match timeout(Duration::from_secs(20), rest.try_send(method, &path, &[], body)).await {
        Ok(Ok(answer)) if answer.status < 300 => true,
        Ok(Ok(answer)) => {
            // A sale may have been closed a moment ago; of a node in trouble 503 is the honest answer.
            if answer.status != 503 && !(400..500).contains(&answer.status) {
                board.record_violation(PromiseViolation::new(
                    "answers",
                    format!("{} to a pin: {:?}", answer.status, answer.body),
                ));
            }
            false
        }
        _ => false,
    }
}
