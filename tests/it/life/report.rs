//! The report of a show that has ended.

use serde_json::json;

use crate::support::SOON;
use crate::support::shop::{Shop, id};

#[tokio::test]
async fn report_of_an_ended_show_has_minutes_offers_and_pins() {
    let shop = Shop::demo(&[]).await;
    let stream = id(&shop.host.post("/v1/streams", json!({"title": "=Show"})).await.expect(201));
    let path = |rest: &str| format!("/v1/streams/{stream}/{rest}");
    shop.host.post(&path("start"), json!({})).await.expect(200);
    let variant = shop.variant(5).await;
    let form = json!({"variant": variant, "kind": "regular", "price": 1_000, "quantity": 5});
    let offer = id(&shop.host.post(&path("offers"), form).await.expect(201));
    shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    let mut ann =
        crate::support::socket::Live::connect(&shop.server.url, &stream, Some(&shop.token("Ann", "viewer"))).await;
    shop.host.put(&path("pin"), json!({"offer": offer})).await.expect(200);
    let held = ann.ask(json!({"do": "buy", "offer": offer, "qty": 2, "key": "key-00001"})).await.unwrap();
    let pay = |token: &str, key: &str| json!({"do": "pay", "order": held["order"]["id"], "token": token, "key": key});
    ann.ask(pay("declined", "key-00002")).await.unwrap_err();
    ann.ask(pay("ok", "key-00003")).await.unwrap();
    ann.ask(json!({"do": "say", "text": "hi"})).await.unwrap();
    // The node samples the viewers of its rooms every five seconds.
    let seen = async || {
        let full = shop.host.get(&path("report/full")).await.expect(200);
        let minutes = full["minutes"].as_array()?;
        minutes.iter().any(|minute| minute["viewers"] == 1).then_some(())
    };
    crate::support::until_some("viewers of the minute", SOON, seen).await;
    shop.host.post(&path("end"), json!({})).await.expect(200);

    let full = shop.host.get(&path("report/full")).await.expect(200);
    let sum =
        |key: &str| full["minutes"].as_array().unwrap().iter().map(|minute| minute[key].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("orders"), sum("messages")), (1, 1), "{full:#}");
    let (report, sales, pin) = (&full["report"], &full["offers"][0], &full["pins"][0]);
    assert_eq!((&report["viewers_peak"], &report["payments_failed"]), (&json!(1), &json!(1)), "{full:#}");
    assert_eq!((&sales["paid"], &sales["units"], &sales["amount"]), (&json!(1), &json!(2), &json!(2_000)));
    assert_eq!((&pin["offer"], &pin["until"]), (&json!(offer), &full["stream"]["ended_at"]));
    assert!(pin["at"].as_i64() < pin["until"].as_i64());

    let csv = shop.host.get(&path("report.csv")).await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").unwrap().starts_with("attachment; filename=\"report-"));
    let text = csv.expect(200);
    let lines: Vec<&str> = text.as_str().unwrap().trim_start_matches('\u{feff}').lines().collect();
    assert!(lines[0].starts_with("\"row\",\"from\",\"until\",\"name\""), "{lines:#?}");
    assert!(
        lines[1].starts_with("\"total\",") && lines[1].contains(",\"'=Show\","),
        "a title must not become a formula: {}",
        lines[1]
    );
    for (row, count) in [("\"offer\",", 1), ("\"pin\",", 1)] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(row)).count(), count, "{lines:#?}");
    }
    for (who, status) in [("viewer", 403), ("moderator", 403), ("analyst", 200), ("producer", 200)] {
        for rest in ["report", "report/full", "report.csv"] {
            shop.rest("Ned", who).get(&path(rest)).await.expect(status);
        }
    }
}
