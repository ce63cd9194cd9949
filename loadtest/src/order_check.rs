//! Do the books agree with what buyers were told? Read from the database, or asked over REST.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use sqlx::{Connection, Row};

use crate::invariants::ViolationKind;
use crate::requests::{PurchaseState, SimulatedPurchase};
use crate::scenario::ScenarioRun;
use crate::violations::Violation;

/// Refusals looked up over REST: all would be as many requests as there were buyers.
const REFUSALS_CHECKED_MAX: usize = 300;

/// An order as the books have it.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderRecord {
    pub id: String,
    pub offer: String,
    pub key: String,
    pub qty: i64,
    pub place: i64,
    /// Held, capturing or paid: it takes a unit.
    pub reserves_stock: bool,
}

impl ScenarioRun<'_> {
    /// Compares, adds what is broken to the breaches, and says what was checked.
    pub fn check_orders(&mut self) -> Result<String> {
        let pressed: Vec<&SimulatedPurchase> =
            self.simulation.requests.purchases.iter().filter(|one| one.attempts > 0).collect();
        let orders = self.held_orders();
        let (entries, how) = match &self.args.store {
            Some(store) => {
                let entries =
                    self.shop.block_on(read_orders(store, &offers_of(&pressed))).context("the orders in --store")?;
                (entries, "in the database, read only")
            }
            None => (self.fetch_orders(&pressed)?, "over REST, by order and by key"),
        };
        let units: HashMap<&str, i64> = self.offers.iter().map(|(offer, units)| (offer.as_str(), *units)).collect();
        let found = compare_orders(&pressed, &entries, &units);
        let refused = pressed.iter().filter(|one| matches!(one.outcome, PurchaseState::Refused(_))).count();
        let (at_s, rooms) = (self.simulation.now() as f64 / 1e6, &self.simulation.rooms);
        let found: Vec<Violation> = found
            .into_iter()
            .map(|(breach, purchase, what)| Violation {
                kind: breach,
                at_s: purchase.map_or(at_s, |one| one.intended as f64 / 1e6),
                viewer: purchase.map(|one| one.viewer),
                room: purchase.map_or_else(String::new, |one| rooms[one.room as usize].stream.clone()),
                seq: 0,
                what,
                excerpt: String::new(),
            })
            .collect();
        found.into_iter().for_each(|one| self.simulation.violations.record(one));
        Ok(format!(
            "{orders} acknowledged orders are in the books exactly once, {refused} refused ones are not, units and places add up ({how})"
        ))
    }

    fn fetch_orders(&self, pressed: &[&SimulatedPurchase]) -> Result<Vec<OrderRecord>> {
        let mut asked = Vec::new();
        let mut refusals = 0;
        for purchase in pressed {
            let path = match &purchase.outcome {
                PurchaseState::Held(order) => format!("/v1/orders/{}", order.id),
                PurchaseState::Refused(_) if refusals == REFUSALS_CHECKED_MAX => continue,
                outcome => {
                    refusals += usize::from(matches!(outcome, PurchaseState::Refused(_)));
                    format!("/v1/orders/by-key/{}", purchase.key)
                }
            };
            let token = self.simulation.viewers[purchase.viewer as usize].token.as_deref().unwrap_or("");
            asked.push((purchase.key.clone(), (path, token.to_owned())));
        }
        let (keys, asked): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let told = self.shop.get_all(asked)?;
        let entries = keys.into_iter().zip(told).filter(|(_, (status, _))| *status == 200).map(|(key, (_, body))| {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let number = |name: &str| body[name].as_i64().unwrap_or_default();
            let counts = matches!(body["status"].as_str(), Some("held" | "capturing" | "paid"));
            OrderRecord {
                id: text("id"),
                offer: text("offer"),
                key,
                qty: number("qty"),
                place: number("place"),
                reserves_stock: counts,
            }
        });
        Ok(entries.collect())
    }
}

fn offers_of(pressed: &[&SimulatedPurchase]) -> Vec<String> {
    let mut offers: Vec<String> = pressed.iter().map(|one| one.offer.clone()).collect();
    offers.sort();
    offers.dedup();
    offers
}

type OrderViolation<'a> = (ViolationKind, Option<&'a SimulatedPurchase>, String);

