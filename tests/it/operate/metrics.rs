//! `/metrics`: the page is valid, it is not public, and every mechanism changes its metrics.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::metrics::Metrics;
use crate::support::ports::free_address;
use crate::support::postgres::Database;
use crate::support::process::Server;
use crate::support::redis::Redis;
use crate::support::rest::Rest;
use crate::support::shop::{KEY, Shop, id, key, sign};
use crate::support::socket::{JoinOptions, Live};
use crate::support::{SOON, until_some};

#[test]
fn invalid_metrics_page_is_detected() {
    let good = "# HELP a A.\n# TYPE a counter\na_total{x=\"y\\\"z\",b=\"\"} 1\n";
    let histogram = |buckets: &str| format!("# HELP h H.\n# TYPE h histogram\nh_sum 1\nh_count 2\n{buckets}");
    let whole = histogram("h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n");
    let page = |families: &str| format!("{families}# EOF\n");
    for families in [good, &whole] {
        Metrics::parse(&page(families)).unwrap();
        assert!(Metrics::parse(families).is_err(), "without its end: {families}");
    }
    for bad in [
        good.trim_end().to_owned(),
        good.replace("# HELP a A.\n", ""),
        good.replace("counter", "thing"),
        good.replace("counter", "gauge"),
        good.replace(" a ", " a_total "),
        good.replace("a_total{", "b_total{"),
        good.replace("} 1", "} one"),
        good.replace("} 1", "} -1"),
        good.replace("\\\"", "\""),
        good.replace("x=", "9x="),
        good.repeat(2),
        format!("{good}a_total{{x=\"y\\\"z\",b=\"\"}} 2\n"),
        whole.replace("+Inf\"} 2", "+Inf\"} 3"),
        histogram("h_bucket{le=\"1.0\"} 1\n"),
        // Prometheus 3 would not match this bound as `le="1.0"`.
        whole.replace("1.0", "1"),
        histogram("h_bucket{le=\"1.0\"} 3\nh_bucket{le=\"+Inf\"} 2\n"),
    ] {
        assert!(Metrics::parse(&page(&bad)).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn metrics_need_a_permission_or_the_separate_address() {
    let database = Database::migrated().await;
    let own = free_address();
    let server = Server::serve(&database.url(), KEY, &["--metrics-listen", &own]).await;
    let asked_by = async |role: &str| server.rest().with_token(&sign(KEY, "u", role, 60)).get("/metrics").await;
    server.rest().get("/metrics").await.expect_problem(401, "sign_in");
    asked_by("viewer").await.expect_problem(403, "forbidden");
    asked_by("moderator").await.expect_problem(403, "forbidden");
    assert_eq!([asked_by("analyst").await.status, asked_by("admin").await.status], [200; 2]);

    let own = Rest::new(&format!("http://{own}"));
    let page = Metrics::of(&own).await;
    // Some counters have a label for each of about a hundred error codes.
    assert!(page.samples.len() < 1_500, "{} samples: are users or offers labels?", page.samples.len());
    assert!(page.get("process_resident_memory_bytes") > 1e6 && page.get("process_open_fds") > 5.0);
    assert_eq!(page.get("livesouk_database_connections_max{pool=\"selling\"}"), 8.0);
    let build = format!("livesouk_build_info{{version=\"0.1.0\",commit=\"{}\"}}", livesouk::config::COMMIT);
    assert_eq!(page.get(&build), 1.0);
    // The separate address serves nothing else.
    assert_eq!([own.get("/healthz").await.status, own.get("/readyz").await.status], [200; 2]);
    for path in ["/", "/v1/streams", "/v1/openapi.json"] {
        own.get(path).await.expect_problem(404, "not_found");
    }
}

/// Samples that must rise, and by how much at least; histograms by their count.
const MOVED: [(&str, f64); 45] = [
    ("livesouk_frames_encoded_total", 3.0),
    ("livesouk_socket_writes_total", 3.0),
    ("livesouk_socket_written_bytes_total", 500.0),
    ("livesouk_broadcast_duration_seconds_count", 1.0),
    ("livesouk_broadcast_duration_seconds_sum", 0.000_001),
    ("livesouk_event_delivery_duration_seconds_count", 1.0),
    ("livesouk_event_delivery_duration_seconds_sum", 0.000_001),
    ("livesouk_room_joins_total{recovered=\"new\"}", 1.0),
    ("livesouk_room_joins_total{recovered=\"yes\"}", 1.0),
    ("livesouk_room_joins_total{recovered=\"no\"}", 1.0),
    ("livesouk_websocket_handshakes_total{result=\"admitted\"}", 5.0),
    ("livesouk_websocket_closes_total{reason=\"normal\"}", 1.0),
    ("livesouk_websocket_closes_total{reason=\"gone\"}", 1.0),
    ("livesouk_websocket_closes_total{reason=\"token\"}", 1.0),
    ("livesouk_websocket_closes_total{reason=\"replaced\"}", 1.0),
    ("livesouk_websocket_closes_total{reason=\"unsupported_data\"}", 1.0),
    ("livesouk_chat_messages_total{result=\"sent\"}", 5.0),
    ("livesouk_chat_messages_total{result=\"chat_budget\"}", 1.0),
    ("livesouk_purchases_total{result=\"held\"}", 4.0),
    ("livesouk_purchases_total{result=\"replayed\"}", 1.0),
    ("livesouk_purchases_total{result=\"buyer_limit\"}", 1.0),
    ("livesouk_purchases_total{result=\"sold_out_for_now\"}", 1.0),
    ("livesouk_purchase_duration_seconds_count", 6.0),
    ("livesouk_purchase_batch_size_sum", 6.0),
    ("livesouk_purchase_batch_duration_seconds_count", 5.0),
    ("livesouk_purchase_batch_duration_seconds_sum", 0.000_1),
    ("livesouk_order_batch_size_sum", 1.0),
    ("livesouk_offer_lock_wait_seconds_count", 5.0),
    ("livesouk_offer_lock_held_seconds_sum", 0.000_1),
    ("livesouk_holds_ended_total{reason=\"paid\"}", 1.0),
    ("livesouk_holds_ended_total{reason=\"buyer_cancel\"}", 1.0),
    ("livesouk_holds_ended_total{reason=\"hold_ended\"}", 1.0),
    ("livesouk_hold_duration_seconds_sum", 10.0),
    ("livesouk_hold_release_delay_seconds_count", 1.0),
    ("livesouk_payments_total{result=\"paid\"}", 1.0),
    ("livesouk_payments_total{result=\"declined\"}", 1.0),
    ("livesouk_refunds_total{result=\"refunded\"}", 1.0),
    ("livesouk_payment_provider_requests_total{result=\"done\"}", 4.0),
    ("livesouk_payment_provider_request_duration_seconds_count", 4.0),
    ("livesouk_webhooks_received_total{result=\"new\"}", 1.0),
    ("livesouk_outbox_delivery_delay_seconds_count", 1.0),
    ("livesouk_http_requests_total{status=\"2xx\"}", 5.0),
    ("livesouk_http_requests_total{status=\"4xx\"}", 1.0),
    ("livesouk_http_request_duration_seconds_sum", 0.000_1),
    ("process_cpu_seconds_total", 0.0),
];

#[tokio::test]
async fn every_mechanism_changes_its_metrics() {
    for store in ["postgres", "sqlite"] {
        let database = Database::migrated().await;
        let shop = match store {
            "postgres" => Shop::serve(&database.url(), &database.url()).await,
            _ => Shop::demo(&[]).await,
        };
        let before = Metrics::of(&shop.host).await;
        use_every_feature(&shop).await;
        let deadline = Instant::now() + SOON;
        let page = loop {
            let page = Metrics::of(&shop.host).await;
            let still: Vec<_> = MOVED.iter().filter(|(of, by)| page.get(of) - before.get(of) < *by).collect();
            if still.is_empty() {
                break page;
            }
            assert!(Instant::now() < deadline, "{store}: these metrics did not rise: {still:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(page.get("livesouk_rooms"), 1.0);
        assert_eq!(page.get("livesouk_outbox_events"), 0.0);
        assert_eq!(page.get("livesouk_purchases_pending"), 0.0);
        assert_eq!(page.get("livesouk_orders_opening"), 0.0);
        for name in ["offers", "holds", "outbox", "likes", "webhooks"] {
            let age = page.get(&format!("livesouk_background_job_last_success_age_seconds{{job_name=\"{name}\"}}"));
            assert!(age < 10.0, "{name} succeeded last {age} s ago");
        }
    }
}

/// Everything that a test can trigger in a healthy shop, once.
async fn use_every_feature(shop: &Shop) {
    let offer = shop.on_sale(3, json!({"per_buyer": 2, "hold_s": 10})).await;
    let path = format!("/v1/offers/{offer}/orders");
    let (ann, ben) = (shop.rest("Ann", "viewer"), shop.rest("Ben", "viewer"));

    // The hold that expires comes first, because it takes the longest.
    let first = key();
    ben.post_keyed(&path, &first, json!({"qty": 1})).await.expect(201);
    ben.post_keyed(&path, &first, json!({"qty": 1})).await.expect(200);
    let paid = id(&ann.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201));
    let cancelled = id(&ann.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201));
    ann.post_keyed(&path, &key(), json!({"qty": 1})).await.expect_problem(409, "buyer_limit");
    let stranger = shop.rest("Cem", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await;
    stranger.expect_problem(409, "sold_out_for_now");
    ann.post("/v1/orders", json!({"reservations": [paid]})).await.expect(200);
    let pay = |order: &str| format!("/v1/orders/{order}/pay");
    ann.post_keyed(&pay(&paid), &key(), json!({"token": "declined"})).await.expect_problem(402, "declined");
    ann.post_keyed(&pay(&paid), &key(), json!({"token": "ok"})).await.expect(200);
    ann.post_keyed(&format!("/v1/orders/{cancelled}/cancel"), &key(), json!({})).await.expect(200);
    let refund = format!("/v1/orders/{paid}/refund");
    shop.host.post_keyed(&refund, &key(), json!({"restock": false})).await.expect(200);
    shop.rest("Cem", "viewer").post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);

    // Chat until the rate limit refuses it.
    let mut dana = shop.live("Dana", "viewer").await;
    let mut refused = None;
    for n in 0..20 {
        refused = refused.or(dana.ask(json!({"do": "say", "text": format!("hi {n}")})).await.err());
    }
    assert_eq!(refused.expect("five in a burst")["code"], "chat_budget");

    // Resume from a known position, resume from an unknown epoch, and join with an invalid token.
    let join = |join: JoinOptions| Live::join(&shop.server.url, &shop.stream, join);
    let known =
        JoinOptions { position: Some(dana.position.clone()), session: Some("s".into()), ..JoinOptions::default() };
    let mut resumed = join(known.clone()).await.unwrap();
    let mut unknown = dana.position.clone();
    unknown.epoch = "nowhere".into();
    let lost = join(JoinOptions { position: Some(unknown), ..JoinOptions::default() }).await.unwrap();
    assert_eq!((&resumed.hello["recovered"], &lost.hello["recovered"]), (&json!(true), &json!(false)));
    let invalid = join(JoinOptions { token: Some("invalid".into()), ..JoinOptions::default() }).await.unwrap_err();
    assert_eq!(invalid.code, 4501);
    // A newer connection of the same session, a protocol error, a connection with a close frame, and one without.
    let newer = join(known).await.unwrap();
    assert_eq!(resumed.closed(SOON).await.code, 4509);
    dana.send(tokio_tungstenite::tungstenite::Message::binary(vec![1])).await;
    assert_eq!(dana.closed(SOON).await.code, 1003);
    lost.leave().await;
    drop(newer);
}

#[tokio::test]
async fn broker_failure_and_reconnect_are_visible_in_the_metrics() {
    let database = Database::migrated().await;
    let mut redis = Redis::start().await;
    let own = free_address();
    let server = Server::serve(&database.url(), KEY, &["--broker", &redis.url(), "--metrics-listen", &own]).await;
    let (own, host) = (Rest::new(&format!("http://{own}")), server.rest().with_token(&sign(KEY, "h", "host", 600)));
    let stream = id(&host.post("/v1/streams", json!({"title": "Show"})).await.expect(201));
    host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
    let mut live = Live::connect(&server.url, &stream, Some(&sign(KEY, "h", "host", 600))).await;
    live.ask(json!({"do": "say", "text": "hi"})).await.unwrap();
    live.event("chat message", SOON, |event| event["text"] == "hi").await;
    let page = Metrics::of(&own).await;
    assert_eq!([page.get("livesouk_broker_shards"), page.get("livesouk_broker_shards_up")], [1.0; 2]);
    assert_eq!([page.get("livesouk_broker_reconnects_total"), page.get("livesouk_broker_subscriptions")], [0.0, 1.0]);
    for moved in [
        "livesouk_broker_heartbeat_lag_seconds_count",
        "livesouk_broker_append_batch_size_sum",
        "livesouk_broker_batches_received_total",
    ] {
        assert!(page.get(moved) >= 1.0, "{moved}");
    }
    assert!(page.get("livesouk_broker_heartbeat_lag_seconds_sum") > 0.0);

    redis.freeze();
    let down = async || {
        let page = Metrics::of(&own).await;
        (page.get("livesouk_broker_shards_up") == 0.0 && page.get("livesouk_broker_reconnects_total") >= 1.0)
            .then_some(())
    };
    until_some("the failure of the broker", SOON, down).await;
    redis.thaw();
    let up = async || {
        let page = Metrics::of(&own).await;
        (page.get("livesouk_broker_shards_up") == 1.0
            && page.get("livesouk_broker_reconnect_duration_seconds_count") >= 1.0)
            .then_some(())
    };
    until_some("the reconnect to the broker", SOON, up).await;
}
