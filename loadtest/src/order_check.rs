//! Do the stored orders agree with the replies that buyers received? The orders are read from the database or over
//! REST.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use sqlx::{Connection, Row};

use crate::invariants::ViolationKind;
use crate::requests::{PurchaseState, SimulatedPurchase};
use crate::scenario::ScenarioRun;
use crate::violations::Violation;

/// How many refused purchases are checked over REST. Checking all would take as many requests as there were buyers.
const REFUSALS_CHECKED_MAX: usize = 300;

/// An order as it is stored.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderRecord {
    pub id: String,
    pub offer: String,
    pub key: String,
    pub qty: i64,
    pub place: i64,
    /// The order is held, capturing or paid: it reserves a unit.
    pub reserves_stock: bool,
}

impl ScenarioRun<'_> {
    /// Compares the orders, records violations, and returns what was checked.
    pub fn check_orders(&mut self) -> Result<String> {
        let purchases: Vec<&SimulatedPurchase> =
            self.simulation.requests.purchases.iter().filter(|one| one.attempts > 0).collect();
        let orders = self.held_orders();
        let (stored_orders, how) = match &self.args.store {
            Some(store) => {
                let stored_orders = self
                    .shop
                    .block_on(read_orders(store, &offers_of(&purchases)))
                    .context("reading the orders in --store")?;
                (stored_orders, "read in the database")
            }
            None => (self.fetch_orders(&purchases)?, "read over REST, by order and by key"),
        };
        let units: HashMap<&str, i64> = self.offers.iter().map(|(offer, units)| (offer.as_str(), *units)).collect();
        let found = compare_orders(&purchases, &stored_orders, &units);
        let refused = purchases.iter().filter(|one| matches!(one.outcome, PurchaseState::Refused(_))).count();
        let (at_s, rooms) = (self.simulation.now() as f64 / 1e6, &self.simulation.rooms);
        let found: Vec<Violation> = found
            .into_iter()
            .map(|(kind, purchase, detail)| Violation {
                kind,
                at_s: purchase.map_or(at_s, |one| one.intended as f64 / 1e6),
                viewer: purchase.map(|one| one.viewer),
                room: purchase.map_or_else(String::new, |one| rooms[one.room as usize].stream.clone()),
                seq: 0,
                detail,
                excerpt: String::new(),
            })
            .collect();
        found.into_iter().for_each(|one| self.simulation.violations.record(one));
        Ok(format!(
            "{orders} acknowledged orders are stored exactly once, {refused} refused purchases have no order, and units and places are correct ({how})"
        ))
    }

    fn fetch_orders(&self, purchases: &[&SimulatedPurchase]) -> Result<Vec<OrderRecord>> {
        let mut requests = Vec::new();
        let mut refusals = 0;
        for purchase in purchases {
            let path = match &purchase.outcome {
                PurchaseState::Held(order) => format!("/v1/orders/{}", order.id),
                PurchaseState::Refused(_) if refusals == REFUSALS_CHECKED_MAX => continue,
                outcome => {
                    refusals += usize::from(matches!(outcome, PurchaseState::Refused(_)));
                    format!("/v1/orders/by-key/{}", purchase.key)
                }
            };
            let token = self.simulation.viewers[purchase.viewer as usize].token.as_deref().unwrap_or("");
            requests.push((purchase.key.clone(), (path, token.to_owned())));
        }
        let (keys, requests): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let responses = self.shop.get_all(requests)?;
        let stored_orders =
            keys.into_iter().zip(responses).filter(|(_, response)| response.status == 200).map(|(key, response)| {
                let body = response.body;
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                let number = |name: &str| body[name].as_i64().unwrap_or_default();
                let counts = matches!(body["status"].as_str(), Some("held" | "capturing" | "placed" | "paid"));
                OrderRecord {
                    id: text("id"),
                    offer: text("offer"),
                    key,
                    qty: number("qty"),
                    place: number("place"),
                    reserves_stock: counts,
                }
            });
        Ok(stored_orders.collect())
    }
}

