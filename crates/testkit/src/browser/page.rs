//! A small web server for one page that a test writes.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub struct Page {
    pub url: String,
    html: Arc<Mutex<String>>,
    serving: JoinHandle<()>,
}

impl Page {
    pub async fn serve(html: &str) -> Page {
        let page = Page::prepare().await;
        page.show(html.to_owned());
        page
    }

    /// Serves an empty page, for HTML that must contain the address of the page.
    pub async fn prepare() -> Page {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("a bound port"));
        let html = Arc::new(Mutex::new(String::new()));
        let shown = html.clone();
        let read = move || shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let router = Router::new().route("/", get(async move || Html(read())));
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("the server of the page runs") });
        Page { url, html, serving }
    }

    pub fn show(&self, html: String) {
        *self.html.lock().unwrap_or_else(PoisonError::into_inner) = html;
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
