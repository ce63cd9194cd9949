//! Many products at once in the desk: a hundred rows are corrected in the grid, and the stock is counted with a barcode scanner.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::shop::{Shop, id};
use crate::support::person::named;

const NONE: Vec<String> = Vec::new();
/// Whether leaving the page would ask first.
const ASKS_FIRST: &str = "return !dispatchEvent(new Event('beforeunload', { cancelable: true }))";
const ENTER: &str = "\u{E007}";
const UP: &str = "\u{E013}";
const DOWN: &str = "\u{E015}";
const ESCAPE: &str = "\u{E00C}";
/// Pastes a text into the field that has the focus.
const PASTE: &str = "const data = new DataTransfer(); data.setData('text/plain', arguments[0]);
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))";
/// A scanner types into the field that has the focus: the field gets the characters, as it does from a keyboard.
const SCAN: &str = "const field = document.activeElement;
    const press = (key) => field.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    for (const key of arguments[0]) {
      if (!press(key)) continue;
      if (field instanceof HTMLInputElement) field.value += key;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    }
    press('Enter')";

async fn open(browser: &Browser, shop: &Shop, query: &str) {
    let token = shop.token("Noura", "host");
    browser.goto(&format!("{}/admin?{query}#token={token}", shop.server.url)).await;
}

async fn looks_good(browser: &Browser, window: Window, name: &str) {
    browser.settle().await;
    browser.screenshot(name).await;
    assert_eq!(browser.faults(window, false).await, NONE, "{name}");
}

async fn make(shop: &Shop, title: &str, variants: Value) -> Value {
    shop.host.post("/v1/products", json!({"title": title, "category": "Shelf", "variants": variants})).await.expect(201)
}

async fn prices(shop: &Shop, product: &Value) -> Value {
    let now = shop.host.get(&format!("/v1/products/{}", id(product))).await.expect(200);
    now["variants"].as_array().unwrap().iter().map(|one| json!([one["price"], one["stock"]])).collect()
}

/// The field of this column in the row of the first variant of a product.
fn cell(product: &Value, column: &str) -> String {
    format!("[data-variant=\"{}\"] [data-column={column}] input", product["variants"][0]["id"].as_str().unwrap())
}

async fn focus(browser: &Browser, css: &str) {
    browser.script("document.querySelector(arguments[0]).focus()", &[json!(css)]).await;
}

async fn is_focused(browser: &Browser, css: &str) -> bool {
    let is = "return document.activeElement === document.querySelector(arguments[0])";
    browser.script(is, &[json!(css)]).await == json!(true)
}

async fn value(browser: &Browser, css: &str) -> Value {
    browser.script("return document.querySelector(arguments[0]).value", &[json!(css)]).await
}

