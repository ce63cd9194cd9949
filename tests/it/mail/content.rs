//! What arrives: both forms, in the language of the buyer, readable from right to left, and nothing that a name smuggles in.

use serde_json::{Value, json};

use super::{home, order_by, shop_with};
use crate::support::cookie_page::CookiePage;
use crate::support::mail_server::{MailMode, MailServer};
use crate::support::shop::{Shop, id, key};

/// The text of the part with this type.
fn part<'m>(mail: &'m Value, content_type: &str) -> &'m str {
    let parts = mail["parts"].as_array().unwrap();
    let part = parts.iter().find(|part| part["type"] == content_type).unwrap_or_else(|| panic!("no {content_type}"));
    assert_eq!(part["charset"], "utf-8");
    part["text"].as_str().unwrap()
}

fn subject(mail: &Value) -> &str {
    mail["headers"]["subject"].as_str().unwrap()
}

#[tokio::test]
async fn every_order_mail_arrives_in_the_language_of_the_buyer() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &["--base-url", "https://shop.example/live", "--mail-name", "Souk Noura"]).await;
    for (number, language, confirmed, sent, refunded, tracking) in [
        (
            0,
            "en",
            "your order is confirmed",
            "your order is on its way",
            "your order was refunded",
            "Tracking number: A-1",
        ),
        (1, "ar", "تم تأكيد طلبك", "طلبك في الطريق إليك", "أعدنا إليك مبلغ طلبك", "رقم التتبع: \u{2066}A-1\u{2069}"),
        (
            2,
            "id",
            "pesanan Anda dikonfirmasi",
            "pesanan Anda sedang dikirim",
            "dana pesanan Anda dikembalikan",
            "Nomor resi: A-1",
        ),
    ] {
        let email = format!("buyer-{language}@example.com");
        let order = order_by(&shop, &format!("buyer-{number}"), home(&email, language)).await;
        server.until_mails(number * 3 + 1).await;
        shop.host
            .put(&format!("/v1/orders/{order}/sent"), json!({"carrier": "Aramex", "tracking": "A-1"}))
            .await
            .expect(200);
        server.until_mails(number * 3 + 2).await;
        let refund = format!("/v1/orders/{order}/refund");
        shop.host.post_keyed(&refund, &key(), json!({"restock": true})).await.expect(200);
        let mails = server.until_mails(number * 3 + 3).await.split_off(number * 3);
        for (mail, expected) in mails.iter().zip([confirmed, sent, refunded]) {
            assert_eq!(mail["to"], json!([email]), "{mail:#}");
            assert_eq!(mail["from"], "orders@shop.example");
            assert!(subject(mail).ends_with(expected), "{}", subject(mail));
            assert_eq!(mail["content_type"], "multipart/alternative");
            assert_eq!(mail["defects"], json!([]));
            assert_eq!(mail["headers"]["from"], "Souk Noura <orders@shop.example>");
            assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
            assert!(mail["is_ascii"] == true && mail["longest_line"].as_u64().unwrap() <= 998, "{mail:#}");
            let (plain, html) = (part(mail, "text/plain"), part(mail, "text/html"));
            assert_eq!(mail["parts"][0]["type"], "text/plain", "the best form comes last");
            for text in [plain, html] {
                assert!(text.contains(&order) && text.contains("Lamp · Blue"), "{text}");
                assert!(text.contains("https://shop.example/live/orders"), "{text}");
            }
            let direction = if language == "ar" { "rtl" } else { "ltr" };
            assert!(html.contains(&format!("<div lang=\"{language}\" dir=\"{direction}\"")), "{html}");
        }
        assert!(part(&mails[0], "text/plain").contains("Ann Example"), "the confirmation has the address");
        assert!(part(&mails[1], "text/plain").contains(tracking), "{}", part(&mails[1], "text/plain"));
    }
}

