//! The settings that a database session needs before orders may be acknowledged over it.

use std::time::{Duration, Instant};

use livesouk::clock::Clock;
use livesouk::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::builders::{actor, code, key, purchase_requests};
use super::fixture::{Fixture, SELL_CONNECTIONS};
use super::postgres_faults::{SELLING, set_default};
use crate::support::proxy::Proxy;
use crate::support::{SOON, until_some};

/// `lock_timeout` and our own deadlines end a wait. `statement_timeout` must not: it may end a commit that waits for its
/// standby, and then an order would be acknowledged that no standby has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statement_timeout_of_the_database_does_not_end_a_sale() {
    let shop = Fixture::on_postgres().await.into_arc();
    let offer = shop.offer(10, 1).await;
    set_default(&shop, "statement_timeout", "'50ms'").await;
    slow_down_inserts(&shop, "0.3").await;
    assert_eq!(code(&shop.buy(offer, &purchase_requests([0])[0]).await), "ok");
}

async fn slow_down_inserts(shop: &Fixture, seconds: &str) {
    shop.run(&format!(
        "create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep({seconds}); return null; end $$;
         create trigger wait after insert on reservations for each statement execute function wait()"
    ))
    .await;
}

/// Behind a pooler the server of an open connection may change. Here a function that the search path finds first gives the answer of a
/// standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_does_not_begin_on_a_server_in_recovery() {
    let shop = Fixture::on_postgres().await;
    let become_standby = async |yes: bool| {
        let function = "create or replace function public.pg_is_in_recovery() returns boolean language sql as";
        shop.run(&format!("{function} 'select {yes}'")).await;
    };
    become_standby(false).await;
    set_default(&shop, "search_path", "public, pg_catalog").await;
    let store = Store::open(&shop.url, Clock::system(), SELL_CONNECTIONS).await.unwrap();
    let write = async || store.delete_outbox_events(&[Uuid::now_v7()]).await;
    write().await.unwrap();
    become_standby(true).await;
    let fault = write().await.expect_err("nothing is written on a standby");
    assert!(fault.is_transient(), "{fault}");
    become_standby(false).await;
    write().await.unwrap();
}

/// The connection swallows everything while the row is locked: this is how the database sees a machine that hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_node_with_locked_row_delays_others_for_seconds_only() {
    let shop = Fixture::on_postgres().await.into_arc();
    let offer = shop.offer(10, 1).await;
    let (start, rest) = shop.url.split_once('@').unwrap();
    let (address, database) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(address.parse().unwrap()).await;
    let url = format!("{start}@{}/{database}", proxy.address());
    let frozen = Store::open(&url, Clock::system(), SELL_CONNECTIONS).await.unwrap();
    slow_down_inserts(&shop, "0.5").await;
    let batch = tokio::spawn(async move { frozen.sell(offer, &purchase_requests([1])).await.map(|_| ()) });
    let inserting =
        format!("select count(*) {SELLING} and state = 'active' and query like '%insert into reservations%'");
    until_some("insert under way", SOON, async || (shop.number(&inserting).await == 1).then_some(())).await;
    proxy.black_hole();
    let begun = Instant::now();
    // Two seconds of idle timeout, half a second of insert, and some time for a busy machine.
    let sold = loop {
        assert!(begun.elapsed() < Duration::from_secs(6), "the row is still locked");
        match shop.store.sell(offer, &purchase_requests([2])).await {
            Ok(sold) => break sold,
            Err(fault) => assert!(fault.is_transient(), "{fault}"),
        }
    };
    assert_eq!(code(&sold.results[0]), "ok");
    assert!(batch.await.unwrap().is_err(), "it got no reply to its commit");
    assert_eq!(shop.load_offer(offer).await.terms.reserved, 1);
    shop.assert_consistent().await;
}

/// The lock is granted with the commit of the batch before. When that batch dies, the next one continues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn next_batch_queues_for_the_row_lock_while_one_is_in_flight() {
    let shop = Fixture::on_postgres().await;
    let (offer, app) = (shop.offer(10, 1).await, shop.app().await);
    slow_down_inserts(&shop, "1").await;
    let press = |buyer: &'static str| {
        let app = app.clone();
        tokio::spawn(async move {
            app.checkout.buy(&actor(buyer), offer, 1, key("key-00001")).await.map(|bought| bought.order.place)
        })
    };
    let inserting = format!("{SELLING} and state = 'active' and query like '%insert into reservations%'");
    let waiting = format!("select count(*) {SELLING} and wait_event_type = 'Lock' and query like 'begin;%'");
    let first = press("ann");
    until_some("insert under way", SOON, async || {
        (shop.number(&format!("select count(*) {inserting}")).await == 1).then_some(())
    })
    .await;
    let second = press("bob");
    until_some("a batch that waits for the lock", SOON, async || (shop.number(&waiting).await == 1).then_some(()))
        .await;
    assert_eq!(
        shop.number(&format!("select count(pg_terminate_backend(pid)) {inserting}")).await,
        1,
        "still in flight"
    );
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(1), Ok(2)));
    shop.assert_consistent().await;
    app.stopping().cancel();
    app.finish().await;
}

/// The proxy acts like a pooler that drops the session settings that a client requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooler_that_drops_session_settings_is_refused_at_start() {
    let shop = Fixture::on_postgres().await;
    let (start, rest) = shop.url.split_once('@').unwrap();
    let (address, database) = rest.split_once('/').unwrap();
    let (address, pooler) = (address.to_owned(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("{start}@{}/{database}", pooler.local_addr().unwrap());
    let pooling = tokio::spawn(async move {
        while let Ok((mut client, _)) = pooler.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await?;
                // The first packet of a session has its settings. The proxy writes another value of the same length.
                let mut packet = vec![0; 4_096];
                loop {
                    let read = client.read(&mut packet).await?;
                    let first = String::from_utf8_lossy(&packet[..read]).into_owned();
                    let Some(at) = first.find("statement_timeout=0") else {
                        // The client asks for TLS first; the answer is no.
                        server.write_all(&packet[..read]).await?;
                        if first.contains("user") {
                            break;
                        }
                        let mut no = [0; 1];
                        server.read_exact(&mut no).await?;
                        client.write_all(&no).await?;
                        continue;
                    };
                    packet[at + "statement_timeout=".len()] = b'9';
                    server.write_all(&packet[..read]).await?;
                    break;
                }
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let error = Store::open(&url, Clock::system(), SELL_CONNECTIONS).await.err().map(|fault| fault.to_string());
    assert!(error.as_ref().is_some_and(|error| error.contains("orders would not be safe")), "{error:?}");
    pooling.abort();
}