#[tokio::test]
async fn evening_catalogue_bulk_grid_corrects_a_hundred_rows_and_takes_them_back() {
    let shop = Shop::demo(&[]).await;
    let mut pots = Vec::new();
    for n in 0..99 {
        pots.push(make(&shop, &format!("Gridpot {n:02}"), json!([{"name": "One", "price": 1_000, "stock": 5}])).await);
    }
    let sizes = json!([{"name": "Small", "price": 1_000, "stock": 5}, {"name": "Large", "price": 1_200, "stock": 0}]);
    pots.push(make(&shop, "Gridpot in two sizes", sizes).await);
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "section=products&lang=en").await;
    host.press("product-bulk").await;
    host.find(&cell_of_any()).await;
    host.fill(&named("bulk-search"), "gridpot").await;
    host.press("bulk-find").await;
    host.until("the rows", "document.querySelectorAll('[data-variant]').length === 101", SOON).await;
    looks_good(&host, Window::Desktop, "bulk-grid").await;

    // The keyboard: Enter and the arrows move along a column, Escape restores a cell.
    focus(&host, &cell(&pots[0], "price")).await;
    host.key("12.50").await;
    host.key(ENTER).await;
    assert!(is_focused(&host, &cell(&pots[1], "price")).await, "Enter leads down");
    host.key("13.999").await;
    host.sees("bulk-count", "2 cells").await;
    host.until("what is wrong", "document.querySelector('[aria-invalid=true]')", SOON).await;
    assert_eq!(host.script(ASKS_FIRST, &[]).await, json!(true), "what was typed is not lost by a slip");
    host.press("bulk-save").await;
    host.sees("bulk-alert", "1 product has a mistake").await;
    looks_good(&host, Window::Desktop, "bulk-grid-mistake").await;
    assert_eq!(prices(&shop, &pots[0]).await, json!([[1_000, 5]]), "nothing was saved");
    assert!(is_focused(&host, &cell(&pots[1], "price")).await, "the mistake has the focus");
    host.key(ESCAPE).await;
    assert_eq!(value(&host, &cell(&pots[1], "price")).await, "10");
    host.key(DOWN).await;
    host.key(UP).await;
    host.key(UP).await;
    assert!(is_focused(&host, &cell(&pots[0], "price")).await);

    // A column of a spreadsheet, with a price and a stock for each row; the last product has two rows.
    let column: Vec<String> = (0..101).map(|n| format!("{}.25\t{}", 20 + n, 30 + n)).collect();
    host.script(PASTE, &[json!(column.join("\r\n"))]).await;
    host.sees("bulk-count", "202 cells").await;
    assert_eq!(value(&host, &cell(&pots[99], "stock")).await, "129");
    looks_good(&host, Window::Desktop, "bulk-grid-pasted").await;

    // Somebody else changes one of them first.
    let other = json!({"version": 1, "category": "Garden", "variants": [
        {"id": pots[7]["variants"][0]["id"], "name": "One", "price": 777}]});
    shop.host.send(Method::PATCH, &format!("/v1/products/{}", id(&pots[7])), &[], Some(other)).await.expect(200);
    host.press("bulk-save").await;
    host.sees("bulk-alert", "Nothing was saved: 1 product").await;
    host.sees(&format!("bulk-problem-{}", id(&pots[7])), "Somebody saved this product meanwhile").await;
    host.sees("bulk-newer", "7.77").await;
    assert_eq!(value(&host, &cell(&pots[7], "category")).await, "Garden", "what only they changed is taken over");
    looks_good(&host, Window::Desktop, "bulk-grid-conflict").await;
    assert_eq!(prices(&shop, &pots[0]).await, json!([[1_000, 5]]), "all or nothing");
    host.press("bulk-save").await;
    host.sees("bulk-saved", "100 products saved").await;
    assert_eq!(prices(&shop, &pots[0]).await, json!([[2_025, 30]]));
    assert_eq!(prices(&shop, &pots[7]).await, json!([[2_725, 37]]));
    assert_eq!(prices(&shop, &pots[99]).await, json!([[11_925, 129], [12_025, 130]]));
    assert_eq!(host.script(ASKS_FIRST, &[]).await, json!(false));
    looks_good(&host, Window::Desktop, "bulk-grid-saved").await;

    // The stock of one is another one before the next save: only the others are saved.
    host.fill(&cell(&pots[1], "stock"), "50").await;
    host.fill(&cell(&pots[2], "category"), "Balcony").await;
    let variant = pots[1]["variants"][0]["id"].as_str().unwrap();
    let lost = json!({"units": -1, "reason": "lost"});
    shop.host.post(&format!("/v1/variants/{variant}/stock-changes"), lost).await.expect(200);
    host.press("bulk-save").await;
    host.sees("bulk-newer", "30").await;
    host.press("bulk-save-good").await;
    host.sees("bulk-saved", "1 product saved").await;
    assert_eq!(prices(&shop, &pots[1]).await, json!([[2_125, 30]]), "the lost unit is not found again by the grid");
    host.press("bulk-save").await;
    host.until_text(&named("bulk-saved"), "1 product saved").await;
    host.until("no change", "!document.querySelector('[data-changed]')", SOON).await;
    assert_eq!(prices(&shop, &pots[1]).await, json!([[2_125, 50]]));

    // The whole save is undone, and the page of what was changed says so.
    let list = shop.host.get("/v1/imports").await.expect(200)["items"].clone();
    assert_eq!(list.as_array().unwrap().len(), 3);
    host.press("bulk-undo").await;
    host.sees("bulk-undone", "Undone").await;
    assert_eq!(prices(&shop, &pots[1]).await, json!([[2_125, 30]]));
    open(&host, &shop, &format!("section=products&lang=en&import={}", list[2]["id"].as_str().unwrap())).await;
    host.press("import-more").await;
    host.sees("import-rows", "Large").await;
    looks_good(&host, Window::Desktop, "bulk-details").await;
    host.press("import-undo").await;
    host.press("confirm-yes").await;
    host.sees("import-status", "Undone").await;
    assert_eq!(prices(&shop, &pots[0]).await, json!([[1_000, 5]]));
    assert_eq!(prices(&shop, &pots[7]).await, json!([[777, 5]]), "what somebody else saved before is there again");
    open(&host, &shop, "section=products&lang=en&import=new").await;
    host.sees("import-list", "Edit in a grid").await;
    host.assert_no_faults("host").await;
    host.close().await;
}

fn cell_of_any() -> String {
    "[data-variant] [data-column=price] input".to_owned()
}

