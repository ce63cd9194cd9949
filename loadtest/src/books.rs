//! Do the books agree with what buyers were told? Read from the database, or asked over REST.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use sqlx::{Connection, Row};

use crate::ask::{Outcome, Purchase};
use crate::breaches::Found;
use crate::scenario::Stage;
use crate::truth::Breach;

/// Refusals looked up over REST: all would be as many requests as there were buyers.
const REFUSALS_ASKED: usize = 300;

/// An order as the books have it.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub id: String,
    pub offer: String,
    pub key: String,
    pub qty: i64,
    pub place: i64,
    /// Held, capturing or paid: it takes a unit.
    pub counts: bool,
}

impl Stage<'_> {
    /// Compares, adds what is broken to the breaches, and says what was checked.
    pub fn check_books(&mut self) -> Result<String> {
        let pressed: Vec<&Purchase> = self.crowd.asks.purchases.iter().filter(|one| one.tries > 0).collect();
        let orders = self.orders();
        let (entries, how) = match &self.args.store {
            Some(store) => {
                let entries = self.shop.wait(read(store, &offers_of(&pressed))).context("the orders in --store")?;
                (entries, "in the database, read only")
            }
            None => (self.ask_orders(&pressed)?, "over REST, by order and by key"),
        };
        let units: HashMap<&str, i64> = self.offers.iter().map(|(offer, units)| (offer.as_str(), *units)).collect();
        let found = compare(&pressed, &entries, &units);
        let refused = pressed.iter().filter(|one| matches!(one.outcome, Outcome::Refused(_))).count();
        let (at_s, rooms) = (self.crowd.now() as f64 / 1e6, &self.crowd.rooms);
        let found: Vec<Found> = found
            .into_iter()
            .map(|(breach, purchase, what)| Found {
                breach,
                at_s: purchase.map_or(at_s, |one| one.intended as f64 / 1e6),
                viewer: purchase.map(|one| one.viewer),
                room: purchase.map_or_else(String::new, |one| rooms[one.room as usize].stream.clone()),
                seq: 0,
                what,
                bytes: String::new(),
            })
            .collect();
        found.into_iter().for_each(|one| self.crowd.breaches.add(one));
        Ok(format!(
            "{orders} acknowledged orders are in the books exactly once, {refused} refused ones are not, units and places add up ({how})"
        ))
    }

    fn ask_orders(&self, pressed: &[&Purchase]) -> Result<Vec<Entry>> {
        let mut asked = Vec::new();
        let mut refusals = 0;
        for purchase in pressed {
            let path = match &purchase.outcome {
                Outcome::Held(order) => format!("/v1/orders/{}", order.id),
                Outcome::Refused(_) if refusals == REFUSALS_ASKED => continue,
                outcome => {
                    refusals += usize::from(matches!(outcome, Outcome::Refused(_)));
                    format!("/v1/orders/by-key/{}", purchase.key)
                }
            };
            let token = self.crowd.viewers[purchase.viewer as usize].token.as_deref().unwrap_or("");
            asked.push((purchase.key.clone(), (path, token.to_owned())));
        }
        let (keys, asked): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let told = self.shop.get_all(asked)?;
        let entries = keys.into_iter().zip(told).filter(|(_, (status, _))| *status == 200).map(|(key, (_, body))| {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let number = |name: &str| body[name].as_i64().unwrap_or_default();
            let counts = matches!(body["status"].as_str(), Some("held" | "capturing" | "paid"));
            Entry { id: text("id"), offer: text("offer"), key, qty: number("qty"), place: number("place"), counts }
        });
        Ok(entries.collect())
    }
}

fn offers_of(pressed: &[&Purchase]) -> Vec<String> {
    let mut offers: Vec<String> = pressed.iter().map(|one| one.offer.clone()).collect();
    offers.sort();
    offers.dedup();
    offers
}

type Difference<'a> = (Breach, Option<&'a Purchase>, String);

