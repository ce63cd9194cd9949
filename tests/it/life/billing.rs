//! Invoices and credit notes from the payment to the bookkeeping: for the buyer, for the team, and by the link of a guest's order.

use livesouk::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::{hold, pay};
use crate::support::rest::Rest;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

async fn change(shop: &Shop, settings: Value) {
    shop.rest("Root", "admin").send(Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
}

/// The documents of an order, once there are so many.
async fn documents(rest: &Rest, order: &str, count: usize) -> Vec<Value> {
    until_some("the documents", SOON, async || {
        let found = rest.get(&format!("/v1/orders/{order}/documents")).await.expect(200);
        let items = found["items"].as_array().unwrap().clone();
        (items.len() == count).then_some(items)
    })
    .await
}

/// An order of Ann with 3 units for 30.00, delivery 5.00, both with 15 % tax in them. Gives its id.
async fn paid_order(shop: &Shop) -> String {
    let offer = shop.on_sale(3, json!({"per_buyer": 3})).await;
    let mut live = shop.live("Ann", "viewer").await;
    let order = id(&hold(&mut live, &offer, 3).await);
    let ann = shop.rest("Ann", "viewer");
    let home = json!({"name": "Ann Example", "lines": ["12 King Fahd Rd"], "city": "Riyadh", "country": "SA",
        "phone": "+966500000000"});
    ann.put(&format!("/v1/orders/{order}/address"), home).await.expect(200);
    let quote = ann.get(&format!("/v1/orders/{order}")).await.expect(200)["quote"].clone();
    let mut with = pay(&order, "ok", &key());
    with["quote_version"] = quote["version"].clone();
    live.ask(with).await.unwrap();
    order
}

const CHARGES: &str =
    r#"{"tax_bp": 1500, "tax_included": true, "delivery_fee": 500, "country": "SA", "time_zone": "Asia/Riyadh"}"#;

fn year() -> String {
    let now = Clock::system().now();
    livesouk::domain::Issuer { time_zone: "Asia/Riyadh".into(), ..Default::default() }.year_of(now).to_string()
}

#[tokio::test]
async fn payment_gets_an_invoice_and_each_refund_a_credit_note() {
    let shop = Shop::demo(&[]).await;
    change(&shop, serde_json::from_str(CHARGES).unwrap()).await;
    change(
        &shop,
        json!({"legal_name": "Souk LLC", "legal_address": ["1 Olaya St", "Riyadh"], "vat_number": "300000000000003"}),
    )
    .await;
    let order = paid_order(&shop).await;
    let ann = shop.rest("Ann", "viewer");
    let made = documents(&ann, &order, 1).await;
    let invoice = &made[0];
    assert_eq!((&invoice["kind"], &invoice["number"]), (&json!("invoice"), &json!(format!("INV-{}-00001", year()))));
    assert_eq!(
        (&invoice["seller"]["name"], &invoice["seller"]["vat_number"]),
        (&json!("Souk LLC"), &json!("300000000000003"))
    );
    assert_eq!((&invoice["buyer"]["name"], &invoice["buyer"]["phone"]), (&json!("Ann Example"), &Value::Null));
    assert_eq!(invoice["taxes"], json!([{"tax_bp": 1500, "net": 3_044, "tax": 456, "gross": 3_500}]));
    assert_eq!(
        (&invoice["total"], &invoice["delivery"], &invoice["lines"][0]["tax"]),
        (&json!(3_500), &json!(500), &json!(391))
    );

    // Whatever the shop becomes, the invoice stays.
    change(&shop, json!({"vat_number": "", "legal_name": "Other", "tax_bp": 500, "delivery_fee": 0})).await;
    assert_eq!(documents(&ann, &order, 1).await, made);

    let refunds = format!("/v1/orders/{order}/refunds");
    let unit = json!({"lines": [{"reservation": order, "quantity": 1}], "restock": true});
    shop.host.post_keyed(&refunds, &key(), unit).await.expect(200);
    shop.host.post_keyed(&format!("/v1/orders/{order}/refund"), &key(), json!({"restock": true})).await.expect(200);
    let all = documents(&shop.host, &order, 3).await;
    let [_, first, rest] = &all[..] else { unreachable!() };
    assert_eq!((&first["kind"], &first["invoice_number"]), (&json!("credit_note"), &invoice["number"]));
    assert_eq!((&first["total"], &first["lines"][0]["qty"], &first["tax"]), (&json!(1_000), &json!(1), &json!(130)));
    assert_eq!((&rest["total"], &rest["delivery"], &rest["tax"]), (&json!(2_500), &json!(500), &json!(456 - 130)));
    assert_eq!(first["seller"]["name"], "Other", "who gives it back says who they are now");
    assert_eq!(shop.host.get(&format!("/v1/shop/orders/{order}")).await.expect(200)["documents"], json!(all));

    // The bookkeeping: the newest first, and a file in which credit notes are less than 0.
    let list = shop.host.get("/v1/shop/documents?limit=2").await.expect(200);
    assert_eq!(list["items"], json!([listed(rest), listed(first)]));
    let next = list["next"].as_str().unwrap();
    assert_eq!(
        shop.host.get(&format!("/v1/shop/documents?after={next}")).await.expect(200)["items"],
        json!([listed(&made[0])])
    );
    let notes = shop.host.get("/v1/shop/documents?document_kind=credit_note").await.expect(200);
    assert_eq!(notes["items"].as_array().unwrap().len(), 2);
    let file = shop.host.get("/v1/shop/documents/documents.csv").await.expect(200);
    let rows: Vec<&str> = file.as_str().unwrap().trim().lines().collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows[1].contains("-2500") && rows[3].contains("3500"), "{rows:?}");
    shop.host.get("/v1/shop/documents/other.csv").await.expect_problem(400, "bad_request");

    // Their own file has them, and others do not see them.
    let own = ann.get("/v1/me/data").await.expect(200);
    assert!(own.to_string().contains("INV-"), "{own}");
    shop.rest("Ben", "viewer").get(&format!("/v1/orders/{order}/documents")).await.expect_problem(404, "not_yours");
    let erased = ann.send(Method::DELETE, "/v1/me", &[], None).await.expect(200);
    assert!(
        erased["kept"].as_array().unwrap().iter().any(|kept| kept["what"] == "invoices" && kept["count"] == 3),
        "{erased}"
    );
    assert_eq!(documents(&shop.host, &order, 3).await, all);
}

