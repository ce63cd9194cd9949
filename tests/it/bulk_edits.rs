//! Bulk edits from outside: the grid and the stock take, on both databases.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::shop::{Shop, id, key};

const DEADLINE: Duration = Duration::from_secs(30);

/// A shop on each database.
async fn shops() -> Vec<(Shop, Option<Database>)> {
    let database = Database::migrated().await;
    let more = ["--payments", "test"];
    let on_postgres = Shop::serve_with(&database.url(), &database.url(), &more).await;
    vec![(Shop::demo(&[]).await, None), (on_postgres, Some(database))]
}

/// A product with one variant at the price 10.00.
async fn product(shop: &Shop, title: &str, stock: i64) -> Value {
    let code = format!("62{:011}", stock + title.len() as i64);
    let variant =
        json!({"name": "One", "price": 1_000, "stock": stock, "sku": format!("SKU-{title}"), "barcode": code});
    shop.host.post("/v1/products", json!({"title": title, "variants": [variant]})).await.expect(201)
}

async fn now(shop: &Shop, product: &Value) -> Value {
    shop.host.get(&format!("/v1/products/{}", id(product))).await.expect(200)
}

/// The values of the first variant.
async fn values(shop: &Shop, product: &Value) -> Value {
    let now = now(shop, product).await;
    json!([now["category"], now["variants"][0]["price"], now["variants"][0]["stock"]])
}

/// New values for the first variant of a product as it was read.
fn edit(product: &Value, values: &Value) -> Value {
    let variant = &product["variants"][0];
    let mut edited = json!({"variant": variant["id"]});
    if !values["price"].is_null() {
        edited["price"] = values["price"].clone();
    }
    if !values["stock"].is_null() {
        edited["stock"] = json!({"from": variant["stock"], "to": values["stock"]});
    }
    let mut row = json!({"product": product["id"], "version": product["version"], "variants": [edited]});
    if values.as_object().unwrap().contains_key("category") {
        row["category"] = values["category"].clone();
    }
    row
}

fn grid(rows: &str, products: Vec<Value>) -> Value {
    json!({"source": "grid", "rows": rows, "products": products})
}

/// A stock take of one variant.
fn count(variant: &Value, from: i64, to: i64) -> Value {
    let variants = json!([{"variant": variant["variant"], "stock": {"from": from, "to": to}}]);
    json!({"source": "stock_take", "rows": "good", "products": [{"product": variant["product"], "variants": variants}]})
}

async fn save(shop: &Shop, body: Value) -> Value {
    shop.host.post("/v1/bulk-edits", body).await.expect(200)
}

