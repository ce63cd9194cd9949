//! The market of the shop: orders go only to the countries to which it delivers, and nothing is charged for any other.

use reqwest::Method;
use serde_json::{Value, json};

use super::{hold, order_frame, pay};
use crate::support::shop::{Shop, id, key};

fn home(country: &str) -> Value {
    json!({"name": "Ann Example", "lines": ["12 Main Street"], "city": "Town", "country": country})
}

async fn deliver_to(shop: &Shop, countries: Value) -> Value {
    let admin = shop.rest("Root", "admin");
    let form = json!({"market": {"countries": countries}});
    admin.send(Method::PATCH, "/v1/shop/settings", &[], Some(form)).await.expect(200)
}

fn assert_not_served(problem: &Value, countries: Value) {
    assert_eq!((&problem["field"], &problem["countries"]), (&json!("country"), &countries), "{problem}");
}

#[tokio::test]
async fn shop_delivers_everywhere_until_somebody_sets_its_market() {
    let shop = Shop::demo(&[]).await;
    let (public, admin) = (shop.server.rest(), shop.rest("Root", "admin"));
    let everywhere = json!({"countries": []});
    assert_eq!(public.get("/v1/shop").await.expect(200)["market"], everywhere);
    assert_eq!(admin.get("/v1/shop/settings").await.expect(200)["market"], everywhere);
    let set = deliver_to(&shop, json!(["SA", "AE", "SA"])).await;
    assert_eq!(set["market"], json!({"countries": ["AE", "SA"]}));
    assert_eq!(public.get("/v1/shop").await.expect(200)["market"], set["market"]);
    let log = admin.get("/v1/audit-log").await.expect(200);
    assert_eq!((&log["items"][0]["kind"], log["items"].as_array().unwrap().len()), (&json!("change_settings"), 1));

    let patch = async |market: Value| {
        let form = Some(json!({ "market": market, "title": "Other" }));
        admin.send(Method::PATCH, "/v1/shop/settings", &[], form).await
    };
    for bad in [json!(["SA", "XX"]), json!(["sa"]), json!(["Saudi Arabia"]), json!(vec!["SA"; 250])] {
        let refused = patch(json!({ "countries": bad })).await.expect_problem(422, "invalid_value");
        assert_eq!(refused["field"], "market.countries");
    }
    patch(json!({"countries": "SA"})).await.expect_problem(400, "bad_request");
    let kept = admin.get("/v1/shop/settings").await.expect(200);
    assert_eq!((&kept["market"], &kept["title"]), (&set["market"], &set["title"]), "a refused form changes nothing");
    assert_eq!(patch(json!({})).await.expect(200)["market"], set["market"], "what is left out stays");
    assert_eq!(deliver_to(&shop, Value::Null).await["market"], everywhere);
}