fn offers_of(purchases: &[&SimulatedPurchase]) -> Vec<String> {
    let mut offers: Vec<String> = purchases.iter().map(|one| one.offer.clone()).collect();
    offers.sort();
    offers.dedup();
    offers
}

type OrderViolation<'a> = (ViolationKind, Option<&'a SimulatedPurchase>, String);

/// `units` are the offers that this run created: nobody else buys there, so the places must be dense.
fn compare_orders<'a>(
    purchases: &[&'a SimulatedPurchase],
    stored_orders: &[OrderRecord],
    units: &HashMap<&str, i64>,
) -> Vec<OrderViolation<'a>> {
    let mut found = Vec::new();
    let mut by_key: HashMap<&str, Vec<&OrderRecord>> = HashMap::new();
    for stored in stored_orders {
        by_key.entry(&stored.key).or_default().push(stored);
    }
    let none = Vec::new();
    for &purchase in purchases {
        let stored_orders = by_key.get(purchase.key.as_str()).unwrap_or(&none);
        let key = &purchase.key;
        match (&purchase.outcome, stored_orders.as_slice()) {
            (_, [_, _, ..]) => {
                found.push((
                    ViolationKind::OrderDuplicated,
                    Some(purchase),
                    format!("{} orders with key {key}", stored_orders.len()),
                ));
            }
            (PurchaseState::Held(order), []) => {
                let detail =
                    format!("order {} (place {}, key {key}) was acknowledged and is not stored", order.id, order.place);
                found.push((ViolationKind::OrderLost, Some(purchase), detail));
            }
            (PurchaseState::Held(order), [stored]) if (&stored.id, stored.place) != (&order.id, order.place) => {
                let detail = format!(
                    "key {key}: acknowledged as {} with place {}, stored as {} with place {}",
                    order.id, order.place, stored.id, stored.place
                );
                found.push((ViolationKind::OrderLost, Some(purchase), detail));
            }
            (PurchaseState::Refused(code), [stored]) => {
                let detail = format!("key {key} was refused as {code} and order {} is stored", stored.id);
                found.push((ViolationKind::OrderDuplicated, Some(purchase), detail));
            }
            _ => {}
        }
    }
    let mut by_offer: BTreeMap<&str, Vec<&OrderRecord>> = BTreeMap::new();
    for stored in stored_orders {
        by_offer.entry(&stored.offer).or_default().push(stored);
    }
    for (offer, stored_orders) in by_offer {
        let sold: i64 = stored_orders.iter().filter(|stored| stored.reserves_stock).map(|stored| stored.qty).sum();
        let Some(units) = units.get(offer) else { continue };
        if *units < sold {
            found.push((
                ViolationKind::Oversold,
                None,
                format!("offer {offer}: orders have {sold} units, and {units} were on sale"),
            ));
        }
        let mut places: Vec<i64> = stored_orders.iter().map(|stored| stored.place).collect();
        places.sort_unstable();
        if let Some((place, wrong)) = (1..).zip(&places).find(|(place, known)| place != *known) {
            found.push((
                ViolationKind::PlacesNotDense,
                None,
                format!("offer {offer}: place {wrong} is stored instead of {place}"),
            ));
        }
    }
    found
}

