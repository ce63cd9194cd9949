//! Shows that change: corrected on air, cancelled, and copied, as viewers and hosts see them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::nodes::fixture::Nodes;
use crate::support::SOON;
use crate::support::rest::RestResponse;
use crate::support::shop::{Shop, id, key, now_ms};
use crate::support::socket::Live;

/// The promise is two seconds; the rest is for a busy test machine.
const SHOWN_WITHIN: Duration = Duration::from_millis(2_500);

async fn change(shop: &Shop, stream: &str, form: Value) -> RestResponse {
    shop.host.send(Method::PATCH, &format!("/v1/streams/{stream}"), &[], Some(form)).await
}

async fn scheduled(shop: &Shop) -> String {
    let form = json!({"title": "Tomorrow", "scheduled_at": now_ms() + 86_400_000, "tags": ["bags"]});
    id(&shop.host.post("/v1/streams", form).await.expect(201))
}

#[tokio::test]
async fn new_video_address_on_air_reaches_viewers_of_every_node_within_two_seconds() {
    let nodes = Nodes::open().await;
    let stream = nodes.one.stream.clone();
    let mut far = Live::connect(&nodes.two.server.url, &stream, None).await;
    // A pin raises the version of the row, and not that of the show: the form of the host remains valid.
    let offer = nodes.one.on_sale(1, json!({})).await;
    nodes.one.host.put(&nodes.one.path("pin"), json!({"offer": offer})).await.expect(200);
    let form = json!({"version": 1, "video": "https://cdn.example/two.m3u8", "title": "Late evening"});
    let changed = change(&nodes.one, &stream, form).await.expect(200);
    assert_eq!((&changed["version"], &changed["video"]), (&json!(2), &json!("https://cdn.example/two.m3u8")));
    far.until_state("the new video", SHOWN_WITHIN, |state| {
        (&state["stream"]["video"], &state["stream"]["title"])
            == (&json!("https://cdn.example/two.m3u8"), &json!("Late evening"))
    })
    .await;
    let late = change(&nodes.two, &stream, json!({"version": 1, "title": "X"})).await.expect_problem(409, "outdated");
    assert_eq!((&late["current"]["version"], &late["current"]["title"]), (&json!(2), &json!("Late evening")));
    let moved = json!({"version": 2, "scheduled_at": now_ms() + 86_400_000});
    change(&nodes.one, &stream, moved).await.expect_problem(409, "wrong_status");
}

#[tokio::test]
async fn cancelled_show_says_so_and_gives_its_units_back() {
    let shop = Shop::demo(&[]).await;
    let stream = scheduled(&shop).await;
    let variant = shop.variant(10).await;
    let offers = format!("/v1/streams/{stream}/offers");
    let sell = json!({"variant": variant, "kind": "regular", "price": 500, "quantity": 4});
    let offer = id(&shop.host.post(&offers, sell.clone()).await.expect(201));
    let mut viewer = Live::connect(&shop.server.url, &stream, None).await;
    let cancelled = shop.host.post(&format!("/v1/streams/{stream}/cancel"), json!({})).await.expect(200);
    assert_eq!(cancelled["status"], "ended");
    viewer.until_state("the end", SOON, |state| state["stream"]["cancelled_at"].is_i64()).await;
    assert_eq!(shop.offer(&offer).await["status"], "closed");
    let log = shop.host.get(&format!("/v1/variants/{variant}/stock-changes")).await.expect(200);
    assert_eq!(log["items"][0]["stock"], 10, "the units are back");
    let again = shop.host.post(&format!("/v1/streams/{stream}/cancel"), json!({})).await.expect(200);
    assert_eq!(again["cancelled_at"], cancelled["cancelled_at"]);
    shop.server.rest().get(&format!("/v1/streams/{stream}")).await.expect(200);
    shop.host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect_problem(409, "stream_ended");
    shop.host.post(&offers, sell).await.expect_problem(409, "stream_ended");
    shop.host.post(&shop.path("cancel"), json!({})).await.expect_problem(409, "wrong_status");
}