fn states(result: &Value) -> Vec<&str> {
    result["products"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect()
}

/// The codes of the problems of a product in an answer, with their rows and columns.
fn problems(result: &Value, at: usize) -> Value {
    let problems = result["products"][at]["problems"].as_array().unwrap();
    problems.iter().map(|one| json!([one["row"], one["column"], one["code"]])).collect()
}

async fn undo(shop: &Shop, import: &Value) -> Value {
    let path = format!("/v1/imports/{}", import.as_str().unwrap());
    shop.host.post(&format!("{path}/undo"), json!({})).await.expect(200);
    let began = Instant::now();
    loop {
        let now = shop.host.get(&path).await.expect(200);
        if now["status"] == "undone" {
            return now;
        }
        assert!(began.elapsed() < DEADLINE, "{now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn found(shop: &Shop, code: &str) -> Value {
    shop.host.get(&format!("/v1/variants?scan={code}")).await.expect(200)["items"].clone()
}

/// The reasons and units of the stock log, newest first.
async fn log(shop: &Shop, variant: &Value) -> Vec<Value> {
    let path = format!("/v1/variants/{}/stock-changes", variant.as_str().unwrap());
    let items = shop.host.get(&path).await.expect(200)["items"].clone();
    items.as_array().unwrap().iter().map(|one| json!([one["reason"], one["units"], one["stock"]])).collect()
}

#[tokio::test]
async fn bulk_edit_saves_all_or_the_good_products_and_says_what_became_of_each() {
    for (shop, _database) in shops().await {
        let (a, b, c) = (product(&shop, "A", 5).await, product(&shop, "B", 5).await, product(&shop, "C", 5).await);
        // Somebody else changes B meanwhile.
        let path = format!("/v1/products/{}", id(&b));
        let other = json!({"version": 1, "title": "B, long"});
        shop.host.send(Method::PATCH, &path, &[], Some(other)).await.expect(200);
        let edits = || {
            vec![
                edit(&a, &json!({"price": 1_250, "category": "Lamps"})),
                edit(&b, &json!({"price": 900})),
                edit(&c, &json!({"stock": 8})),
            ]
        };
        let refused = save(&shop, grid("all", edits())).await;
        assert_eq!((&refused["import"], states(&refused)), (&Value::Null, vec!["change", "refused", "change"]));
        assert_eq!(problems(&refused, 1), json!([[2, "", "outdated"]]));
        assert_eq!(refused["products"][1]["current"]["title"], "B, long", "the newer one is in the answer");
        for one in [&a, &b, &c] {
            assert_eq!(values(&shop, one).await, json!([null, 1_000, 5]), "nothing was saved");
        }

        let saved = save(&shop, grid("good", edits())).await;
        assert_eq!(states(&saved), ["changed", "refused", "changed"]);
        assert_eq!(values(&shop, &a).await, json!(["Lamps", 1_250, 5]));
        assert_eq!(values(&shop, &b).await, json!([null, 1_000, 5]));
        assert_eq!(values(&shop, &c).await, json!([null, 1_000, 8]));
        assert_eq!(saved["products"][0]["current"]["version"], 2, "the next edit needs no reload");
        assert_eq!(saved["products"][2]["current"]["version"], 1, "the stock is no new version");

        // It is in the logs of the stock and the team, and in the list of imports.
        assert_eq!(log(&shop, &c["variants"][0]["id"]).await[0], json!(["correction", 3, 8]));
        let entries = shop.rest("boss", "admin").get("/v1/shop/audit-log").await.expect(200)["items"].clone();
        let entry = entries.as_array().unwrap().iter().find(|one| one["kind"] == "bulk_edit").expect("an entry");
        assert_eq!((&entry["detail"], &entry["subject"]), (&json!("3"), &saved["import"]));
        let kept = shop.host.get(&format!("/v1/imports/{}", saved["import"].as_str().unwrap())).await.expect(200);
        assert_eq!(
            (&kept["source"], &kept["status"], &kept["counts"]["changed"]),
            (&json!("grid"), &json!("applied"), &json!(2))
        );
    }
}

#[tokio::test]
async fn bulk_edit_is_undone_as_a_whole_except_what_changed_since() {
    for (shop, _database) in shops().await {
        let (a, b, c) = (product(&shop, "A", 5).await, product(&shop, "B", 5).await, product(&shop, "C", 5).await);
        let edits = vec![
            edit(&a, &json!({"price": 1_250, "category": "Lamps", "stock": 9})),
            edit(&b, &json!({"price": 900})),
            edit(&c, &json!({"stock": 8})),
        ];
        let saved = save(&shop, grid("all", edits)).await;
        assert_eq!(states(&saved), ["changed", "changed", "changed"]);
        // B has another price since, and C another title: the change of C's stock is undone all the same.
        let again = save(&shop, grid("all", vec![edit(&now(&shop, &b).await, &json!({"price": 850}))])).await;
        assert_eq!(states(&again), ["changed"]);
        let other = json!({"version": 1, "title": "C, long"});
        shop.host.send(Method::PATCH, &format!("/v1/products/{}", id(&c)), &[], Some(other)).await.expect(200);

        let undone = undo(&shop, &saved["import"]).await;
        assert_eq!((&undone["counts"]["undone"], &undone["counts"]["kept"]), (&json!(2), &json!(1)));
        assert_eq!(values(&shop, &a).await, json!([null, 1_000, 5]));
        assert_eq!(values(&shop, &b).await, json!([null, 850, 5]));
        assert_eq!(values(&shop, &c).await, json!([null, 1_000, 5]));
        assert_eq!(now(&shop, &c).await["title"], "C, long");
        assert_eq!(log(&shop, &c["variants"][0]["id"]).await[0], json!(["correction", -3, 5]));
        // The later edit is still there to be undone.
        undo(&shop, &again["import"]).await;
        assert_eq!(values(&shop, &b).await, json!([null, 900, 5]));
    }
}

#[tokio::test]
async fn retried_bulk_edit_saves_once_and_its_key_is_for_one_edit() {
    for (shop, _database) in shops().await {
        let pot = product(&shop, "Pot", 5).await;
        let variant = found(&shop, "SKU-Pot").await[0].clone();
        let (key, body) = (key(), count(&variant, 5, 4));
        let first = shop.host.post_keyed("/v1/bulk-edits", &key, body.clone()).await.expect(200);
        let again = shop.host.post_keyed("/v1/bulk-edits", &key, body).await.expect(200);
        assert_eq!((&first["import"], states(&again)), (&again["import"], vec!["changed"]));
        assert_eq!(values(&shop, &pot).await[2], 4, "the difference was applied once");
        let other = shop.host.post_keyed("/v1/bulk-edits", &key, count(&variant, 5, 3)).await;
        other.expect_problem(422, "key_reused");
        // A key under which nothing was saved is free.
        let key = self::key();
        let stale = edit(&pot, &json!({"stock": 9}));
        let refused = shop.host.post_keyed("/v1/bulk-edits", &key, grid("all", vec![stale])).await.expect(200);
        assert_eq!(problems(&refused, 0), json!([[1, "stock", "stock_changed"]]));
        let fresh = edit(&now(&shop, &pot).await, &json!({"stock": 9}));
        let saved = shop.host.post_keyed("/v1/bulk-edits", &key, grid("all", vec![fresh])).await.expect(200);
        assert_eq!((states(&saved), values(&shop, &pot).await[2].as_i64()), (vec!["changed"], Some(9)));
        shop.host
            .send(Method::POST, "/v1/bulk-edits", &[], Some(count(&variant, 9, 8)))
            .await
            .expect_problem(400, "key_missing");
    }
}

/// Units that are held or sold are still in the shop until they are sent. What moves between the count and its end is not lost.
#[tokio::test]
async fn stock_take_applies_the_difference_and_keeps_what_was_sold_meanwhile() {
    for (shop, _database) in shops().await {
        let lamp = product(&shop, "Lamp", 10).await;
        let variant = lamp["variants"][0]["id"].clone();
        let form = json!({"variant": variant, "kind": "regular", "price": 1_000, "quantity": 4});
        let offer = id(&shop.host.post(&shop.path("offers"), form).await.expect(201));
        shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
        let code = lamp["variants"][0]["barcode"].as_str().unwrap();
        let at_count = found(&shop, code).await[0].clone();
        let places = |one: &Value| json!([one["stock"], one["in_offers"], one["to_send"], one["expected"]]);
        assert_eq!(places(&at_count), json!([6, 4, 0, 10]));

        // Nine are counted. Then two are sold and one is held, before the count is applied.
        let ann = shop.rest("ann", "viewer");
        let order = id(&ann.post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 2})).await.expect(201));
        ann.post(&format!("/v1/orders/{order}/pay"), json!({"token": "ok"})).await.expect(200);
        shop.rest("bob", "viewer").post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
        let saved = save(&shop, count(&at_count, 10, 9)).await;
        assert_eq!(states(&saved), ["changed"]);
        assert_eq!(places(&found(&shop, code).await[0]), json!([5, 1, 3, 9]), "one is missing, and nothing else");
        shop.assert_left(&offer, 1).await;
        assert_eq!(log(&shop, &variant).await[0], json!(["stock_take", -1, 5]));

        // What is sent is not expected any more.
        shop.host.put(&format!("/v1/orders/{order}/sent"), json!({})).await.expect(200);
        assert_eq!(places(&found(&shop, code).await[0]), json!([5, 1, 1, 7]));
        let undone = undo(&shop, &saved["import"]).await;
        assert_eq!(undone["counts"]["undone"], 1);
        assert_eq!(places(&found(&shop, code).await[0]), json!([6, 1, 1, 8]));
        assert_eq!(log(&shop, &variant).await[0], json!(["stock_take", 1, 6]));
    }
}

