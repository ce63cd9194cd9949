//! A crowd of real browser connections with the client of the pages: they cannot read a refused handshake.

use std::time::Duration;

use serde_json::json;

use crate::support::browser::{Browser, Window};
use crate::support::driver::Driver;
use crate::support::outside::metrics::Metrics;
use crate::support::outside::shop::Shop;

/// Small, because all are in one page: a browser slows down a page that opens many connections to one host.
const CROWD: usize = 40;
const JOINS_PER_SECOND: f64 = 4.0;
/// The burst of two seconds is in at once.
const IDEAL_S: f64 = CROWD as f64 / JOINS_PER_SECOND - 2.0;

#[tokio::test]
async fn crowd_of_pages_is_in_soon_after_the_ideal_time() {
    let shop = Shop::demo(&["--joins-per-second", &JOINS_PER_SECOND.to_string()]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    // A page without a connection of its own.
    browser.goto(&format!("{}/docs", shop.server.url)).await;
    let arrive = "const [stream, count] = arguments;
        import('/assets/client.js').then(({ connect }) => {
          window.arrivedAt = performance.now();
          window.crowd = Array.from({ length: count }, () => connect(stream));
        });";
    browser.script(arrive, &[json!(shop.stream), json!(CROWD)]).await;
    let took = "window.crowd?.every((client) => client.live) && performance.now() - window.arrivedAt";
    let took_s = browser.until("everybody to be in", took, Duration::from_secs(60)).await.as_f64().unwrap() / 1_000.0;
    let with_ticket = Metrics::of(&shop.host).await.get("livesouk_websocket_handshakes_with_ticket_total");
    assert!(took_s <= 1.3 * IDEAL_S, "{took_s:.1} s, ideal {IDEAL_S} s, {with_ticket} with a ticket");
    assert!(with_ticket >= CROWD as f64 / 2.0, "{with_ticket} came with a ticket");
    browser.close().await;
}