#[tokio::test]
async fn address_outside_the_market_is_refused_by_every_route() {
    let shop = Shop::demo(&[]).await;
    deliver_to(&shop, json!(["SA", "AE"])).await;
    let offer = shop.on_sale(5, json!({})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let order = format!("/v1/orders/{}", id(&hold(&mut live, &offer, 1).await));
    let address = format!("{order}/address");
    ann.put(&address, home("ae")).await.expect(200);
    for country in ["DE", "XX"] {
        let refused = ann.put(&address, home(country)).await.expect_problem(422, "country_not_served");
        assert_not_served(&refused, json!(["AE", "SA"]));
        let refused = ann.put(&order, json!({"address": home(country)})).await;
        assert_not_served(&refused.expect_problem(422, "country_not_served"), json!(["AE", "SA"]));
    }
    assert_eq!(ann.get(&address).await.expect(200)["country"], "AE", "a refused address changes nothing");
    // What a person keeps for the next purchase is no order: it may be anywhere.
    ann.put("/v1/me/address", home("DE")).await.expect(200);
    ann.post_keyed(&format!("{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
}

#[tokio::test]
async fn order_whose_country_is_not_served_any_more_says_so_before_money_moves() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"per_buyer": 5})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let held = hold(&mut live, &offer, 1).await;
    let path = format!("/v1/orders/{}", id(&held));
    ann.put(&format!("{path}/address"), home("DE")).await.expect(200);
    assert_eq!(ann.get(&path).await.expect(200).get("delivery_problem"), None);

    let cash = json!({"manual_payments": {"cash_on_delivery": true}, "market": {"countries": ["SA"]}});
    let admin = shop.rest("Root", "admin");
    admin.send(Method::PATCH, "/v1/shop/settings", &[], Some(cash)).await.expect(200);
    assert_eq!(ann.get(&path).await.expect(200)["delivery_problem"], "country_not_served");
    let together = ann.post("/v1/orders", json!({"reservations": [id(&held)]})).await.expect(200);
    assert_eq!(together["delivery_problem"], "country_not_served");
    // Nothing is agreed yet: the address cannot be set again, as that of a paid order can.
    ann.put(&format!("{path}/address"), home("DE")).await.expect_problem(422, "country_not_served");
    for form in [json!({"token": "ok"}), json!({"method": "cash_on_delivery"})] {
        let refused = ann.post_keyed(&format!("{path}/pay"), &key(), form).await;
        assert_not_served(&refused.expect_problem(422, "country_not_served"), json!(["SA"]));
    }
    let refused = live.ask(pay(&id(&held), "ok", &key())).await.unwrap_err();
    assert_eq!(refused["code"], "country_not_served");
    assert_not_served(&refused, json!(["SA"]));
    let asked = "select (select count(*) from payments) + (select count(*) from test_intents)";
    assert_eq!(shop.number(asked).await, 0, "nothing was asked of the provider");
    assert_eq!(ann.get(&path).await.expect(200)["status"], "held");

    ann.put(&format!("{path}/address"), home("SA")).await.expect(200);
    assert_eq!(ann.get(&path).await.expect(200).get("delivery_problem"), None);
    live.ask(pay(&id(&held), "ok", &key())).await.unwrap();
    shop.assert_audited().await;
}

#[tokio::test]
async fn paid_order_keeps_its_country_whatever_the_market_becomes() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({"per_buyer": 5})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let ann = shop.rest("Ann", "viewer");
    let address = |order: &Value| format!("/v1/orders/{}/address", id(order));
    let (paid, at_bank) = (hold(&mut live, &offer, 1).await, hold(&mut live, &offer, 1).await);
    for order in [&paid, &at_bank] {
        ann.put(&address(order), home("DE")).await.expect(200);
    }
    let (with, bank_key) = (key(), key());
    live.ask(pay(&id(&paid), "ok", &with)).await.unwrap();
    let needs = live.ask(pay(&id(&at_bank), "needs_action", &bank_key)).await.unwrap_err();
    deliver_to(&shop, json!(["SA"])).await;

    // A mistake in the address of a paid order can be corrected; it does not move to another country that is not served.
    let mut corrected = home("DE");
    corrected["city"] = json!("Berlin");
    assert_eq!(ann.put(&address(&paid), corrected).await.expect(200)["city"], "Berlin");
    ann.put(&address(&paid), home("FR")).await.expect_problem(422, "country_not_served");
    assert_eq!(ann.get(&address(&paid)).await.expect(200)["country"], "DE");
    assert_eq!(live.ask(pay(&id(&paid), "ok", &with)).await.unwrap()["replayed"], true);
    // A payment that the bank asks about goes on, and is paid.
    live.ask(pay(&id(&at_bank), "needs_action", &bank_key)).await.unwrap_err();
    let action = needs["action_url"].as_str().unwrap();
    shop.server.rest().post(action, json!({"approve": true})).await.expect(200);
    order_frame(&mut live, &at_bank, "paid").await;
    ann.put(&address(&paid), home("SA")).await.expect(200);
    shop.assert_audited().await;
}
