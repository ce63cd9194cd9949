//! Signing in on the shop's own pages: a guest, an account by e-mail, the same person in every tab, and pages that are not ours.

use serde_json::{Value, json};

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::cookie_page::last_code;
use crate::support::outside::shop::Shop;
use crate::support::page::Page;
use crate::support::person::named;

const WINDOWS: [(Window, &str, &str); 3] =
    [(Window::Mobile, "en", "phone"), (Window::Desktop, "en", "desk"), (Window::Mobile, "ar", "phone-ar")];

/// Draws the screen, and looks for everything that is wrong on it.
async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("account-{name}")).await;
    // Refusals that the test causes (a wrong code, a name that is missing), and the chat, which lies over a moving picture: what
    // axe finds behind a letter depends on the moment. The chat has tests of its own.
    // Behind a sheet the chat is out of reach, and axe takes a button of the sheet for the ground of a name.
    let expected = ["status of 400", "status of 422", "> .text[dir=\"auto\"]", ".name Element"];
    let is_expected = |line: &String| expected.iter().any(|part| line.contains(part));
    let faults = browser.faults(window, false).await;
    let faults: Vec<String> = faults.into_iter().filter(|line| !is_expected(line)).collect();
    assert_eq!(faults, Vec::<String>::new(), "{name}");
}

/// The account button says who one is, at least to a screen reader where there is no room for the name.
async fn name_is(browser: &Browser, name: &str) {
    let label = format!("document.querySelector('[data-test=signin]').getAttribute('aria-label').includes('{name}')");
    browser.until("the name on the account button", &label, SOON).await;
}

fn watch(shop: &Shop, language: &str) -> String {
    format!("{}/watch?stream={}&lang={language}", shop.server.url, shop.stream)
}

/// Reloads the page by what `act` does, and waits for the new one.
async fn reloads(browser: &Browser, ready: &str, act: impl AsyncFnOnce(&Browser)) {
    browser.script("window.isOld = true", &[]).await;
    act(browser).await;
    browser.until("the page after a reload", &format!("!window.isOld && {ready}"), SOON).await;
}

const LIVE: &str = "document.querySelector('[data-test=conn]').dataset.status === 'live'";

#[tokio::test]
async fn guest_becomes_an_account_and_signs_out() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    for (window, language, name) in first_or_all(WINDOWS) {
        let email = format!("{name}@example.com");
        let ann = Browser::open(&driver, window, language).await;
        ann.goto(&watch(&shop, language)).await;
        ann.wait_until_live().await;
        ann.click(&named("chat-input")).await;
        ann.find(&named("signin-email")).await;
        draw(&ann, window, &format!("sign-in-{name}")).await;
        ann.sign_in("Ann").await;
        name_is(&ann, "Ann").await;
        ann.wait_until_live().await;
        // Who one is, is in sight on a phone too.
        let hint = "document.querySelector('[data-test=chat-input]').placeholder.includes('Ann')";
        ann.until("the name in the chat field", hint, SOON).await;
        ann.say(&format!("hello from {name}")).await;
        draw(&ann, window, &format!("guest-{name}")).await;
        assert_eq!(ann.script("return document.cookie", &[]).await, json!(""), "no script can read the session");

        ann.press("signin").await;
        ann.sees("account-name", "Ann").await;
        draw(&ann, window, &format!("menu-{name}")).await;
        ann.press("account-by-email").await;
        ann.fill(&named("signin-email"), &email).await;
        ann.press("signin-send").await;
        ann.sees("signin-sent", &email).await;
        draw(&ann, window, &format!("code-{name}")).await;
        let code = last_code(&shop.server, &email).await;
        let wrong = if code == "111111" { "222222" } else { "111111" };
        ann.fill(&named("signin-code"), wrong).await;
        ann.press("signin-verify").await;
        ann.find(&format!("{}:not([hidden])", named("signin-code-alert"))).await;
        ann.fill(&named("signin-code"), &code).await;
        // The account gets the name of the guest. The page loads again when the sheet closes.
        reloads(&ann, LIVE, async |ann| ann.press("signin-verify").await).await;
        ann.press("signin").await;
        ann.sees("account-kind", &email).await;
        draw(&ann, window, &format!("menu-account-{name}")).await;

        ann.press("account-rename").await;
        ann.fill(&named("account-new-name"), "Annika").await;
        reloads(&ann, LIVE, async |ann| ann.press("account-save").await).await;
        name_is(&ann, "Annika").await;

        ann.goto(&format!("{}/orders?lang={language}", shop.server.url)).await;
        ann.find(&named("orders-empty")).await;
        name_is(&ann, "Annika").await;
        draw(&ann, window, &format!("orders-{name}")).await;
        ann.goto(&format!("{}/?lang={language}", shop.server.url)).await;
        name_is(&ann, "Annika").await;
        draw(&ann, window, &format!("shop-{name}")).await;
        ann.press("signin").await;
        ann.press("account-everywhere").await;
        ann.find(&named("confirm-yes")).await;
        draw(&ann, window, &format!("everywhere-{name}")).await;
        let signed_out = "document.querySelector('[data-test=signin]').dataset.signedIn === 'false'
            && document.body.dataset.ready === ''";
        reloads(&ann, signed_out, async |ann| ann.press("confirm-yes").await).await;
        ann.goto(&format!("{}/orders?lang={language}", shop.server.url)).await;
        ann.find(&named("orders-signin")).await;
        draw(&ann, window, &format!("orders-out-{name}")).await;
        // A new account without a guest before it needs a name.
        let new = format!("new-{email}");
        ann.press("orders-signin").await;
        ann.fill(&named("signin-email"), &new).await;
        ann.press("signin-send").await;
        ann.sees("signin-sent", &new).await;
        ann.fill(&named("signin-code"), &last_code(&shop.server, &new).await).await;
        ann.press("signin-verify").await;
        let needs_name = "document.querySelector('[data-test=signin-name]').offsetParent";
        ann.until("the field for a name", needs_name, SOON).await;
        draw(&ann, window, &format!("name-{name}")).await;
        ann.sign_in_with_name("Anna").await;
        ann.find(&named("orders-empty")).await;
        name_is(&ann, "Anna").await;
        // Refusals that the test caused: a wrong code, a name that was missing.
        ann.assert_no_faults_except(name, &["status of 400", "status of 422"]).await;
        ann.close().await;
    }
}

