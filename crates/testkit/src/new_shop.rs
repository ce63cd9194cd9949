//! A shop that somebody starts without knowing anything: `livesouk serve` on an empty SQLite file.

use std::path::Path;

use super::cookie_page::CookiePage;
use super::ports::free_address;
use super::process::{Process, Signal};
use super::rest::Rest;
use super::{SOON, until_some};

#[derive(Debug)]
pub struct NewShop {
    pub process: Process,
    /// Such as `http://127.0.0.1:40123`.
    pub url: String,
}

impl NewShop {
    /// `livesouk serve` in this folder, which may have the data of an earlier start.
    pub async fn serve(folder: &Path, more: &[&str]) -> NewShop {
        let listen = free_address();
        let args = ["serve", "--listen", &listen, "--store", "sqlite:shop.db", "--log-format", "json"];
        let mut process = Process::livesouk(&[&args, more].concat(), folder);
        let url = format!("http://{listen}");
        let rest = Rest::new(&url);
        until_some("ready server", SOON, async || {
            assert!(!process.has_ended(), "the server ended at start:\n{}", process.stderr());
            let answer = rest.try_send(reqwest::Method::GET, "/readyz", &[], None).await.ok()?;
            (answer.status == 200 && process.stderr().contains("node is ready")).then_some(())
        })
        .await;
        NewShop { process, url }
    }

    /// The code of the link that was printed.
    pub async fn code(&mut self) -> String {
        let start = format!("{}/setup#", self.url);
        self.process.line("link", SOON, |line| line.trim().strip_prefix(&start).map(str::to_owned)).await
    }

    pub fn page(&self) -> CookiePage {
        CookiePage::at(&self.url, &self.url)
    }

    pub async fn stop(&mut self) {
        self.process.signal(Signal::Interrupt);
        self.process.end(SOON).await;
    }
}
