//! Invalid tokens: 401 with a code over REST; the socket is upgraded and then closed with 4501.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::assert_unharmed;
use crate::support::shop::{KEY, Shop, key, now_ms, sign};

/// A correctly signed token with any claims.
fn with_claims(key: &str, algorithm: Algorithm, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

/// A token whose header has the member `crit`.
fn with_crit(key: &str, crit: &Value, now: i64) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.extras.insert("crit", crit);
    let claims = json!({"sub": "Ann", "name": "Ann", "role": "host", "iat": now, "exp": now + 60});
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

#[tokio::test]
async fn invalid_token_is_refused_over_rest_and_on_the_socket() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let own = std::fs::read_to_string(shop.server.data().join("auth-key")).unwrap();
    let good = sign(&own, "the-host", "host", 60);
    let parts: Vec<&str> = good.split('.').collect();
    // {"alg":"none","typ":"JWT"}, {"alg":"None"}
    let none = |header: &str, signature: &str| format!("{header}.{}.{signature}", parts[1]);
    let (none_jwt, none_capital) = ("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJOb25lIn0");
    let now = now_ms() / 1_000;
    let claims = |change: Value| {
        let mut claims = json!({"sub": "Ann", "name": "Ann", "role": "host", "iat": now, "exp": now + 60});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        with_claims(&own, Algorithm::HS256, &claims)
    };
    for (name, token, code) in [
        ("expired", sign(&own, "the-host", "host", -61), "token_expired"),
        ("expired long ago", sign(&own, "the-host", "host", -1_000_000), "token_expired"),
        ("by another key", sign(KEY, "the-host", "host", 60), "token_invalid"),
        ("by no key", sign("", "the-host", "host", 60), "token_invalid"),
        ("unsigned", none(none_jwt, ""), "token_invalid"),
        ("unsigned, a signature left", none(none_jwt, parts[2]), "token_invalid"),
        ("unsigned, capital", none(none_capital, ""), "token_invalid"),
        ("cut", good[..good.len() - 3].to_owned(), "token_invalid"),
        ("not a token", "hello".to_owned(), "token_invalid"),
        ("two parts", format!("{}.{}", parts[0], parts[1]), "token_invalid"),
        (
            "another algorithm",
            with_claims(
                &own,
                Algorithm::HS512,
                &json!({"sub": "Ann", "name": "Ann", "role": "host", "iat": now, "exp": now + 60}),
            ),
            "token_invalid",
        ),
        (
            "without an end",
            with_claims(&own, Algorithm::HS256, &json!({"sub": "Ann", "name": "Ann", "role": "host", "iat": now})),
            "token_invalid",
        ),
        ("an end that is text", claims(json!({"exp": "never"})), "token_invalid"),
        ("a user id with a space", claims(json!({"sub": "a b"})), "token_invalid"),
        ("a user without a name", claims(json!({"name": ""})), "token_invalid"),
        ("an invalid stream", claims(json!({"stream": "all"})), "token_invalid"),
        ("not valid yet", claims(json!({"nbf": now + 600})), "token_not_yet_valid"),
        ("issued in the future", claims(json!({"iat": now + 600, "exp": now + 700})), "token_invalid"),
        ("valid forever", claims(json!({"exp": now + 91 * 86_400})), "token_invalid"),
        ("an id that is no text", claims(json!({"jti": 7})), "token_invalid"),
        ("with an unknown extension", with_crit(&own, &json!(["b64"]), now), "token_invalid"),
        ("with an extension that is no list", with_crit(&own, &json!("b64"), now), "token_invalid"),
    ] {
        let rest = shop.server.rest().with_token(&token);
        for path in ["/v1/orders", "/v1/shop", "/v1/streams"] {
            // A bad token is refused even where no token is needed: watching silently as an anonymous user would hide the mistake.
            let answer = rest.get(path).await;
            if path == "/v1/orders" || answer.status != 200 {
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{name}");
                answer.expect_problem(401, code);
            }
        }
        let bought = rest.post_keyed(&format!("/v1/offers/{offer}/orders"), &key(), json!({"qty": 1})).await;
        bought.expect_problem(401, code);
        rest.post(&format!("/v1/offers/{offer}/close"), json!({})).await.expect_problem(401, code);
        let closed = shop.join(&token).await.expect_err(name);
        assert_eq!(closed.code, 4501, "{name}: {closed:?}");
    }
    for scheme in ["", "Basic", "bearer-ish"] {
        let value = format!("{scheme} {good}");
        let headers = [("authorization", value.as_str())];
        let answer = shop.server.rest().send(reqwest::Method::GET, "/v1/orders", &headers, None).await;
        answer.expect_problem(401, "token_invalid");
    }
    assert_unharmed(&shop, &offer, 5).await;
}

#[tokio::test]
async fn connection_ends_when_its_token_expires() {
    let shop = Shop::demo(&[]).await;
    let own = std::fs::read_to_string(shop.server.data().join("auth-key")).unwrap();
    // A token is accepted for a minute longer than it says.
    let mut live = shop.join(&sign(&own, "Ann", "viewer", -58)).await.unwrap();
    let mut neighbour = shop.live("Bob", "viewer").await;
    live.ask(json!({"do": "say", "text": "in time"})).await.unwrap();
    assert_eq!(live.closed(crate::support::SOON).await.code, 4501);
    neighbour.ask(json!({"do": "say", "text": "still here"})).await.unwrap();
}
