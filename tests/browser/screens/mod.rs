//! Every screen and every state, as three people see it: on a phone, on a desktop, on a phone in Arabic. Each is
//! measured and drawn; `scripts/screens DIR` keeps the pictures.
//!
//! What is wrong is gathered over the whole walk, so that one run tells everything.

mod edges;
mod host;
mod viewer;

use std::sync::Mutex;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Window};
use crate::support::driver::Driver;
use crate::support::outside::process::Server;
use crate::support::outside::rest::Rest;

/// One of those who look.
struct Eye {
    browser: Browser,
    window: Window,
    language: &'static str,
    name: &'static str,
}

/// The three, and what they found.
struct Walk {
    driver: Driver,
    server: Server,
    eyes: Vec<Eye>,
    faults: Mutex<Vec<String>>,
}

impl Walk {
    async fn begin() -> Walk {
        let (driver, server) = (Driver::start(), Server::demo().await);
        let kinds =
            [(Window::Mobile, "en", "phone"), (Window::Desktop, "en", "desktop"), (Window::Mobile, "ar", "phone-ar")];
        let eyes = kinds.map(async |(window, language, name)| {
            let browser = Browser::open(&driver, window, language).await;
            Eye { browser, window, language, name }
        });
        let eyes = join_all(eyes).await;
        Walk { driver, server, eyes, faults: Mutex::default() }
    }

    /// Everybody does the same.
    async fn each(&self, act: impl AsyncFn(&Browser)) {
        join_all(self.eyes.iter().map(async |eye| act(&eye.browser).await)).await;
    }

    /// Everybody opens this page of the server, in their language; `rest` is what follows it: `#token`.
    async fn open(&self, page: &str, rest: &str) {
        let joint = if page.contains('?') { '&' } else { '?' };
        join_all(self.eyes.iter().map(async |eye| {
            // A fragment alone would be no new page.
            eye.browser.goto("about:blank").await;
            eye.browser.goto(&format!("{}{page}{joint}lang={}{rest}", self.server.url, eye.language)).await;
        }))
        .await;
    }

    /// The same, everybody signed in as a viewer of their own.
    async fn open_as_viewers(&self, page: &str) {
        join_all(self.eyes.iter().map(async |eye| {
            let name = if eye.language == "ar" { "نور" } else { "Noor" };
            let made = self.server.rest().post("/v1/dev/tokens", json!({"name": name, "role": "viewer"})).await;
            let token = made.body["token"].as_str().expect("a token");
            eye.browser.goto("about:blank").await;
            eye.browser.goto(&format!("{}{page}&lang={}#token={token}", self.server.url, eye.language)).await;
        }))
        .await;
    }

    /// Draws the screen and measures it.
    async fn screen(&self, name: &str) {
        self.look(name, false).await;
    }

    /// The first screen of a page: nothing may have jumped while it came.
    async fn first_screen(&self, name: &str) {
        self.look(name, true).await;
    }

    async fn look(&self, name: &str, jumps: bool) {
        join_all(self.eyes.iter().map(async |eye| {
            eye.browser.settle().await;
            eye.browser.shot(&format!("{name}-{}", eye.name)).await;
            let found = eye.browser.faults(eye.window, jumps).await;
            let mut faults = self.faults.lock().expect("nobody panics here");
            faults.extend(found.into_iter().map(|fault| format!("{name} on {}: {fault}", eye.name)));
        }))
        .await;
    }

    /// REST as the host of the demo.
    fn host(&self) -> Rest {
        self.server.rest().with_token(self.host_token())
    }

    fn host_token(&self) -> &str {
        self.server.started["host_token"].as_str().expect("a token")
    }

    /// What the host does in the show, over REST.
    async fn host_does(&self, path: &str, body: Value) -> Value {
        self.host().post(&format!("/v1/streams/{}/{path}", self.server.stream()), body).await.body
    }

    /// A flash offer of the variant that the offer number `of` of the demo sells, on sale as soon as it may.
    async fn flash(&self, of: usize, terms: Value) -> String {
        let id = self.server.started["offers"][of]["id"].as_str().expect("an offer").to_owned();
        let offer = self.host().get(&format!("/v1/offers/{id}")).await.expect(200);
        let mut asked = json!({"variant": offer["variant"], "kind": "flash", "price": 900, "old_price": 2_900, "quantity": 20,
            "per_buyer": 5, "countdown_s": 10, "duration_s": 600, "hold_s": 300});
        let (asked_fields, terms) = (asked.as_object_mut().expect("an object"), terms.as_object().expect("an object"));
        asked_fields.extend(terms.clone());
        let made = self.host_does("offers", asked).await;
        made["id"].as_str().unwrap_or_else(|| panic!("no offer: {made}")).to_owned()
    }

    async fn pin(&self, offer: &str) {
        let path = format!("/v1/streams/{}/pin", self.server.stream());
        self.host().put(&path, json!({"offer": offer})).await;
    }

    /// Somebody of the crowd, over REST.
    async fn somebody(&self, name: &str) -> Rest {
        let made = self.server.rest().post("/v1/dev/tokens", json!({"name": name, "role": "viewer"})).await;
        self.server.rest().with_token(made.body["token"].as_str().expect("a token"))
    }

    async fn end(mut self) {
        for eye in self.eyes {
            eye.browser.close().await;
        }
        self.server.stop().await;
        drop(self.driver);
        let faults = self.faults.into_inner().expect("nobody panics here");
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }
}
