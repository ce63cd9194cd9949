//! Imports of the catalogue and its export, from outside.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Client;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::support::postgres::Database;
use crate::support::shop::Shop;

const DEADLINE: Duration = Duration::from_secs(30);

async fn upload(shop: &Shop, file: &[u8], query: &str) -> (u16, Value) {
    let url = format!("{}/v1/imports?file_name=list.csv{query}", shop.server.url);
    let token = format!("Bearer {}", shop.token("producer", "producer"));
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.post(url).header(AUTHORIZATION, token).body(file.to_vec()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

/// Waits until no node works on the import any more.
async fn settled(shop: &Shop, path: &str) -> Value {
    let began = Instant::now();
    loop {
        let import = shop.host.get(path).await.expect(200);
        let status = import["status"].as_str().unwrap();
        if !["receiving", "checking", "applying", "fetching", "undoing"].contains(&status) {
            return import;
        }
        assert!(began.elapsed() < DEADLINE, "{import}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Uploads a file and waits for its check. Gives the path of the import, and the import.
async fn checked(shop: &Shop, file: &[u8], query: &str) -> (String, Value) {
    let (status, import) = upload(shop, file, query).await;
    assert_eq!(status, 201, "{import}");
    let path = format!("/v1/imports/{}", import["id"].as_str().unwrap());
    let import = settled(shop, &path).await;
    (path, import)
}

async fn apply(shop: &Shop, path: &str, rows: &str) -> Value {
    shop.host.post(&format!("{path}/apply"), json!({"rows": rows})).await.expect(200);
    settled(shop, path).await
}

async fn export(shop: &Shop, file: &str) -> Vec<u8> {
    let url = format!("{}/v1/catalogue/{file}", shop.server.url);
    let token = format!("Bearer {}", shop.token("producer", "producer"));
    let client = Client::builder().no_proxy().build().unwrap();
    client.get(url).header(AUTHORIZATION, token).send().await.unwrap().bytes().await.unwrap().to_vec()
}

/// A shop without products.
async fn empty_shop() -> (Shop, Database) {
    let database = Database::migrated().await;
    let shop = Shop::serve_with(&database.url(), &database.url(), &[]).await;
    (shop, database)
}

const LIST: &str = "Handle,Title,Body (HTML),Type,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Inventory Qty,Image Src,Image Alt Text,Status\r\n\
    mug,Mug,<p>Warm &amp; <b>red</b></p>,Kitchen,Size,S,MUG-S,12.50,5,https://127.0.0.1:9/1.jpg,A mug,active\r\n\
    mug,,,,,M,MUG-M,13,,https://127.0.0.1:9/2.jpg,,\r\n\
    pot,Pot,,,Title,Default Title,POT,\"1,200.00\",2,,,active\r\n";

#[tokio::test]
async fn checked_file_changes_nothing_until_it_is_applied_and_the_same_file_changes_nothing() {
    let (shop, _database) = empty_shop().await;
    let (path, import) = checked(&shop, LIST.as_bytes(), "").await;
    assert_eq!(
        (&import["status"], &import["kind"], &import["encoding"]),
        (&json!("ready"), &json!("shopify"), &json!("UTF-8"))
    );
    assert_eq!((&import["counts"]["create"], &import["rows"]), (&json!(2), &json!(4)));
    assert_eq!(shop.host.get("/v1/products").await.expect(200)["items"], json!([]), "nothing is changed by the check");
    let done = apply(&shop, &path, "all").await;
    assert_eq!((&done["status"], &done["counts"]["created"]), (&json!("applied"), &json!(2)), "{done}");
    let products = shop.host.get("/v1/products").await.expect(200)["items"].clone();
    let mug = products.as_array().unwrap().iter().find(|product| product["title"] == "Mug").unwrap();
    let variants: Vec<_> = mug["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["name"], one["price"], one["stock"]]))
        .collect();
    assert_eq!(json!(variants), json!([["S", 1250, 5], ["M", 1300, 0]]));
    let detail = shop.host.get(&format!("/v1/products/{}", mug["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&detail["description"], &detail["category"]), (&json!("Warm & **red**"), &json!("Kitchen")));
    let pot = products.as_array().unwrap().iter().find(|product| product["title"] == "Pot").unwrap();
    assert_eq!(json!([pot["variants"][0]["name"], pot["variants"][0]["price"]]), json!(["Pot", 120_000]));
    // Nobody applies it twice.
    shop.host.post(&format!("{path}/apply"), json!({"rows": "all"})).await.expect(200);
    let (again, import) = checked(&shop, LIST.as_bytes(), "").await;
    assert_eq!((&import["counts"]["same"], &import["counts"]["change"]), (&json!(2), &json!(0)), "{import}");
    apply(&shop, &again, "all").await;
    assert_eq!(shop.host.get("/v1/products").await.expect(200)["items"], products);
}

#[tokio::test]
async fn every_bad_cell_is_named_and_good_rows_can_be_imported_alone() {
    let (shop, _database) = empty_shop().await;
    let list = "title;price;stock;barcode;sku\n\
        مصباح مكتب من النحاس الأحمر;150.00;3;6281234567890;A1\n\
        إناء فخار لحفظ الماء البارد;1.200;two;6.28E+12;05-Mar\n\
        فنجان قهوة عربية صغير;;1;;\n";
    let file = encoding_rs::WINDOWS_1256.encode(list).0.into_owned();
    let (path, import) = checked(&shop, &file, "").await;
    assert_eq!(
        (&import["encoding"], &import["counts"]["create"], &import["counts"]["bad"]),
        (&json!("windows-1256"), &json!(1), &json!(2))
    );
    let products = shop.host.get(&format!("{path}/products?state=bad")).await.expect(200)["items"].clone();
    let found: Vec<_> = products[0]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["row"], one["column"], one["code"], one["is_warning"]]))
        .collect();
    assert_eq!(
        json!(found),
        json!([
            [3, "sku", "looks_like_date", true],
            [3, "barcode", "cut_number", false],
            [3, "price", "two_readings", false],
            [3, "stock", "number", false],
        ])
    );
    assert_eq!(json!([products[1]["problems"][0]["row"], products[1]["problems"][0]["code"]]), json!([4, "missing"]));
    shop.host.post(&format!("{path}/apply"), json!({"rows": "all"})).await.expect_problem(409, "wrong_status");
    let done = apply(&shop, &path, "good").await;
    assert_eq!((&done["counts"]["created"], &done["counts"]["bad"]), (&json!(1), &json!(2)));
    let listed = shop.host.get("/v1/products").await.expect(200)["items"].clone();
    assert_eq!(listed[0]["title"], "مصباح مكتب من النحاس الأحمر");

    // A file that is none, and one that is stopped.
    let (_, import) = checked(&shop, b"a,b\n1,2\n", "").await;
    assert_eq!(import["status"], "unusable");
    assert!(import["error"].as_str().unwrap().contains("title"), "{import}");
    let (path, _) = checked(&shop, b"title,price\nBowl,5\n", "").await;
    let stopped = shop.host.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    assert_eq!(stopped["status"], "cancelled");
    shop.host.post(&format!("{path}/apply"), json!({"rows": "all"})).await.expect_problem(409, "wrong_status");
}

const FIRST: &[u8] = b"handle,title,price,stock,sku,variant\na,Apple,1,5,A,\nb,Berry,2,6,B,\nc,Cherry,3,7,C,\n\
    e,Shirt,4,5,E1,Small\ne,,4,5,E2,Large\n";
const SECOND: &[u8] =
    b"handle,title,price,stock,variant\na,Apple pie,9,50,\nb,Berry,8,6,\nd,Date,4,1,\ne,Long shirt,4,5,Small\n";

#[tokio::test]
async fn undo_changes_back_what_nobody_changed_since() {
    let (shop, _database) = empty_shop().await;
    let (path, _) = checked(&shop, FIRST, "").await;
    apply(&shop, &path, "all").await;
    let (path, import) = checked(&shop, SECOND, "").await;
    assert_eq!((&import["counts"]["change"], &import["counts"]["create"]), (&json!(3), &json!(1)));
    let changes = shop.host.get(&format!("{path}/products")).await.expect(200)["items"][0]["changes"].clone();
    let found: Vec<_> =
        changes.as_array().unwrap().iter().map(|one| json!([one["column"], one["before"], one["after"]])).collect();
    assert_eq!(
        json!(found),
        json!([
            ["title", "Apple", "Apple pie"],
            ["variant", "Apple", "Apple pie"],
            ["price", "1.00", "9.00"],
            ["stock", "5", "50"]
        ])
    );
    apply(&shop, &path, "all").await;
    let by_title = async |title: &str, status: &str| {
        let products = shop.host.get(&format!("/v1/products?status={status}")).await.expect(200)["items"].clone();
        products.as_array().unwrap().iter().find(|product| product["title"] == title).cloned()
    };
    let berry = by_title("Berry", "active").await.unwrap();
    let address = format!("/v1/products/{}", berry["id"].as_str().unwrap());
    let version = shop.host.get(&address).await.expect(200)["version"].clone();
    let change = json!({"version": version, "title": "Blueberry"});
    shop.host.send(reqwest::Method::PATCH, &address, &[], Some(change)).await.expect(200);

    // Units that are lost since then stay lost.
    for (title, units) in [("Apple pie", -4), ("Long shirt", -2)] {
        let product = by_title(title, "active").await.unwrap();
        let variant = product["variants"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(product["variants"].as_array().unwrap().len(), 1, "{title}: the file had one variant");
        let lost = json!({"units": units, "reason": "lost"});
        shop.host.post(&format!("/v1/variants/{variant}/stock-changes"), lost).await.expect(200);
    }

    shop.rest("admin", "admin").post(&format!("{path}/undo"), json!({})).await.expect(200);
    let undone = settled(&shop, &path).await;
    assert_eq!(
        (&undone["status"], &undone["counts"]["undone"], &undone["counts"]["kept"]),
        (&json!("undone"), &json!(3), &json!(1))
    );
    let apple = by_title("Apple", "active").await.unwrap();
    assert_eq!(
        json!([apple["variants"][0]["price"], apple["variants"][0]["stock"], apple["variants"][0]["sku"]]),
        json!([100, 1, "A"])
    );
    assert_eq!(by_title("Blueberry", "active").await.unwrap()["variants"][0]["price"], 800);
    let shirt = by_title("Shirt", "active").await.unwrap();
    let variants: Vec<_> =
        shirt["variants"].as_array().unwrap().iter().map(|one| json!([one["name"], one["stock"]])).collect();
    assert_eq!(json!(variants), json!([["Small", 3], ["Large", 5]]), "the variant that the file left out is back");
    assert!(by_title("Date", "active").await.is_none() && by_title("Date", "archived").await.is_some());
}

#[tokio::test]
async fn picture_behind_a_private_address_is_not_fetched_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::migrated().await;
    let pictures = folder.path().display().to_string();
    let shop = Shop::serve_with(&database.url(), &database.url(), &["--pictures-dir", &pictures]).await;
    let (path, _) = checked(&shop, LIST.as_bytes(), "").await;
    let done = apply(&shop, &path, "all").await;
    assert_eq!((&done["status"], &done["pictures_left"]), (&json!("applied"), &json!(0)));
    let mug = shop.host.get(&format!("{path}/products")).await.expect(200)["items"][0].clone();
    let problems = mug["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{mug}");
    assert!(
        problems
            .iter()
            .all(|one| one["code"] == "picture" && one["message"].as_str().unwrap().contains("private network"))
    );
    // The product has the addresses of the file, and can still be undone.
    let gallery =
        shop.host.get(&format!("/v1/products/{}/pictures", mug["product"].as_str().unwrap())).await.expect(200);
    assert_eq!(gallery["pictures"][0]["address"], "https://127.0.0.1:9/1.jpg");
}

/// Texts with everything that spreadsheets and CSV files trip over.
fn hard_text() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "Lamp",
        "مصباح",
        "=1+1",
        "'",
        "''",
        "-",
        "+966",
        "@",
        ",",
        ";",
        "\"",
        "<b>",
        "&amp;",
        "é",
        "1E+5",
        "05-Mar",
        "Title",
        "Default Title",
        " / ",
        "\u{1f3ee}",
        "7",
    ]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

fn product() -> impl Strategy<Value = Value> {
    let text = || hard_text().prop_map(|text| format!("{text}."));
    let description =
        prop::collection::vec(prop_oneof![hard_text(), Just("\n".to_owned()), Just("\n- ".to_owned())], 0..5);
    // White space is stored as one space, and values differ.
    let value = hard_text().prop_map(|text| {
        let text: String = text.chars().take(30).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let options = prop::collection::hash_set(value, 1..4);
    let prices = prop::collection::vec((0_i64..1_000_000, 0_i64..50, prop::option::of(hard_text())), 4);
    (hard_text(), text(), description, prop::option::of(options), prices, any::<bool>()).prop_map(
        |(title, category, description, options, prices, has_pictures)| {
            let variant = |at: usize| {
                let (price, stock, sku) = &prices[at % prices.len()];
                json!({"price": price, "stock": stock, "sku": sku, "cost": price / 2, "weight_g": stock})
            };
            let (options, variants): (Value, Vec<Value>) = match &options {
                None => (json!([]), (0..2).map(|at| merge(variant(at), json!({"name": format!("{title}{at}")}))).collect()),
                Some(values) => {
                    let values: Vec<&String> = values.iter().collect();
                    let variants = values.iter().enumerate().map(|(at, value)| merge(variant(at), json!({"options": [value]})));
                    (json!([{"name": "Size", "values": values}]), variants.collect())
                }
            };
            let image = has_pictures.then_some("https://cdn.example/a,b.jpg#focus=10,20");
            json!({"title": title, "titles": {"ar": title}, "category": category.chars().take(40).collect::<String>(),
                "description": description.concat(), "delivery": category, "options": options, "variants": variants, "image": image})
        },
    )
}

fn merge(mut one: Value, other: Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

#[tokio::test]
async fn export_import_export_is_the_same_bytes() {
    let (from, _database) = empty_shop().await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        let product = product().new_tree(&mut runner).unwrap().current();
        let answer = from.host.post("/v1/products", product.clone()).await;
        assert!(answer.is_success(), "{product}");
    }
    for file in ["products.csv", "products-shopify.csv"] {
        let first = export(&from, file).await;
        let (_, import) = checked(&from, &first, "").await;
        assert_eq!(
            (&import["counts"]["same"], &import["counts"]["bad"]),
            (&json!(60), &json!(0)),
            "into the same shop: {import}"
        );
        let (into, _other) = empty_shop().await;
        let (path, import) = checked(&into, &first, "").await;
        assert_eq!(import["counts"]["create"], 60, "{import}");
        let done = apply(&into, &path, "all").await;
        assert_eq!(done["counts"]["created"], 60);
        let second = export(&into, file).await;
        assert!(first == second, "{file}:\n{}\n{}", String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
    }
}
