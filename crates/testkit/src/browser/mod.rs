//! One window of Chromium with a profile of its own, so that two browsers in a test are two users.
//!
//! Every wait has a condition of the page and a deadline, and a failure prints the text of the page and its console.
//! An element that is missing or replaced for a moment is waited for too, see `Browser::retry`.

pub mod driver;
pub mod firefox;
pub mod layout_check;
pub mod page;
pub mod person;
pub mod purchase;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::error::{CmdError, ErrorStatus, WebDriver};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use driver::{ChromeCommand, Driver, processes_in};

/// How long a page may take to show something. It is long because build machines are slow.
pub const SOON: Duration = Duration::from_secs(20);

/// Chromium as a program without windows, as Debian packages it.
const HEADLESS_SHELL: &str = "/usr/lib/chromium/chromium-headless-shell";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// A phone: 390 × 844 CSS pixels, two device pixels per CSS pixel, a touch screen.
    Mobile,
    /// A desktop: 1440 × 900 pixels.
    Desktop,
}

#[derive(Debug)]
pub struct Browser {
    client: Client,
    pid: u32,
    console: Mutex<Vec<String>>,
    profile: PathBuf,
}

impl Browser {
    /// Opens a window; `language`, such as `en` or `ar`, is what the browser sends as the preferred language. The reader prefers
    /// reduced motion: ornaments that move cost an open page a quarter of a processor, where software draws them.
    pub async fn open(driver: &Driver, window: Window, language: &str) -> Browser {
        Browser::open_with_arguments(driver, window, language, &["--force-prefers-reduced-motion"]).await
    }

    /// The same for a reader who likes motion.
    pub async fn open_with_motion(driver: &Driver, window: Window, language: &str) -> Browser {
        Browser::open_with_arguments(driver, window, language, &[]).await
    }

    /// With more arguments for Chromium. Without the windows, menus and pages of its own that it has around a page: the same engine, a
    /// quarter less to do.
    pub async fn open_with_arguments(driver: &Driver, window: Window, language: &str, more: &[&str]) -> Browser {
        let language = format!("--accept-lang={language}");
        let own = [&["--headless", language.as_str()], more].concat();
        Browser::open_with(driver, window, json!({"binary": HEADLESS_SHELL, "args": arguments(&own)})).await
    }

    /// The same for a reader who has set the size of text in the browser; browsers come with 16 pixels.
    pub async fn open_with_text_of(driver: &Driver, window: Window, language: &str, pixels: u32) -> Browser {
        // Only the whole of Chromium reads preferences.
        let prefs = json!({"webkit.webprefs.default_font_size": pixels, "intl.accept_languages": language});
        let options = json!({"args": arguments(&["--headless=new", &format!("--lang={language}")]), "prefs": prefs});
        Browser::open_with(driver, window, options).await
    }