#[tokio::test]
async fn another_tab_signs_in_and_out_with_this_one() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Desktop, "en").await;
    ann.goto(&watch(&shop, "en")).await;
    ann.wait_until_live().await;
    // A frame of the same site is a tab of its own for everything that matters here.
    let open = "const frame = document.createElement('iframe');
        frame.src = arguments[0]; frame.id = 'tab'; document.body.append(frame)";
    ann.script(open, &[json!(watch(&shop, "en"))]).await;
    let in_tab = |expression: &str| {
        format!(
            "(() => {{ const document = window.document.getElementById('tab').contentDocument; return {expression} }})()"
        )
    };
    ann.until("the other tab", &in_tab(LIVE), SOON).await;
    ann.click(&named("chat-input")).await;
    ann.sign_in("Ann").await;
    name_is(&ann, "Ann").await;
    let name = in_tab("document.querySelector('[data-test=signin]').getAttribute('aria-label').includes('Ann')");
    ann.until("the name in the other tab", &name, SOON).await;
    let writes = in_tab("document.querySelector('[data-test=chat-input]').placeholder.includes('Ann')");
    ann.until("the chat of the other tab", &writes, SOON).await;
    ann.press("signin").await;
    ann.press("account-sign-out").await;
    // A guest is asked, because there is no way back. The other tab cannot be pressed behind the question, so a script signs out.
    ann.press("confirm-no").await;
    let sign_out = "const done = arguments[arguments.length - 1];
        fetch('/v1/session', { method: 'DELETE' }).then((answer) => {
            localStorage.removeItem('livesouk.session');
            done(answer.status);
        })";
    assert_eq!(ann.script_async(sign_out).await, json!(204));
    let out = in_tab(&format!("{LIVE} && document.querySelector('[data-test=signin]').dataset.signedIn === 'false'"));
    ann.until("the sign-out in the other tab", &out, SOON).await;
    // This page learns it from the server, which closes its connection.
    ann.until(
        "the sign-out in this tab",
        "document.querySelector('[data-test=signin]').dataset.signedIn === 'false'",
        SOON,
    )
    .await;
    ann.close().await;
}

/// The page of a foreign site: another port of the same host, to which a browser sends the cookie of the shop, as it does to every
/// subdomain of its domain.
#[tokio::test]
async fn page_of_another_origin_gets_nothing_from_a_signed_in_browser() {
    let shop = Shop::demo(&["--allow-origin", "*"]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Desktop, "en").await;
    ann.goto(&watch(&shop, "en")).await;
    ann.click(&named("chat-input")).await;
    ann.sign_in("Ann").await;
    name_is(&ann, "Ann").await;
    let evil = Page::serve("<!doctype html><title>evil</title>").await;
    ann.goto(&evil.url).await;
    let attack = |method: &str, path: &str| {
        format!(
            "const done = arguments[arguments.length - 1];
            fetch('{}{path}', {{ method: '{method}', credentials: 'include' }})
                .then((answer) => done(answer.status), (error) => done(String(error)))",
            shop.server.url
        )
    };
    for (method, path) in
        [("DELETE", "/v1/me"), ("DELETE", "/v1/sessions"), ("GET", "/v1/session"), ("GET", "/v1/orders")]
    {
        let answer = ann.script_async(&attack(method, path)).await;
        assert!(answer.is_string(), "{method} {path}: {answer}");
    }
    // A simple request needs no preflight, so it reaches the server.
    let simple = format!(
        "const done = arguments[arguments.length - 1];
        fetch('{}/v1/session/guest', {{ method: 'POST', mode: 'no-cors', credentials: 'include', body: '{{}}' }}).then(() => done(1))",
        shop.server.url
    );
    ann.script_async(&simple).await;
    let socket = format!(
        "const done = arguments[arguments.length - 1];
        const socket = new WebSocket('{}/v1/streams/{}/live');
        socket.onmessage = ({{ data }}) => done(JSON.parse(data).you.role)",
        shop.server.url.replace("http", "ws"),
        shop.stream
    );
    assert_eq!(ann.script_async(&socket).await, json!("anonymous"));
    ann.goto(&watch(&shop, "en")).await;
    ann.wait_until_live().await;
    name_is(&ann, "Ann").await;
    let who = "const done = arguments[arguments.length - 1];
        fetch('/v1/session').then((answer) => answer.json()).then(({ kind }) => done(kind))";
    assert_eq!(ann.script_async(who).await, Value::from("guest"));
    ann.close().await;
}
