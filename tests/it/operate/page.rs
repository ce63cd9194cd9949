//! Pages and assets: compressed if accepted, cached forever under their version, without inline scripts.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, ETAG, IF_NONE_MATCH};

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

#[tokio::test]
async fn page_begins_in_the_language_of_the_reader() {
    let shop = Shop::demo(&[]).await;
    let url = &shop.server.url;
    for (page, accepted, tag, texts) in [
        ("/watch", "ar-SA,ar;q=0.9,en;q=0.5", "<html lang=\"ar\" dir=\"rtl\">", "/lang/ar."),
        ("/watch?lang=id", "ar", "<html lang=\"id\" dir=\"ltr\">", "/lang/id."),
        ("/hosts/Noura?lang=ar", "", "<html lang=\"ar\" dir=\"rtl\">", "/lang/ar."),
        ("/", "fr", "<html lang=\"en\" dir=\"ltr\">", "/lang/en."),
    ] {
        let answer = fetch(&format!("{url}{page}"), &[(ACCEPT_LANGUAGE, accepted)]).await;
        assert!(answer.headers().get_all("vary").iter().any(|vary| vary == "accept-language"), "{page}");
        let html = answer.text().await.unwrap();
        assert!(html.contains(tag), "{page} {accepted}: {html}");
        let others = ["/lang/en.", "/lang/ar.", "/lang/id."].into_iter().filter(|other| *other != texts);
        assert_eq!(others.map(|other| html.matches(other).count()).sum::<usize>(), 0, "{page}: texts of one language");
        assert!(html.contains(texts), "{page} {accepted}: the texts come with the page");
    }
}

#[tokio::test]
async fn style_sheets_of_a_page_come_as_one_file() {
    let shop = Shop::demo(&[]).await;
    let url = &shop.server.url;
    let html = fetch(&format!("{url}/watch"), &[]).await.text().await.unwrap();
    assert_eq!(html.matches("rel=\"stylesheet\"").count(), 1, "{html}");
    let link = html.split("rel=\"stylesheet\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let sheet = fetch(&format!("{url}{link}"), &[]).await;
    assert_eq!(sheet.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(sheet.headers()["content-type"], "text/css; charset=utf-8");
    let text = sheet.text().await.unwrap();
    let (first, last) = (text.find("color-scheme").unwrap(), text.find(".pinned-comment").unwrap());
    assert!(first < last, "the sheets are in the order of the page");
    // The only address in them leads to a file that is there.
    let picture = text.split("url(").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    let folder = link.rsplit_once('/').unwrap().0;
    assert_eq!(fetch(&format!("{url}{folder}/{picture}"), &[]).await.status(), 200, "{picture}");
    assert_eq!(fetch(&format!("{url}/assets/nothing.html.css"), &[]).await.status(), 404);
}

/// A module that the page does not name is found only after another one has arrived: one more round trip before Buy works.
#[test]
fn pages_name_every_module_that_they_need_at_once() {
    let buying = ["watch", "buyer", "alerts", "product_list", "purchase", "sign_in_sheet", "lang/en", "lang/en.buy"];
    assert!(modules_of("watch.html", &buying) > 40);
    modules_of("index.html", &["shop", "lang/en", "lang/en.shop"]);
    modules_of("hosts.html", &["hosts", "lang/en", "lang/en.shop"]);
    modules_of("orders.html", &["orders", "purchase", "lang/en", "lang/en.buy", "lang/en.pages"]);
    modules_of("host.html", &["host", "lang/en", "lang/en.host", "lang/en.buy", "lang/en.show"]);
}

/// The number of modules that these import, all of which the page must name.
fn modules_of(page: &str, first: &[&str]) -> usize {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/web-demo"));
    let html = std::fs::read_to_string(folder.join(page)).unwrap();
    let mut wanted: Vec<String> = first.iter().map(|name| format!("{name}.js")).collect();
    let mut missing = Vec::new();
    let mut at = 0;
    while let Some(module) = wanted.get(at).cloned() {
        at += 1;
        if !html.contains(&format!("\"/assets/{module}\"")) {
            missing.push(module.clone());
        }
        for imported in imports(&std::fs::read_to_string(folder.join(&module)).unwrap(), &module) {
            if !wanted.contains(&imported) {
                wanted.push(imported);
            }
        }
    }
    assert!(missing.is_empty(), "{page} does not preload {missing:?}");
    wanted.len()
}

/// The modules that a module imports before it runs, as paths below web-demo.
fn imports(text: &str, module: &str) -> Vec<String> {
    let folder = std::path::Path::new(module).parent().unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with(['*', '/']));
    let code: String = code.collect::<Vec<_>>().join("\n");
    let statements =
        code.split("\nimport ").skip(1).chain(code.split("\nexport {").skip(1)).chain(code.strip_prefix("import "));
    let paths = statements.filter_map(|statement| statement.split(';').next()?.split('\'').nth(1).map(str::to_owned));
    paths
        .map(|path| match path.strip_prefix("../") {
            Some(above) => above.to_owned(),
            None => folder.join(path.trim_start_matches("./")).to_str().unwrap().to_owned(),
        })
        .collect()
}
