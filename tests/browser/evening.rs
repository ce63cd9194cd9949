//! An evening of a host: the catalogue comes from a file, the line-up by search and keyboard, a quick item from the live show, and a link that is
//! shared.

use std::time::Duration;

use serde_json::json;

use crate::forms::first_or_all;
use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::person::named;

const NONE: [String; 0] = [];
/// A file of a thousand products, chosen as a person chooses one.
const CHOOSE_FILE: &str = "
    const rows = Array.from({ length: 1000 }, (_, n) => `p-${n},Lantern ${n},${n + 1}.50,3`);
    const data = new DataTransfer();
    data.items.add(new File([['handle,title,price,stock', ...rows].join('\\n')], 'lanterns.csv', { type: 'text/csv' }));
    const input = document.querySelector('[data-test=import-file]');
    input.files = data.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));";
/// A photo, as the camera of a phone gives it.
const TAKE_PHOTO: &str = "
    const done = arguments[arguments.length - 1];
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [900, 600];
    canvas.getContext('2d').fillRect(100, 100, 300, 300);
    canvas.toBlob((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], 'photo.jpg', { type: 'image/jpeg' }));
        const input = document.querySelector('[data-test=quick-photo-file]');
        input.files = data.files;
        input.dispatchEvent(new Event('change', { bubbles: true }));
        done(true);
    }, 'image/jpeg');";

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.faults(window, false).await, NONE, "{name}");
}

#[tokio::test]
async fn evening_catalogue_of_a_thousand_products_is_imported_and_put_into_the_line_up_by_keyboard() {
    let shop = Shop::demo(&[]).await;
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    let token = shop.token("Noura", "host");
    host.goto(&format!("{}/admin?lang=en&section=products&import=new#token={token}", shop.server.url)).await;
    host.find(&named("import-choose")).await;
    host.script(CHOOSE_FILE, &[]).await;
    host.find(&named("import-apply")).await;
    host.sees("import-facts", "1,001").await; // With the column headings.
    looks_good(&host, Window::Desktop, "import-ready").await;
    host.press("import-apply").await;
    // A thousand products take a while in a debug build on a busy machine; the page shows how far they are.
    host.until("the import", "!!document.querySelector('[data-test=import-undo]')", Duration::from_secs(120)).await;
    host.sees("import-view-created", "1,000").await;
    looks_good(&host, Window::Desktop, "import-applied").await;

    // In the console the picker finds one of them by a part that was mistyped; focus stays on the keyboard.
    let console = shop.server.started["host_url"].as_str().unwrap();
    host.forget_people().await;
    host.goto(console).await;
    host.wait_until_live().await;
    host.press("add-offer").await;
    host.fill(&named("catalogue-search"), "latnern 733").await;
    let rows = "[...document.querySelectorAll('.catalogue-row .row-title')].map((it) => it.innerText)";
    host.until("the product", &format!("{rows}.length === 1 && {rows}[0] === 'Lantern 733'"), SOON).await;
    looks_good(&host, Window::Desktop, "catalogue-search").await;
    host.fill(&named("catalogue-search"), "nothing of the kind").await;
    host.sees("catalogue-empty", "Nothing found").await;
    host.fill(&named("catalogue-search"), "lantern 73").await;
    host.until("the beginnings", &format!("{rows}.length === 11"), SOON).await;
    host.key("\u{E015}").await; // The arrow down.
    let is_first = "document.activeElement === document.querySelector('.catalogue button.variant')";
    host.until("the first variant", is_first, SOON).await;
    host.key("\u{E013}").await; // The arrow up.
    let in_search = "document.activeElement.dataset.test === 'catalogue-search'";
    host.until("the search", in_search, SOON).await;
    host.key("\u{E007}").await; // Enter.
    host.find(&named("offer-form")).await;
    host.close().await;
}

#[tokio::test]
async fn evening_catalogue_quick_item_is_sold_from_a_phone() {
    let mut shop = Shop::demo(&[]).await;
    shop.stream = id(&shop.host.post("/v1/streams", json!({"title": "From the market"})).await.expect(201));
    shop.host.post(&shop.path("start"), json!({})).await.expect(200);
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Mobile, "en").await;
    let first = shop.server.stream().to_owned();
    let console = shop.server.started["host_url"].as_str().unwrap().replace(&first, &shop.stream);
    host.goto(&console).await;
    host.wait_until_live().await;
    host.press("thumb-quick").await;
    host.find(&named("quick-form")).await;
    host.press("quick-sell").await;
    host.find(&named("error-quick-price")).await;
    host.script_async(TAKE_PHOTO).await;
    host.fill(&named("quick-price"), "25").await;
    host.fill(&named("quick-quantity"), "2").await;
    looks_good(&host, Window::Mobile, "quick-item-phone").await;
    host.press("quick-sell").await;
    host.sees("quick-made", "#1").await;

    let buyer = Browser::open(&driver, Window::Mobile, "ar").await;
    let token = shop.token("Ann", "viewer");
    buyer.goto(&format!("{}/watch?stream={}&lang=ar#token={token}", shop.server.url, shop.stream)).await;
    buyer.wait_until_live().await;
    buyer.sees("card-title", "#1").await;
    buyer.until("its photo", "document.querySelector('.card-image img')?.naturalWidth > 0", SOON).await;
    buyer.screenshot("quick-item-ar-phone").await;
    buyer.reserve().await;
    let offers = shop.host.get(&shop.path("offers")).await.expect(200);
    assert_eq!((&offers["items"][0]["left"], &offers["items"][0]["price"]), (&json!(1), &json!(2_500)));
    buyer.close().await;
    host.close().await;
}

#[tokio::test]
async fn evening_link_of_a_product_leads_to_the_show_that_sells_it() {
    let shop = Shop::demo(&[]).await;
    let offer = shop.on_sale(5, json!({})).await;
    let product = shop.offer(&offer).await["product"].as_str().unwrap().to_owned();
    let idle = json!({"title": "Rug", "variants": [{"name": "One size", "price": 9_900, "stock": 1}]});
    let idle = id(&shop.host.post("/v1/products", idle).await.expect(201));
    let driver = Driver::start();
    for (window, language) in first_or_all([(Window::Mobile, "ar"), (Window::Desktop, "en")]) {
        let reader = Browser::open(&driver, window, language).await;
        reader.goto(&format!("{}/products/{idle}?lang={language}", shop.server.url)).await;
        reader.until("where to look", "document.querySelector('[data-test=product-sales] a.button')", SOON).await;
        reader.goto(&format!("{}/nowhere?lang={language}", shop.server.url)).await;
        reader.find(&named("not-found")).await;
        looks_good(&reader, window, &format!("not-found-{language}")).await;
        reader.goto(&format!("{}/products/{product}?lang={language}", shop.server.url)).await;
        reader.sees("product-title", "Lamp").await;
        reader.find(&named(&format!("sale-{offer}"))).await;
        looks_good(&reader, window, &format!("product-page-{language}")).await;
        reader.press(&format!("sale-{offer}")).await;
        reader.sees("product", "Lamp").await;
        reader.close().await;
    }
}
