//! The rush: more buyers than units, all at once, each over its own socket.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::support::SOON;
use crate::support::postgres::Database;
use crate::support::shop::Shop;

const BUYERS: usize = 200;
const UNITS: i64 = 50;

/// The replies to one buyer: the first, and the second with the same key.
type BuyReplies = (Result<Value, Value>, Result<Value, Value>);

async fn rush(shop: Shop) {
    let offer = shop.on_sale(UNITS, json!({"per_buyer": 1})).await;
    let mut watcher = shop.watch().await;
    let replies = press_buy(&shop, &offer).await;

    let first: Vec<&Value> = replies.iter().filter_map(|(first, _)| first.as_ref().ok()).collect();
    let mut places: Vec<i64> = first.iter().map(|ok| ok["order"]["place"].as_i64().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, (1..=UNITS).collect::<Vec<_>>());
    for ok in &first {
        assert_eq!(
            (&ok["order"]["status"], &ok["order"]["qty"], &ok["replayed"]),
            (&json!("held"), &json!(1), &json!(false))
        );
    }
    let refused = replies.iter().filter(|(first, _)| first.as_ref().is_err_and(is_sold_out)).count();
    assert_eq!(refused, BUYERS - UNITS as usize, "{replies:#?}");

    for (first, again) in &replies {
        match (first, again) {
            (Ok(first), Ok(again)) => {
                assert_eq!(
                    (&first["order"]["id"], &first["order"]["place"]),
                    (&again["order"]["id"], &again["order"]["place"])
                );
                assert_eq!(again["replayed"], true);
            }
            (Err(_), Err(again)) => assert!(is_sold_out(again), "{again}"),
            changed => panic!("a retry changed the answer: {changed:#?}"),
        }
    }

    watcher.until_state("sold out", SOON, |state| state["offers"][&offer]["left"] == 0).await;
    assert_eq!(watcher.state["offers"][&offer]["status"], "sold_out_for_now");
    shop.assert_left(&offer, 0).await;
    assert_eq!(shop.number("select count(*) from reservations where status = 'held'").await, UNITS);
    assert_eq!(shop.number("select count(distinct place) from reservations").await, UNITS);
    assert_eq!(shop.number("select count(*) from reservations").await, UNITS);
}

/// All buyers connect, then all send buy at once, then all send it again.
async fn press_buy(shop: &Shop, offer: &str) -> Vec<BuyReplies> {
    let all_connected = Arc::new(Barrier::new(BUYERS));
    let buyers = (0..BUYERS).map(|number| {
        let (url, stream, token) =
            (shop.server.url.clone(), shop.stream.clone(), shop.token(&format!("buyer-{number}"), "viewer"));
        let ready = all_connected.clone();
        let buy = json!({"do": "buy", "offer": offer, "qty": 1, "key": format!("rush-{number:05}")});
        tokio::spawn(async move {
            let mut live = crate::support::socket::Live::connect(&url, &stream, Some(&token)).await;
            ready.wait().await;
            let first = live.ask(buy.clone()).await;
            ready.wait().await;
            let again = live.ask(buy).await;
            live.leave().await;
            (first, again)
        })
    });
    let buyers: Vec<_> = buyers.collect();
    let mut replies = Vec::with_capacity(BUYERS);
    for buyer in buyers {
        replies.push(buyer.await.unwrap());
    }
    replies
}

fn is_sold_out(error: &Value) -> bool {
    error["code"] == "sold_out" || error["code"] == "sold_out_for_now"
}

#[tokio::test]
async fn two_hundred_buyers_get_fifty_units_on_sqlite() {
    rush(Shop::demo(&[]).await).await;
}

#[tokio::test]
async fn two_hundred_buyers_get_fifty_units_on_postgres() {
    let database = Database::migrated().await;
    rush(Shop::serve(&database.url(), &database.url()).await).await;
}
