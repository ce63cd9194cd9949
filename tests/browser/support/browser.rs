//! One window of Chromium with a profile of its own, so that two viewers in a test are two people.
//!
//! Every wait is for a condition of the page, with a deadline, and a failure says what the page and its console said.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::{Beyond, Driver, processes_in};

/// How long a page may take to show something. Long, because build machines are slow.
pub const SOON: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// 390 × 844, a phone with a touch screen and two pixels a point.
    Mobile,
    /// 1440 × 900.
    Desktop,
}

#[derive(Debug)]
pub struct Browser {
    pub client: Client,
    pid: u32,
    console: Mutex<Vec<String>>,
    profile: TempDir,
}

impl Browser {
    /// `language` such as `en` or `ar`: what the browser tells pages its user reads.
    pub async fn open(driver: &Driver, window: Window, language: &str) -> Browser {
        let profile = tempfile::tempdir_in(driver.folder()).expect("a temporary folder");
        let args = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(), // tests may run as root, in a container
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(), // containers have little of it
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-proxy-server".to_owned(),
            format!("--lang={language}"),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": args, "prefs": {"intl.accept_languages": language}},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(capabilities);
        let client = connecting.connect(&driver.url()).await.expect("chromedriver opens Chromium");
        let pid = client.capabilities().and_then(|found| found.get("goog:processID")?.as_u64());
        let pid = pid.and_then(|pid| u32::try_from(pid).ok()).expect("chromedriver names Chromium's pid");
        let browser = Browser { client, pid, console: Mutex::default(), profile };
        browser.resize(window).await;
        browser
    }

    /// The size of the page itself, without the frame of a window.
    pub async fn resize(&self, window: Window) {
        let is_mobile = window == Window::Mobile;
        let (width, height) = if is_mobile { (390, 844) } else { (1440, 900) };
        let scale = if is_mobile { 2 } else { 1 };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_mobile})).await;
    }

    /// Loads a page and waits until it is loaded.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The element, as soon as there is one.
    pub async fn find(&self, css: &str) -> Element {
        match self.client.wait().at_most(SOON).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.report().await),
        }
    }

    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        if let Err(error) = element.click().await {
            panic!("cannot press {css}: {error}\n{}", self.report().await);
        }
    }

    /// Types into a field, after emptying it.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        element.clear().await.unwrap_or_else(|error| panic!("cannot empty {css}: {error}"));
        element.send_keys(text).await.unwrap_or_else(|error| panic!("cannot type into {css}: {error}"));
    }

    /// Presses a key where the focus is.
    pub async fn key(&self, key: &str) {
        let element = self.client.active_element().await.expect("something has the focus");
        element.send_keys(key).await.unwrap_or_else(|error| panic!("cannot press {key:?}: {error}"));
    }

    /// What a person reads there; empty when it is not there or not shown.
    pub async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        self.script(script, &[json!(css)]).await.as_str().unwrap_or_default().to_owned()
    }

    /// Runs the body of a function in the page.
    pub async fn script(&self, body: &str, arguments: &[Value]) -> Value {
        let done = self.client.execute(body, arguments.to_vec()).await;
        done.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// The same for a body that calls the function it gets as its last argument when it is done.
    pub async fn script_async(&self, body: &str) -> Value {
        self.client.execute_async(body, Vec::new()).await.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// Waits until an expression in the page is truthy, and returns its value.
    pub async fn until(&self, what: &str, expression: &str, deadline: Duration) -> Value {
        let script = format!("const value = ({expression}); return value ? value : null");
        let asking = async {
            loop {
                let value = self.script(&script, &[]).await;
                if !value.is_null() {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        match tokio::time::timeout(deadline, asking).await {
            Ok(value) => value,
            Err(_) => panic!("no {what} within {deadline:?}: {expression}\n{}", self.report().await),
        }
    }

    /// Waits until the text of an element contains `part`, and returns the text.
    pub async fn until_text(&self, css: &str, part: &str) -> String {
        let (selector, wanted) = (json!(css), json!(part));
        let text = format!("document.querySelector({selector})?.innerText");
        let expression = format!("{text}?.includes({wanted}) && {text}");
        self.until(&format!("{part:?} in {css}"), &expression, SOON).await.as_str().unwrap_or_default().to_owned()
    }

    /// Writes a picture of the page as `name.png` and returns where.
    pub async fn shot(&self, name: &str) -> PathBuf {
        let folder = shots();
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let path = folder.join(format!("{name}.png"));
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(&path, picture).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Everything the page wrote to its console so far: `SEVERE …`, `INFO …`. Failed requests are in it too.
    pub async fn console(&self) -> Vec<String> {
        let new = self.client.issue_cmd(Beyond::console()).await.expect("the console");
        let part = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let new =
            new.as_array().into_iter().flatten().map(|it| format!("{} {}", part(it, "level"), part(it, "message")));
        let mut console = self.console.lock().expect("nobody panics here");
        console.extend(new);
        console.clone()
    }

    /// The errors among it.
    pub async fn errors(&self) -> Vec<String> {
        self.console().await.into_iter().filter(|line| line.starts_with("SEVERE")).collect()
    }

    /// The folder in which this browser keeps everything.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let done = self.client.issue_cmd(Beyond::devtools(command, parameters)).await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    async fn report(&self) -> String {
        let body = self.text("body").await;
        format!("--- the page says\n{body}\n--- its console says\n{}", self.console().await.join("\n"))
    }

    /// Closes the window politely. A browser that is dropped instead, as in a failing test, is killed.
    pub async fn close(self) {
        let _ = self.client.clone().close().await;
    }
}

impl Drop for Browser {
    /// Ends what is left of Chromium and waits for it, because it writes into its profile to the last. It is not our
    /// child, chromedriver started it; a pid is surely ours while its command line names our folder.
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let left = processes_in(self.profile());
            if left.contains(&self.pid) {
                let _ = Command::new("sh").args(["-c", &format!("kill -KILL {}", self.pid)]).status();
            }
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Where pictures go.
pub fn shots() -> PathBuf {
    let beside_the_build = || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screens");
    std::env::var_os("LIVESOUK_SHOTS").map_or_else(beside_the_build, PathBuf::from)
}
