//! Following by e-mail in a browser: the form, the link that confirms, the page that stops, and what an account sees of it.

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::web_proxy::WebProxy;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::mail_server::{MailMode, MailServer};
use crate::support::outside::shop::{Shop, id, key, now_ms};
use crate::support::person::named;

const NONE: Vec<String> = Vec::new();

/// A shop with a mail server, behind a proxy, because the links of mails need an address that is known before.
struct Front {
    shop: Shop,
    mails: MailServer,
    base: String,
    _proxy: WebProxy,
    _folder: TempDir,
}

impl Front {
    async fn open() -> Front {
        let (mails, listen) = (MailServer::start(MailMode::Accept).await, WebProxy::address());
        let (base, folder) = (format!("http://{listen}"), tempfile::tempdir().unwrap());
        let store = format!("sqlite:{}", folder.path().join("shop.db").display());
        let [url, from] = mails.settings();
        let shop = Shop::serve_with(&store, &store, &[&url, &from, "--base-url", &base]).await;
        let location = format!("location / {{ proxy_pass http://shop; {} }}", WebProxy::WEBSOCKETS);
        let proxy = WebProxy::nginx(&listen, shop.server.address(), &location).await;
        Front { shop, mails, base, _proxy: proxy, _folder: folder }
    }

    /// What stands behind `before` in the text of the mail that came as the `n`-th.
    async fn link(&self, n: usize, before: &str) -> String {
        let mail = self.mails.until_mails(n).await.remove(n - 1);
        let text = mail["parts"][0]["text"].as_str().unwrap().to_owned();
        let line = text.lines().find(|line| line.contains(before)).unwrap_or_else(|| panic!("{before}: {text}"));
        line.trim().to_owned()
    }

    async fn follows(&self) -> i64 {
        self.shop.number("select count(*) from follows").await
    }
}

async fn draw(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(&format!("follow-{name}")).await;
    let mut faults = browser.faults(window, false).await;
    // The server says with 422 that a new account has no name yet.
    faults.retain(|fault| !(fault.contains("/session/email/verify") && fault.contains("status of 422")));
    assert_eq!(faults, NONE, "{name}");
}

/// On a small screen the part is far below.
async fn show_part(browser: &Browser, part: &str) {
    browser.find(&named(part)).await;
    let scroll = format!("document.querySelector('{}').scrollIntoView({{ block: 'center' }})", named(part));
    browser.script(&scroll, &[]).await;
}

#[tokio::test]
async fn visitor_follows_the_shop_and_stops_by_the_link_of_a_mail() {
    let front = Front::open().await;
    let driver = Driver::start();
    let mut mails = 0;
    for (window, language, name) in first_or_all([
        (Window::Mobile, "ar", "phone-ar"),
        (Window::Mobile, "en", "phone"),
        (Window::Desktop, "en", "desktop"),
    ]) {
        let email = format!("ann-{name}@example.com");
        let ann = Browser::open(&driver, window, language).await;
        ann.goto(&format!("{}/?lang={language}", front.base)).await;
        show_part(&ann, "follow").await;
        draw(&ann, window, &format!("shop-{name}")).await;
        ann.fill(&named("follow-email"), "ann@localhost").await;
        ann.press("follow-send").await;
        ann.find(&format!("{}:not([hidden])", named("follow-alert"))).await;
        let typed = ann.script(&format!("return document.querySelector('{}').value", named("follow-email")), &[]).await;
        assert_eq!(typed, json!("ann@localhost"), "what was typed stays");
        draw(&ann, window, &format!("refused-{name}")).await;
        ann.fill(&named("follow-email"), &email).await;
        ann.press("follow-send").await;
        ann.sees("follow-sent", &email).await;
        draw(&ann, window, &format!("sent-{name}")).await;
        mails += 1;
        let confirm = front.link(mails, "#confirm=").await;
        ann.goto(&confirm).await;
        ann.find(&named("follow-confirm")).await;
        assert_eq!(front.follows().await, 0, "to open the link changes nothing");
        draw(&ann, window, &format!("confirm-{name}")).await;
        ann.press("follow-confirm").await;
        ann.find(&named("follow-home")).await;
        assert_eq!(front.follows().await, 1);
        draw(&ann, window, &format!("confirmed-{name}")).await;
        let stream = id(&front.shop.host.post("/v1/streams", json!({"title": "Night market"})).await.expect(201));
        front.shop.host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
        mails += 1;
        let stop = front.link(mails, "/unsubscribe/").await;
        ann.goto(&stop).await;
        ann.find(&named("unsubscribe-all")).await;
        assert_eq!(front.follows().await, 1, "to open the page changes nothing");
        draw(&ann, window, &format!("stop-{name}")).await;
        ann.press("unsubscribe").await;
        ann.find(&named("follow-home")).await;
        assert_eq!(front.follows().await, 0);
        draw(&ann, window, &format!("stopped-{name}")).await;
        ann.goto("about:blank").await;
        ann.goto(&format!("{}/follow?lang={language}#confirm={}", front.base, "0".repeat(64))).await;
        ann.press("follow-confirm").await;
        ann.find(&format!("{}:not([hidden])", named("follow-alert"))).await;
        draw(&ann, window, &format!("unknown-{name}")).await;
        if window == Window::Desktop {
            // 200 % of a window of 1440 pixels.
            ann.resize_to(720, 450, false).await;
            draw(&ann, window, "unknown-zoomed").await;
            ann.goto(&format!("{}/?lang={language}", front.base)).await;
            show_part(&ann, "follow").await;
            draw(&ann, window, "shop-zoomed").await;
        }
        front.shop.host.post(&format!("/v1/streams/{stream}/end"), json!({})).await.expect(200);
        ann.close().await;
    }
}

