//! The pages that links lead to: what messengers and search engines read of products and shows, and an address that leads nowhere.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::shop::{Shop, id};

const READER: &str = "text/html,application/xhtml+xml";

/// The status and the text of a page as a browser reads it.
async fn page(shop: &Shop, path: &str) -> (StatusCode, String) {
    let answer =
        reqwest::Client::new().get(format!("{}{path}", shop.server.url)).header(ACCEPT, READER).send().await.unwrap();
    assert!(answer.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{path}");
    (answer.status(), answer.text().await.unwrap())
}

/// The structured data of a page.
fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("<script type=\"application/ld+json\">").expect("structured data");
    serde_json::from_str(rest.split_once("</script>").unwrap().0).expect("JSON")
}

#[tokio::test]
async fn link_of_a_product_tells_its_title_picture_and_price() {
    let shop = Shop::demo(&[]).await;
    let variants =
        json!([{"name": "S", "price": 14_900, "stock": 1, "sku": "B-1"}, {"name": "L", "price": 19_950, "stock": 1}]);
    let product = json!({"title": "Bag <b>", "titles": {"ar": "حقيبة"}, "image": "https://cdn.example/bag.jpg?a=1&b=2",
        "description": "**Real** leather", "variants": variants});
    let made = id(&shop.host.post("/v1/products", product).await.expect(201));
    let (status, html) = page(&shop, &format!("/products/{made}?lang=en")).await;
    assert_eq!(status, 200);
    for tag in [
        "<title>Bag &lt;b&gt; · ".to_owned(),
        "<meta property=\"og:title\" content=\"Bag &lt;b&gt;\">".to_owned(),
        "<meta property=\"og:image\" content=\"https://cdn.example/bag.jpg?a=1&amp;b=2\">".to_owned(),
        format!("<meta property=\"og:url\" content=\"{}/products/{made}\">", shop.server.url),
        "<meta property=\"product:price:amount\" content=\"149.00\">".to_owned(),
        "<meta property=\"product:price:currency\" content=\"SAR\">".to_owned(),
        "<link rel=\"manifest\" href=\"/manifest.webmanifest\">".to_owned(),
    ] {
        assert!(html.contains(&tag), "{tag} is not in {html}");
    }
    let told = data(&html);
    assert_eq!((&told["@type"], &told["name"], &told["sku"]), (&json!("Product"), &json!("Bag <b>"), &json!("B-1")));
    assert_eq!(
        (&told["offers"]["lowPrice"], &told["offers"]["highPrice"], &told["offers"]["priceCurrency"]),
        (&json!("149.00"), &json!("199.50"), &json!("SAR"))
    );
    let (_, arabic) = page(&shop, &format!("/products/{made}?lang=ar")).await;
    assert!(arabic.contains("<meta property=\"og:title\" content=\"حقيبة\">") && arabic.contains("dir=\"rtl\""));

    shop.host.post(&format!("/v1/products/{made}/archive"), json!({})).await.expect(200);
    let (status, gone) = page(&shop, &format!("/products/{made}")).await;
    assert!(status == 404 && gone.contains("This page does not exist") && !gone.contains("leather"), "{gone}");
}

#[tokio::test]
async fn link_of_a_show_tells_its_title_and_poster() {
    let shop = Shop::demo(&[]).await;
    let form = json!({"title": "Bags & more", "poster": "https://cdn.example/bags.jpg", "scheduled_at": 1_900_000_000_000_i64});
    let show = id(&shop.host.post("/v1/streams", form).await.expect(201));
    let (status, html) = page(&shop, &format!("/watch?stream={show}&lang=en")).await;
    assert_eq!(status, 200);
    assert!(html.contains("<meta property=\"og:title\" content=\"Bags &amp; more\">"), "{html}");
    assert!(html.contains("<meta property=\"og:image\" content=\"https://cdn.example/bags.jpg\">"), "{html}");
    let told = data(&html);
    assert_eq!((&told["@type"], &told["startDate"]), (&json!("BroadcastEvent"), &json!("2030-03-17T17:46:40Z")));
    // Without a show, or with one that does not exist, it is the page as it was.
    for query in ["", "?stream=x", "?stream=0190a0a0-0000-7000-8000-000000000009"] {
        let (status, html) = page(&shop, &format!("/watch{query}")).await;
        assert!(status == 200 && html.contains("<title>Livesouk</title>"), "{query}");
    }
}

#[tokio::test]
async fn address_that_leads_nowhere_is_a_page_in_words_and_a_problem_for_programs() {
    let shop = Shop::demo(&[]).await;
    for path in ["/nowhere", "/products/x", "/products/0190a0a0-0000-7000-8000-000000000009"] {
        let (status, html) = page(&shop, path).await;
        assert!(status == 404 && html.contains("This page does not exist"), "{path}: {html}");
    }
    let rest = shop.server.rest();
    rest.get("/nowhere").await.expect_problem(404, "not_found");
    let answer =
        reqwest::Client::new().get(format!("{}/v1/nowhere", shop.server.url)).header(ACCEPT, READER).send().await;
    assert_eq!(answer.unwrap().headers()[CONTENT_TYPE], "application/problem+json");
    let manifest = rest.get("/manifest.webmanifest").await.expect(200);
    assert_eq!((&manifest["display"], &manifest["start_url"]), (&json!("standalone"), &json!("/")));
    for icon in manifest["icons"].as_array().unwrap() {
        let path = icon["src"].as_str().unwrap();
        let answer = reqwest::get(format!("{}{path}", shop.server.url)).await.unwrap();
        assert_eq!(
            (answer.status(), answer.headers()[CONTENT_TYPE].to_str().unwrap()),
            (StatusCode::OK, icon["type"].as_str().unwrap())
        );
    }
    let icon = reqwest::get(format!("{}/favicon.ico", shop.server.url)).await.unwrap();
    assert_eq!((icon.status(), icon.headers()[CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "image/x-icon"));
}
