//! Documents that take long to make are made once: compressed, with an ETag, and 304 for those who have them.

use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, IF_NONE_MATCH};

use crate::support::metrics::Metrics;
use crate::support::shop::Shop;

#[tokio::test]
async fn dear_documents_are_compressed_and_not_sent_again() {
    let shop = Shop::demo(&[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/v1/openapi.json".to_owned(), "/v1/asyncapi.json".to_owned(), shop.path("qr.svg"), "/docs".to_owned()]
    {
        let url = format!("{}{path}", shop.server.url);
        let plain = client.get(&url).send().await.unwrap();
        assert_eq!(plain.headers().get(CONTENT_ENCODING), None, "{path}");
        let small = client.get(&url).header(ACCEPT_ENCODING, "gzip").send().await.unwrap();
        assert_eq!(small.headers()[CONTENT_ENCODING], "gzip", "{path}");
        let tag = small.headers()[ETAG].clone();
        let (plain, small) = (plain.bytes().await.unwrap(), small.bytes().await.unwrap());
        assert!(small.len() * 2 < plain.len(), "{path}: {} of {}", small.len(), plain.len());
        let again = client.get(&url).header(ACCEPT_ENCODING, "gzip").header(IF_NONE_MATCH, tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), again.content_length().unwrap_or(0)), (304, 0), "{path}");
    }
}

/// In processor time of the server, which does not depend on what else the machine does. To serialize the OpenAPI document
/// anew would take many times as long as a small answer.
#[tokio::test]
async fn api_document_costs_little_more_than_a_health_check() {
    let shop = Shop::demo(&[]).await;
    let cost = async |path: &str| {
        let before = Metrics::of(&shop.host).await.get("process_cpu_seconds_total");
        for _ in 0..300 {
            assert!(shop.server.rest().get(path).await.is_success());
        }
        Metrics::of(&shop.host).await.get("process_cpu_seconds_total") - before
    };
    cost("/v1/openapi.json").await;
    let (health, document) = (cost("/healthz").await, cost("/v1/openapi.json").await);
    assert!(document < 0.15 + 4.0 * health, "300 documents took {document} s, 300 health checks {health} s");
}

/// A client that invents hosts cannot make the server draw a code for each of them.
#[tokio::test]
async fn codes_for_invented_hosts_are_drawn_at_a_limited_rate() {
    let shop = Shop::demo(&[]).await;
    let path = shop.path("qr.svg");
    let mut refused = 0;
    for number in 0..200 {
        // A demo answers to every IP address, because no name leads there.
        let host = format!("10.0.0.{number}");
        let answer = shop.server.rest().send(reqwest::Method::GET, &path, &[("host", &host)], None).await;
        if answer.status == 503 {
            refused += 1;
            answer.expect_problem(503, "busy");
        }
    }
    assert!(refused > 50, "{refused} of 200 were refused");
    // The code that everybody asks for is kept.
    let own = async || shop.server.rest().get(&path).await;
    crate::support::until_some("the code", crate::support::SOON, async || own().await.is_success().then_some(())).await;
    for _ in 0..100 {
        own().await.expect(200);
    }
}

/// A route that needs no token must not be added before its cost is measured.
#[tokio::test]
async fn cost_of_every_anonymous_route_is_in_the_benchmarks() {
    let shop = Shop::demo(&[]).await;
    let anonymous = shop.server.rest();
    let document = anonymous.get("/v1/openapi.json").await.expect(200);
    let described = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item["get"].is_object());
    let mut routes: Vec<String> = described.map(|(path, _)| path.clone()).collect();
    let root = env!("CARGO_MANIFEST_DIR");
    let router = std::fs::read_to_string(format!("{root}/src/http/mod.rs")).unwrap();
    routes.extend(router.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    assert!(routes.len() > 30 && routes.iter().any(|route| route == "/healthz"), "{routes:?}");
    let page = std::fs::read_to_string(format!("{root}/docs/benchmarks.md")).unwrap();
    let offer = shop.server.started["offers"][0]["id"].as_str().unwrap();
    for route in routes {
        let path = route.replace("{stream}", &shop.stream).replace("{offer}", offer).replace("{*path}", "watch.js");
        let path = path
            .split('/')
            .map(|part| if part.starts_with('{') { "0190a0a0-0000-7000-8000-000000000000" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        let is_open = anonymous.get(&path).await.status != 401;
        let is_listed = page.contains(&format!("| `GET {route}` |"));
        assert_eq!(is_open, is_listed, "{route}: open to anybody, listed in docs/benchmarks.md");
    }
}