#[tokio::test]
async fn stock_never_falls_below_zero_by_a_count_or_by_its_undo() {
    for (shop, _database) in shops().await {
        let cup = product(&shop, "Cup", 2).await;
        let variant = found(&shop, "sku-cup").await[0].clone();
        let refused = save(&shop, count(&variant, 5, 2)).await;
        assert_eq!((&refused["import"], problems(&refused, 0)), (&Value::Null, json!([[1, "stock", "not_enough"]])));
        let saved = save(&shop, count(&variant, 2, 7)).await;
        assert_eq!(values(&shop, &cup).await[2], 7);
        // Four of the five that were found are in an offer now.
        let form = json!({"variant": variant["variant"], "kind": "regular", "price": 1_000, "quantity": 4});
        shop.host.post(&shop.path("offers"), form).await.expect(201);
        let kept = undo(&shop, &saved["import"]).await;
        assert_eq!((&kept["counts"]["kept"], values(&shop, &cup).await[2].as_i64()), (&json!(1), Some(3)));
        let path = format!("/v1/imports/{}/products", saved["import"].as_str().unwrap());
        assert_eq!(shop.host.get(&path).await.expect(200)["items"][0]["problems"][0]["code"], "not_enough");
    }
}

#[tokio::test]
async fn bulk_edit_has_limits_and_names_each_bad_row() {
    for (shop, _database) in shops().await {
        let variants: Vec<Value> =
            (0..500).map(|n| json!({"name": format!("V{n}"), "price": 1_000, "stock": n})).collect();
        let many = shop.host.post("/v1/products", json!({"title": "Many", "variants": variants})).await.expect(201);
        let rows = |price: i64| -> Vec<Value> {
            let row = |one: &Value| {
                let stock = json!({"from": one["stock"], "to": one["stock"].as_i64().unwrap() + 1});
                json!({"variant": one["id"], "price": price, "stock": stock})
            };
            many["variants"].as_array().unwrap().iter().map(row).collect()
        };
        let of = |variants: Vec<Value>| json!({"product": many["id"], "version": 1, "variants": variants});
        let pot = product(&shop, "Pot", 1).await;
        let too_many = grid("all", vec![of(rows(5)), edit(&pot, &json!({"price": 5}))]);
        shop.host.post("/v1/bulk-edits", too_many).await.expect_problem(400, "bad_request");
        let mut bad = rows(1_100);
        bad[7]["price"] = json!(-1);
        let refused = save(&shop, grid("good", vec![of(bad)])).await;
        assert_eq!((&refused["import"], problems(&refused, 0)), (&Value::Null, json!([[8, "price", "refused"]])));
        // Numbers as long as they may be: the request is larger than others may be.
        let began = Instant::now();
        let saved = save(&shop, grid("all", vec![of(rows(100_000_000_000))])).await;
        assert_eq!(states(&saved), ["changed"]);
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
        let last = now(&shop, &many).await["variants"][499].clone();
        assert_eq!((&last["price"], &last["stock"]), (&json!(100_000_000_000_i64), &json!(500)));
        let without_version =
            json!({"product": pot["id"], "variants": [{"variant": pot["variants"][0]["id"], "price": 5}]});
        shop.host.post("/v1/bulk-edits", grid("all", vec![without_version])).await.expect_problem(422, "invalid_value");
        let gone = json!({"product": "01890000-0000-7000-8000-000000000000", "version": 1, "category": "X"});
        let refused = save(&shop, grid("all", vec![gone])).await;
        assert_eq!(
            (problems(&refused, 0), &refused["products"][0]["current"]),
            (json!([[1, "", "gone"]]), &Value::Null)
        );
    }
}

