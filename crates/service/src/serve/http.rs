//! What a process answers on its own port: `/metrics`, `/metrics/CODE` (one organisation's), `/healthz`, `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use store::Store;
use tokio::net::TcpListener;

use super::numbers::Numbers;

type Shared = (Arc<Numbers>, Store);

/// Answers until it is dropped.
pub(crate) async fn answer(listener: TcpListener, numbers: Arc<Numbers>, store: Store) {
    let routes = Router::new()
        .route("/metrics", get(async |State((numbers, store)): State<Shared>| metrics(&numbers, &store, None).await))
        .route(
            "/metrics/{code}",
            get(async |Path(code): Path<String>, State((numbers, store)): State<Shared>| {
                metrics(&numbers, &store, Some(&code)).await
            }),
        )
        .route("/healthz", get(async |State((numbers, _)): State<Shared>| says(numbers.is_dead())))
        .route("/readyz", get(async |State((numbers, _)): State<Shared>| says(numbers.is_unready())))
        .with_state((numbers, store));
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "metrics and health are not answered any more");
    }
}

async fn metrics(numbers: &Numbers, store: &Store, only: Option<&str>) -> Response {
    match numbers.prometheus(store, only).await {
        Some(page) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response(),
        None => (StatusCode::NOT_FOUND, "no such organisation is served here\n").into_response(),
    }
}

fn says(wrong: Option<String>) -> Response {
    match wrong {
        None => "ok\n".into_response(),
        Some(wrong) => (StatusCode::SERVICE_UNAVAILABLE, format!("{wrong}\n")).into_response(),
    }
}
