//! A tiny web server for a page of the test itself.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub struct Page {
    pub url: String,
    serving: JoinHandle<()>,
}

impl Page {
    pub async fn serve(html: &'static str) -> Page {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("a bound port"));
        let router = Router::new().route("/", get(async move || Html(html)));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("the page is served") });
        Page { url, serving }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