#[tokio::test]
async fn order_without_a_vat_number_gets_an_invoice_and_its_link_hides_the_buyer() {
    let shop = Shop::demo(&[]).await;
    let order = paid_order(&shop).await;
    let ann = shop.rest("Ann", "viewer");
    let made = documents(&ann, &order, 1).await;
    assert_eq!((&made[0]["seller"]["vat_number"], &made[0]["tax"]), (&Value::Null, &json!(0)));
    assert!(!made[0]["seller"]["name"].as_str().unwrap().is_empty());
    let link = ann.post(&format!("/v1/orders/{order}/link"), json!({})).await.expect(201);
    let found =
        shop.server.rest().post("/v1/order-links/documents", json!({"secret": link["secret"]})).await.expect(200);
    assert_eq!((&found["items"][0]["number"], &found["items"][0]["buyer"]), (&made[0]["number"], &Value::Null));
    let unknown = json!({"secret": "0".repeat(64)});
    shop.server.rest().post("/v1/order-links/documents", unknown).await.expect_problem(404, "not_yours");
}

/// A document as the list has it: the address of the buyer is read at its order.
fn listed(document: &Value) -> Value {
    let mut document = document.clone();
    let (name, country) = (document["buyer"]["name"].clone(), document["buyer"]["country"].clone());
    document["buyer"] =
        json!({"name": name, "lines": [], "city": null, "region": null, "postcode": null, "country": country});
    document
}
