//! `GET /api/limits` and `POST /api/limits/reset`: a grant's limits as they stand now, and letting them begin anew.
//!
//! A reset is kept before it is answered; it touches no counter here.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;

use super::door::Refused;
use super::{Sources, json_body, told};
use crate::grants::{Grant, LimitsError};
use crate::record::chain;
use crate::store::{KeptReset, WhichLimits};

/// The longest body of a reset in bytes: a grant, a server and a rule id, none of which is longer than a kilobyte.
const BODY_MAX: usize = 8 << 10;

/// What `GET /api/limits` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    grant: String,
    server: Option<String>,
}

/// What `POST /api/limits/reset` is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    grant: String,
    server: Option<Box<str>>,
    limit: Option<Box<str>>,
}

pub(super) async fn show(
    State(sources): State<Arc<Sources>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<impl IntoResponse, Refused> {
    let Query(asked) = asked.map_err(|error| {
        let what = format!(
            "{}; write /api/limits?grant=GRANT&server=NAME",
            error.body_text()
        );
        Refused::new(StatusCode::BAD_REQUEST, "query", what)
    })?;
    let grant = found(&sources, &asked.grant)?;
    let now = sources.clock.now();
    let views = grant.limits(asked.server.as_deref(), (&sources.counters, now))?;
    Ok(json_body(&told::limits(&grant, &views)))
}

pub(super) async fn reset(
    State(sources): State<Arc<Sources>>,
    body: Body,
) -> Result<impl IntoResponse, Refused> {
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| {
        let what = format!("the body must arrive whole and have at most {BODY_MAX} bytes");
        Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "body", what)
    })?;
    let asked: Reset = serde_json::from_slice(&body).map_err(|error| {
        let what = format!(
            "{error}; send {{\"grant\": …}}, with \"server\" and \"limit\" where not all are meant"
        );
        Refused::new(StatusCode::BAD_REQUEST, "body", what)
    })?;
    let grant = found(&sources, &asked.grant)?;
    let which = WhichLimits {
        grant: (&*grant.id).into(),
        server: asked.server,
        rule: asked.limit,
    };
    let meant = grant.resettable(&which)?;
    let at = sources.clock.now();
    let kept = sources.store.reset_limits(KeptReset {
        which,
        times: 1,
        at,
    });
    kept.await
        .map_err(|error| Refused::new(StatusCode::SERVICE_UNAVAILABLE, "store", chain(&error)))?;
    let meant = meant.iter();
    let reset = meant.map(|(server, limit)| json!({ "server": server, "rule": limit.rule }));
    Ok(json_body(&json!({
        "grant": { "id": &*grant.id, "name": grant.name },
        "reset": reset.collect::<Vec<_>>(),
        "at": at.to_string(),
    })))
}

fn found(sources: &Sources, named: &str) -> Result<Arc<Grant>, Refused> {
    let found = (sources.grants)().find(named);
    found.map_err(|error| Refused::new(StatusCode::NOT_FOUND, "grant", error.to_string()))
}

impl From<LimitsError> for Refused {
    fn from(error: LimitsError) -> Refused {
        let (status, kind) = match error {
            LimitsError::Shared { .. } => (StatusCode::CONFLICT, "shared"),
            LimitsError::Server { .. } => (StatusCode::NOT_FOUND, "server"),
            LimitsError::Rule { .. } | LimitsError::Nothing => (StatusCode::NOT_FOUND, "limit"),
        };
        Refused::new(status, kind, error.to_string())
    }
}
