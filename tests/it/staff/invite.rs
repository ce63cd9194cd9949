//! Invites to the staff: for one address, once, within seven days.

use serde_json::{Value, json};

use crate::support::cookie_page::{CookiePage, last_code};
use crate::support::shop::{Shop, id};
use crate::support::{SOON, until_some};

/// The code of the newest invite that a demo wrote to its log for this address.
pub async fn invite_code(shop: &Shop, email: &str) -> String {
    let find = async || {
        let log = shop.server.process.stderr();
        let line = log.lines().rfind(|line| line.contains(&format!("email=\"{email}\"")) && line.contains("/join#"))?;
        let (_, code) = line.split_once("/join#")?;
        code.get(..40).map(str::to_owned)
    };
    until_some("invite in the log", SOON, find).await
}

#[tokio::test]
async fn invite_is_for_one_address_and_one_use() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let form = json!({"email": "Ann@Example.com", "role": "host"});
    let invite = admin.post("/v1/staff/invites", form).await.expect(201);
    assert_eq!((&invite["email"], &invite["by"]), (&json!("ann@example.com"), &json!("Root")));
    let code = invite_code(&shop, "ann@example.com").await;
    let listed = admin.get("/v1/staff").await.expect(200);
    assert!(!listed.to_string().contains(&code), "the code is only in the mail");

    let link = json!({ "code": code });
    let (bob, ann, guest) = (CookiePage::of(&shop.server), CookiePage::of(&shop.server), CookiePage::of(&shop.server));
    let opened = ann.post("/v1/staff/invites/open", link.clone()).await.expect(200);
    assert_eq!((&opened["email"], &opened["role"]), (&json!("ann@example.com"), &json!("host")));
    ann.post("/v1/staff/invites/accept", link.clone()).await.expect_problem(401, "sign_in");
    guest.sign_in_guest("Ann").await;
    guest.post("/v1/staff/invites/accept", link.clone()).await.expect_problem(404, "no_such_invite");
    bob.sign_in_by_email(&shop.server, "bob@example.com", "Bob").await;
    bob.post("/v1/staff/invites/accept", link.clone()).await.expect_problem(404, "no_such_invite");

    ann.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    assert_eq!(ann.get("/v1/session").await.expect(200)["role"], "viewer");
    let accepted = ann.post("/v1/staff/invites/accept", link.clone()).await.expect(200);
    assert_eq!(accepted, json!({"role": "host", "stream": null}));
    // The role counts at once here, in the session that is open already.
    assert_eq!(ann.get("/v1/session").await.expect(200)["role"], "host");
    ann.post("/v1/streams", json!({"title": "Mine"})).await.expect(201);
    ann.post("/v1/staff/invites/accept", link.clone()).await.expect_problem(404, "no_such_invite");
    ann.post("/v1/staff/invites/open", link).await.expect_problem(404, "no_such_invite");
    let staff = admin.get("/v1/staff").await.expect(200);
    assert_eq!((staff["members"].as_array().unwrap().len(), &staff["invites"]), (1, &json!([])));
    let log = admin.get("/v1/audit-log").await.expect(200);
    let kinds: Vec<&Value> = log["items"].as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds[..2], [&json!("accept_staff_invite"), &json!("invite_staff")]);
}

#[tokio::test]
async fn withdrawn_and_replaced_invites_admit_nobody() {
    let shop = Shop::demo(&[]).await;
    let admin = shop.rest("Root", "admin");
    let invite = async |role: &str| {
        let form = json!({"email": "ann@example.com", "role": role});
        id(&admin.post("/v1/staff/invites", form).await.expect(201))
    };
    invite("host").await;
    let first = invite_code(&shop, "ann@example.com").await;
    let second_id = invite("moderator").await;
    let find = async || Some(invite_code(&shop, "ann@example.com").await).filter(|code| *code != first);
    let second = until_some("second invite", SOON, find).await;
    let anonymous = shop.server.rest();
    let open = async |code: &str| anonymous.post("/v1/staff/invites/open", json!({ "code": code })).await;
    open(&first).await.expect_problem(404, "no_such_invite");
    open(&second).await.expect(200);
    admin.delete(&format!("/v1/staff/invites/{second_id}")).await.expect(204);
    open(&second).await.expect_problem(404, "no_such_invite");
    admin.delete(&format!("/v1/staff/invites/{second_id}")).await.expect_problem(404, "no_such_invite");
}

#[tokio::test]
async fn invite_beyond_ones_rank_or_with_a_wrong_place_is_refused() {
    let shop = Shop::demo(&[]).await;
    let invite = |role: &str, stream: Option<&str>| match stream {
        Some(stream) => json!({"email": "ann@example.com", "role": role, "stream": stream}),
        None => json!({"email": "ann@example.com", "role": role}),
    };
    let admin = shop.rest("Root", "admin");
    for (body, status, code) in [
        (invite("owner", None), 403, "outranked"),
        (invite("admin", None), 403, "outranked"),
        (invite("viewer", None), 400, "bad_request"),
        (invite("king", None), 400, "bad_request"),
        (invite("host", Some("0190a0a0-0000-7000-8000-000000000000")), 404, "no_such_stream"),
        (json!({"email": "ann", "role": "host"}), 400, "bad_request"),
    ] {
        admin.post("/v1/staff/invites", body.clone()).await.expect_problem(status, code);
    }
    let host = shop.rest("Hana", "host");
    host.post("/v1/staff/invites", invite("moderator", None)).await.expect_problem(403, "forbidden");

    // A role of one show is nothing in the others.
    admin.post("/v1/staff/invites", invite("host", Some(&shop.stream))).await.expect(201);
    let code = invite_code(&shop, "ann@example.com").await;
    let ann = CookiePage::of(&shop.server);
    ann.sign_in_by_email(&shop.server, "ann@example.com", "Ann").await;
    ann.post("/v1/staff/invites/accept", json!({ "code": code })).await.expect(200);
    ann.get(&shop.path("report")).await.expect(200);
    let other = id(&shop.host.post("/v1/streams", json!({"title": "Other"})).await.expect(201));
    ann.get(&format!("/v1/streams/{other}/report")).await.expect_problem(403, "forbidden");
    ann.post("/v1/streams", json!({"title": "Mine"})).await.expect_problem(403, "forbidden");
    assert_eq!(ann.join(&shop.stream).await.unwrap().hello["you"]["role"], "host");
    assert_eq!(ann.join(&other).await.unwrap().hello["you"]["role"], "viewer");
    // Sanctions carry the rank of the place.
    let said = shop.rest("Eve", "viewer").post(&shop.path("messages"), json!({"text": "hello"})).await.expect(201);
    assert!(said["id"].is_string());
    ann.put(&shop.path("mutes/Eve"), json!({"seconds": 600})).await.expect(200);
    let _ = last_code(&shop.server, "ann@example.com").await;
}
