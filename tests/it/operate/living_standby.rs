//! The address of the database points at a living standby for some seconds, as it does while a cluster manager or a DNS record
//! changes. A standby answers every read, from the past.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cluster::Postgres;
use crate::support::proxy::Proxy;
use crate::support::shop::{Shop, id, key};
use crate::support::{SOON, until_some};

const MOMENT: Duration = Duration::from_secs(7);

struct Servers {
    primary: Postgres,
    standby: Postgres,
    /// From the shop to the server behind the address.
    way: Proxy,
}

impl Servers {
    async fn start() -> Servers {
        let primary = Postgres::start().await.unwrap_or_else(|missing| panic!("{missing}"));
        let standby = Postgres::standby(primary.address()).await.unwrap_or_else(|why| panic!("{why}"));
        // What the primary commits is visible at the standby a second later.
        standby.run("alter system set recovery_min_apply_delay = '1s'").await;
        standby.run("select pg_reload_conf()::text").await;
        let way = Proxy::start(primary.address()).await;
        Servers { primary, standby, way }
    }

    /// New connections reach this server. The connections to the other one are reset, or stay open.
    async fn aim(&self, server: &Postgres, is_reset: bool) {
        self.way.aim(server.address());
        if is_reset {
            self.way.cut();
            until_some("reset connections", SOON, async || (self.way.open() == 0).then_some(())).await;
            self.way.restore();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_order_is_paid_after_a_moment_on_a_standby() {
    let servers = Servers::start().await;
    let direct = Postgres::url_at(servers.primary.address());
    let shop = Shop::serve(&direct, &Postgres::url_at(servers.way.address())).await;
    let offer = shop.on_sale(1_000, json!({"per_buyer": 1_000, "hold_s": 10})).await;
    let ann = shop.rest("Ann", "viewer");
    let buy = format!("/v1/offers/{offer}/orders");
    let lapsing = id(&ann.post_keyed(&buy, &key(), json!({"qty": 1})).await.expect(201));

    servers.aim(&servers.standby, true).await;
    let begun = Instant::now();
    let mut was_ready = Duration::ZERO;
    while begun.elapsed() < MOMENT {
        let answer = ann.post_keyed(&buy, &key(), json!({"qty": 1})).await;
        assert_ne!(answer.status, 201, "a standby cannot sell");
        assert!(answer.status == 503, "a standby refuses with {}", answer.body);
        if shop.server.rest().get("/readyz?only=store").await.status == 200 {
            was_ready = begun.elapsed();
        }
        let orders = ann.get("/v1/orders").await;
        assert!(orders.status == 503 || was_ready + Duration::from_secs(2) > begun.elapsed(), "{:#}", orders.body);
    }
    assert!(was_ready < Duration::from_secs(2), "ready on a standby after {was_ready:?}");

    // The address is right again; nothing is reset.
    servers.aim(&servers.primary, false).await;
    let begun = Instant::now();
    let mut payments = 0;
    for buyer in 0.. {
        if begun.elapsed() > MOMENT {
            break;
        }
        // Each buyer buys once: one that bought for seconds would meet a rate limit.
        let bob = shop.rest(&format!("Bob-{buyer}"), "viewer");
        let bought = bob.post_keyed(&buy, &key(), json!({"qty": 1})).await;
        if bought.status != 201 {
            assert!(begun.elapsed() < Duration::from_secs(5), "buying did not resume: {:#}", bought.body);
            continue;
        }
        let order = id(&bought.body);
        let paid = bob.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await;
        assert_ne!(paid.status, 404, "an acknowledged order is there: {:#}", paid.body);
        payments += i64::from(paid.status == 200);
    }
    assert!(payments > 0, "nothing was paid");
    assert_eq!(shop.server.rest().get("/readyz?only=store").await.status, 200);
    // Its ten seconds are long over.
    until_some("released hold", SOON, async || {
        (ann.get(&format!("/v1/orders/{lapsing}")).await.body["status"] == "expired").then_some(())
    })
    .await;
    shop.assert_audited().await;
}