    async fn open_with(driver: &Driver, window: Window, options: Value) -> Browser {
        let capabilities = json!({
            "browserName": if options["binary"].is_null() { "chrome" } else { "chrome-headless-shell" },
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(capabilities);
        let client = connecting.connect(&driver.url()).await.expect("chromedriver opens Chromium");
        let found = client.capabilities().expect("chromedriver returns the capabilities");
        let pid = found.get("goog:processID").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
        let pid = pid.expect("chromedriver returns the pid of Chromium");
        // chromedriver makes it in its temporary folder, and deletes it when the session ends.
        let profile = found.get("chrome").and_then(|chrome| chrome["userDataDir"].as_str()).expect("a profile");
        let profile = PathBuf::from(profile);
        let browser = Browser { client, pid, console: Mutex::default(), profile };
        browser.resize(window).await;
        browser
    }

    /// Sets the size of the page itself, without a window frame.
    pub async fn resize(&self, window: Window) {
        let is_mobile = window == Window::Mobile;
        let (width, height) = if is_mobile { (390, 844) } else { (1440, 900) };
        self.resize_to(width, height, is_mobile).await;
    }

    /// The same for any size, in CSS pixels.
    pub async fn resize_to(&self, width: u32, height: u32, is_mobile: bool) {
        let scale = if is_mobile { 2 } else { 1 };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": is_mobile})).await;
    }

    /// Loads a page and waits until it is loaded.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap_or_else(|error| panic!("cannot reload the page: {error}"));
    }

    /// Retries until the attempt returns a value. A page may render its parts again at any time, so an element that is
    /// missing, or that was replaced before the action, means "not yet" until the deadline; every other error fails the
    /// test immediately. Every access to an element goes through here, and no element may be kept longer than one attempt.
    async fn retry<T>(
        &self,
        what: &str,
        deadline: Duration,
        attempt: impl AsyncFn() -> Result<Option<T>, CmdError>,
    ) -> T {
        let mut last_error = String::new();
        let trying = tokio::time::timeout(deadline, async {
            loop {
                match attempt().await {
                    Ok(Some(done)) => return done,
                    Ok(None) => last_error.clear(),
                    Err(error) if is_transient(&error) => last_error = format!("; the last error: {error}"),
                    Err(error) => panic!("{what}: {error}\n{}", self.report().await),
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        match trying.await {
            Ok(done) => done,
            Err(_) => panic!("{what}: not within {deadline:?}{last_error}\n{}", self.report().await),
        }
    }

    async fn element(&self, css: &str) -> Result<Element, CmdError> {
        self.client.find(Locator::Css(css)).await
    }

    /// Waits until there is such an element.
    pub async fn find(&self, css: &str) {
        self.retry(&format!("to find {css}"), SOON, async || self.element(css).await.map(|_| Some(()))).await;
    }

    pub async fn click(&self, css: &str) {
        // WebDriver presses where the element was a moment before: beside it, while a sheet still opens.
        self.settle().await;
        let attempt = async || self.element(css).await?.click().await.map(Some);
        self.retry(&format!("to press {css}"), SOON, attempt).await;
    }

    /// Presses a button once it is enabled. It is scrolled to the middle of the window first, because WebDriver scrolls only
    /// until the button is in the window, where a sticky header may cover it.
    pub async fn click_enabled(&self, css: &str) {
        const IS_READY: &str = "const [it] = arguments; it.scrollIntoView({ block: 'center' }); return !it.disabled";
        let attempt = async || {
            let button = self.element(css).await?;
            let is_ready = self.client.execute(IS_READY, vec![serde_json::to_value(&button)?]).await?;
            if is_ready != json!(true) {
                return Ok(None);
            }
            button.click().await.map(Some)
        };
        self.retry(&format!("to press {css}"), SOON, attempt).await;
    }

    /// Empties a field and types into it.
    pub async fn fill(&self, css: &str, text: &str) {
        let attempt = async || {
            let field = self.element(css).await?;
            field.clear().await?;
            field.send_keys(text).await.map(Some)
        };
        self.retry(&format!("to type into {css}"), SOON, attempt).await;
    }

    /// Sends a key to the element that has the focus.
    pub async fn key(&self, key: &str) {
        let attempt = async || self.client.active_element().await?.send_keys(key).await.map(Some);
        self.retry(&format!("to press the key {key:?}"), SOON, attempt).await;
    }

    /// The visible text of an element, once the element exists; empty when it is not shown.
    pub async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0]).innerText";
        self.script(script, &[json!(css)]).await.as_str().unwrap_or_default().to_owned()
    }

    /// The number of elements that match now.
    pub async fn count(&self, css: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.script(script, &[json!(css)]).await.as_u64().unwrap_or_default()
    }

    /// Runs the body of a function in the page; retries while it accesses elements that do not exist.
    pub async fn script(&self, body: &str, arguments: &[Value]) -> Value {
        let script = catch_type_errors(body);
        self.retry(body, SOON, async || {
            script_result(self.client.execute(&script, arguments.to_vec()).await?).map(Some)
        })
        .await
    }

    /// The same for a body that calls its last argument when it is done. It runs once.
    pub async fn script_async(&self, body: &str) -> Value {
        self.client.execute_async(body, Vec::new()).await.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// Waits until an expression in the page is truthy, and returns its value.
    pub async fn until(&self, what: &str, expression: &str, deadline: Duration) -> Value {
        let script = catch_type_errors(&format!("const value = ({expression}); return value ? value : null"));
        let attempt = async || {
            let value = script_result(self.client.execute(&script, Vec::new()).await?)?;
            Ok(if value.is_null() { None } else { Some(value) })
        };
        self.retry(&format!("{what}: {expression}"), deadline, attempt).await
    }

    /// Waits until the text of an element contains `part`, and returns the text.
    pub async fn until_text(&self, css: &str, part: &str) -> String {
        let (selector, wanted) = (json!(css), json!(part));
        let text = format!("document.querySelector({selector}).innerText");
        let expression = format!("{text}.includes({wanted}) && {text}");
        self.until(&format!("{part:?} in {css}"), &expression, SOON).await.as_str().unwrap_or_default().to_owned()
    }

    /// Writes a screenshot of the page as `name.png` and returns its path.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = screenshot_folder();
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let path = folder.join(format!("{name}.png"));
        let picture = self.client.screenshot().await.expect("Chromium takes a screenshot");
        std::fs::write(&path, picture).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// The console of the page so far, as lines `SEVERE …` and `INFO …`. Failed requests are in it too.
    pub async fn console(&self) -> Vec<String> {
        let new = self.client.issue_cmd(ChromeCommand::console()).await.expect("Chromium returns its console");
        let part = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let new =
            new.as_array().into_iter().flatten().map(|it| format!("{} {}", part(it, "level"), part(it, "message")));
        let mut console = self.console.lock().expect("no panic while the lock is held");
        console.extend(new);
        console.clone()
    }

    /// The errors in the console.
    pub async fn errors(&self) -> Vec<String> {
        self.console().await.into_iter().filter(|line| line.starts_with("SEVERE")).collect()
    }

    /// The folder of the profile of this browser.
    pub fn profile(&self) -> &Path {
        &self.profile
    }

    /// Sends a command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let done = self.client.issue_cmd(ChromeCommand::devtools(command, parameters)).await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    async fn report(&self) -> String {
        let body = self.client.execute("return document.body?.innerText ?? ''", Vec::new()).await;
        let body = body.map_or_else(|error| error.to_string(), |body| body.as_str().unwrap_or_default().to_owned());
        format!("--- text of the page\n{body}\n--- console of the page\n{}", self.console().await.join("\n"))
    }

    /// Closes the window. A browser that is dropped without this, as in a failing test, is killed.
    pub async fn close(self) {
        let _ = self.client.clone().close().await;
    }
}

impl Drop for Browser {
    /// Kills Chromium if it still runs and waits for its end, because it writes into its profile until then. chromedriver
    /// started it, so it is not our child; the pid is ours as long as its command line names our folder.
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

/// The arguments of every Chromium.
fn arguments(own: &[&str]) -> Vec<String> {
    let shared = [
        "--no-sandbox", // tests may run as root, in a container
        "--disable-gpu",
        "--disable-dev-shm-usage", // containers have little of it
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
    ];
    own.iter().chain(&shared).map(|&argument| argument.to_owned()).collect()
}

/// True for an error that may go away, because the page has not rendered a part yet or renders it again.
fn is_transient(error: &CmdError) -> bool {
    use ErrorStatus::{
        DetachedShadowRoot, ElementClickIntercepted, ElementNotInteractable, InvalidElementState, NoSuchElement,
        StaleElementReference, UnknownError,
    };
    let CmdError::Standard(fault) = error else { return false };
    match fault.error {
        NoSuchElement
        | StaleElementReference
        | DetachedShadowRoot
        | ElementNotInteractable
        | ElementClickIntercepted
        | InvalidElementState => true,
        // The error of some versions of chromedriver for an element that was just replaced.
        UnknownError => fault.message.contains("does not belong to the document"),
        _ => false,
    }
}

/// Wraps the body of a function: the result is `[value]`, or `[null, "reason"]` after a `TypeError`, which is what a script
/// throws when an element is missing.
fn catch_type_errors(body: &str) -> String {
    format!(
        "try {{ return [await (async function () {{ {body}\n }}).apply(this, arguments) ?? null] }} catch (fault) {{
            if (!(fault instanceof TypeError)) throw fault;
            return [null, String(fault)]; }}"
    )
}

/// The value that a wrapped script returned.
fn script_result(answer: Value) -> Result<Value, CmdError> {
    match answer.as_array().map(Vec::as_slice) {
        Some([value]) => Ok(value.clone()),
        _ => Err(CmdError::Standard(WebDriver::new(ErrorStatus::NoSuchElement, answer[1].to_string()))),
    }
}

/// The folder of the screenshots.
pub fn screenshot_folder() -> PathBuf {
    let beside_the_build = || crate::process::livesouk_binary().ancestors().nth(2).map(|target| target.join("screens"));
    std::env::var_os("LIVESOUK_SHOTS")
        .map(PathBuf::from)
        .or_else(beside_the_build)
        .expect("the binary is in a target folder")
}
