//! A payment by card whose answer is lost on its way, or whose page is loaded again meanwhile: the buyer sees one paid order, and the card is
//! charged once.

use std::time::Duration;

use fake_stripe::{Call, FakeStripe, Fault, Options};
use serde_json::json;
use testkit::proxy::Proxy;
use testkit::web_proxy::WebProxy;

use crate::card::{card, draw, shop};
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::until_some;
use crate::support::person::{named, order_is};

/// Our pages ask again for about this long.
const AT_LAST: Duration = Duration::from_secs(60);

/// The charges that took money.
fn taken(fake: &FakeStripe) -> usize {
    fake.intents().iter().filter(|intent| intent["amount_received"].as_i64() > Some(0)).count()
}

/// Requests that create a payment.
fn creates(fake: &FakeStripe) -> usize {
    fake.received().iter().filter(|call| call.method == "POST" && call.path == "/v1/payment_intents").count()
}

async fn until_asked(fake: &FakeStripe, before: usize) {
    until_some("the request to Stripe", SOON, async || (creates(fake) > before).then_some(())).await;
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Lost {
    /// Stripe has charged the card, and its answer does not arrive.
    AnswerOfStripe,
    /// The buyer loads the page again while Stripe answers.
    Page,
    /// The connection of the buyer breaks while Stripe answers.
    Connection,
    /// The shop has the answer, and what it says to the buyer does not arrive.
    AnswerOfShop,
}

#[tokio::test]
async fn evening_lost_answer_or_reload_pays_by_card_once() {
    let fake = FakeStripe::start(Options { rate_per_endpoint: 10_000, ..Options::default() }).await.unwrap();
    let listen = WebProxy::address();
    let proxy = Proxy::start(listen.parse().unwrap()).await;
    let base = proxy.url();
    let (shop, _folder) = shop(&fake, &base, &[]).await;
    let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
    let _nginx = WebProxy::nginx(&listen, shop.server.address(), &location).await;
    let offer = shop.on_sale(9, json!({"per_buyer": 9, "hold_s": 600})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let driver = Driver::start();
    let mut paid = 0;
    for (lost, language) in
        [(Lost::AnswerOfStripe, "en"), (Lost::Page, "ar"), (Lost::Connection, "en"), (Lost::AnswerOfShop, "ar")]
    {
        let name = format!("{lost:?}").to_lowercase();
        let buyer = Browser::open(&driver, Window::Mobile, language).await;
        let token = shop.token(&name, "viewer");
        buyer.goto(&format!("{base}/watch?stream={}&lang={language}#token={token}", shop.stream)).await;
        buyer.wait_until_live().await;
        buyer.watch_pinned(&offer).await;
        buyer.press("card-buy").await;
        buyer.until("the hold", &order_is("held"), SOON).await;
        buyer.find(&named("card-number")).await;
        buyer.fill_address().await;
        let (asked, fault) = (
            creates(&fake),
            match lost {
                Lost::AnswerOfStripe => Fault::CutAfter,
                Lost::Page | Lost::Connection | Lost::AnswerOfShop => Fault::Slow(Duration::from_secs(2)),
            },
        );
        fake.plan_fault(Call::Create, fault, 1);
        card(&buyer, "4242424242424242").await;
        until_asked(&fake, asked).await;
        match lost {
            Lost::AnswerOfStripe => {}
            Lost::Page => buyer.reload().await,
            Lost::Connection => proxy.cut(),
            Lost::AnswerOfShop => proxy.lose_replies(),
        }
        paid += 1;
        if lost != Lost::AnswerOfStripe {
            // Nobody has to wait for the page.
            until_some("the charge", SOON, async || (taken(&fake) == paid).then_some(())).await;
        }
        if lost == Lost::Connection || lost == Lost::AnswerOfShop {
            proxy.restore();
        }
        if lost == Lost::Page {
            buyer.wait_until_live().await;
        } else {
            buyer.until("the order to be paid", &order_is("paid"), AT_LAST).await;
        }
        draw(&buyer, Window::Mobile, &format!("lost-{name}")).await;
        // The one order, on the page of the orders.
        buyer.goto(&format!("{base}/orders?lang={language}")).await;
        let rows = "[...document.querySelectorAll('.order-row')].map((row) => row.querySelector('.status').className)";
        let shown = buyer.until("the orders", &format!("({rows}).length && {rows}"), SOON).await;
        assert_eq!(shown, json!(["status paid"]), "{lost:?}");
        draw(&buyer, Window::Mobile, &format!("lost-{name}-orders")).await;
        assert_eq!(taken(&fake), paid, "{lost:?}");
        assert_eq!(fake.intents().len(), paid, "{lost:?}");
        buyer.close().await;
    }
    assert_eq!(shop.number("select count(*) from orders where status = 'paid'").await, paid as i64);
    assert_eq!(shop.number("select count(*) from payments").await, paid as i64, "one attempt for each order");
    shop.until_left(&offer, 5).await;
}