/// A show that has not begun, with a product that is paused in it.
async fn upcoming(shop: &Shop) -> (String, String, String) {
    let form = json!({"title": "Brass lamp", "variants": [{"name": "Small", "price": 100, "stock": 50}]});
    let made = shop.host.post("/v1/products", form).await.expect(201);
    let (product, variant) = (id(&made), id(&made["variants"][0]));
    let show = json!({"title": "Night market", "scheduled_at": now_ms() + 3_600_000});
    let stream = id(&shop.host.post("/v1/streams", show).await.expect(201));
    let offer = json!({"variant": variant, "kind": "regular", "price": 100, "quantity": 5});
    let offer = shop.host.post_keyed(&format!("/v1/streams/{stream}/offers"), &key(), offer).await.expect(201);
    let offer = id(&offer);
    shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    shop.host.post(&format!("/v1/offers/{offer}/pause"), json!({})).await.expect(200);
    (stream, product, offer)
}

#[tokio::test]
async fn viewer_asks_to_be_told_of_a_show_and_of_a_product() {
    let front = Front::open().await;
    let (stream, product, offer) = upcoming(&front.shop).await;
    let driver = Driver::start();
    let mut mails = 0;
    for (window, language, name) in first_or_all([(Window::Mobile, "ar", "phone-ar"), (Window::Mobile, "en", "phone")])
    {
        let ann = Browser::open(&driver, window, language).await;
        ann.goto(&format!("{}/watch?stream={stream}&lang={language}", front.base)).await;
        ann.wait_until_live().await;
        ann.press("remind").await;
        ann.find(&named("follow-sheet")).await;
        draw(&ann, window, &format!("remind-{name}")).await;
        ann.press("follow-sheet-close").await;
        ann.press("product-list-open").await;
        ann.press(&format!("bell-{offer}")).await;
        ann.press("bell-by-email").await;
        ann.find(&named("follow-sheet")).await;
        ann.fill(&named("follow-email"), &format!("{name}@example.com")).await;
        ann.press("follow-send").await;
        ann.sees("follow-sent", &format!("{name}@example.com")).await;
        draw(&ann, window, &format!("bell-{name}")).await;
        ann.press("follow-sheet-close").await;
        mails += 1;
        front.link(mails, "#confirm=").await;
        ann.click(&format!("{} .row-face", named(&format!("offer-{offer}")))).await;
        show_part(&ann, &format!("follow-{product}")).await;
        draw(&ann, window, &format!("sheet-{name}")).await;
        ann.goto(&format!("{}/products/{product}?lang={language}", front.base)).await;
        show_part(&ann, &format!("follow-{product}")).await;
        draw(&ann, window, &format!("product-{name}")).await;
        ann.close().await;
    }
    front.shop.host.post(&format!("/v1/streams/{stream}/start"), json!({})).await.expect(200);
    front.shop.host.post(&format!("/v1/streams/{stream}/end"), json!({})).await.expect(200);
    for (window, language, name) in first_or_all([
        (Window::Mobile, "ar", "phone-ar"),
        (Window::Mobile, "en", "phone"),
        (Window::Desktop, "en", "desktop"),
    ]) {
        let ann = Browser::open(&driver, window, language).await;
        ann.goto(&format!("{}/watch?stream={stream}&lang={language}", front.base)).await;
        ann.find(&named("show-end")).await;
        ann.find(&named("follow")).await;
        ann.find(&named(&format!("end-follow-{product}"))).await;
        draw(&ann, window, &format!("end-{name}")).await;
        ann.press(&format!("end-follow-{product}")).await;
        ann.find(&named("follow-sheet")).await;
        draw(&ann, window, &format!("end-sheet-{name}")).await;
        ann.close().await;
    }
}

