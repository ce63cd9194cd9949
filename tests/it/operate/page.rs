//! Pages and assets: compressed if accepted, cached forever under their version, without inline scripts.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, IF_NONE_MATCH};

use crate::support::shop::Shop;

async fn fetch(url: &str, headers: &[(reqwest::header::HeaderName, &str)]) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(url);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn assets_are_compressed_and_cached_by_version() {
    let shop = Shop::demo(&[]).await;
    let url = &shop.server.url;
    let page = fetch(&format!("{url}/watch"), &[]).await;
    assert_eq!(page.headers()["cache-control"], "no-cache", "a new version is visible immediately");
    let html = page.text().await.unwrap();
    let script = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let version = script.split('/').nth(2).unwrap().to_owned();
    assert!(script.starts_with("/assets/v-") && script.ends_with("/watch.js"), "{script}");
    assert_eq!(html.matches("\"/assets/").count(), html.matches(&format!("\"/assets/{version}/")).count());

    let plain = fetch(&format!("{url}{script}"), &[]).await;
    assert_eq!(plain.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert!(plain.headers().get_all("vary").iter().any(|vary| vary == "accept-encoding"));
    let (plain_tag, text) = (plain.headers()[ETAG].clone(), plain.text().await.unwrap());
    let small = fetch(&format!("{url}{script}"), &[(ACCEPT_ENCODING, "br, gzip")]).await;
    assert_eq!(
        (&small.headers()[CONTENT_ENCODING], small.headers()["content-type"].as_bytes()),
        (&"gzip".parse().unwrap(), &b"text/javascript; charset=utf-8"[..])
    );
    let tag = small.headers()[ETAG].clone();
    assert_ne!(tag, plain_tag, "the compressed and the plain form have different ETags");
    let bytes = small.bytes().await.unwrap();
    assert!(bytes.len() * 2 < text.len(), "{} of {}", bytes.len(), text.len());
    let mut unpacked = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
    let again = [(ACCEPT_ENCODING, "gzip"), (IF_NONE_MATCH, tag.to_str().unwrap())];
    assert_eq!(fetch(&format!("{url}{script}"), &again).await.status(), 304);
    let refused = fetch(&format!("{url}{script}"), &[(ACCEPT_ENCODING, "gzip;q=0")]).await;
    assert_eq!(refused.headers().get(CONTENT_ENCODING), None);

    // Under the version of another node it is served without caching; under its plain name it has its comments.
    let other = fetch(&format!("{url}/assets/v-0123456789ab/client.js"), &[]).await;
    assert_eq!((other.status().as_u16(), other.headers()["cache-control"].as_bytes()), (200, &b"no-cache"[..]));
    assert!(!other.text().await.unwrap().contains("The reference client"));
    let client = fetch(&format!("{url}/assets/client.js"), &[]).await;
    assert_eq!(client.headers()["cache-control"], "no-cache");
    assert!(client.text().await.unwrap().contains("The reference client"));
    for path in
        ["/assets/nothing.js", "/assets/v-0123456789ab/nothing.js", "/assets/../Cargo.toml", "/assets/v-0123456789ab"]
    {
        assert_eq!(fetch(&format!("{url}{path}"), &[]).await.status(), 404, "{path}");
    }
}