#[tokio::test]
async fn evening_catalogue_bulk_grid_on_a_phone_in_arabic() {
    let shop = Shop::demo(&[]).await;
    let sizes = json!([{"name": "صغير", "price": 1_000, "stock": 5}, {"name": "كبير", "price": 1_200, "stock": 7}]);
    let shirt = make(&shop, "قميص من الكتان", sizes).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "ar").await;
    open(&phone, &shop, "section=products&lang=ar&bulk=grid&search=الكتان").await;
    phone.find(&cell(&shirt, "price")).await;
    phone.fill(&cell(&shirt, "price"), "١٢٫٥").await;
    phone.fill(&cell(&shirt, "category"), "ملابس").await;
    phone.fill(&cell(&shirt, "stock"), "1.5").await;
    phone.until("what is wrong", "document.querySelector('[aria-invalid=true]')", SOON).await;
    looks_good(&phone, Window::Mobile, "bulk-grid-ar-phone").await;
    phone.fill(&cell(&shirt, "stock"), "٩").await;
    phone.press("bulk-save").await;
    phone.find(&named("bulk-saved")).await;
    looks_good(&phone, Window::Mobile, "bulk-grid-saved-ar-phone").await;
    assert_eq!(prices(&shop, &shirt).await, json!([[1_250, 9], [1_200, 7]]));
    phone.press("bulk-undo").await;
    phone.find(&named("bulk-undone")).await;
    assert_eq!(prices(&shop, &shirt).await, json!([[1_000, 5], [1_200, 7]]));
    phone.close().await;
}

/// Types a code into the field for codes, as a scanner does, and waits until it is counted.
async fn scan(browser: &Browser, code: &str, said: &str) {
    browser.fill(&named("scan-code"), code).await;
    browser.key(ENTER).await;
    browser.sees("scan-last", said).await;
}

#[tokio::test]
async fn evening_catalogue_bulk_stock_take_survives_a_reload_and_a_sale() {
    let shop = Shop::demo(&[]).await;
    let with_code = |code: &str, stock: i64| json!([{"name": "One", "price": 1_000, "stock": stock, "barcode": code, "sku": format!("S{code}")}]);
    let lamp = make(&shop, "Counted lamp", with_code("6281000000011", 4)).await;
    let vase = make(&shop, "Counted vase", with_code("0012345678905", 2)).await;
    let twins = [
        make(&shop, "Left shoe", with_code("6281000000035", 1)).await,
        make(&shop, "Right shoe", with_code("6281000000035", 1)).await,
    ];
    let lamp_id = lamp["variants"][0]["id"].as_str().unwrap().to_owned();
    let driver = Driver::start();
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    open(&host, &shop, "section=products&lang=en").await;
    host.press("product-count").await;
    host.sees("scan-empty", "Nothing is counted yet").await;
    looks_good(&host, Window::Desktop, "count-empty").await;

    scan(&host, "6281000000011", "Counted lamp · One\u{2069}: 1").await;
    scan(&host, "6281000000011", "Counted lamp · One\u{2069}: 2").await;
    // A UPC is read without its zero, and a typed quantity counts several at once.
    host.fill(&named("scan-units"), "3").await;
    scan(&host, "12345678905", "").await;
    host.sees("scan-alert", "No product has the code").await;
    host.fill(&named("scan-units"), "3").await;
    scan(&host, "012345678905", "Counted vase · One\u{2069}: 3").await;
    assert_eq!(value(&host, &named("scan-units")).await, "1");
    // A scan while another field has the focus counts too, and the field is as it was.
    focus(&host, &named(&format!("counted-{lamp_id}"))).await;
    host.script(SCAN, &[json!("6281000000011")]).await;
    host.sees("scan-last", "Counted lamp · One\u{2069}: 3").await;
    assert_eq!(value(&host, &named(&format!("counted-{lamp_id}"))).await, "3");
    // A code of two products: the reader chooses.
    host.fill(&named("scan-code"), "6281000000035").await;
    host.key(ENTER).await;
    host.press(&format!("choose-{}", twins[0]["variants"][0]["id"].as_str().unwrap())).await;
    host.sees("scan-last", "Left shoe · One\u{2069}: 1").await;
    looks_good(&host, Window::Desktop, "count").await;

    // The count pauses: a reload loses nothing. Meanwhile a lamp is sold.
    let form = json!({"variant": lamp_id, "kind": "regular", "price": 1_000, "quantity": 2});
    let offer = id(&shop.host.post(&shop.path("offers"), form).await.expect(201));
    shop.host.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    shop.rest("ann", "viewer").post(&format!("/v1/offers/{offer}/orders"), json!({"qty": 1})).await.expect(201);
    host.reload().await;
    host.sees("scan-note", "kept in this browser").await;
    assert_eq!(value(&host, &named(&format!("counted-{lamp_id}"))).await, "3");
    host.fill(&named(&format!("counted-{lamp_id}")), "3x").await;
    host.until("what is wrong", "document.querySelector('[aria-invalid=true]')", SOON).await;
    host.fill(&named(&format!("counted-{lamp_id}")), "3").await;
    host.sees(&format!("difference-{lamp_id}"), "-1").await;
    // What was not scanned is listed with what should be there. The other shoe is not found, so none of it is counted.
    let other = twins[1]["variants"][0]["id"].as_str().unwrap();
    host.press("rest-open").await;
    host.fill(&named("rest-search"), "shelf").await;
    host.until("what was not scanned", "document.querySelectorAll('[data-rest]').length === 1", SOON).await;
    host.sees("rest-list", "Right shoe").await;
    looks_good(&host, Window::Desktop, "count-rest").await;
    host.press(&format!("none-{other}")).await;
    host.sees("rest-status", "No unscanned variant").await;
    host.sees(&format!("difference-{other}"), "-1").await;
    host.press(&format!("remove-{other}")).await;
    host.until("it to be missing again", "document.querySelectorAll('[data-rest]').length === 1", SOON).await;
    host.press("rest-open").await;
    host.press("scan-apply").await;
    host.sees("confirm", "More than expected: 1. Fewer: 1. As expected: 1.").await;
    host.sees("confirm", "What was not scanned stays").await;
    looks_good(&host, Window::Desktop, "count-confirm").await;
    host.press("confirm-yes").await;
    host.sees("bulk-saved", "The stock of 2 variants is corrected").await;
    // Four were there, two moved into the offer and one is missing: the sale is as it was.
    assert_eq!(prices(&shop, &lamp).await, json!([[1_000, 1]]));
    assert_eq!(prices(&shop, &vase).await, json!([[1_000, 3]]));
    assert_eq!(shop.left(&offer).await, 1);
    let log = shop.host.get(&format!("/v1/variants/{lamp_id}/stock-changes")).await.expect(200);
    assert_eq!((&log["items"][0]["reason"], &log["items"][0]["units"]), (&json!("stock_take"), &json!(-1)));
    host.find(&named("scan-open")).await;
    looks_good(&host, Window::Desktop, "count-applied").await;
    host.press("bulk-undo").await;
    host.sees("bulk-undone", "Undone").await;
    assert_eq!(prices(&shop, &lamp).await, json!([[1_000, 2]]));
    assert_eq!(prices(&shop, &vase).await, json!([[1_000, 2]]));
    host.assert_no_faults("host").await;
    host.close().await;
}

