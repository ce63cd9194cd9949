//! Tests of the browser helpers: open, type, press, read, report console errors and close.

use std::time::Duration;

use serde_json::json;

use crate::support::browser::{Browser, SOON, Window};
use crate::support::driver::{Driver, processes_in};
use crate::support::page::Page;
use crate::support::person::named;

const HTML: &str = r#"<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>سوق</title>
<style>body { font: 20px sans-serif } @media (width < 600px) { body { background: gold } }</style>
<h1 dir="auto">أهلا وسهلا</h1><input id="name" value="old"><button id="greet">Greet</button><p id="answer"></p>
<script>
  console.error("a complaint of the page");
  document.querySelector('#greet').onclick = () => setTimeout(() => {
    document.querySelector('#answer').textContent = `Hello ${document.querySelector('#name').value}`;
  }, 50);
</script>"#;

#[tokio::test]
async fn page_is_read_and_pressed_on_phone_and_desktop() {
    let page = Page::serve(HTML).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Mobile, "ar").await;
    browser.goto(&page.url).await;
    assert_eq!(browser.text("h1").await, "أهلا وسهلا");
    assert_eq!(browser.count("#nowhere").await, 0);
    let size = "return [innerWidth, innerHeight, devicePixelRatio, navigator.language]";
    assert_eq!(browser.script(size, &[]).await, json!([390, 844, 2, "ar"]));

    browser.fill("#name", "Ann").await;
    browser.click("#greet").await;
    assert_eq!(browser.until_text("#answer", "Ann").await, "Hello Ann");
    let errors = browser.errors().await;
    assert!(errors.iter().any(|line| line.contains("a complaint of the page")), "{errors:?}");

    let phone = std::fs::read(browser.screenshot("smoke-phone").await).unwrap();
    browser.resize(Window::Desktop).await;
    assert_eq!(browser.script("return [innerWidth, innerHeight, devicePixelRatio]", &[]).await, json!([1440, 900, 1]));
    let desktop = std::fs::read(browser.screenshot("smoke-desktop").await).unwrap();
    // Bytes 16 to 24 of every PNG hold its width and height.
    let size = |png: &[u8]| [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
    assert_eq!((size(&phone), size(&desktop)), ([780, 1688], [1440, 900]));
    browser.close().await;
}

#[tokio::test]
async fn two_browsers_share_nothing_and_no_process_is_left_over() {
    let page = Page::serve(HTML).await;
    let driver = Driver::start();
    let [ann, ben] =
        [Browser::open(&driver, Window::Desktop, "en").await, Browser::open(&driver, Window::Desktop, "en").await];
    for browser in [&ann, &ben] {
        browser.goto(&page.url).await;
    }
    ann.script("localStorage.setItem('who', 'ann')", &[]).await;
    assert_eq!(ben.script("return localStorage.getItem('who')", &[]).await, json!(null));

    let folder = driver.folder().to_owned();
    assert!(processes_in(&folder).len() >= 2);
    ann.close().await;
    drop(ben); // as in a failing test
    drop(driver);
    assert_eq!(processes_in(&folder), Vec::<u32>::new());
    assert!(!folder.exists());
}

#[tokio::test]
#[should_panic(expected = "a complaint of the page")]
async fn timeout_reports_the_console_of_the_page() {
    let page = Page::serve(HTML).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    browser.goto(&page.url).await;
    browser.until("miracle", "document.querySelector('#miracle')", Duration::from_millis(300)).await;
}

/// A page that removes and rebuilds a button and a field again and again during the first 1.5 s. It counts the presses.
const RESTLESS: &str = r#"<!doctype html><title>restless</title><main></main><p id="presses">0</p>
<script>
  const main = document.querySelector('main');
  const settled = performance.now() + 1500;
  let typed = '';
  const keep = () => { typed = main.querySelector('input')?.value ?? typed; };
  const build = (done) => {
    main.innerHTML = '<button data-test="thing">Press me</button><input data-test="field">';
    const [button, field] = main.children;
    button.dataset.settled = done;
    button.onclick = () => { const presses = document.querySelector('#presses'); presses.textContent = Number(presses.textContent) + 1; };
    field.value = typed;
  };
  const turn = () => {
    keep();
    if (settled < performance.now()) return build(true);
    if (main.children.length) main.replaceChildren(); else build(false);
    return setTimeout(turn, 4);
  };
  turn();
</script>"#;

#[tokio::test]
async fn missing_or_replaced_elements_are_waited_for() {
    let page = Page::serve(RESTLESS).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    let (thing, field) = (named("thing"), named("field"));

    browser.goto(&page.url).await;
    for _ in 0..20 {
        assert_eq!(browser.text(&thing).await, "Press me");
        let value = browser.script("return document.querySelector(arguments[0]).value", &[json!(field)]).await;
        assert_eq!(value, json!(""));
    }
    browser.goto(&page.url).await;
    let rest = "document.querySelector('[data-test=thing]').dataset.settled === 'true'";
    browser.until("the page to stop rebuilding", rest, SOON).await;

    browser.goto(&page.url).await;
    browser.click(&thing).await;
    assert_eq!(browser.text("#presses").await, "1", "pressed once");
    browser.goto(&page.url).await;
    browser.press("thing").await;
    assert_eq!(browser.text("#presses").await, "1", "pressed once");
    browser.goto(&page.url).await;
    browser.fill(&field, "Ann").await;
    browser.until("the page to stop rebuilding", rest, SOON).await;
    let value = browser.script("return document.querySelector(arguments[0]).value", &[json!(field)]).await;
    assert_eq!(value, json!("Ann"));
    browser.close().await;
}

#[tokio::test]
#[should_panic(expected = "Cannot read properties of null (reading 'innerText')")]
async fn timeout_reports_the_error_of_a_missing_element() {
    let page = Page::serve(HTML).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    browser.goto(&page.url).await;
    browser.until("miracle", "document.querySelector('#miracle').innerText", Duration::from_millis(300)).await;
}

#[tokio::test]
#[should_panic(expected = "nonsense is not defined")]
async fn error_in_the_test_script_fails_without_waiting() {
    let page = Page::serve(HTML).await;
    let driver = Driver::start();
    let browser = Browser::open(&driver, Window::Desktop, "en").await;
    browser.goto(&page.url).await;
    let wait = browser.until("miracle", "nonsense", Duration::from_secs(3_600));
    tokio::time::timeout(SOON, wait).await.expect("the wait ends without its deadline");
}
