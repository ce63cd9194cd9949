//! Attacks with tokens: forged, endless or revoked ones.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use testkit::SOON;
use testkit::shop::{KEY, now_ms, sign, sign_claims};
use testkit::socket::{JoinOptions, Live};

use crate::shop::AttackedShop;
use crate::{Attack, Outcome, attack, withstood};

pub const ATTACKS: &[Attack] = &[
    attack!("tokens: a forged, endless or early token is used", forged_or_endless_token),
    attack!("tokens: a stolen token is used after its owner was signed out", stolen_token_after_sign_out),
    attack!("tokens: a host revokes the tokens of an admin", host_signs_out_an_admin),
];

async fn forged_or_endless_token() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let now = now_ms() / 1_000;
    let claims = |change: Value| {
        let mut claims = json!({"sub": "eve", "name": "Eve", "role": "admin", "iat": now, "exp": now + 600});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let signed = |change: Value| sign_claims(KEY, &claims(change));
    let with_header = |header: Header, key: &str| {
        jsonwebtoken::encode(&header, &claims(json!({})), &EncodingKey::from_secret(key.as_bytes())).unwrap()
    };
    let mut critical = Header::new(Algorithm::HS256);
    critical.extras.insert("crit", ["https://evil.example/ext"]);
    let good = signed(json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let tokens = [
        // {"alg":"none","typ":"JWT"}
        ("without a signature", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1])),
        ("signed with nothing", with_header(Header::new(Algorithm::HS256), "")),
        ("signed with another algorithm", with_header(Header::new(Algorithm::HS512), KEY)),
        ("with an unknown extension", with_header(critical, KEY)),
        ("valid forever", signed(json!({"exp": now + 10 * 365 * 86_400}))),
        ("valid forever, of unknown age", signed(json!({"iat": 0, "exp": now + 86_400}))),
        ("issued in the future", signed(json!({"iat": now + 86_400, "exp": now + 86_500}))),
        ("not valid yet", signed(json!({"nbf": now + 3_600}))),
        ("expired", signed(json!({"iat": now - 7_200, "exp": now - 61}))),
    ];
    for (what, token) in &tokens {
        let answer = shop.server.rest().with_token(token).get("/v1/orders").await;
        withstood(answer.status == 401, || format!("a token {what} was answered with {}", answer.status))?;
        let join = JoinOptions { token: Some(token.clone()), ..JoinOptions::default() };
        let joined = Live::join(&shop.server.url, &shop.stream, join).await;
        withstood(joined.is_err_and(|closed| closed.code == 4501), || format!("a token {what} joined the show"))?;
    }
    Ok(format!("{} tokens refused over REST and on the socket", tokens.len()))
}

async fn stolen_token_after_sign_out() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    let now = now_ms() / 1_000;
    let stolen =
        sign_claims(KEY, &json!({"sub": "ann", "name": "Ann", "role": "viewer", "iat": now - 60, "exp": now + 600}));
    let join = || JoinOptions { token: Some(stolen.clone()), ..JoinOptions::default() };
    let thief = shop.server.rest().with_token(&stolen);
    let code = thief.post("/v1/sign-in-codes", json!({})).await;
    let mut live = Live::join(&shop.server.url, &shop.stream, join()).await.map_err(|closed| format!("{closed:?}"))?;
    let root = shop.server.rest().with_token(&sign(KEY, "root", "admin", 600));
    root.post("/v1/token-revocations", json!({"user": "ann"})).await.expect(201);
    let closed = live.closed(SOON).await.code;
    withstood(closed == 4501, || format!("the open socket ended with {closed}"))?;
    let answer = thief.get("/v1/orders").await;
    withstood(answer.body["code"] == "token_revoked", || format!("the token still works: {}", answer.body))?;
    let again = Live::join(&shop.server.url, &shop.stream, join()).await;
    withstood(again.is_err(), || "the token joined the show again".to_owned())?;
    if let Some(code) = code.body["code"].as_str() {
        let redeemed = shop.server.rest().post("/v1/sign-in-codes/redeem", json!({"code": code})).await;
        withstood(!redeemed.is_success(), || "a code that was made before gave the token back".to_owned())?;
    }
    Ok("the socket was closed, and the token is refused everywhere".to_owned())
}

async fn host_signs_out_an_admin() -> Outcome {
    let shop = AttackedShop::serve(&[]).await;
    for role in ["viewer", "moderator", "producer", "analyst", "host"] {
        let eve = shop.rest("eve", role);
        let revoked = eve.post("/v1/token-revocations", json!({"user": "root"})).await;
        withstood(revoked.status == 403, || format!("{role} was answered with {}", revoked.status))?;
        let listed = eve.get("/v1/token-revocations").await;
        withstood(listed.status == 403, || format!("{role} read the revocations: {}", listed.status))?;
    }
    Ok("five roles refused".to_owned())
}