#[tokio::test]
async fn evening_catalogue_bulk_stock_take_on_a_phone_keeps_what_it_cannot_look_up() {
    let shop = Shop::demo(&[]).await;
    let variants = json!([{"name": "Besar", "price": 1_000, "stock": 3, "barcode": "6281000000011", "sku": "LAMPU-B"},
        {"name": "Kecil", "price": 900, "stock": 2, "sku": "LAMPU-K"}]);
    let lamp = make(&shop, "Lampu meja dari kuningan", variants).await;
    let driver = Driver::start();
    let phone = Browser::open(&driver, Window::Mobile, "id").await;
    open(&phone, &shop, "section=products&lang=id&bulk=count").await;
    phone.find(&named("scan-empty")).await;
    scan(&phone, "lampu-k", "Kecil").await;
    // Without a connection the scan is kept, and looked up later.
    let network =
        |offline: bool| json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    phone.devtools("Network.enable", json!({})).await;
    phone.devtools("Network.emulateNetworkConditions", network(true)).await;
    phone.fill(&named("scan-code"), "6281000000011").await;
    phone.key(ENTER).await;
    phone.find("[data-code=\"6281000000011\"]").await;
    looks_good(&phone, Window::Mobile, "count-offline-id-phone").await;
    phone.devtools("Network.emulateNetworkConditions", network(false)).await;
    phone.sees("scan-last", "Besar").await;
    phone.until("no open code", "!document.querySelector('[data-code]')", SOON).await;
    looks_good(&phone, Window::Mobile, "count-id-phone").await;
    phone.press("rest-open").await;
    phone.find("[data-rest]").await;
    looks_good(&phone, Window::Mobile, "count-rest-id-phone").await;
    phone.press("rest-open").await;
    phone.press("scan-apply").await;
    phone.press("confirm-yes").await;
    phone.find(&named("bulk-saved")).await;
    assert_eq!(prices(&shop, &lamp).await, json!([[1_000, 1], [900, 1]]));
    phone.find(&named("scan-empty")).await;
    phone.close().await;
}
