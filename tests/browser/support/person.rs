//! What people do on every page: press, choose, read, talk.

use serde_json::json;

use super::browser::{Browser, SOON};

/// The element with this `data-test`.
pub fn named(name: &str) -> String {
    format!("[data-test=\"{name}\"]")
}

/// The open order says that this is how it stands.
pub fn order_is(status: &str) -> String {
    format!("document.querySelector('[data-test=order-status]').dataset.status === '{status}'")
}

impl Browser {
    pub async fn press(&self, name: &str) {
        self.press_at(&named(name)).await;
    }

    /// Presses the button that is there, once it is enabled and stands still: one that is greyed out is not one to press.
    pub async fn press_at(&self, css: &str) {
        self.until(&format!("{css} to be enabled"), &format!("!document.querySelector({}).disabled", json!(css)), SOON)
            .await;
        self.settle().await;
        self.click_enabled(css).await;
    }

    /// Waits until nothing moves that will end: a sheet that still rises is not where it will be when the finger lands.
    pub async fn settle(&self) {
        let moving = "document.getAnimations().some((it) => Number.isFinite(it.effect?.getComputedTiming().endTime)
            && it.playState === 'running')";
        self.until("everything to stand still", &format!("!({moving})"), SOON).await;
    }

    /// Radio buttons hide behind their labels.
    pub async fn choose(&self, name: &str) {
        self.script("document.querySelector(arguments[0]).click()", &[json!(named(name))]).await;
    }

    pub async fn sees(&self, name: &str, part: &str) -> String {
        self.until_text(&named(name), part).await
    }

    pub async fn sign_in(&self, name: &str) {
        self.fill(&named("signin-name"), name).await;
        self.press("signin-submit").await;
    }

    pub async fn say(&self, text: &str) {
        self.fill(&named("chat-input"), text).await;
        self.press("chat-send").await;
        self.sees("chat-list", text).await;
    }

    /// Where it goes; without that the checkout takes no money.
    pub async fn fill_address(&self) {
        for (field, value) in [("name", "Ann Example"), ("line1", "12 King Fahd Road"), ("city", "Riyadh")] {
            self.fill(&named(&format!("address-{field}")), value).await;
        }
    }

    pub async fn is_live(&self) {
        self.until("a live connection", "document.querySelector('[data-test=conn]').dataset.status === 'live'", SOON)
            .await;
    }

    /// Nothing wider than the page, nothing in the console but failures of a network that was cut.
    pub async fn is_sound(&self, who: &str) {
        self.is_sound_but_for(who, &["net::ERR_", "WebSocket", "status of 402", "status of 409"]).await;
    }

    /// The same with other lines of the console that belong to what was done.
    pub async fn is_sound_but_for(&self, who: &str, known: &[&str]) {
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert!(self.script(wide, &[]).await.as_i64() <= Some(0), "{who}: the page is wider than its window");
        let ours = |line: &String| !known.iter().any(|it| line.contains(it));
        let errors: Vec<String> = self.errors().await.into_iter().filter(ours).collect();
        assert_eq!(errors, Vec::<String>::new(), "{who}'s console");
    }
}
