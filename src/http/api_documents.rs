//! The OpenAPI and the AsyncAPI document: generated from the types when the first client asks for one, and never made again.
//!
//! Making them takes longer than everything else that a server does at its start.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tokio::sync::OnceCell;

use super::document::Document;
use super::error::ApiError;
use super::{AppState, asyncapi, described_routes, openapi, verb};
use crate::app::Error;

#[derive(Clone, Default)]
pub struct ApiDocuments(Arc<OnceCell<Made>>);

#[derive(Debug)]
struct Made {
    openapi: Document,
    asyncapi: Document,
}

#[derive(Clone, Copy)]
pub enum ApiDocument {
    OpenApi,
    AsyncApi,
}

impl ApiDocuments {
    pub fn serve(self, which: ApiDocument) -> MethodRouter<AppState> {
        get(async move |State(state): State<AppState>, headers: HeaderMap| self.response(state, &headers, which).await)
    }

    /// A client that asks while the documents are being made waits for the same ones.
    async fn response(&self, state: AppState, headers: &HeaderMap, which: ApiDocument) -> Response {
        match self.0.get_or_try_init(|| tokio::task::spawn_blocking(move || make(&state))).await {
            Ok(made) => {
                let document = match which {
                    ApiDocument::OpenApi => &made.openapi,
                    ApiDocument::AsyncApi => &made.asyncapi,
                };
                document.response(headers, "no-cache")
            }
            Err(error) => {
                tracing::error!(%error, "the API documents could not be made");
                ApiError::from(Error::Unavailable).into_response()
            }
        }
    }
}

fn make(state: &AppState) -> Made {
    let (_, described) = described_routes(state).split_for_parts();
    let mut described = serde_json::to_value(&described).unwrap_or_default();
    verb::describe(&mut described);
    let (base_url, with_test_provider) = (state.origins.base_url(), state.app.settings().is_test_provider_enabled);
    let openapi = openapi::finish(described, base_url, with_test_provider);
    let asyncapi = asyncapi::document(&openapi, base_url, with_test_provider);
    let document = |made: serde_json::Value| Document::new("application/json", made.to_string());
    Made { openapi: document(openapi), asyncapi: document(asyncapi) }
}