/// `units` are the offers that are the crowd's own: nobody else buys there, so places must be dense.
fn compare<'a>(pressed: &[&'a Purchase], entries: &[Entry], units: &HashMap<&str, i64>) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    let mut by_key: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in entries {
        by_key.entry(&entry.key).or_default().push(entry);
    }
    let none = Vec::new();
    for &purchase in pressed {
        let entries = by_key.get(purchase.key.as_str()).unwrap_or(&none);
        let key = &purchase.key;
        match (&purchase.outcome, entries.as_slice()) {
            (_, [_, _, ..]) => {
                found.push((Breach::OrderTwice, Some(purchase), format!("{} orders with key {key}", entries.len())));
            }
            (Outcome::Held(order), []) => {
                let what = format!(
                    "order {} (place {}, key {key}) was acknowledged and is not in the books",
                    order.id, order.place
                );
                found.push((Breach::OrderLost, Some(purchase), what));
            }
            (Outcome::Held(order), [entry]) if (&entry.id, entry.place) != (&order.id, order.place) => {
                let what = format!(
                    "key {key}: told {} place {}, in the books {} place {}",
                    order.id, order.place, entry.id, entry.place
                );
                found.push((Breach::OrderLost, Some(purchase), what));
            }
            (Outcome::Refused(code), [entry]) => {
                let what = format!("key {key} was refused as {code} and is order {} in the books", entry.id);
                found.push((Breach::OrderTwice, Some(purchase), what));
            }
            _ => {}
        }
    }
    let mut by_offer: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        by_offer.entry(&entry.offer).or_default().push(entry);
    }
    for (offer, entries) in by_offer {
        let sold: i64 = entries.iter().filter(|entry| entry.counts).map(|entry| entry.qty).sum();
        let Some(units) = units.get(offer) else { continue };
        if *units < sold {
            found.push((Breach::Oversold, None, format!("offer {offer}: {sold} units in orders, {units} on sale")));
        }
        let mut places: Vec<i64> = entries.iter().map(|entry| entry.place).collect();
        places.sort_unstable();
        if let Some((place, wrong)) = (1..).zip(&places).find(|(place, known)| place != *known) {
            found.push((Breach::Places, None, format!("offer {offer}: place {wrong} where {place} should be")));
        }
    }
    found
}

async fn read(store: &str, offers: &[String]) -> Result<Vec<Entry>> {
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
                entries.push(Entry {
                    id: row.try_get::<uuid::Uuid, _>("id")?.to_string(),
                    offer: offer.clone(),
                    key: row.try_get("key")?,
                    qty: row.try_get("qty")?,
                    place: row.try_get("place")?,
                    counts: row.try_get("counts")?,
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
            entries.push(Entry {
                id: row.try_get::<uuid::Uuid, _>("id")?.to_string(),
                offer: offer.clone(),
                key: row.try_get("key")?,
                qty: row.try_get("qty")?,
                place: row.try_get("place")?,
                counts: row.try_get("counts")?,
            });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Order;

    fn purchase(key: &str, outcome: Outcome) -> Purchase {
        Purchase { room: 0, viewer: 0, offer: "o".into(), key: key.into(), intended: 0, tries: 1, outcome }
    }

    fn held(key: &str, place: i64) -> Purchase {
        let order = Order { id: format!("id-{key}"), offer: "o".into(), status: "held".into(), qty: 1, place };
        purchase(key, Outcome::Held(order))
    }

    fn entry(key: &str, place: i64) -> Entry {
        Entry { id: format!("id-{key}"), offer: "o".into(), key: key.into(), qty: 1, place, counts: true }
    }

    #[test]
    fn books_that_differ_from_what_buyers_were_told_are_found() {
        let refused = || purchase("r", Outcome::Refused("sold_out".into()));
        let unknown = || purchase("u", Outcome::Unknown);
        for (pressed, entries, units, expected) in [
            (vec![held("a", 1), held("b", 2), refused(), unknown()], vec![entry("a", 1), entry("b", 2)], 2, vec![]),
            (vec![held("a", 1), unknown()], vec![entry("a", 1), entry("u", 2)], 2, vec![]),
            (vec![held("a", 1), held("b", 2)], vec![entry("a", 1)], 2, vec![Breach::OrderLost]),
            (vec![held("a", 1)], vec![Entry { id: "x".into(), ..entry("a", 1) }], 1, vec![Breach::OrderLost]),
            (vec![held("a", 1)], vec![entry("a", 1), entry("a", 2)], 2, vec![Breach::OrderTwice]),
            (vec![refused()], vec![entry("r", 1)], 1, vec![Breach::OrderTwice]),
            (vec![held("a", 1), held("b", 2)], vec![entry("a", 1), entry("b", 2)], 1, vec![Breach::Oversold]),
            (vec![held("a", 1), held("b", 3)], vec![entry("a", 1), entry("b", 3)], 2, vec![Breach::Places]),
            (vec![held("a", 1), held("b", 1)], vec![entry("a", 1), entry("b", 1)], 2, vec![Breach::Places]),
        ] {
            let pressed: Vec<&Purchase> = pressed.iter().collect();
            let found = compare(&pressed, &entries, &HashMap::from([("o", units)]));
            let kinds: Vec<Breach> = found.iter().map(|(breach, ..)| *breach).collect();
            assert_eq!(kinds, expected, "{found:?}");
        }
    }

    #[test]
    fn in_somebody_elses_sale_only_our_own_orders_are_judged() {
        let ours = held("a", 7);
        assert!(compare(&[&ours], &[entry("a", 7)], &HashMap::new()).is_empty());
    }
}
