//! The field for pictures: files that are chosen, pasted and dropped, their order, focus and errors; and what stands where a picture is
//! missing.

use serde_json::{Value, json};

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::person::named;

/// Makes a JPEG of two colours in the page, and gives it to `add` as a file with this name.
const WITH_PHOTO: &str = r"
const photo = (name, color) => new Promise((done) => {
  const canvas = document.createElement('canvas');
  canvas.width = 900; canvas.height = 600;
  const pen = canvas.getContext('2d');
  pen.fillStyle = color; pen.fillRect(0, 0, 900, 600);
  pen.fillStyle = '#fff'; pen.fillRect(500, 100, 200, 200);
  canvas.toBlob((blob) => done(new File([blob], name, { type: 'image/jpeg' })), 'image/jpeg');
});
const choose = (test, files) => {
  const input = document.querySelector(`[data-test=${test}]`);
  const data = new DataTransfer();
  for (const file of files) data.items.add(file);
  input.files = data.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
};
const done = arguments[arguments.length - 1];
";

/// Runs a script that ends with `done(…)`.
async fn with_photo(browser: &Browser, script: &str) -> Value {
    browser.script_async(&format!("{WITH_PHOTO}{script}")).await
}

async fn open_product_form(host: &Browser) {
    host.press("add-offer").await;
    host.press("new-product").await;
    host.find(&named("product-form")).await;
}

const ROWS: &str = "document.querySelectorAll('[data-test=gallery-row]')";

#[tokio::test]
async fn evening_catalogue_pictures_are_chosen_pasted_ordered_and_seen_by_viewers() {
    let (server, driver) = (Server::demo().await, Driver::start());
    let host = Browser::open(&driver, Window::Desktop, "en").await;
    host.goto(server.started["host_url"].as_str().unwrap()).await;
    host.wait_until_live().await;
    open_product_form(&host).await;
    host.fill(&named("product-title"), "Blue lamp").await;

    // Two files at once, and one that is no picture. Each row says how it went.
    with_photo(
        &host,
        "Promise.all([photo('one.jpg', '#a33'), photo('two.jpg', '#33a')]).then((files) => {
           choose('product-image-file', [...files, new File(['<svg></svg>'], 'logo.svg', { type: 'image/svg+xml' })]);
           done(true);
         });",
    )
    .await;
    let there = format!("[...{ROWS}].filter((row) => row.dataset.state === 'there').length");
    host.until("two uploaded pictures", &format!("{there} === 2"), SOON).await;
    host.until_text(&named("gallery-error"), "files can’t be shown").await;
    host.fill(&named("variant-name-1"), "One size").await;
    host.fill(&named("variant-price-1"), "15").await;
    host.fill(&named("variant-stock-1"), "3").await;
    host.press("product-save").await;
    host.until_text(&named("error-product-image"), "Not every picture").await;
    host.script("document.querySelector('[data-state=failed] [data-test=gallery-remove]').click()", &[]).await;

    // A pasted one.
    with_photo(
        &host,
        "photo('three.jpg', '#3a3').then((file) => {
           document.querySelector('[data-test=product-title]').focus();
           const data = new DataTransfer();
           data.items.add(file);
           document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
           done(true);
         });",
    )
    .await;
    host.until("three uploaded pictures", &format!("{there} === 3"), SOON).await;

    // The last becomes the first by the keyboard, and its focus is chosen.
    host.script(&format!("{ROWS}[2].querySelector('.handle').focus()"), &[]).await;
    let third = host.script(&format!("return {ROWS}[2].dataset.id"), &[]).await;
    for _ in 0..2 {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({"type": kind, "key": "ArrowUp", "code": "ArrowUp", "windowsVirtualKeyCode": 38});
            host.devtools("Input.dispatchKeyEvent", event).await;
        }
    }
    host.until("the new order", &format!("{ROWS}[0].dataset.id === {third}"), SOON).await;
    host.script(&format!("{ROWS}[0].querySelector('[data-test=gallery-focus]').click()"), &[]).await;
    host.find(&named("focus-whole")).await;
    for _ in 0..4 {
        host.key("\u{e014}").await; // The arrow to the right.
    }
    host.press("focus-done").await;
    host.script(
        &format!("const alt = {ROWS}[0].querySelector('[data-test=gallery-alt]'); alt.value = 'Green'; alt.dispatchEvent(new Event('input'))"),
        &[],
    )
    .await;
    host.screenshot("picture-field").await;
    host.press("product-save").await;
    host.until_text(".catalogue", "Blue lamp").await;
    host.assert_no_faults_except("host", &["status of 415"]).await;

    let rest = server.rest().with_token(server.started["host_token"].as_str().unwrap());
    let products = rest.get("/v1/products?limit=100").await.expect(200);
    let lamp = products["items"].as_array().unwrap().iter().find(|product| product["title"] == "Blue lamp").unwrap();
    let gallery = rest.get(&format!("/v1/products/{}/pictures", lamp["id"].as_str().unwrap())).await.expect(200);
    let pictures = gallery["pictures"].as_array().unwrap();
    assert_eq!((pictures.len(), &pictures[0]["alt"]), (3, &json!("Green")));
    assert_eq!(pictures[0]["focus"], json!({"x": 600, "y": 500}));
    assert_eq!(lamp["image"], json!(format!("{}#focus=600,500", pictures[0]["address"].as_str().unwrap())));

    // On sale, viewers see it, cropped around its focus.
    let variant = &lamp["variants"][0]["id"];
    let form = json!({"variant": variant, "kind": "regular", "price": 1_500, "quantity": 3});
    let stream = server.stream();
    let offer = rest.post(&format!("/v1/streams/{stream}/offers"), form).await.expect(201);
    let offer = offer["id"].as_str().unwrap();
    rest.post(&format!("/v1/offers/{offer}/open"), json!({})).await.expect(200);
    rest.put(&format!("/v1/streams/{stream}/pin"), json!({"offer": offer})).await.expect(200);
    let viewer = Browser::open(&driver, Window::Mobile, "en").await;
    viewer.goto(&format!("{}/watch?stream={stream}", server.url)).await;
    viewer.wait_until_live().await;
    let image = "document.querySelector('.offer-card img, .card-image img')";
    viewer.until("the picture", &format!("{image}?.naturalWidth > 0"), SOON).await;
    let shown = viewer.script(&format!("return [{image}.style.objectPosition, {image}.currentSrc]"), &[]).await;
    assert_eq!(shown[0], "60% 50%");
    assert!(shown[1].as_str().unwrap().contains("/pictures/"), "{shown}");
    viewer.assert_no_faults("viewer").await;
}