/// Two people save the same row at once: one of them wins, and the other one sees a conflict.
#[tokio::test]
async fn concurrent_bulk_edits_of_one_version_have_one_winner() {
    for (shop, _database) in shops().await {
        let (a, b) = (product(&shop, "A", 5).await, product(&shop, "B", 5).await);
        let save_at = async |price: i64, products: [&Value; 2]| {
            let edits = products.map(|one| edit(one, &json!({"price": price, "stock": 6}))).to_vec();
            save(&shop, grid("all", edits)).await
        };
        let (first, second) = tokio::join!(save_at(1_100, [&a, &b]), save_at(1_200, [&b, &a]));
        let won: Vec<bool> = [&first, &second].map(|result| !result["import"].is_null()).to_vec();
        assert!(won == [true, false] || won == [false, true], "{first} {second}");
        let price = if won[0] { 1_100 } else { 1_200 };
        for one in [&a, &b] {
            assert_eq!(values(&shop, one).await, json!([null, price, 6]));
        }
    }
}

/// A wrong undo is as bad as a wrong edit: who made it may take it back, and admins.
#[tokio::test]
async fn bulk_edit_is_undone_by_its_maker_or_an_admin() {
    for (shop, _database) in shops().await {
        let pot = product(&shop, "Pot", 5).await;
        let producers = ["mona", "omar"].map(|name| shop.rest(name, "producer"));
        let save = async |price: i64| {
            let edits = grid("all", vec![edit(&now(&shop, &pot).await, &json!({"price": price}))]);
            let saved = producers[0].post("/v1/bulk-edits", edits).await.expect(200);
            format!("/v1/imports/{}", saved["import"].as_str().unwrap())
        };
        let first = save(1_100).await;
        for other in [&producers[1], &shop.host] {
            assert_eq!(other.get(&first).await.expect(200)["can_undo"], false);
            other.post(&format!("{first}/undo"), json!({})).await.expect_problem(403, "forbidden");
        }
        assert_eq!(values(&shop, &pot).await[1], 1_100, "nothing was undone");
        assert_eq!(producers[0].get(&first).await.expect(200)["can_undo"], true);
        producers[0].post(&format!("{first}/undo"), json!({})).await.expect(200);
        crate::support::until_some("the undo", DEADLINE, async || {
            (values(&shop, &pot).await[1] == 1_000).then_some(())
        })
        .await;
        let second = save(1_200).await;
        let boss = shop.rest("boss", "admin");
        assert_eq!(boss.get(&second).await.expect(200)["can_undo"], true);
        boss.post(&format!("{second}/undo"), json!({})).await.expect(200);
        crate::support::until_some("the undo", DEADLINE, async || {
            (values(&shop, &pot).await[1] == 1_000).then_some(())
        })
        .await;
    }
}