/// The newest code.
fn code_of(mails: &[Value]) -> String {
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    let text = |mail: &Value| mail["parts"][0]["text"].as_str().unwrap().to_owned();
    let codes: Vec<String> =
        mails.iter().filter_map(|mail| text(mail).lines().find(is_code).map(str::to_owned)).collect();
    codes.last().expect("a mail with a code").clone()
}

#[tokio::test]
async fn account_follows_with_one_press_and_ends_it_in_its_menu() {
    let front = Front::open().await;
    let driver = Driver::start();
    for (window, language, name, mails) in first_or_all([
        (Window::Mobile, "en", "phone", 1),
        (Window::Desktop, "en", "desktop", 2),
        (Window::Mobile, "ar", "phone-ar", 3),
    ]) {
        let email = format!("ann-{name}@example.com");
        let ann = Browser::open(&driver, window, language).await;
        ann.goto(&format!("{}/?lang={language}", front.base)).await;
        ann.press("signin").await;
        ann.fill(&named("signin-email"), &email).await;
        ann.press("signin-send").await;
        ann.sees("signin-sent", &email).await;
        ann.fill(&named("signin-code"), &code_of(&front.mails.until_mails(mails).await)).await;
        ann.press("signin-verify").await;
        ann.until("the field for a name", "document.querySelector('[data-test=signin-name]').offsetParent", SOON).await;
        ann.sign_in_with_name("Anna").await;
        let signed_in = "document.querySelector('[data-test=signin]').dataset.signedIn === 'true'";
        ann.until("the account", signed_in, SOON).await;
        ann.goto(&format!("{}/?lang={language}", front.base)).await;
        show_part(&ann, "follow-start").await;
        ann.sees("follow-state", &email).await;
        draw(&ann, window, &format!("account-{name}")).await;
        ann.press("follow-start").await;
        ann.find(&named("follow-stop")).await;
        assert_eq!(front.follows().await, 1, "no mail asks: the address is proven");
        draw(&ann, window, &format!("account-on-{name}")).await;
        ann.press("signin").await;
        draw(&ann, window, &format!("menu-{name}")).await;
        ann.press("account-follows").await;
        ann.find(&named("follow-end-shop")).await;
        draw(&ann, window, &format!("list-{name}")).await;
        ann.press("follow-end-shop").await;
        ann.press("follow-undo").await;
        ann.find(&named("follow-end-shop")).await;
        assert_eq!(front.follows().await, 1);
        ann.press("follow-end-shop").await;
        ann.find(&format!("{}:not([hidden])", named("follows-none"))).await;
        assert_eq!(front.follows().await, 0);
        draw(&ann, window, &format!("ended-{name}")).await;
        assert_eq!(front.mails.mails().len(), mails, "only the codes");
        ann.close().await;
    }
}

#[tokio::test]
async fn shop_without_mail_server_shows_no_form() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let ann = Browser::open(&driver, Window::Mobile, "en").await;
    ann.goto(&format!("{}/?lang=en", shop.server.url)).await;
    ann.until("the shop", "document.body.dataset.ready === ''", SOON).await;
    ann.settle().await;
    assert_eq!(ann.count(&named("follow")).await, 0);
    let is_hidden = "return document.getElementById('follow').offsetParent === null";
    assert_eq!(ann.script(is_hidden, &[]).await, json!(true));
    ann.close().await;
}
