//! Roles of the staff: given and taken downwards in rank, in force within two seconds on every node.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use super::invite::invite_code;
use crate::support::cookie_page::{CookiePage, last_code};
use crate::support::process::Process;
use crate::support::shop::{Shop, key};
use crate::support::{SOON, until_some};

pub const IN_FORCE_WITHIN: Duration = Duration::from_millis(2_500);

/// A demo with an owner, and the browser of the owner.
pub async fn demo_with_owner() -> (Shop, CookiePage, String) {
    demo_with_owner_and(&[]).await
}

/// The same with more settings.
pub async fn demo_with_owner_and(more: &[&str]) -> (Shop, CookiePage, String) {
    let mut shop = Shop::demo(&[]).await;
    let folder = shop.server.folder();
    shop.server.stop().await;
    let mut recover = Process::livesouk(&["owner", "recover", "--store", "sqlite:data/livesouk.db"], folder.path());
    assert!(recover.end(SOON).await.success(), "{}", recover.stderr());
    let code = recover.stdout().trim().split_once("/setup#").unwrap().1.to_owned();
    let shop = Shop::demo_in(folder, more).await;
    let page = CookiePage::of(&shop.server);
    let owner = json!({"name": "Olla", "email": "olla@example.com"});
    let me = page.post("/v1/setup", json!({"code": code, "owner": owner})).await.expect(201);
    let account = me["user"].as_str().unwrap().trim_start_matches("acct:").to_owned();
    (shop, page, account)
}

/// Invites an address and accepts the invite. Gives the browser and the account.
pub async fn join(shop: &Shop, inviter: &CookiePage, email: &str, role: &str) -> (CookiePage, String) {
    inviter.post("/v1/staff/invites", json!({"email": email, "role": role})).await.expect(201);
    let code = invite_code(shop, email).await;
    let page = CookiePage::of(&shop.server);
    // Names of the staff are reserved, so each has an own one.
    let name = format!("Member {}", email.split('@').next().unwrap());
    let user = page.sign_in_by_email(&shop.server, email, &name).await;
    page.post("/v1/staff/invites/accept", json!({ "code": code })).await.expect(200);
    (page, user.trim_start_matches("acct:").to_owned())
}

#[tokio::test]
async fn roles_go_downwards_in_rank_and_the_last_owner_stays() {
    let (shop, owner, owner_account) = demo_with_owner().await;
    let (admin, admin_account) = join(&shop, &owner, "adam@example.com", "admin").await;
    let (_, host_account) = join(&shop, &admin, "hana@example.com", "host").await;
    let set = |role: &str| json!({ "role": role });
    let member = |account: &str| format!("/v1/staff/{account}");

    admin.put(&member(&owner_account), set("host")).await.expect_problem(403, "outranked");
    admin.delete(&member(&owner_account)).await.expect_problem(403, "outranked");
    admin.put(&member(&admin_account), set("host")).await.expect_problem(403, "outranked");
    admin.put(&member(&host_account), set("admin")).await.expect_problem(403, "outranked");
    admin.put(&member(&host_account), set("producer")).await.expect(204);
    admin.delete(&member("0190a0a0-0000-7000-8000-000000000000")).await.expect_problem(404, "no_such_member");

    owner.put(&member(&owner_account), set("admin")).await.expect_problem(409, "last_owner");
    owner.delete(&member(&owner_account)).await.expect_problem(409, "last_owner");
    owner.delete("/v1/me").await.expect_problem(409, "last_owner");
    owner.put(&member(&admin_account), set("owner")).await.expect(204);
    // Erasing somebody takes their roles, so it goes downwards too.
    shop.rest("Root", "admin")
        .delete(&format!("/v1/users/acct:{owner_account}"))
        .await
        .expect_problem(403, "outranked");
    // A token never ranks above an admin.
    shop.rest("Root", "admin").delete(&member(&admin_account)).await.expect_problem(403, "outranked");
    owner.put(&member(&owner_account), set("admin")).await.expect(204);
    // Whoever lowers their own role has to sign in again.
    owner.get("/v1/orders").await.expect_problem(401, "sign_in");
    assert_eq!(admin.get("/v1/session").await.expect(200)["role"], "owner");
}