/// What was not scanned may be missing: the stock take can list what should be there, page by page.
#[tokio::test]
async fn variants_of_the_catalogue_are_listed_with_the_units_that_should_be_there() {
    for (shop, _database) in shops().await {
        let read = async |query: &str| {
            let (mut all, mut after, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let page = shop.host.get(&format!("/v1/variants?{query}{after}")).await.expect(200);
                all.extend(page["items"].as_array().unwrap().clone());
                pages += 1;
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => return (all, pages),
                }
            }
        };
        let before = read("limit=20").await.0.len();
        let mut made = Vec::new();
        for n in 0..25 {
            let variants =
                json!([{"name": "Small", "price": 5, "stock": n}, {"name": "Large", "price": 6, "stock": 0}]);
            let form = json!({"title": format!("Counted {n}"), "category": "Shelf", "variants": variants});
            made.push(shop.host.post("/v1/products", form).await.expect(201));
        }
        let archived = id(&made[24]);
        let path = format!("/v1/products/{archived}/archive");
        shop.host.post(&path, json!({"version": 1})).await.expect(200);
        let (all, pages) = read("limit=100").await;
        assert_eq!((all.len() - before, pages), (48, 2), "a page has at most 20 products");
        assert!(all.iter().all(|one| one["product"] != archived.as_str()), "an archived product is not counted");
        let mut ids: Vec<&str> = all.iter().map(|one| one["variant"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all.len(), "each once");
        let (shelf, _) = read("search=shelf&limit=7").await;
        assert_eq!(shelf.iter().map(|one| one["expected"].as_i64().unwrap()).sum::<i64>(), (0..24).sum::<i64>());
        shop.host.get(&format!("/v1/variants?search={}", "x".repeat(200))).await.expect_problem(400, "bad_request");
    }
}
