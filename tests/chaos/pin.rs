//! The host pins offers: now this one, now that one, at any node.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::oracle::PromiseViolation;
use crate::run_context::RunContext;

/// Until the run is calm.
pub async fn pin_repeatedly(context: Arc<RunContext>, mut rng: StdRng) {
    while !context.is_calm() {
        if let Some(sale) = context.pick_sale(&mut rng) {
            let node = rng.random_range(0..context.urls.len());
            set_pin(&context, node, rng.random_bool(0.9).then_some(&*sale.offer)).await;
        }
        sleep(Duration::from_millis(rng.random_range(500..2_000))).await;
    }
}

/// Pins an offer or removes the pin. Returns whether it was certainly done.
pub async fn set_pin(context: &RunContext, node: usize, offer: Option<&str>) -> bool {
    let rest = context.rest(node, &context.token("the-host", "host"));
    let path = format!("/v1/streams/{}/pin", context.stream);
    let (method, body) = match offer {
        Some(offer) => (reqwest::Method::PUT, Some(json!({"offer": offer}))),
        None => (reqwest::Method::DELETE, None),
    };
    match timeout(Duration::from_secs(20), rest.try_send(method, &path, &[], body)).await {
        Ok(Ok(answer)) if answer.status < 300 => true,
        Ok(Ok(answer)) => {
            // A sale may have been closed a moment ago. A node with a fault may answer 503.
            if answer.status != 503 && !(400..500).contains(&answer.status) {
                context.record_violation(PromiseViolation::new(
                    "answers",
                    format!("{} to a pin: {:?}", answer.status, answer.body),
                ));
            }
            false
        }
        _ => false,
    }
}
