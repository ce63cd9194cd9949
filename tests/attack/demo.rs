//! Attacks on a demo, which gives tokens away.

use reqwest::Method;
use serde_json::json;
use testkit::process::Server;

use crate::{Attack, Outcome, attack, withstood};

pub const ATTACKS: &[Attack] =
    &[attack!("demo: strangers ask for a role of the team", strangers_ask_for_a_role_of_the_team)];

async fn strangers_ask_for_a_role_of_the_team() -> Outcome {
    let server = Server::demo().await;
    let ways: [(&str, Vec<(&str, &str)>); 8] = [
        ("a rebound page", vec![("host", "evil.example:8080"), ("origin", "http://evil.example:8080")]),
        ("a rebound page without an origin", vec![("host", "evil.example")]),
        ("a page of another site", vec![("origin", "https://evil.example")]),
        ("a phone on the same network", vec![("host", "192.168.1.7:8080")]),
        ("a proxy that says for whom", vec![("x-forwarded-for", "6.6.6.6")]),
        ("a client that claims to be local", vec![("host", "192.168.1.7"), ("x-forwarded-for", "127.0.0.1")]),
        ("a proxy with the standard header", vec![("forwarded", "for=6.6.6.6")]),
        ("a tunnel", vec![("x-forwarded-host", "demo.example"), ("via", "1.1 tunnel")]),
    ];
    for (who, headers) in &ways {
        for role in ["moderator", "host", "admin"] {
            let body = Some(json!({"name": "Eve", "role": role}));
            let answer = server.rest().send(Method::POST, "/v1/dev/tokens", headers, body).await;
            withstood(!answer.is_success(), || format!("{who} became {role}"))?;
        }
    }
    Ok(format!("{} ways refused", ways.len()))
}
