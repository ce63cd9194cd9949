//! Orders of many buyers that are opened in one transaction: each is as it would be if it were opened by itself.

use std::collections::HashSet;

use futures_util::future::join_all;
use livesouk::domain::{OfferId, Order, OrderId, OrderQuote, QuoteRules};
use livesouk::store::{OpenedOrder, OrderToOpen};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::address::address;
use super::builders::{actor, user};
use super::coupon_builders::{PERCENT_10, percent};
use super::fixture::{Fixture, facts};

facts! {
    orders_opened_together_are_as_if_opened_alone
    order_that_is_not_simple_is_left_to_be_opened_alone
    what_was_noted_and_claimed_counts_when_orders_are_opened_together
    buyers_who_open_orders_at_the_same_moment_get_them_all
}

fn wanted(buyer: &str, reservations: &[OrderId]) -> OrderToOpen {
    OrderToOpen { buyer: user(buyer), reservations: reservations.to_vec() }
}

impl Fixture {
    async fn reserve_two(&self, offers: [OfferId; 2], buyer: &str) -> [OrderId; 2] {
        [self.reserve_some(offers[0], buyer, 1).await, self.reserve_some(offers[1], buyer, 2).await]
    }

    async fn open_together(&self, orders: &[OrderToOpen]) -> Vec<Option<OpenedOrder>> {
        self.store.open_new_orders(orders, QuoteRules::default()).await.unwrap()
    }

    async fn two_offers(&self) -> [OfferId; 2] {
        [self.offer(99, 99).await, self.offer(99, 99).await]
    }

    async fn assert_is_stored(&self, order: &Order, quote: Option<&OrderQuote>) {
        assert_eq!(*order, self.order(order.id).await);
        assert_eq!(quote, Some(&self.quote_of(order.id).await));
    }
}

async fn orders_opened_together_are_as_if_opened_alone(shop: Fixture) {
    let offers = shop.two_offers().await;
    let mut orders = Vec::new();
    for n in 0..5 {
        let buyer = format!("buyer-{n}");
        let [one, two] = shop.reserve_two(offers, &buyer).await;
        // In any order, and one of them twice.
        orders.push(wanted(&buyer, &[two, one, two]));
    }
    let opened = shop.open_together(&orders).await;
    let mut numbers = HashSet::new();
    for (opened, wanted) in opened.iter().zip(&orders) {
        let (order, quote) = opened.as_ref().expect("it is opened");
        assert_eq!((&order.buyer, order.lines.len(), order.qty), (&wanted.buyer, 2, 3));
        assert!(numbers.insert(order.number.expect("a number")), "each has its own number");
        shop.assert_is_stored(order, quote.as_ref()).await;
        assert_eq!(quote.as_ref().unwrap().lines[0].item.title, "Lamp", "the quote names what is sold");
    }
    assert_eq!(shop.number("select count(*) from orders where status = 'open'").await, 5);
    assert_eq!(shop.open_together(&[]).await, []);
    shop.assert_consistent().await;
}

async fn order_that_is_not_simple_is_left_to_be_opened_alone(shop: Fixture) {
    let offers = shop.two_offers().await;
    let (simple, theirs) = (shop.reserve_two(offers, "ann").await, shop.reserve_two(offers, "bob").await);
    shop.opened("cat", &[1]).await;
    let of_open_order = shop.reserve_two(offers, "cat").await;
    let unknown = OrderId::new();
    let cancelled = shop.reserve_two(offers, "eve").await;
    let why = livesouk::store::ReleaseReason::BuyerCancel;
    shop.store.release_reservations(offers[0], &cancelled[..1], why, None).await.unwrap();
    let before = shop.number("select count(*) from orders").await;
    let orders = [
        wanted("ann", &simple),
        wanted("dan", &theirs),
        wanted("cat", &of_open_order),
        wanted("flo", &[unknown]),
        wanted("eve", &cancelled),
        wanted("gus", &[]),
    ];
    let opened = shop.open_together(&orders).await;
    let are_opened: Vec<bool> = opened.iter().map(Option::is_some).collect();
    assert_eq!(are_opened, [true, false, false, false, false, false]);
    assert_eq!(shop.number("select count(*) from orders").await, before + 1, "nothing was written for the others");
    assert_eq!(shop.number("select count(*) from reservations where order_id is not null").await, 1 + 2);
    // The rightful buyer gets it afterwards.
    assert!(shop.open_together(&[wanted("bob", &theirs)]).await[0].is_some());
    shop.assert_consistent().await;
}