async fn read_orders(store: &str, offers: &[String]) -> Result<Vec<OrderRecord>> {
    const COUNTS: &str = "status in ('held', 'capturing', 'placed', 'sold') and returned < qty";
    let mut stored_orders = Vec::new();
    if let Some(path) = store.strip_prefix("sqlite:") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path.trim_start_matches("//")).read_only(true);
        let mut database = sqlx::SqliteConnection::connect_with(&options).await?;
        for offer in offers {
            let sql = format!("select id, key, qty, place, {COUNTS} as counts from reservations where offer = ?");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(uuid::Uuid::parse_str(offer)?)
                .fetch_all(&mut database)
                .await?;
            for row in rows {
                stored_orders.push(OrderRecord {
                    id: row.try_get::<uuid::Uuid, _>("id")?.to_string(),
                    offer: offer.clone(),
                    key: row.try_get("key")?,
                    qty: row.try_get("qty")?,
                    place: row.try_get("place")?,
                    reserves_stock: row.try_get("counts")?,
                });
            }
        }
        return Ok(stored_orders);
    }
    let mut database = sqlx::PgConnection::connect(store).await?;
    sqlx::query("set default_transaction_read_only = on").execute(&mut database).await?;
    for offer in offers {
        let sql = format!("select id, key, qty, place, {COUNTS} as counts from reservations where offer = $1");
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(uuid::Uuid::parse_str(offer)?).fetch_all(&mut database).await?;
        for row in rows {
            stored_orders.push(OrderRecord {
                id: row.try_get::<uuid::Uuid, _>("id")?.to_string(),
                offer: offer.clone(),
                key: row.try_get("key")?,
                qty: row.try_get("qty")?,
                place: row.try_get("place")?,
                reserves_stock: row.try_get("counts")?,
            });
        }
    }
    Ok(stored_orders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ServerOrder;

    fn purchase(key: &str, outcome: PurchaseState) -> SimulatedPurchase {
        SimulatedPurchase { room: 0, viewer: 0, offer: "o".into(), key: key.into(), intended: 0, attempts: 1, outcome }
    }

    fn held(key: &str, place: i64) -> SimulatedPurchase {
        let order = ServerOrder { id: format!("id-{key}"), offer: "o".into(), status: "held".into(), qty: 1, place };
        purchase(key, PurchaseState::Held(order))
    }

    fn entry(key: &str, place: i64) -> OrderRecord {
        OrderRecord { id: format!("id-{key}"), offer: "o".into(), key: key.into(), qty: 1, place, reserves_stock: true }
    }

    #[test]
    fn orders_that_differ_from_the_replies_are_found() {
        let refused = || purchase("r", PurchaseState::Refused("sold_out".into()));
        let unknown = || purchase("u", PurchaseState::Unknown);
        for (purchases, stored_orders, units, expected) in [
            (vec![held("a", 1), held("b", 2), refused(), unknown()], vec![entry("a", 1), entry("b", 2)], 2, vec![]),
            (vec![held("a", 1), unknown()], vec![entry("a", 1), entry("u", 2)], 2, vec![]),
            (vec![held("a", 1), held("b", 2)], vec![entry("a", 1)], 2, vec![ViolationKind::OrderLost]),
            (
                vec![held("a", 1)],
                vec![OrderRecord { id: "x".into(), ..entry("a", 1) }],
                1,
                vec![ViolationKind::OrderLost],
            ),
            (vec![held("a", 1)], vec![entry("a", 1), entry("a", 2)], 2, vec![ViolationKind::OrderDuplicated]),
            (vec![refused()], vec![entry("r", 1)], 1, vec![ViolationKind::OrderDuplicated]),
            (vec![held("a", 1), held("b", 2)], vec![entry("a", 1), entry("b", 2)], 1, vec![ViolationKind::Oversold]),
            (
                vec![held("a", 1), held("b", 3)],
                vec![entry("a", 1), entry("b", 3)],
                2,
                vec![ViolationKind::PlacesNotDense],
            ),
            (
                vec![held("a", 1), held("b", 1)],
                vec![entry("a", 1), entry("b", 1)],
                2,
                vec![ViolationKind::PlacesNotDense],
            ),
        ] {
            let purchases: Vec<&SimulatedPurchase> = purchases.iter().collect();
            let found = compare_orders(&purchases, &stored_orders, &HashMap::from([("o", units)]));
            let kinds: Vec<ViolationKind> = found.iter().map(|(kind, ..)| *kind).collect();
            assert_eq!(kinds, expected, "{found:?}");
        }
    }

    #[test]
    fn in_a_sale_of_another_shop_only_our_own_orders_are_checked() {
        let ours = held("a", 7);
        assert!(compare_orders(&[&ours], &[entry("a", 7)], &HashMap::new()).is_empty());
    }
}