#[tokio::test]
async fn whoever_loses_power_is_signed_out_everywhere_and_comes_back_by_undo() {
    let (shop, owner, _) = demo_with_owner().await;
    let (laptop, account) = join(&shop, &owner, "hana@example.com", "host").await;
    let phone = CookiePage::of(&shop.server);
    phone.sign_in_by_email(&shop.server, "hana@example.com", "Hana").await;
    let mut live = phone.join(&shop.stream).await.unwrap();
    assert_eq!(live.hello["you"]["role"], "host");
    // More power keeps the sessions.
    owner.put(&format!("/v1/staff/{account}"), json!({"role": "admin"})).await.expect(204);
    assert_eq!(laptop.get("/v1/session").await.expect(200)["role"], "admin");
    laptop.post("/v1/staff/invites", json!({"email": "mo@example.com", "role": "moderator"})).await.expect(201);

    owner.delete(&format!("/v1/staff/{account}")).await.expect(204);
    assert_eq!(live.closed(IN_FORCE_WITHIN).await.code, 4501);
    for page in [&laptop, &phone] {
        assert_eq!(page.get("/v1/session").await.expect(200)["kind"], "anonymous");
    }
    let staff = owner.get("/v1/staff").await.expect(200);
    assert_eq!(staff["invites"], json!([]), "invites of somebody who was removed end");
    // Undo gives the role back; the sessions stay ended.
    owner.put(&format!("/v1/staff/{account}"), json!({"role": "host"})).await.expect(204);
    phone.sign_in_by_email(&shop.server, "hana@example.com", "Hana").await;
    assert_eq!(phone.get("/v1/session").await.expect(200)["role"], "host");
    let log = owner.get("/v1/audit-log").await.expect(200);
    let kinds: Vec<&str> = log["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..4], ["set_staff_role", "remove_staff", "invite_staff", "set_staff_role"]);
}

#[tokio::test]
async fn nobody_takes_the_name_of_somebody_who_works_here() {
    let (shop, owner, _) = demo_with_owner().await;
    let page = CookiePage::of(&shop.server);
    for name in ["Olla", "olla", "O L L A", "0lla", "Оlla ✿"] {
        page.post("/v1/session/guest", json!({"name": name})).await.expect_problem(422, "name_claims_role");
    }
    page.sign_in_guest("Olla S").await;
    page.patch("/v1/session", json!({"name": "Olla"})).await.expect_problem(422, "name_claims_role");
    let asked = page.post("/v1/session/email", json!({"email": "ann@example.com"})).await.expect(202);
    let code = last_code(&shop.server, "ann@example.com").await;
    let typed = |name: &str| json!({"id": asked["id"], "code": code, "name": name});
    page.post("/v1/session/email/verify", typed("OLLA")).await.expect_problem(422, "name_claims_role");
    // The code remains valid for another name, and the owner keeps hers.
    page.post("/v1/session/email/verify", typed("Ann")).await.expect(201);
    owner.patch("/v1/session", json!({"name": "Olla"})).await.expect(200);
    // The shop's own site signs what it likes; in public its buyer does not pass for her either.
    let say = async |name: &str| shop.rest(name, "viewer").post(&shop.path("messages"), json!({"text": "hello"})).await;
    let refused = async || (say("0lla").await.body["code"] == "name_claims_role").then_some(());
    until_some("the name to be reserved", IN_FORCE_WITHIN, refused).await;
    say("Olla-S").await.expect(201);
    owner.post(&shop.path("messages"), json!({"text": "it is me"})).await.expect(201);
}

/// Makes every sign-in of this demo eleven minutes older.
pub async fn age_sessions(shop: &Shop) {
    let url = format!("sqlite:{}", shop.server.data().join("livesouk.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("update sign_in_sessions set created_at = created_at - 660000").execute(&mut database).await.unwrap();
}

#[tokio::test]
async fn refund_erasure_and_revocation_need_a_fresh_sign_in() {
    let (shop, owner, _) = demo_with_owner().await;
    let offer = shop.on_sale(5, json!({"price": 100})).await;
    let ann = shop.rest("Ann", "viewer");
    let mut paid = Vec::new();
    for _ in 0..2 {
        let order = ann.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await.expect(201);
        let order = order["id"].as_str().unwrap().to_owned();
        ann.post_keyed(&format!("/v1/orders/{order}/pay"), &key(), json!({"token": "ok"})).await.expect(200);
        paid.push(order);
    }
    let refund = |order: &str| format!("/v1/orders/{order}/refund");
    owner.post(&refund(&paid[0]), json!({"restock": true})).await.expect(200);
    age_sessions(&shop).await;
    let asked = async || {
        let answer = owner.delete("/v1/users/Eve").await;
        (answer.body["code"] == "sign_in_again").then_some(())
    };
    // The session is kept for a moment.
    until_some("refusal of an old sign-in", IN_FORCE_WITHIN, asked).await;
    owner.post(&refund(&paid[1]), json!({"restock": true})).await.expect_problem(403, "sign_in_again");
    owner.post("/v1/token-revocations", json!({"user": "Eve"})).await.expect_problem(403, "sign_in_again");
    let end = json!({"result": "won", "note": "Seen at the provider"});
    owner.put(&format!("/v1/orders/{}/dispute", paid[1]), end).await.expect_problem(403, "sign_in_again");
    // What can be undone does not.
    owner.get("/v1/staff").await.expect(200);
    // A token is the business of the site that signs it.
    shop.host.post(&refund(&paid[1]), json!({"restock": true})).await.expect(200);
    owner.sign_in_by_email(&shop.server, "olla@example.com", "Olla").await;
    owner.post("/v1/token-revocations", json!({"user": "Eve"})).await.expect(201);
    let unchanged: Value = owner.get("/v1/session").await.expect(200)["role"].clone();
    assert_eq!(unchanged, "owner");
}
