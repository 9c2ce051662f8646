//! The operator's side, on its own listener: `/metrics`, `/healthz`, `/readyz`.
//!
//! It never shares a port, a thread or a queue with the data path, and nothing here takes an agent's token.

mod told;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::counters::Counters;
use crate::record::{Metrics, Progress, Sizes};

pub use told::limits as limits_json;

/// Where the operator's pages get what they show.
pub struct Sources {
    /// All that is measured.
    pub metrics: Arc<Metrics>,
    /// For the number of counters.
    pub counters: Arc<Counters>,
    /// What the workers' journals tell of themselves.
    pub journals: Vec<Progress>,
    /// How many grants are in force.
    pub grants: Box<dyn Fn() -> usize + Send + Sync>,
    /// Whether agents' requests are served: not before the listeners are open, not once draining has begun.
    pub is_ready: Box<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Serves until `listener` fails.
pub async fn serve(listener: TcpListener, sources: Arc<Sources>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .with_state(sources);
    axum::serve(listener, router).await
}

async fn metrics(State(sources): State<Arc<Sources>>) -> impl IntoResponse {
    let sizes = Sizes {
        counter_keys: sources.counters.len(),
        grants: (sources.grants)(),
        journal_syncs: sources.journals.iter().map(Progress::syncs).sum(),
        journal_lost_lines: sources.journals.iter().map(Progress::lost_lines).sum(),
    };
    let text = sources.metrics.render(sizes);
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}

async fn readiness(State(sources): State<Arc<Sources>>) -> impl IntoResponse {
    match (sources.is_ready)() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}
