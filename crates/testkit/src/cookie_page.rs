//! A page of the shop without a browser: it keeps the cookies that it is given, and sends `Origin` as browsers do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::Method;
use serde_json::{Value, json};

use super::process::Server;
use super::rest::{Rest, RestResponse};
use super::socket::{Closed, JoinOptions, Live};
use super::{SOON, until_some};

#[derive(Debug)]
pub struct CookiePage {
    rest: Rest,
    base: String,
    origin: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl CookiePage {
    /// A page that was loaded from this server.
    pub fn of(server: &Server) -> CookiePage {
        CookiePage::at(&server.url, &server.url)
    }

    /// A page of this origin whose requests go to `base`.
    pub fn at(base: &str, origin: &str) -> CookiePage {
        let (base, origin) = (base.to_owned(), origin.to_owned());
        CookiePage { rest: Rest::new(&base), base, origin, cookies: Mutex::default() }
    }

    /// The same browser with a page of another origin.
    pub fn with_origin(&self, origin: &str) -> CookiePage {
        let cookies = Mutex::new(self.cookies.lock().unwrap().clone());
        CookiePage { rest: self.rest.clone(), base: self.base.clone(), origin: origin.to_owned(), cookies }
    }

    /// The same browser with the page of another address of the same server.
    pub fn at_base(&self, base: &str) -> CookiePage {
        let page = CookiePage::at(base, base);
        *page.cookies.lock().unwrap() = self.cookies.lock().unwrap().clone();
        page
    }

    /// The same browser at another node.
    pub fn at_node(&self, server: &Server) -> CookiePage {
        let page = CookiePage::of(server);
        *page.cookies.lock().unwrap() = self.cookies.lock().unwrap().clone();
        page
    }

    /// What the browser sends as `Cookie`; empty without cookies.
    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub async fn get(&self, path: &str) -> RestResponse {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> RestResponse {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> RestResponse {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> RestResponse {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> RestResponse {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> RestResponse {
        let (cookie, key) = (self.cookie_header(), client::rest::new_key());
        let mut headers = vec![("origin", self.origin.as_str()), ("idempotency-key", key.as_str())];
        headers.extend((!cookie.is_empty()).then_some(("cookie", cookie.as_str())));
        let answer = self.rest.send(method, path, &headers, body).await;
        for value in answer.headers.get_all("set-cookie") {
            let pair = value.to_str().expect("a cookie").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a name and a value");
            let mut cookies = self.cookies.lock().unwrap();
            match value {
                "" => cookies.remove(name),
                value => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Signs in as a guest. Gives the user id.
    pub async fn sign_in_guest(&self, name: &str) -> String {
        let signed_in = self.post("/v1/session/guest", json!({ "name": name })).await.expect(201);
        signed_in["user"].as_str().expect("a user").to_owned()
    }

    /// Asks for a code by e-mail. Gives its id.
    pub async fn ask_for_code(&self, email: &str) -> String {
        let asked = self.post("/v1/session/email", json!({ "email": email })).await.expect(202);
        asked["id"].as_str().expect("an id").to_owned()
    }

    /// Signs in by e-mail at a demo, which writes the code to its log. Gives the user id.
    pub async fn sign_in_by_email(&self, server: &Server, email: &str, name: &str) -> String {
        let id = self.ask_for_code(email).await;
        let code = code_of(server, &id).await;
        let typed = json!({"id": id, "code": code, "name": name});
        let signed_in = self.post("/v1/session/email/verify", typed).await.expect(201);
        signed_in["user"].as_str().expect("a user").to_owned()
    }

    /// Joins the show as this browser does.
    pub async fn join(&self, stream: &str) -> Result<Live, Closed> {
        let headers = [("cookie", self.cookie_header()), ("origin", self.origin.clone())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Live::join(&self.base, stream, JoinOptions { headers, ..JoinOptions::default() }).await
    }
}

/// The code with this id, which a demo wrote to its log.
pub async fn code_of(server: &Server, id: &str) -> String {
    code_in_log(server, &format!("id={id} ")).await
}

/// The newest code that a demo wrote to its log for this address. The page may have asked for a newer one.
pub async fn last_code(server: &Server, email: &str) -> String {
    code_in_log(server, &format!("email=\"{email}\"")).await
}

async fn code_in_log(server: &Server, part: &str) -> String {
    let find = async || {
        let log = server.process.stderr();
        let line = log.lines().rfind(|line| line.contains(part))?;
        let (_, rest) = line.split_once("code=\"")?;
        rest.get(..6).map(str::to_owned)
    };
    until_some("code in the log", SOON, find).await
}
