//! Origins: which sites may use the server from a browser. Content policy: what the pages may load.

use reqwest::Method;

use crate::support::postgres::Database;
use crate::support::process::Server;
use crate::support::shop::{KEY, Shop};

#[tokio::test]
async fn foreign_origin_is_refused_and_an_allowed_one_gets_cors_headers() {
    let database = Database::migrated().await;
    let more = ["--allow-origin", "https://shop.example", "--base-url", "https://live.example"];
    let server = Server::serve(&database.url(), KEY, &more).await;
    let own = format!("http://{}", server.address());
    let ask = async |method: Method, path: &str, origin: &str| {
        let preflight = [("origin", origin), ("access-control-request-method", "POST")];
        let headers = if method == Method::OPTIONS { &preflight[..] } else { &preflight[..1] };
        server.rest().send(method, path, headers, None).await
    };
    for origin in ["https://evil.example", "https://shop.example.evil.example", "null", "http://shop.example"] {
        for (method, path) in [(Method::GET, "/v1/shop"), (Method::OPTIONS, "/v1/orders"), (Method::GET, "/")] {
            let answer = ask(method, path, origin).await;
            // A script there can read why it is refused.
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{origin}");
            answer.expect_problem(403, "origin_not_allowed");
        }
        let headers = [("origin", origin), ("connection", "upgrade"), ("upgrade", "websocket")];
        let path = "/v1/streams/0190a0a0-0000-7000-8000-000000000000/live";
        server.rest().send(Method::GET, path, &headers, None).await.expect_problem(403, "origin_not_allowed");
    }
    for origin in ["https://shop.example", "https://live.example", &own] {
        let answer = ask(Method::GET, "/v1/shop", origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)), "{answer:?}");
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("origin")));
        assert!(answer.header("access-control-expose-headers").is_some_and(|names| names.contains("retry-after")));
        let answer = ask(Method::OPTIONS, "/v1/offers/x/orders", origin).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("access-control-allow-methods").is_some_and(|names| names.contains("POST")));
        let asked = answer.header("access-control-allow-headers").unwrap_or_default();
        assert!(
            ["authorization", "content-type", "idempotency-key"].iter().all(|name| asked.contains(name)),
            "{asked}"
        );
        // Browsers can read refusals too.
        let refused = ask(Method::GET, "/v1/orders", origin).await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(origin)));
    }
}

#[tokio::test]
async fn pages_load_only_own_assets_and_have_no_inline_script() {
    let shop = Shop::demo(&[]).await;
    for path in ["/", "/watch", "/orders", "/host", "/docs"] {
        let answer = shop.server.rest().get(path).await;
        let policy = answer.header("content-security-policy").expect(path).to_owned();
        for part in [
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "object-src 'none'",
            if path == "/host" { "frame-ancestors 'none'" } else { "frame-ancestors 'self'" },
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let page = answer.expect(200).as_str().expect("a page").to_owned();
        assert_eq!(inline(&page), Vec::<String>::new(), "{path}");
    }
    let script = shop.server.rest().get("/assets/client.js").await;
    assert!(script.header("content-type").is_some_and(|kind| kind.contains("javascript")), "{script:?}");
    let tag = script.header("etag").expect("a tag").to_owned();
    let again = shop.server.rest().send(Method::GET, "/assets/client.js", &[("if-none-match", &tag)], None).await;
    assert_eq!(again.status, 304);
}

/// What the content security policy would block: inline scripts, handlers and styles, and assets from other sites.
fn inline(page: &str) -> Vec<String> {
    let tags = page.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
    let bad = tags.filter(|(tag, after)| {
        let tag = tag.to_lowercase();
        let inline_script = tag.starts_with("script") && (!tag.contains("src=") || !after.trim().is_empty());
        let elsewhere = ["src=\"http", "src=\"//", "src='http"].iter().any(|part| tag.contains(part))
            || (tag.starts_with("link") && tag.contains("href=\"http"));
        inline_script
            || elsewhere
            || tag.starts_with("style")
            || tag.contains(" style=")
            || tag.contains(" on") && tag.split_whitespace().any(|word| word.starts_with("on") && word.contains('='))
    });
    bad.map(|(tag, _)| tag.to_owned()).collect()
}

#[test]
fn inline_code_is_found() {
    for bad in [
        "<script>x()</script>",
        "<p onclick=\"x()\">",
        "<p style=\"a\">",
        "<style>p{}</style>",
        "<script src=\"https://x/y.js\"></script>",
        "<link href=\"https://x/y.css\">",
    ] {
        assert_eq!(inline(bad).len(), 1, "{bad}");
    }
    let good =
        "<script type=\"module\" src=\"/assets/a.js\"></script><a href=\"https://x\">on = off</a><p class=\"on\">";
    assert!(inline(good).is_empty(), "{:?}", inline(good));
}
