//! Signed events and their faults.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_stripe::{Delivery, Endpoint};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Client;

type Deliveries = Arc<Mutex<Vec<(String, String)>>>;

/// A receiver that keeps the signature and the body of every delivery.
async fn receiver() -> (String, Deliveries) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let kept = Deliveries::default();
    let all = kept.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let kept = kept.clone();
            let keep = service_fn(move |request: Request<Incoming>| {
                let kept = kept.clone();
                async move {
                    let signature = request.headers()["stripe-signature"].to_str().unwrap().to_owned();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    kept.lock().unwrap().push((signature, String::from_utf8(body.to_vec()).unwrap()));
                    Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), keep));
        }
    });
    (url, all)
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned(),
        secrets: vec!["whsec_new".to_owned(), "whsec_old".to_owned()],
        has_old_shape: false,
    }
}

async fn until(deliveries: &Deliveries, count: usize) -> Vec<(String, Value)> {
    for _ in 0..1_000 {
        let kept = deliveries.lock().unwrap().clone();
        if kept.len() >= count {
            return kept.into_iter().map(|(sign, body)| (sign, serde_json::from_str(&body).unwrap())).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} deliveries did not come: {:?}", deliveries.lock().unwrap());
}

fn kinds(deliveries: &[(String, Value)]) -> Vec<&str> {
    deliveries.iter().map(|(_, body)| body["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_delivery_is_signed_with_both_secrets() {
    let client = Client::start().await;
    let (url, deliveries) = receiver().await;
    client.fake.add_endpoint(endpoint(&url));
    client.pay("pm_card_visa").await;
    let sent = until(&deliveries, 3).await;
    assert_eq!(
        kinds(&sent),
        ["payment_intent.created", "charge.succeeded", "payment_intent.amount_capturable_updated"]
    );
    for (signature, body) in deliveries.lock().unwrap().iter() {
        let parts: Vec<(&str, &str)> = signature.split(',').filter_map(|part| part.split_once('=')).collect();
        let part = |name: &str| -> Vec<&str> { parts.iter().filter(|of| of.0 == name).map(|of| of.1).collect() };
        let at = part("t")[0];
        let signed = part("v1");
        let by = |secret: &str| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(format!("{at}.{body}").as_bytes());
            hex::encode(mac.finalize().into_bytes())
        };
        assert_eq!(signed, [by("whsec_new"), by("whsec_old")]);
    }
}

#[tokio::test]
async fn events_come_twice_out_of_order_or_never() {
    let client = Client::start().await;
    let (url, deliveries) = receiver().await;
    client.fake.add_endpoint(endpoint(&url));
    let paused = Delivery { delay: Duration::from_millis(100), ..Delivery::default() };
    client.fake.set_delivery(Delivery { is_twice: true, is_reordered: true, ..paused });
    client.pay("pm_card_visa").await;
    let sent = until(&deliveries, 6).await;
    let expected = ["payment_intent.amount_capturable_updated", "charge.succeeded", "payment_intent.created"];
    assert_eq!(kinds(&sent), expected.into_iter().flat_map(|kind| [kind, kind]).collect::<Vec<_>>());
    deliveries.lock().unwrap().clear();
    // The events so far were three; each second one is lost from here.
    client.fake.set_delivery(Delivery { lost_every: 2, ..paused });
    client.pay("pm_card_visa").await;
    client.pay("pm_card_visa").await;
    let sent = until(&deliveries, 3).await;
    assert_eq!(sent.len(), 3, "{:?}", kinds(&sent));
}

#[tokio::test]
async fn event_can_arrive_before_the_answer_and_in_an_old_shape() {
    let client = Client::start().await;
    let (url, deliveries) = receiver().await;
    client.fake.add_endpoint(Endpoint { has_old_shape: true, ..endpoint(&url) });
    client.fake.set_delivery(Delivery { is_before_answer: true, ..Delivery::default() });
    client.pay("pm_card_visa").await;
    let kept = deliveries.lock().unwrap().clone();
    assert_eq!(kept.len(), 3, "all were received before the answer");
    let last: Value = serde_json::from_str(&kept[2].1).unwrap();
    assert_eq!(last["api_version"], "2020-08-27");
    assert!(last["data"]["object"]["charges"].is_object() && last["data"]["object"].get("latest_charge").is_none());
}
