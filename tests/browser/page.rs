//! What the viewer's page weighs, and whether it has all its words.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::Shop;
use crate::support::person::named;

const LIGHT: u64 = 100_000;

/// Bytes of all that was loaded so far: on the wire, unpacked, and from how many hosts besides ours.
const LOADED: &str = "
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const all = [...new Map(entries.map((entry) => [entry.name, entry])).values()];
    const sum = (size) => all.reduce((sum, entry) => sum + entry[size], 0);
    const foreign = all.filter((entry) => new URL(entry.name).host !== location.host).length;
    return { files: all.length, sent: sum('encodedBodySize'), unpacked: sum('decodedBodySize'), foreign };";

/// Loads every part that a tap could load, by following the imports in the text of each.
const LOAD_ALL: &str = r"
    const base = new URL('.', document.querySelector('script[type=module]').src);
    const lang = document.documentElement.lang;
    const seen = new Set();
    const follow = async (name) => {
        if (seen.has(name)) return;
        seen.add(name);
        const text = await (await fetch(new URL(name, base))).text();
        if (!name.endsWith('.js') || name.startsWith('lang/')) return;
        const names = [...text.matchAll(/(?:from|import\()\s*'\.\/([\w.]+\.js)'/g)].map((it) => it[1]);
        names.push(...[...text.matchAll(/\bstyle\('(\w+)'\)/g)].map((it) => `${it[1]}.css`));
        names.push(...[...text.matchAll(/\bload\('(\w+)'\)/g)].map((it) => `lang/${lang}.${it[1]}.js`));
        await Promise.all(names.map(follow));
    };
    await follow('watch.js');
    return [...seen].sort();";

#[tokio::test]
async fn the_viewer_page_is_light_and_asks_no_other_host() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    for language in ["en", "ar", "id"] {
        browser.goto(&format!("{}/watch?stream={}&lang={language}", shop.server.url, shop.stream)).await;
        browser.is_live().await;
        browser.until("the card", "document.querySelector('[data-test=card-title]').innerText", SOON).await;
        let first = browser.script(LOADED, &[]).await;
        let names = browser.script(LOAD_ALL, &[]).await;
        for part in ["bag.js", "checkout.js", "tell.js", "share.js", "problem.js", "sheet.css", "bag.css"] {
            assert!(names.as_array().unwrap().contains(&json!(part)), "{part} is not among {names}");
        }
        let all = browser.script(LOADED, &[]).await;
        println!("{language}: first view {first}, everything {all}");
        let bytes = |of: &Value, what: &str| of[what].as_u64().unwrap();
        assert!(bytes(&first, "unpacked") > 50_000 && bytes(&first, "unpacked") < LIGHT, "first view: {first}");
        assert!(bytes(&all, "sent") > bytes(&first, "sent") && bytes(&all, "sent") < LIGHT, "everything: {all}");
        assert_eq!((&first["foreign"], &all["foreign"]), (&json!(0), &json!(0)));
    }
    browser.close().await;
}

/// Texts of each language, and the keys that the pages ask for by name.
const WORDS: &str = r"
    const texts = async (file) => (await import(`/assets/lang/${file}.js`)).default;
    const faults = [];
    const words = new Set();
    for (const part of ['', '.buy', '.shop']) {
        const en = await texts(`en${part}`);
        for (const key of Object.keys(en)) words.add(key);
        for (const lang of ['ar', 'id']) {
            const other = await texts(`${lang}${part}`);
            for (const key of Object.keys(en)) if (!(key in other)) faults.push(`${lang}${part} lacks ${key}`);
            for (const key of Object.keys(other)) if (!(key in en)) faults.push(`${lang}${part} has ${key}, en has not`);
        }
    }
    const files = arguments[0];
    let asked = 0;
    for (const file of files) {
        const text = await (await fetch(`/assets/${file}`)).text();
        for (const [, key] of text.matchAll(/\bt\('([\w.]+)'/g)) { asked++; if (!words.has(key)) faults.push(`${file} asks for ${key}`); }
        for (const [, key] of text.matchAll(/data-t(?:-label|-hint)?=\x22([\w.]+)\x22/g)) if (!words.has(key)) faults.push(`${file} asks for ${key}`);
    }
    return { faults, asked, words: words.size };";

#[tokio::test]
async fn every_language_has_every_word() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    browser.goto(&format!("{}/?lang=en", shop.server.url)).await;
    let files = json!([
        "watch.html",
        "index.html",
        "orders.html",
        "watch.js",
        "bag.js",
        "chat.js",
        "checkout.js",
        "conn.js",
        "mine.js",
        "offer.js",
        "orders.js",
        "problem.js",
        "product.js",
        "share.js",
        "sheet.js",
        "shop.js",
        "signin.js",
        "stage.js",
        "tell.js",
        "address.js"
    ]);
    let told = browser.script(WORDS, &[files]).await;
    assert_eq!(told["faults"], json!([]));
    assert!(told["asked"].as_u64() > Some(100), "{told}");
    browser.close().await;
}

/// A word that was not found shows as its key: `order.pay`.
const KEYS: &str = r"
    const seen = document.body.innerText + [...document.querySelectorAll('[aria-label], [placeholder]')]
        .map((it) => ` ${it.ariaLabel ?? ''} ${it.placeholder ?? ''}`).join('');
    return seen.match(/\b(?:order|payment|address|step|product|qty|bag|error|signin|wait|offer|status)\.[a-z_]+/g) ?? [];";

#[tokio::test]
async fn a_purchase_reads_well_in_every_language() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "en").await;
    for (language, pay, paid) in [("en", "Pay", "yours"), ("ar", "ادفع", "تم الدفع"), ("id", "Bayar", "Lunas")]
    {
        let token = shop.token(&format!("buyer-{language}"), "viewer");
        let url = format!("{}/watch?stream={}&lang={language}#token={token}", shop.server.url, shop.stream);
        browser.goto("about:blank").await;
        browser.goto(&url).await;
        browser.is_live().await;
        let whole = async |what: &str| {
            assert_eq!(browser.script(KEYS, &[]).await, json!([]), "{language}, {what}");
            browser.is_sound(language).await;
        };
        browser.press("bag").await;
        browser.find(&named("bag-search")).await;
        whole("bag").await;
        browser.press("bag-close").await;
        browser.click(".card-face").await;
        browser.find(&named("product-buy")).await;
        whole("product").await;
        browser.press("product-buy").await;
        browser.find(&named("order-place")).await;
        browser.sees("pay", pay).await;
        whole("checkout").await;
        browser.fill_address().await;
        browser.press("pay").await;
        browser.sees("order-status", paid).await;
        browser.find(&named("order-history")).await;
        browser.shot(&format!("purchase-{language}")).await;
        whole("order").await;
        browser.press("order-done").await;
    }
    browser.close().await;
}
