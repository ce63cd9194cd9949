//! Admission: one client cannot use up the handshakes of all others.

use uuid::Uuid;

use crate::support::metrics::Metrics;
use crate::support::raw_client::{IS_IN, LIMIT_LOOPBACK, answer, connect_from, join_from, pipeline, upgrade_request};
use crate::support::shop::Shop;

fn live_path(shop: &Shop) -> String {
    format!("/v1/streams/{}/live", shop.stream)
}

/// Eight viewers, each from another address, who arrive now.
async fn eight_viewers(shop: &Shop) -> usize {
    let mut here = Vec::new();
    for last in 101..109 {
        here.push(join_from(last, shop.server.address(), &live_path(shop)).await);
    }
    here.iter().filter(|(answer, _)| *answer == IS_IN).count()
}

#[tokio::test]
async fn invented_stream_ids_take_nothing_from_viewers() {
    let shop = Shop::demo(&[&LIMIT_LOOPBACK[..], &["--joins-per-second", "10"]].concat()).await;
    let mut attacker = connect_from(99, shop.server.address()).await.unwrap();
    let invented = || upgrade_request(&format!("/v1/streams/{}/live", Uuid::now_v7()), "");
    let answers = pipeline(&mut attacker, 600, invented).await;
    assert_eq!(eight_viewers(&shop).await, 8);
    // The look-ups that the invented ids cause are limited themselves.
    assert!(answers.matches("HTTP/1.1 404").count() > 100 && !answers.contains("HTTP/1.1 101"));
}

#[tokio::test]
async fn one_address_cannot_use_up_the_handshakes_of_all_others() {
    let shop = Shop::demo(&[&LIMIT_LOOPBACK[..], &["--joins-per-second", "10"]].concat()).await;
    let mut attackers = Vec::new();
    for _ in 0..60 {
        attackers.push(join_from(99, shop.server.address(), &live_path(&shop)).await);
    }
    let got_in = attackers.iter().filter(|(answer, _)| *answer == IS_IN).count();
    assert_eq!(eight_viewers(&shop).await, 8, "after {got_in} of 60 attackers got in");
    assert!((5..30).contains(&got_in), "{got_in} of 60");
    let limited = Metrics::of(&shop.host).await.get("livesouk_limited_total{what=\"handshakes\"}");
    assert!(limited >= 10.0, "{limited}");
}

#[tokio::test]
async fn team_is_admitted_while_viewers_have_to_wait() {
    let shop = Shop::demo(&["--joins-per-second", "0.1"]).await;
    let anonymous = live_path(&shop);
    while join_from(1, shop.server.address(), &anonymous).await.0 == IS_IN {}
    let host = format!("{anonymous}?token={}", shop.token("the-host", "host"));
    for _ in 0..3 {
        let mut connection = connect_from(1, shop.server.address()).await.unwrap();
        assert_eq!(answer(&mut connection, &upgrade_request(&host, "")).await, IS_IN);
    }
}
