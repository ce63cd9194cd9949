//! The whole audit log: what the staff did in the shop and in its shows, by kind and by person, and its export.

use serde_json::{Value, json};

use super::role::{demo_with_owner, join};

fn kinds(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn owner_reads_what_the_staff_did_everywhere_by_kind_and_by_person() {
    let (shop, owner, account) = demo_with_owner().await;
    let (host, host_account) = join(&shop, &owner, "hana@example.com", "host").await;
    host.put(&shop.path("bans/eve"), json!({"reason": "spam"})).await.expect(200);
    let read = async |query: &str| owner.get(&format!("/v1/shop/audit-log{query}")).await.expect(200);
    let all = read("").await;
    assert_eq!(kinds(&all)[..3], ["ban", "accept_staff_invite", "invite_staff"], "shows and the shop itself");
    assert_eq!((&all["items"][0]["stream"], &all["items"][0]["reason"]), (&json!(shop.stream), &json!("spam")));
    assert_eq!(kinds(&read("?kind=ban").await), ["ban"]);
    let by_host = read(&format!("?by_user=acct:{host_account}")).await;
    assert_eq!(kinds(&by_host), ["ban", "accept_staff_invite"]);
    let both = read(&format!("?by_user=acct:{account}&kind=invite_staff&limit=1")).await;
    assert_eq!(kinds(&both), ["invite_staff"]);
    let older = read(&format!("?limit=1&after={}", all["items"][0]["id"].as_str().unwrap())).await;
    assert_eq!(kinds(&older), ["accept_staff_invite"]);
    for bad in ["?kind=dance", "?by_user=", "?limit=0"] {
        owner.get(&format!("/v1/shop/audit-log{bad}")).await.expect_problem(400, "bad_request");
    }
    host.get("/v1/shop/audit-log").await.expect_problem(403, "forbidden");
    host.get("/v1/shop/audit-log/audit-log.csv").await.expect_problem(403, "forbidden");

    let file = owner.get("/v1/shop/audit-log/audit-log.jsonl").await.expect(200);
    let lines: Vec<Value> = file.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["kind"], "export_audit_log", "the export is an entry itself");
    let ids: Vec<&Value> = lines.iter().rev().skip(1).map(|line| &line["id"]).collect();
    let listed: Vec<&Value> = all["items"].as_array().unwrap().iter().map(|entry| &entry["id"]).collect();
    assert_eq!(ids, listed, "oldest first, and all of them");
    owner.get("/v1/shop/audit-log/other.csv").await.expect_problem(400, "bad_request");
}