async fn what_was_noted_and_claimed_counts_when_orders_are_opened_together(shop: Fixture) {
    let offers = shop.two_offers().await;
    let coupon = shop.coupon(percent("TEN", PERCENT_10)).await;
    let (noted, claimed, plain) = (
        shop.reserve_two(offers, "ann").await,
        shop.reserve_two(offers, "bob").await,
        shop.reserve_two(offers, "cat").await,
    );
    shop.store.set_address(noted[1], &address("Ann")).await.unwrap();
    shop.claim(&coupon, "bob").await;
    let orders = [wanted("ann", &noted), wanted("bob", &claimed), wanted("cat", &plain)];
    let opened: Vec<OpenedOrder> = shop.open_together(&orders).await.into_iter().flatten().collect();
    assert_eq!(opened.len(), 3);
    for (order, quote) in &opened {
        shop.assert_is_stored(order, quote.as_ref()).await;
    }
    let names = async |order: OrderId| shop.store.address(order).await.unwrap().map(|address| address.name);
    assert_eq!(names(opened[0].0.id).await.as_deref(), Some("Ann"), "the address moves to the order");
    assert_eq!(names(opened[2].0.id).await, None);
    let discounts: Vec<i64> = opened.iter().map(|(_, quote)| quote.as_ref().unwrap().discount).collect();
    assert_eq!(discounts, [0, 3 * 490, 0], "only the buyer who has claimed the coupon gets it");
}

/// Some of them have two requests at once, which become one order.
async fn buyers_who_open_orders_at_the_same_moment_get_them_all(shop: Fixture) {
    let offers = [shop.offer(999, 999).await, shop.offer(999, 999).await];
    let app = shop.app().await;
    let mut requests = Vec::new();
    for n in 0..60 {
        let buyer = format!("buyer-{n}");
        let [one, two] = shop.reserve_two(offers, &buyer).await;
        requests.push((buyer.clone(), vec![one, two]));
        if n % 10 == 0 {
            requests.push((buyer, vec![one, two]));
        }
    }
    let open = requests.iter().map(async |(buyer, ids)| app.checkout.open_order(&actor(buyer), ids).await.unwrap());
    let views = join_all(open).await;
    assert!(views.iter().all(|view| view.quote.is_some() && view.number.is_some()));
    assert_eq!(shop.number("select count(*) from orders where status = 'open'").await, 60);
    assert_eq!(shop.number("select count(distinct number) from orders").await, 60);
    assert_eq!(shop.number("select count(*) from reservations where order_id is not null").await, 120);
    assert_eq!(app.checkout.openings().pending.load(std::sync::atomic::Ordering::Relaxed), 0);
    shop.assert_consistent().await;
}

/// A transaction that has locked a reservation delays its own buyer, and nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_reservation_does_not_delay_the_orders_of_others() {
    let shop = Fixture::on_postgres().await;
    let offers = shop.two_offers().await;
    let (locked, free) = (shop.reserve_two(offers, "ann").await, shop.reserve_two(offers, "bob").await);
    let mut other = PgConnection::connect(&shop.url).await.unwrap();
    let lock = format!("begin; select id from reservations where id = '{}' for update", locked[0].0);
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut other).await.unwrap();
    let orders = [wanted("ann", &locked), wanted("bob", &free)];
    let opened = shop.open_together(&orders).await;
    assert_eq!([opened[0].is_some(), opened[1].is_some()], [false, true]);
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert!(shop.open_together(&orders[..1]).await[0].is_some());
}