#[tokio::test]
async fn buyer_of_a_placed_order_reads_how_it_is_paid_and_that_it_was_cancelled() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    let settings =
        json!({"cash_on_delivery": true, "bank_transfer": true, "bank_details": "Souk Bank\nIBAN SA03 8000"});
    let settings = json!({ "manual_payments": settings });
    let admin = shop.rest("Root", "admin");
    admin.send(reqwest::Method::PATCH, "/v1/shop/settings", &[], Some(settings)).await.expect(200);
    let offer = shop.on_sale(9, json!({"per_buyer": 9})).await;
    let mut seen = 0;
    for (language, method, placed, intro, cancelled) in [
        ("en", "bank_transfer", "your order is placed", "give the payment reference", "your order was cancelled"),
        ("ar", "bank_transfer", "تم تسجيل طلبك", "الرقم المرجعي", "تم إلغاء طلبك"),
        ("id", "cash_on_delivery", "pesanan Anda tercatat", "membayar tunai", "pesanan Anda dibatalkan"),
    ] {
        let buyer = shop.rest(&format!("buyer-{language}"), "viewer");
        let path = format!("/v1/offers/{offer}/orders");
        let order = id(&buyer.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201));
        let email = format!("buyer-{language}@example.com");
        buyer.put(&format!("/v1/orders/{order}/address"), home(&email, language)).await.expect(200);
        let pay = format!("/v1/orders/{order}/pay");
        let number = buyer.post_keyed(&pay, &key(), json!({ "method": method })).await.expect(200)["number"].clone();
        let mail = server.until_mails(seen + 1).await.pop().unwrap();
        assert!(subject(&mail).ends_with(placed), "{}", subject(&mail));
        let plain = part(&mail, "text/plain");
        assert!(plain.contains(intro) && plain.contains("Lamp · Blue"), "{plain}");
        let is_transfer = method == "bank_transfer";
        assert_eq!(plain.contains("IBAN SA03 8000"), is_transfer, "{plain}");
        // The number alone, as the buyer writes it into the transfer.
        let number = format!("#{number}");
        let has_reference = plain.lines().any(|line| line.contains(&number) && !line.contains(&order));
        assert_eq!(has_reference, is_transfer, "{plain}");
        let cancel = format!("/v1/orders/{order}/cancelled");
        shop.host.put(&cancel, json!({"restock": true})).await.expect(200);
        let mail = server.until_mails(seen + 2).await.pop().unwrap();
        assert!(subject(&mail).ends_with(cancelled), "{}", subject(&mail));
        assert!(part(&mail, "text/plain").contains("Lamp · Blue"), "{mail:#}");
        seen += 2;
    }
}

#[tokio::test]
async fn amounts_and_names_do_not_reorder_an_arabic_sentence() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    order_by(&shop, "Ann", home("ann@example.com", "ar")).await;
    let mails = server.until_mails(1).await;
    let (plain, html) = (part(&mails[0], "text/plain"), part(&mails[0], "text/html"));
    assert!(plain.contains("المجموع: \u{2066}SAR 20\u{2069}"), "{plain}");
    assert!(plain.contains("\u{2068}Ann\u{2069}"), "{plain}");
    assert!(html.contains("<bdi dir=\"ltr\">SAR 20</bdi>") && html.contains("<bdi>Ann</bdi>"), "{html}");
    assert!(!html.contains('\u{2066}'), "elements, which more programs know than the characters");
}

#[tokio::test]
async fn no_name_begins_a_header_or_markup() {
    let server = MailServer::start(MailMode::Accept).await;
    let settings = server.settings();
    let title = "Souk\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>";
    let settings: Vec<&str> =
        settings.iter().map(String::as_str).chain(["--shop", title, "--currency", "SAR"]).collect();
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("shop.db").display());
    let shop = Shop::serve_with(&store, &store, &settings).await;
    order_by(&shop, "Ann", home("ann@example.com", "en")).await;
    let mails = server.until_mails(1).await;
    assert_eq!(mails[0]["to"], json!(["ann@example.com"]), "nobody else gets it");
    let names: Vec<&str> = mails[0]["header_names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!names.contains(&"bcc"), "{names:?}");
    assert!(subject(&mails[0]).starts_with("Souk"), "{}", subject(&mails[0]));
    assert!(!part(&mails[0], "text/html").contains("<script"), "typed text is no markup");
    for wrong in
        ["ann@example.com\r\nBcc: eve@example.com", "Ann <ann@example.com>", "ann@example.com, eve@example.com"]
    {
        let offer = shop.on_sale(5, json!({})).await;
        let rest = shop.rest("Ben", "viewer");
        let path = format!("/v1/offers/{offer}/orders");
        let bought = rest.post_keyed(&path, &key(), json!({"qty": 1})).await.expect(201);
        let path = format!("/v1/orders/{}/address", id(&bought));
        rest.put(&path, home(wrong, "en")).await.expect_problem(400, "bad_request");
    }
}

#[tokio::test]
async fn sign_in_code_arrives_signs_in_and_is_kept_nowhere() {
    let server = MailServer::start(MailMode::Accept).await;
    let shop = shop_with(&server, &[]).await;
    for (number, (language, words)) in
        [("en", "Your sign-in code"), ("ar", "رمز تسجيل الدخول"), ("id", "Kode masuk Anda")].into_iter().enumerate()
    {
        let (page, email) = (CookiePage::of(&shop.server), format!("ann-{language}@example.com"));
        let asked = page.post("/v1/session/email", json!({"email": email, "lang": language})).await.expect(202);
        let mail = server.until_mails(number + 1).await.pop().unwrap();
        assert_eq!(mail["to"], json!([email]));
        assert!(subject(&mail).contains(words), "{}", subject(&mail));
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        let code = part(&mail, "text/plain").lines().find(is_code).expect("the code has a line of its own");
        assert!(!subject(&mail).contains(code), "a locked phone does not show it");
        assert!(part(&mail, "text/html").contains(&format!(">{code}</span>")));
        let typed = json!({"id": asked["id"], "code": code, "name": "Ann"});
        page.post("/v1/session/email/verify", typed).await.expect(201);
        super::until_status(&shop, "sent", number as i64 + 1).await;
        assert!(!shop.server.process.stderr().contains(code), "with a mail server no code is in the log");
    }
    assert_eq!(shop.number("select count(*) from mails where content <> ''").await, 0, "the secret is erased");
}
