//! Every screen in every state. A test takes a screenshot of each and measures it. `scripts/test` has one device for each test: the
//! phone in Arabic, where most goes wrong, or the desktop for the console. `scripts/test --all` and `scripts/screens DIR`, which keeps
//! the screenshots, have three: a phone, a desktop and a phone in Arabic.
//!
//! A test collects the faults of all its screens, so that one run reports every fault.

mod edges;
mod host;
mod longest;
mod viewer;

use std::sync::Mutex;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::forms::is_long_form;
use crate::support::browser::{Browser, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::outside::rest::Rest;

/// One browser with its window size and language.
struct Device {
    browser: Browser,
    window: Window,
    language: &'static str,
    name: &'static str,
}

/// The server, the devices and the faults found so far.
struct ScreenTest {
    driver: Driver,
    server: Server,
    devices: Vec<Device>,
    faults: Mutex<Vec<String>>,
}

const DEVICES: [(Window, &str, &str); 3] =
    [(Window::Mobile, "en", "phone"), (Window::Desktop, "en", "desktop"), (Window::Mobile, "ar", "phone-ar")];

impl ScreenTest {
    /// For pages of viewers.
    async fn start() -> ScreenTest {
        ScreenTest::start_on("phone-ar").await
    }

    /// For pages of the team.
    async fn start_on_a_desktop() -> ScreenTest {
        ScreenTest::start_on("desktop").await
    }

    /// `name`: the device of the short form.
    async fn start_on(name: &str) -> ScreenTest {
        let (driver, server) = (Driver::start(), Server::demo().await);
        let kinds = DEVICES.into_iter().filter(|(_, _, device)| is_long_form() || *device == name);
        let devices = kinds.map(async |(window, language, name)| {
            let browser = Browser::open(&driver, window, language).await;
            Device { browser, window, language, name }
        });
        let devices = join_all(devices).await;
        ScreenTest { driver, server, devices, faults: Mutex::default() }
    }

    /// Does the same on every device.
    async fn each(&self, act: impl AsyncFn(&Browser)) {
        join_all(self.devices.iter().map(async |device| act(&device.browser).await)).await;
    }

    /// Opens this page of the server on every device, in its language; `rest` follows the address: `#token=…`.
    async fn open(&self, page: &str, rest: &str) {
        let joint = if page.contains('?') { '&' } else { '?' };
        join_all(self.devices.iter().map(async |device| {
            if rest.starts_with('#') {
                device.browser.forget_people().await;
            }
            // A change of the fragment alone does not load the page again.
            device.browser.goto("about:blank").await;
            device.browser.goto(&format!("{}{page}{joint}lang={}{rest}", self.server.url, device.language)).await;
        }))
        .await;
    }

    /// The same, with another signed-in viewer on each device.
    async fn open_as_viewers(&self, page: &str) {
        self.each(async |browser| browser.forget_people().await).await;
        self.follow_link_of(["Noor", "نور"], page).await;
    }

    /// Follows a link on every device that signs in as a new viewer. The names are for English and for Arabic.
    async fn follow_link_of(&self, [name, arabic_name]: [&str; 2], page: &str) {
        join_all(self.devices.iter().map(async |device| {
            let name = if device.language == "ar" { arabic_name } else { name };
            let made = self.server.rest().post("/v1/dev/tokens", json!({"name": name, "role": "viewer"})).await;
            let token = made.body["token"].as_str().expect("a token");
            device.browser.goto("about:blank").await;
            device.browser.goto(&format!("{}{page}&lang={}#token={token}", self.server.url, device.language)).await;
        }))
        .await;
    }

    /// Takes a screenshot of the screen on every device and measures it.
    async fn screen(&self, name: &str) {
        self.measure(name, false).await;
    }

    /// The same for the first screen of a page, whose layout must not have shifted while it loaded.
    async fn first_screen(&self, name: &str) {
        self.measure(name, true).await;
    }

    async fn measure(&self, name: &str, with_shifts: bool) {
        join_all(self.devices.iter().map(async |device| {
            device.browser.settle().await;
            device.browser.screenshot(&format!("{name}-{}", device.name)).await;
            let found = device.browser.faults(device.window, with_shifts).await;
            let mut faults = self.faults.lock().expect("no panic while the lock is held");
            faults.extend(found.into_iter().map(|fault| format!("{name} on {}: {fault}", device.name)));
        }))
        .await;
    }

    /// A REST client as the host of the demo.
    fn host(&self) -> Rest {
        self.server.rest().with_token(self.host_token())
    }

    fn host_token(&self) -> &str {
        self.server.started["host_token"].as_str().expect("a token")
    }

    /// Posts to a path of the show as the host, and returns the body of the reply.
    async fn host_post(&self, path: &str, body: Value) -> Value {
        self.host().post(&format!("/v1/streams/{}/{path}", self.server.stream()), body).await.body
    }

    /// Creates a flash offer of the variant that offer number `of` of the demo sells.
    async fn flash(&self, of: usize, terms: Value) -> String {
        let id = self.server.started["offers"][of]["id"].as_str().expect("an offer").to_owned();
        let offer = self.host().get(&format!("/v1/offers/{id}")).await.expect(200);
        let mut form = json!({"variant": offer["variant"], "kind": "flash", "price": 900, "old_price": 2_900, "quantity": 20,
            "per_buyer": 5, "countdown_s": 10, "duration_s": 600, "hold_s": 300});
        let (fields, terms) = (form.as_object_mut().expect("an object"), terms.as_object().expect("an object"));
        fields.extend(terms.clone());
        let made = self.host_post("offers", form).await;
        made["id"].as_str().unwrap_or_else(|| panic!("no offer: {made}")).to_owned()
    }

    async fn pin(&self, offer: &str) {
        let path = format!("/v1/streams/{}/pin", self.server.stream());
        self.host().put(&path, json!({"offer": offer})).await;
    }

    /// A REST client as a new viewer.
    async fn new_viewer(&self, name: &str) -> Rest {
        let made = self.server.rest().post("/v1/dev/tokens", json!({"name": name, "role": "viewer"})).await;
        self.server.rest().with_token(made.body["token"].as_str().expect("a token"))
    }

    async fn end(mut self) {
        for device in self.devices {
            device.browser.close().await;
        }
        self.server.stop().await;
        drop(self.driver);
        let faults = self.faults.into_inner().expect("no panic while the lock is held");
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }
}
