//! The size of the viewer page, and whether every text exists in every language.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::named;

/// The bytes of the first view, and of everything that the page of this shop can load, as they are sent.
const FIRST_VIEW_BYTES_MAX: u64 = 90_000;
const PAGE_BYTES_MAX: u64 = 128_000;

/// What the page has loaded so far: the number of files, their bytes compressed and unpacked, and how many came from other hosts.
const LOADED: &str = "
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const all = [...new Map(entries.map((entry) => [entry.name, entry])).values()];
    const sum = (size) => all.reduce((sum, entry) => sum + entry[size], 0);
    const foreign = all.filter((entry) => new URL(entry.name).host !== location.host).length;
    return { files: all.length, sent: sum('encodedBodySize'), unpacked: sum('decodedBodySize'), foreign };";

/// Loads every file that a tap could load, by following the imports in the text of each file. The card form is loaded by shops with
/// Stripe only, the way to the page of a provider by those with a payment adapter, what followers need by shops with a mail
/// server and a public address, what a coupon needs by shops that have one, and the countries to which a shop delivers by buyers whose address
/// is elsewhere; this shop has none of them.
const LOAD_ALL: &str = r"
    const base = new URL('.', document.querySelector('script[type=module]').src);
    const lang = document.documentElement.lang;
    const seen = new Set();
    const follow = async (name, from = base) => {
        const url = new URL(name, from);
        const path = url.href.slice(base.href.length);
        const forOthers = ['cards.js', 'card_form.js', 'saved_cards.js', 'hosted_page.js', 'follow_part.js', 'follow_list.js', 'coupon_field.js', 'coupon_chip.js', 'served_countries.js'];
        if (seen.has(path) || forOthers.includes(path)) return;
        seen.add(path);
        const text = await (await fetch(url)).text();
        if (!name.endsWith('.js') || name.startsWith('lang/')) return;
        const names = [...text.matchAll(/(?:from|import\()\s*'\.\/([\w./]+\.js)'/g)].map((it) => it[1]);
        const parts = [...text.matchAll(/\bstyle\(([\w', ]+)\)/g)].flatMap((it) => it[1].match(/\w+/g).map((name) => `${name}.css`));
        parts.push(...[...text.matchAll(/\bload\('(\w+)'\)/g)].map((it) => `lang/${lang}.${it[1]}.js`));
        await Promise.all([...names.map((it) => follow(it, url)), ...parts.map((it) => follow(it))]);
    };
    await follow('watch.js');
    return [...seen].sort();";

#[tokio::test]
async fn viewer_page_is_small_and_loads_nothing_from_other_hosts() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    for language in ["en", "ar", "id"] {
        browser.goto(&format!("{}/watch?stream={}&lang={language}", shop.server.url, shop.stream)).await;
        browser.wait_until_live().await;
        browser.until("the card", "document.querySelector('[data-test=card-title]').innerText", SOON).await;
        let first = browser.script(LOADED, &[]).await;
        let names = browser.script(LOAD_ALL, &[]).await;
        for part in [
            "buyer.js",
            "product_list.js",
            "checkout.js",
            "alerts.js",
            "hearts.js",
            "share.js",
            "error_page.js",
            "sheet.css",
            "checkout.css",
            "product_list.css",
        ] {
            assert!(names.as_array().unwrap().contains(&json!(part)), "{part} is not among {names}");
        }
        let all = browser.script(LOADED, &[]).await;
        println!("{language}: first view {first}, everything {all}");
        let bytes = |of: &Value, what: &str| of[what].as_u64().unwrap();
        assert!(
            bytes(&first, "unpacked") > 50_000 && bytes(&first, "sent") < FIRST_VIEW_BYTES_MAX,
            "first view: {first}"
        );
        assert!(
            bytes(&all, "sent") > bytes(&first, "sent") && bytes(&all, "sent") < PAGE_BYTES_MAX,
            "everything: {all}"
        );
        assert_eq!((&first["foreign"], &all["foreign"]), (&json!(0), &json!(0)));
    }
    browser.close().await;
}

/// Compares the texts of the languages, and checks that each text key in the pages exists.
const TEXTS: &str = r"
    const texts = async (file) => (await import(`/assets/lang/${file}.js`)).default;
    const faults = [];
    const keys = new Set();
    for (const part of ['', '.buy', '.shop', '.pages']) {
        const en = await texts(`en${part}`);
        for (const key of Object.keys(en)) keys.add(key);
        for (const lang of ['ar', 'id']) {
            const other = await texts(`${lang}${part}`);
            for (const key of Object.keys(en)) if (!(key in other)) faults.push(`${lang}${part} lacks ${key}`);
            for (const key of Object.keys(other)) if (!(key in en)) faults.push(`${lang}${part} has ${key}, which en does not have`);
        }
    }
    const files = arguments[0];
    let used = 0;
    for (const file of files) {
        const text = await (await fetch(`/assets/${file}`)).text();
        for (const [, key] of text.matchAll(/\bt\('([\w.]+)'/g)) { used++; if (!keys.has(key)) faults.push(`${file} uses the unknown key ${key}`); }
        for (const [, key] of text.matchAll(/data-t(?:-label|-hint)?=\x22([\w.]+)\x22/g)) if (!keys.has(key)) faults.push(`${file} uses the unknown key ${key}`);
    }
    return { faults, used, keys: keys.size };";

#[tokio::test]
async fn every_language_has_every_text() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    browser.goto(&format!("{}/?lang=en", shop.server.url)).await;
    let files = json!([
        "watch.html",
        "index.html",
        "orders.html",
        "watch.js",
        "product_list.js",
        "product_row.js",
        "chat_list.js",
        "chat_field.js",
        "viewer_chat.js",
        "checkout.js",
        "connection_bar.js",
        "my_orders.js",
        "offer.js",
        "orders.js",
        "error_page.js",
        "product_sheet.js",
        "share.js",
        "sheet.js",
        "shop.js",
        "sign_in.js",
        "player.js",
        "alerts.js",
        "address.js"
    ]);
    let found = browser.script(TEXTS, &[files]).await;
    assert_eq!(found["faults"], json!([]));
    assert!(found["used"].as_u64() > Some(100), "{found}");
    browser.close().await;
}

/// A text that was not found is shown as its key: `order.pay`.
const KEYS: &str = r"
    const seen = document.body.innerText + [...document.querySelectorAll('[aria-label], [placeholder]')]
        .map((it) => ` ${it.ariaLabel ?? ''} ${it.placeholder ?? ''}`).join('');
    return seen.match(/\b(?:order|payment|address|history|product|qty|product_list|error|sign_in|stock_alert|offer|status)\.[a-z_]+/g) ?? [];";

#[tokio::test]
async fn purchase_shows_texts_and_no_keys_in_every_language() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    for (language, pay, paid) in
        [("en", "Pay", "confirmed"), ("ar", "ادفع", "تم تأكيد الطلب"), ("id", "Bayar", "dikonfirmasi")]
    {
        let token = shop.token(&format!("buyer-{language}"), "viewer");
        let url = format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream);
        browser.forget_people().await;
        browser.goto("about:blank").await;
        browser.goto(&url).await;
        browser.wait_until_live().await;
        let check_texts = async |what: &str| {
            assert_eq!(browser.script(KEYS, &[]).await, json!([]), "{language}, {what}");
            browser.assert_no_faults(language).await;
        };
        browser.press("product-list-open").await;
        browser.find(&named("product-list-search")).await;
        check_texts("product list").await;
        browser.press("product-list-close").await;
        browser.click(".card-face").await;
        browser.find(&named("product-buy")).await;
        check_texts("product").await;
        browser.press("product-buy").await;
        browser.find(&named("order-place")).await;
        browser.sees("pay", pay).await;
        check_texts("checkout").await;
        browser.fill_address().await;
        browser.press("pay").await;
        browser.sees("order-status", paid).await;
        browser.find(&named("order-history")).await;
        browser.screenshot(&format!("purchase-{language}")).await;
        check_texts("order").await;
        browser.press("order-done").await;
    }
    browser.close().await;
}