#[tokio::test]
async fn evening_catalogue_missing_picture_has_a_tile_and_plain_http_is_refused_in_words() {
    let (server, driver) = (Server::demo().await, Driver::start());
    let rest = server.rest().with_token(server.started["host_token"].as_str().unwrap());
    for image in [Value::Null, json!("/assets/demo/none.png")] {
        let product = json!({"title": "Clay pot", "titles": {"ar": "إناء فخار"}, "image": image,
            "variants": [{"name": "One", "price": 100, "stock": 5}]});
        rest.post("/v1/products", product).await.expect(201);
    }
    let host = Browser::open(&driver, Window::Mobile, "ar").await;
    host.goto(server.started["host_url"].as_str().unwrap()).await;
    host.wait_until_live().await;
    // On a phone the button is in another tab.
    host.script("document.getElementById('add-offer').click()", &[]).await;
    host.find(".catalogue-row").await;
    let tiles = "[...document.querySelectorAll('.catalogue-row .tile')]";
    host.script("document.querySelector('.catalogue-row:last-child').scrollIntoView()", &[]).await;
    host.until("two tiles", &format!("{tiles}.length === 2"), SOON).await;
    let seen = host
        .script(&format!("return {tiles}.map((tile) => [tile.textContent.replace('\\u200c', ' '), getComputedStyle(tile).backgroundColor])"), &[])
        .await;
    assert_eq!(seen[0][0], "إ ف");
    assert_eq!(seen[0], seen[1], "a missing and a broken picture look the same");
    host.screenshot("picture-tiles-ar").await;

    host.press("new-product").await;
    host.fill(&named("product-image"), "http://cdn.example/pot.jpg").await;
    host.press("product-save").await;
    host.until_text(&named("error-product-image"), "https://").await;
    host.screenshot("picture-field-ar").await;
    let known = "none.png";
    host.assert_no_faults_except("host", &[known]).await;
}
