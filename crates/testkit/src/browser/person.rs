//! Actions of users that every page has: press, choose, read, chat.

use serde_json::json;

use super::{Browser, SOON};

/// The CSS selector of the element with this `data-test` attribute.
pub fn named(name: &str) -> String {
    format!("[data-test=\"{name}\"]")
}

/// An expression that is true when the open order has this status.
pub fn order_is(status: &str) -> String {
    format!("document.querySelector('[data-test=order-status]').dataset.status === '{status}'")
}

impl Browser {
    pub async fn press(&self, name: &str) {
        self.press_at(&named(name)).await;
    }

    /// Presses this button once it is enabled and nothing moves any more.
    pub async fn press_at(&self, css: &str) {
        self.until(&format!("{css} to be enabled"), &format!("!document.querySelector({}).disabled", json!(css)), SOON)
            .await;
        self.settle().await;
        self.click_enabled(css).await;
    }

    /// Waits until every animation is over that is no ornament of a minute: a sheet that still moves would be pressed at the wrong point.
    pub async fn settle(&self) {
        let moving = "document.getAnimations().some((it) => it.effect?.getComputedTiming().endTime < 5_000
            && it.playState === 'running')";
        self.until("the animations to end", &format!("!({moving})"), SOON).await;
    }

    /// Chooses a radio button; it is hidden behind its label, so a script clicks it.
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

    /// Gives the name that a new account needs.
    pub async fn sign_in_with_name(&self, name: &str) {
        self.fill(&named("signin-name"), name).await;
        self.press("signin-verify").await;
    }

    /// Forgets who used this browser on the current site: the next sign-in link is that of the first person.
    pub async fn forget_people(&self) {
        let forget = "try { sessionStorage.clear(); localStorage.removeItem('livesouk.people');
            localStorage.removeItem('livesouk.session'); } catch {}";
        self.script(forget, &[]).await; // An empty page has no storage.
    }

    pub async fn say(&self, text: &str) {
        self.fill(&named("chat-input"), text).await;
        self.press("chat-send").await;
        self.sees("chat-list", text).await;
    }

    /// Fills in the delivery address; the checkout needs it for the payment.
    pub async fn fill_address(&self) {
        for (field, value) in [("name", "Ann Example"), ("line1", "12 King Fahd Road"), ("city", "Riyadh")] {
            self.fill(&named(&format!("address-{field}")), value).await;
        }
    }

    pub async fn wait_until_live(&self) {
        self.until("a live connection", "document.querySelector('[data-test=conn]').dataset.status === 'live'", SOON)
            .await;
    }

    /// Asserts that the page is not wider than its window and that its console has no errors except those of a lost network
    /// and of refused requests.
    pub async fn assert_no_faults(&self, who: &str) {
        self.assert_no_faults_except(who, &["net::ERR_", "WebSocket", "status of 402", "status of 409"]).await;
    }

    /// The same with other console errors that the test expects.
    pub async fn assert_no_faults_except(&self, who: &str, known: &[&str]) {
        let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert!(self.script(wide, &[]).await.as_i64() <= Some(0), "{who}: the page is wider than its window");
        let is_unexpected = |line: &String| !known.iter().any(|it| line.contains(it));
        let errors: Vec<String> = self.errors().await.into_iter().filter(is_unexpected).collect();
        assert_eq!(errors, Vec::<String>::new(), "{who}'s console");
    }
}
