//! One page of the list of orders, as each view of the desk asks for it.

use std::time::Instant;

use livesouk::domain::{FulfilmentStatus, OrderStatus, ShopOrderFilter, UserId};

use super::large_shop::LargeShop;

const PAGE: i64 = 50;
/// The first round warms the caches of the database and does not count.
const ROUNDS: usize = 13;

/// Measures all views in turns. Gives the 95th percentile of their pages, in milliseconds.
pub async fn measure(shop: &LargeShop, database: &str) -> f64 {
    let views = views(shop);
    let mut times: Vec<Vec<f64>> = views.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for ((_, filter, after), times) in views.iter().zip(&mut times) {
            let after = after.map(|number| shop.order(number));
            let began = Instant::now();
            let page = shop.store.shop_orders(filter, after, PAGE).await.unwrap();
            if round > 0 {
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            assert!(!page.orders.is_empty() || page.next.is_some(), "{filter:?} finds something");
        }
    }
    for ((name, ..), times) in views.iter().zip(&times) {
        println!("{:<26}{:8.1}", format!("{database} {name} p95"), p95(times.clone()));
    }
    p95(times.concat())
}

/// The views of the desk: name, filter, and the number of the order before which the page begins.
fn views(shop: &LargeShop) -> Vec<(&'static str, ShopOrderFilter, Option<i64>)> {
    let all = ShopOrderFilter::default;
    let search = |text: String| ShopOrderFilter { search: Some(text), ..all() };
    let fulfilment = |status| ShopOrderFilter { fulfilment: Some(status), ..all() };
    let middle = shop.orders / 2;
    vec![
        ("all", all(), None),
        ("next page", all(), Some(middle)),
        ("to send", fulfilment(FulfilmentStatus::Unfulfilled), None),
        ("sent", fulfilment(FulfilmentStatus::Sent), None),
        ("cancelled", ShopOrderFilter { status: Some(OrderStatus::Cancelled), ..all() }, None),
        ("one show", ShopOrderFilter { stream: Some(shop.show(7)), ..all() }, None),
        ("one tag", ShopOrderFilter { tag: Some("gift".to_owned()), ..all() }, None),
        ("one buyer", ShopOrderFilter { buyer: UserId::parse("user-7").ok(), ..all() }, None),
        ("a name", search(format!("customer {}", shop.customers() - 7)), None),
        ("an id", search(shop.order(middle).to_string()), None),
        ("a number", search(format!("#{}", 1_001 + middle)), None),
    ]
}

fn p95(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * 95 / 100).min(times.len() - 1)]
}