/// `units` are the offers that are the crowd's own: nobody else buys there, so places must be dense.
fn compare_orders<'a>(
    pressed: &[&'a SimulatedPurchase],
    entries: &[OrderRecord],
    units: &HashMap<&str, i64>,
) -> Vec<OrderViolation<'a>> {
    let mut found = Vec::new();
    let mut by_key: HashMap<&str, Vec<&OrderRecord>> = HashMap::new();
    for entry in entries {
        by_key.entry(&entry.key).or_default().push(entry);
    }
    let none = Vec::new();
    for &purchase in pressed {
        let entries = by_key.get(purchase.key.as_str()).unwrap_or(&none);
        let key = &purchase.key;
        match (&purchase.outcome, entries.as_slice()) {
            (_, [_, _, ..]) => {
                found.push((
                    ViolationKind::OrderDuplicated,
                    Some(purchase),
                    format!("{} orders with key {key}", entries.len()),
                ));
            }
            (PurchaseState::Held(order), []) => {
                let what = format!(
                    "order {} (place {}, key {key}) was acknowledged and is not in the books",
                    order.id, order.place
                );
                found.push((ViolationKind::OrderLost, Some(purchase), what));
            }
            (PurchaseState::Held(order), [entry]) if (&entry.id, entry.place) != (&order.id, order.place) => {
                let what = format!(
                    "key {key}: told {} place {}, in the books {} place {}",
                    order.id, order.place, entry.id, entry.place
                );
                found.push((ViolationKind::OrderLost, Some(purchase), what));
            }
            (PurchaseState::Refused(code), [entry]) => {
                let what = format!("key {key} was refused as {code} and is order {} in the books", entry.id);
                found.push((ViolationKind::OrderDuplicated, Some(purchase), what));
            }
            _ => {}
        }
    }
    let mut by_offer: BTreeMap<&str, Vec<&OrderRecord>> = BTreeMap::new();
    for entry in entries {
        by_offer.entry(&entry.offer).or_default().push(entry);
    }
    for (offer, entries) in by_offer {
        let sold: i64 = entries.iter().filter(|entry| entry.reserves_stock).map(|entry| entry.qty).sum();
        let Some(units) = units.get(offer) else { continue };
        if *units < sold {
            found.push((
                ViolationKind::Oversold,
                None,
                format!("offer {offer}: {sold} units in orders, {units} on sale"),
            ));
        }
        let mut places: Vec<i64> = entries.iter().map(|entry| entry.place).collect();
        places.sort_unstable();
        if let Some((place, wrong)) = (1..).zip(&places).find(|(place, known)| place != *known) {
            found.push((
                ViolationKind::PlacesNotDense,
                None,
                format!("offer {offer}: place {wrong} where {place} should be"),
            ));
        }
    }
    found
}

async fn read_orders(store: &str, offers: &[String]) -> Result<Vec<OrderRecord>> {
    const COUNTS: &str = "status in ('held', 'capturing', 'paid')";
    let mut entries = Vec::new();
    if let Some(path) = store.strip_prefix("sqlite:") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path.trim_start_matches("//")).read_only(true);
        let mut database = sqlx::SqliteConnection::connect_with(&options).await?;
        for offer in offers {
            let sql = format!("select id, key, qty, place, {COUNTS} as counts from orders where offer = ?");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(uuid::Uuid::parse_str(offer)?)
                .fetch_all(&mut database)
                .await?;
            for row in rows {
                entries.push(OrderRecord {
                    id: row.try_get::<uuid::Uuid, _>("id")?.to_string(),
                    offer: offer.clone(),
                    key: row.try_get("key")?,
                    qty: row.try_get("qty")?,
                    place: row.try_get("place")?,
                    reserves_stock: row.try_get("counts")?,
                });
            }
        }
        return Ok(entries);
    }
    let mut database = sqlx::PgConnection::connect(store).await?;
    sqlx::query("set default_transaction_read_only = on").execute(&mut database).await?;
    for offer in offers {
        let sql = format!("select id, key, qty, place, {COUNTS} as counts from orders where offer = $1");
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(uuid::Uuid::parse_str(offer)?).fetch_all(&mut database).await?;
        for row in rows {
            entries.push(OrderRecord {
                id: row.try_get::<uuid::Uuid, _>("id")?.to_string(),
                offer: offer.clone(),
                key: row.try_get("key")?,
                qty: row.try_get("qty")?,
                place: row.try_get("place")?,
                reserves_stock: row.try_get("counts")?,
            });
        }
    }
    Ok(entries)
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
    fn books_that_differ_from_what_buyers_were_told_are_found() {
        let refused = || purchase("r", PurchaseState::Refused("sold_out".into()));
        let unknown = || purchase("u", PurchaseState::Unknown);
        for (pressed, entries, units, expected) in [
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
            let pressed: Vec<&SimulatedPurchase> = pressed.iter().collect();
            let found = compare_orders(&pressed, &entries, &HashMap::from([("o", units)]));
            let kinds: Vec<ViolationKind> = found.iter().map(|(breach, ..)| *breach).collect();
            assert_eq!(kinds, expected, "{found:?}");
        }
    }

    #[test]
    fn in_somebody_elses_sale_only_our_own_orders_are_judged() {
        let ours = held("a", 7);
        assert!(compare_orders(&[&ours], &[entry("a", 7)], &HashMap::new()).is_empty());
    }
}
