//! The import of a catalogue of 10,000 products on PostgreSQL, and the search in it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use livesouk::clock::Clock;
use livesouk::domain::product::ProductFilter;
use livesouk::store::Store;
use serde_json::{Value, json};
use testkit::postgres::Database;
use testkit::shop::Shop;

const ADJECTIVES: [&str; 10] = ["Red", "Brass", "Soft", "Handmade", "Small", "Large", "أحمر", "نحاسي", "يدوي", "Kecil"];
const NOUNS: [&str; 10] = ["Lamp", "Sandals", "Perfume", "Coffee", "Notebook", "حذاء", "قهوة", "عطر", "Sepatu", "Rug"];
/// What people type: beginnings, two words, mistakes, other forms of Arabic letters, digits of both styles, a SKU, nothing that exists.
const SEARCHES: [&str; 12] = [
    "lamp",
    "per",
    "brass lamp",
    "prefume",
    "sandels",
    "احمر",
    "قهوه",
    "الحذاء",
    "٤٢",
    "sku-42",
    "notebok red",
    "xyzzy",
];
/// The first round warms the caches of the database and does not count.
const ROUNDS: usize = 21;
const DEADLINE: Duration = Duration::from_secs(300);

/// Gives the rows that were checked and imported each second, and the 95th percentile of one page of a search, in milliseconds.
pub async fn measure(products: usize) -> (f64, f64) {
    let database = Database::create().await;
    let shop = Shop::serve_with(&database.url(), &database.url(), &[]).await;
    let file = catalogue(products);
    let began = Instant::now();
    let path = upload(&shop, file).await;
    settled(&shop, &path).await;
    let checked = began.elapsed();
    shop.host.post(&format!("{path}/apply"), json!({"rows": "all"})).await.expect(200);
    let import = settled(&shop, &path).await;
    let rows = products as f64 / began.elapsed().as_secs_f64();
    assert_eq!((&import["status"], &import["counts"]["created"]), (&json!("applied"), &json!(products)), "{import}");
    println!("{:<26}{:8.1}", "import checked after s", checked.as_secs_f64());

    let store = Store::open(&database.url(), Clock::system(), 1).await.unwrap();
    while store.index_products().await.unwrap() > 0 {}
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        for search in SEARCHES {
            let filter = ProductFilter { status: None, search: Some(search.to_owned()) };
            let began = Instant::now();
            let page = store.products(&filter, None, 50).await.unwrap();
            if round > 0 {
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            assert_eq!(page.products.is_empty(), search == "xyzzy", "{search}");
        }
    }
    times.sort_by(f64::total_cmp);
    (rows, times[(times.len() * 95 / 100).min(times.len() - 1)])
}

/// A file in the columns of Shopify: one row for each product.
fn catalogue(products: usize) -> Vec<u8> {
    let mut file = "Handle,Title,Type,Variant SKU,Variant Price,Variant Inventory Qty,Status\r\n".to_owned();
    for n in 0..products {
        let (adjective, noun) = (ADJECTIVES[n % 10], NOUNS[n / 10 % 10]);
        let _ = write!(file, "product-{n},{adjective} {noun} {n},Kitchen,SKU-{n},12.50,5,active\r\n");
    }
    file.into_bytes()
}

async fn upload(shop: &Shop, file: Vec<u8>) -> String {
    let url = format!("{}/v1/imports?file_name=list.csv", shop.server.url);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = shop.token("producer", "producer");
    let answer = client.post(url).bearer_auth(token).body(file).send().await.unwrap();
    let import: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    format!("/v1/imports/{}", import["id"].as_str().unwrap_or_else(|| panic!("{import}")))
}

/// Waits until no node works on the import any more.
async fn settled(shop: &Shop, path: &str) -> Value {
    let began = Instant::now();
    loop {
        let import = shop.host.get(path).await.expect(200);
        if !["receiving", "checking", "applying", "fetching"].contains(&import["status"].as_str().unwrap()) {
            return import;
        }
        assert!(began.elapsed() < DEADLINE, "{import}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
