//! Sharing a show: a calendar entry and a QR code.

use serde_json::json;

use crate::support::postgres::Database;
use crate::support::shop::{Shop, id, now_ms};

#[tokio::test]
async fn scheduled_show_has_a_calendar_entry_and_a_qr_code() {
    let database = Database::migrated().await;
    let shop = Shop::serve_with(&database.url(), &database.url(), &["--base-url", "https://live.example"]).await;
    let at = now_ms() + 86_400_000;
    let new = json!({"title": "Gifts, and more", "titles": {"ar": "هدايا"}, "scheduled_at": at});
    let coming = id(&shop.host.post("/v1/streams", new).await.expect(201));
    let anonymous = shop.server.rest();
    let entry = anonymous.get(&format!("/v1/streams/{coming}/calendar.ics")).await;
    assert_eq!(entry.header("content-type"), Some("text/calendar; charset=utf-8"));
    assert_eq!(entry.header("content-disposition"), Some("attachment; filename=\"show.ics\""));
    let text = entry.expect(200).as_str().unwrap().replace("\r\n ", "");
    assert!(text.contains("SUMMARY:Gifts\\, and more\r\n"), "{text}");
    assert!(text.contains(&format!("URL:https://live.example/watch?stream={coming}\r\n")), "{text}");
    let arabic = anonymous.get(&format!("/v1/streams/{coming}/calendar.ics?lang=ar")).await.expect(200);
    assert!(arabic.as_str().unwrap().contains("SUMMARY:هدايا\r\n"));

    let code = anonymous.get(&format!("/v1/streams/{coming}/qr.svg")).await;
    assert_eq!(code.header("content-type"), Some("image/svg+xml"));
    assert!(code.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    let expected = qrcode::QrCode::new(format!("https://live.example/watch?stream={coming}")).unwrap();
    let expected = expected.render::<qrcode::render::svg::Color<'_>>().min_dimensions(256, 256).build();
    assert_eq!(code.expect(200), json!(expected));
    assert_eq!(anonymous.get("/v1/shop").await.expect(200)["base_url"], json!("https://live.example"));

    anonymous.get(&shop.path("calendar.ics")).await.expect_problem(409, "wrong_status");
    let nowhere = "/v1/streams/0190a0a0-0000-7000-8000-000000000000";
    for file in ["calendar.ics", "qr.svg"] {
        anonymous.get(&format!("{nowhere}/{file}")).await.expect_problem(404, "no_such_stream");
        anonymous.get(&format!("/v1/streams/nonsense/{file}")).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn link_uses_the_request_host_without_a_base_url() {
    let shop = Shop::demo(&[]).await;
    let path = shop.path("qr.svg");
    let ask = async |host: &str| {
        shop.server.rest().send(reqwest::Method::GET, &path, &[("host", host)], None).await.expect(200)
    };
    assert_ne!(ask("192.168.1.7:8080").await, ask("192.168.1.8:8080").await);
    assert_eq!(shop.server.rest().get("/v1/shop").await.expect(200)["base_url"], json!(null));
}
