//! The end of a show: the host gets the report, and the viewer what comes next.

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id, key, now_ms};

const FIRST_ROW: &str = "document.querySelector('[data-test=report-offers] li').innerText";

#[tokio::test]
async fn end_of_a_show_opens_the_report_and_leads_the_viewer_on() {
    let mut shop = Shop::demo(&[]).await;
    let before = shop.stream.clone();
    let last = shop.host.get(&format!("/v1/streams/{before}")).await.expect(200)["title"].as_str().unwrap().to_owned();
    shop.host.post(&format!("/v1/streams/{before}/end"), json!({})).await.expect(200);
    let next = json!({"title": "Friday market", "scheduled_at": now_ms() + 3_600_000});
    shop.host.post("/v1/streams", next).await.expect(201);
    shop.stream = id(&shop.host.post("/v1/streams", json!({"title": "Thursday market"})).await.expect(201));
    shop.host.post(&shop.path("start"), json!({})).await.expect(200);
    let unsold = shop.on_sale(5, json!({})).await;
    let best = shop.on_sale(5, json!({})).await;
    let buyer = shop.rest("ann", "viewer");
    let order = buyer.post_keyed(&format!("/v1/offers/{best}/orders"), &key(), json!({"qty": 2})).await.expect(201);
    buyer.post_keyed(&format!("/v1/orders/{}/pay", id(&order)), &key(), json!({"token": "ok"})).await.expect(200);
    assert_eq!(shop.left(&unsold).await, 5);

    let driver = Driver::start();
    let host_page = shop.server.started["host_url"].as_str().unwrap().replace(&before, &shop.stream);
    let (host, viewer) =
        (Browser::open(&driver, Window::Desktop, "en").await, Browser::open(&driver, Window::Mobile, "en").await);
    host.goto(&host_page).await;
    host.wait_until_live().await;
    host.sees("activity", "ann").await; // The purchase from before the page was opened.
    viewer.goto(&format!("{}/watch?stream={}&lang=en", shop.server.url, shop.stream)).await;
    viewer.wait_until_live().await;
    host.press("start-end").await;
    host.press("confirm-yes").await;

    host.find("[data-test=report-offers] li").await;
    host.until("the best seller first", &format!("{FIRST_ROW}.includes('2')"), SOON).await;
    let rows = "return [...document.querySelectorAll('[data-test=report-offers] .report-sum small')].map((it) => it.innerText)";
    let sums = host.script(rows, &[]).await;
    assert!(sums[1].as_str().unwrap().contains('0'), "what sold nothing comes last: {sums}");
    host.sees("report-last-show", &last).await;
    let csv = "document.querySelector('[data-test=report-csv]').offsetParent !== null";
    host.until("the CSV file", csv, SOON).await;
    host.screenshot("host-ended-report").await;
    host.assert_no_faults("the report").await;
    host.script("document.querySelector('dialog[open]').close()", &[]).await;
    let tools = "['add-offer', 'start-end', 'now-panel', 'notice-form', 'chat-input', 'preview-page'].every((name) => {
        const node = document.querySelector(`[data-test=${name}]`); return !node || node.offsetParent === null; })";
    host.until("no live tools", tools, SOON).await;
    host.screenshot("host-ended").await;
    host.assert_no_faults("the console after the end").await;

    viewer.sees("show-end", "The show has ended").await;
    viewer.sees("next-show", "Friday market").await;
    viewer.until("both products", "document.querySelectorAll('[data-test=end-products] li').length === 2", SOON).await;
    viewer.until("both products", "document.querySelectorAll('[data-test=end-products] li').length === 2", SOON).await;
    viewer.screenshot("viewer-show-end").await;
    viewer.assert_no_faults("the end").await;
    host.close().await;
    viewer.close().await;
}
