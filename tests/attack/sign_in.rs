//! Attacks on who somebody is: links that sign a victim in as the attacker, and codes that are stolen, raced or guessed.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::browser::driver::Driver;
use testkit::browser::page::Page;
use testkit::browser::{Browser, Window};
use testkit::rest::Rest;
use testkit::shop::Shop;

use crate::shop::AttackedShop;
use crate::{Attack, Outcome, attack, withstood};

pub const ATTACKS: &[Attack] = &[
    attack!("sign-in: a code is stolen, raced and guessed", codes_are_stolen),
    attack!("sign-in: a planted link swaps the buyer and reads the saved address", planted_link_swaps_the_buyer),
];

const SITE: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";
/// A code of 50 s is valid. Without this the attack with an old one would show nothing.
const YOUNG: &str = "update sign_in_codes set expires_at = expires_at - 50000";

async fn redeem(rest: &Rest, code: &str, origin: impl Into<Value>) -> bool {
    rest.post("/v1/sign-in-codes/redeem", json!({"code": code, "origin": origin.into()})).await.is_success()
}

async fn codes_are_stolen() -> Outcome {
    let shop = AttackedShop::serve(&["--allow-origin", SITE]).await;
    let (victim, thief) = (shop.rest("ann", "viewer"), shop.server.rest());
    let ask = async |origin: &str| victim.post("/v1/sign-in-codes", json!({ "origin": origin })).await;
    let code = async || ask(SITE).await.expect(201)["code"].as_str().unwrap().to_owned();
    let own_site = ask(EVIL).await;
    withstood(!own_site.is_success(), || "a code was made for the attacker's site".to_owned())?;
    for origin in [json!(EVIL), json!("null"), Value::Null] {
        let stolen = code().await;
        withstood(!redeem(&thief, &stolen, origin.clone()).await, || format!("a code worked from {origin}"))?;
    }
    for _ in 0..5 {
        let stolen = code().await;
        let won = join_all((0..8).map(|_| redeem(&thief, &stolen, SITE))).await.into_iter().filter(|won| *won).count();
        withstood(won <= 1, || format!("one code signed in {won} times"))?;
    }
    // A link that stays in a history or in the log of a proxy is opened a minute later.
    for (age, works) in [("update sign_in_codes set expires_at = expires_at - 60000", false), (YOUNG, true)] {
        let found = code().await;
        shop.age(age).await;
        let has_worked = redeem(&thief, &found, SITE).await;
        withstood(has_worked == works, || format!("after `{age}`: the code worked: {has_worked}"))?;
    }
    let guess = async |n: usize| {
        let guessed = json!({"code": format!("{n:040x}"), "origin": SITE});
        thief.post("/v1/sign-in-codes/redeem", guessed).await.status
    };
    let mut refused_early = 0;
    for n in 0..200 {
        refused_early += usize::from(guess(n).await == 429);
    }
    withstood(refused_early > 0, || "200 codes could be guessed without a pause".to_owned())?;
    Ok("bound to their site, used once in 5 races of 8, refused after 60 s, guesses slowed down".to_owned())
}

/// The `sub` of the token of the tab, as text; empty without one.
async fn person(browser: &Browser) -> String {
    let claims = "const token = sessionStorage.getItem('livesouk.token');
        return token ? JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).sub : ''";
    browser.script(claims, &[]).await.as_str().unwrap_or_default().to_owned()
}

async fn planted_link_swaps_the_buyer() -> Outcome {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(9, json!({})).await;
    shop.host.put(&shop.path("pin"), json!({ "offer": offer })).await.expect(200);
    let link = |who: &str| {
        format!("{}/watch?stream={}&lang=en#token={}", shop.server.url, shop.stream, shop.token(who, "viewer"))
    };
    let driver = Driver::start();
    let victim = Browser::open(&driver, Window::Mobile, "en").await;
    victim.goto(&link("ann")).await;
    victim.wait_until_live().await;
    let address = json!({"name": "Ann Example", "lines": ["12 King Fahd Road"], "city": "Riyadh", "country": "SA"});
    let save =
        "for (const slot of ['livesouk.address', 'livesouk.address.ann']) localStorage.setItem(slot, arguments[0])";
    victim.script(save, &[json!(address.to_string())]).await;

    // The attacker's page leads the victim's tab to the attacker's link; then the same in a new tab.
    let evil = Page::serve(&format!("<a id=go href=\"{}\">Free lamp</a>", link("mallory"))).await;
    for tab in ["the tab of the victim", "a new tab"] {
        if tab == "a new tab" {
            victim.script("sessionStorage.clear()", &[]).await;
        }
        victim.goto(&evil.url).await;
        victim.click("#go").await;
        victim.wait_until_live().await;
        let now = person(&victim).await;
        withstood(now != "mallory", || format!("{tab} is signed in as the attacker, and nobody was asked"))?;
    }
    // A victim who agrees still shows the attacker nothing that was saved.
    victim.press("switch-go").await;
    victim.until("the attacker's account", "sessionStorage.getItem('livesouk.token')", testkit::SOON).await;
    victim.goto(&link("mallory")).await;
    victim.wait_until_live().await;
    victim.watch_pinned(&offer).await;
    victim.reserve().await;
    let read = "return document.querySelector('[data-test=address-name]').value";
    let shown = victim.script(read, &[]).await;
    withstood(shown == "", || format!("the checkout of the attacker's account shows {shown}"))?;
    let buyer = victim.sees("buying-as", "mallory").await;
    victim.close().await;
    Ok(format!("the victim was asked twice; the checkout says {buyer:?} and shows no saved address"))
}