#[tokio::test]
async fn copied_show_has_the_line_up_with_units_from_the_stock() {
    let shop = Shop::demo(&[]).await;
    let source = scheduled(&shop).await;
    let (plenty, scarce) = (shop.variant(10).await, shop.variant(4).await);
    for variant in [&plenty, &scarce] {
        let sell = json!({"variant": variant, "kind": "flash", "price": 500, "quantity": 4, "countdown_s": 20});
        shop.host.post(&format!("/v1/streams/{source}/offers"), sell).await.expect(201);
    }
    let at = now_ms() + 7 * 86_400_000;
    let (path, once) = (format!("/v1/streams/{source}/copies"), key());
    let copied = shop.host.post_keyed(&path, &once, json!({"scheduled_at": at})).await.expect(201);
    assert_eq!((&copied["copied"], &copied["skipped"]), (&json!(1), &json!(1)), "nothing is left of the scarce one");
    let copy = &copied["stream"];
    assert_eq!(
        (&copy["title"], &copy["tags"], &copy["scheduled_at"]),
        (&json!("Tomorrow"), &json!(["bags"]), &json!(at))
    );
    let again = shop.host.post_keyed(&path, &once, json!({"scheduled_at": at})).await.expect(201);
    assert_eq!(again["stream"]["id"], copy["id"]);
    let lineup = shop.host.get(&format!("/v1/streams/{}/offers", id(copy))).await.expect(200);
    let offer = &lineup["items"][0];
    assert_eq!(lineup["items"].as_array().map(Vec::len), Some(1));
    let terms = (&offer["status"], &offer["quantity"], &offer["countdown_s"], &offer["variant"]);
    assert_eq!(terms, (&json!("draft"), &json!(4), &json!(20), &json!(plenty)));
    let moved = change(&shop, &id(copy), json!({"version": 1, "scheduled_at": at + 3_600_000})).await.expect(200);
    assert_eq!(moved["scheduled_at"], at + 3_600_000);
}

#[tokio::test]
async fn weekly_series_begins_at_the_same_time_of_day_of_the_shop() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let zone = Some(json!({"time_zone": "Europe/London"}));
    admin.send(Method::PATCH, "/v1/shop/settings", &[], zone).await.expect(200);
    let (path, once) = (shop.path("series"), key());
    // The clocks of London go forward on 31 March 2030.
    let form = json!({"first": "2030-03-28T20:00", "count": 2});
    let made = shop.host.post_keyed(&path, &once, form.clone()).await.expect(201);
    let starts: Vec<_> = made["items"].as_array().unwrap().iter().map(|show| show["scheduled_at"].clone()).collect();
    assert_eq!(starts, [json!(1_900_958_400_000_i64), json!(1_901_559_600_000_i64)], "20:00 and 19:00 UTC");
    assert_eq!(shop.host.post_keyed(&path, &once, form).await.expect(201)["items"][1]["id"], made["items"][1]["id"]);
    let wrong = json!({"first": "tomorrow", "count": 2});
    assert_eq!(shop.host.post(&path, wrong).await.expect_problem(422, "invalid_value")["field"], "first");
}

#[tokio::test]
async fn show_is_found_by_its_words_and_by_what_is_like_them() {
    let shop = Shop::demo(&[]).await;
    let form = json!({"title": "Copper evening", "titles": {"ar": "مساء النحاس"}, "tags": ["kettles"]});
    let show = id(&shop.host.post("/v1/streams", form).await.expect(201));
    shop.host.post("/v1/streams", json!({"title": "Silk morning"})).await.expect(201);
    let found = async |search: &str| {
        let query = reqwest::Url::parse_with_params("http://x/v1/streams?limit=9", [("search", search)]).unwrap();
        let list = shop.server.rest().get(&format!("{}?{}", query.path(), query.query().unwrap())).await.expect(200);
        list["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // What a search compares is some seconds old at most.
    let arrives = async || (found("copper").await == [show.clone()]).then_some(());
    crate::support::until_some("the new show", SOON, arrives).await;
    for (search, is_there) in [
        ("COPPER kettle", true),
        ("coper", true),
        ("النحاس", true),
        ("copper silk", false),
        ("nothing of the kind", false),
    ] {
        assert_eq!(found(search).await, if is_there { vec![show.clone()] } else { vec![] }, "{search}");
    }
    let list = async |query: &str| shop.server.rest().get(&format!("/v1/streams?{query}")).await;
    assert_eq!(list("search=copper&status=live").await.expect(200)["items"], json!([]));
    assert_eq!(list("search=copper&status=scheduled").await.expect(200)["items"][0]["id"], json!(show));
    list(&format!("search={}", "x".repeat(121))).await.expect_problem(400, "bad_request");
}
