//! What is left of a call's limits, told in the result where the grant's settings ask for it.
//!
//! It never tells of counters that other grants share, and what it tells is no promise: others of the same grant may call
//! meanwhile. It says what is there at the moment of the reply, after what the call's end gave back.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::Shared;
use super::body::Body;
use super::ending::{Ending, READ_MAX};
use super::passthrough::{self, for_the_agent};
use super::reply::remaining;
use super::snapshot::Server;
use super::worker::Worker;
use crate::counters::{CounterKey, Taken};
use crate::grants::Grant;
use crate::json::Document;
use crate::mcp;
use crate::policy::{Amount, Limit};
use crate::upstream::{ForwardError, ReplyBody};

/// The member of a result's `_meta` that holds it.
const KEY: &str = "toolgate/quota";

/// What a call was charged, of limits that its agent may watch.
pub(super) struct Quota {
    shared: Arc<Shared>,
    grant: Arc<Grant>,
    server: Arc<Server>,
    /// See [`Limit::index`].
    charged: Vec<(usize, CounterKey)>,
}

impl std::fmt::Debug for Quota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quota").finish_non_exhaustive()
    }
}

impl Quota {
    /// What is told of what a call took; `None` where the grant is told nothing, or there is nothing to tell.
    pub(super) fn of(
        shared: &Arc<Shared>,
        (grant, server): (&Arc<Grant>, &Arc<Server>),
        taken: &Taken,
    ) -> Option<Quota> {
        if !grant.is_told_quota {
            return None;
        }
        let limits = grant.seat(&server.spec.name)?.policy.limits();
        let told = |(index, _): &(usize, CounterKey)| limits.get(*index).is_some_and(is_told);
        let charged: Vec<_> = taken.counters().filter(told).collect();
        (!charged.is_empty()).then(|| Quota {
            shared: shared.clone(),
            grant: grant.clone(),
            server: server.clone(),
            charged,
        })
    }

    /// The reply with what is left in its result's `_meta`; `None` where it has no result.
    pub(super) fn told_in(&self, reply: &Document<'_>) -> Option<Vec<u8>> {
        let limits = self.grant.seat(&self.server.spec.name)?.policy.limits();
        let mut told: Vec<(&Limit, Amount)> = Vec::new();
        for (index, key) in &self.charged {
            let limit = limits.get(*index)?;
            let left = self.left(limit, *key);
            // A call that is charged to several counters of a limit is told of the one that is nearest to its end.
            match told.iter_mut().find(|(known, _)| known.index == *index) {
                Some((_, least)) => *least = left.min(*least),
                None => told.push((limit, left)),
            }
        }
        told.sort_by_key(|(limit, _)| limit.index);
        let told = told.iter().map(|(limit, left)| {
            json!({
                "rule": limit.rule,
                "limit": limit.max,
                "remaining": remaining(*left),
                "window": limit.window.name(),
            })
        });
        mcp::with_meta(reply, KEY, &Value::from_iter(told).to_string())
    }

    fn left(&self, limit: &Limit, key: CounterKey) -> Amount {
        let Shared {
            counters, clock, ..
        } = &*self.shared;
        counters.standing_of(key, limit, clock.now()).left
    }
}

fn is_told(limit: &Limit) -> bool {
    !limit.is_shadow && !limit.scope.is_shared()
}

/// A reply of one message that is read whole, and told in. One that is longer than can be read streams as it came.
pub(super) async fn whole(
    worker: &Worker,
    reply: Response<ReplyBody>,
    mut ending: Ending,
) -> Result<Response<Body>, ForwardError> {
    let (head, mut source) = reply.into_parts();
    let mut read = BytesMut::new();
    while read.len() <= READ_MAX {
        match source.frame().await {
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(error)) => {
                ending.broke_off(&error);
                return Err(error);
            }
            None => {
                ending.hears(source.origin());
                let told = ending.ended_with(&read.freeze());
                let mut head = for_the_agent(head);
                head.headers
                    .insert(CONTENT_LENGTH, HeaderValue::from(told.len()));
                return Ok(Response::from_parts(head, Body::whole(told)));
            }
        }
    }
    let read: Bytes = ending.saw(read.freeze());
    let reply = Response::from_parts(head, source.behind(read));
    Ok(passthrough::stream(worker, reply, Some(ending)))
}
