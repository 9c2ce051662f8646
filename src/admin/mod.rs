//! The operator's side, on its own listener: `/metrics`, `/healthz`, `/readyz`, and the API for whoever has the admin token.
//!
//! It never shares a port, a thread or a queue with the data path, and nothing here takes an agent's token.

mod door;
mod limits;
mod token;
mod told;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::counters::Counters;
use crate::grants::Grants;
use crate::record::{LIMIT_SERIES_MAX, LimitUse, Metrics, Progress, Sizes, limit_gauges};
use crate::store::Store;

pub use token::{AdminToken, AdminTokenError};
pub use told::limits as limits_json;

/// Where the operator's pages get what they show.
pub struct Sources {
    /// All that is measured.
    pub metrics: Arc<Metrics>,
    /// What has been counted.
    pub counters: Arc<Counters>,
    /// The time.
    pub clock: Clock,
    /// Where resets are kept.
    pub store: Store,
    /// What the workers' journals tell of themselves.
    pub journals: Vec<Progress>,
    /// The grants in force.
    pub grants: Box<dyn Fn() -> Arc<Grants> + Send + Sync>,
    /// Whether agents' requests are served: not before the listeners are open, not once draining has begun.
    pub is_ready: Box<dyn Fn() -> bool + Send + Sync>,
    /// What lets an operator use the API.
    pub token: AdminToken,
    /// Where the operator's side listens.
    pub address: SocketAddr,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Serves until `listener` fails.
pub async fn serve(listener: TcpListener, sources: Arc<Sources>) -> std::io::Result<()> {
    let api = Router::new()
        .route("/api/limits", get(limits::show))
        .route("/api/limits/reset", post(limits::reset))
        .route_layer(from_fn_with_state(sources.clone(), door::guard));
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .merge(api)
        .fallback(door::no_page)
        .method_not_allowed_fallback(door::no_method)
        .with_state(sources);
    axum::serve(listener, router).await
}

async fn metrics(State(sources): State<Arc<Sources>>) -> impl IntoResponse {
    // Many grants take a while to look at; children's pipes are served by the same threads.
    let text = tokio::task::spawn_blocking(move || exposition(&sources)).await;
    let plain = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    match text {
        Ok(text) => (StatusCode::OK, plain, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, plain, String::new()),
    }
}

fn exposition(sources: &Sources) -> String {
    let grants = (sources.grants)();
    let sizes = Sizes {
        counter_keys: sources.counters.len(),
        grants: grants.len(),
        journal_syncs: sources.journals.iter().map(Progress::syncs).sum(),
        journal_lost_lines: sources.journals.iter().map(Progress::lost_lines).sum(),
    };
    let at = (&*sources.counters, sources.clock.now());
    let fullest = grants.fullest(at, LIMIT_SERIES_MAX);
    let gauges = limit_gauges(fullest.iter().map(|one| LimitUse {
        server: one.server,
        rule: one.rule,
        used: one.used,
    }));
    sources.metrics.render(sizes) + &gauges
}

async fn readiness(State(sources): State<Arc<Sources>>) -> impl IntoResponse {
    match (sources.is_ready)() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

/// A line of JSON that no cache keeps.
fn json_body(value: &serde_json::Value) -> impl IntoResponse + use<> {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, format!("{value}\n"))
}
