//! Knows which request ids are under way, so that an answer is taken for a call's end only where it can be no other's.
//!
//! It never refuses or changes a request, and never forgets an id whose answer may still come: where it has no room for
//! one, every id of that grant is in doubt.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;

use super::Shared;
use super::snapshot::Server;
use crate::clock::Timestamp;
use crate::grants::Grant;
use crate::mcp::RequestId;
use crate::upstream::Transport;

/// How many ids of one grant are known at once: sixteen times the calls that it may have parked, and a few hundred
/// kilobytes.
const ENTRIES_MAX: usize = 4_096;
/// From so many on, a table is looked through for what is over; most never grow to it.
const SWEPT_FROM: usize = 64;

/// The ids under way of all grants.
#[derive(Debug, Default)]
pub struct UnderWay {
    grants: Mutex<HashMap<Arc<str>, OfGrant>>,
    /// Drawn at random: nobody can make two ids meet.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct OfGrant {
    entries: HashMap<u64, Entry>,
    /// Looked through again when it has grown to this.
    swept_at: usize,
    /// Requests that are under way and found no room.
    unlisted: usize,
    /// Until when the answer to such a one may come.
    doubtful_until: Option<Timestamp>,
}

/// An id that somebody waits for, or that its server may still answer.
#[derive(Debug, Default)]
struct Entry {
    doubt: Arc<AtomicBool>,
    waiting: usize,
    /// Until when a request may be answered that nobody waits for.
    until: Option<Timestamp>,
}

/// One request's part in its id. Dropped, it was left unanswered, and its id stays in doubt for as long as a call may take.
#[derive(Debug)]
pub(super) struct IdInUse {
    shared: Arc<Shared>,
    grant: Arc<str>,
    /// One for each session that the request names: servers differ in which they take.
    places: Vec<Place>,
    call_max: Duration,
    is_over: bool,
}

/// Where an id is known, if there was room, and whether its answers are in doubt.
#[derive(Debug)]
struct Place {
    key: Option<u64>,
    doubt: Arc<AtomicBool>,
}

impl IdInUse {
    /// The id of a request over HTTP; `None` where no call can end by another request's answer: the server numbers its
    /// requests by itself, there is no session, or no limit waits for a call's end.
    pub(super) fn of_http(
        shared: &Arc<Shared>,
        (grant, server): (&Grant, &Server),
        (headers, id): (&HeaderMap, &str),
    ) -> Option<IdInUse> {
        if matches!(server.spec.transport, Transport::Stdio(_)) {
            return None;
        }
        let sessions = headers.get_all("mcp-session-id").iter();
        let sessions = sessions.map(|session| session.as_bytes());
        IdInUse::of(shared, (grant, server), (sessions, id))
    }

    /// The id of a request in these sessions; `None` if there are none or no limit waits for a call's end.
    pub(super) fn of<'a>(
        shared: &Arc<Shared>,
        (grant, server): (&Grant, &Server),
        (sessions, id): (impl Iterator<Item = &'a [u8]>, &str),
    ) -> Option<IdInUse> {
        let seat = grant.seat(&server.spec.name)?;
        let id = RequestId::read(id).filter(|_| seat.policy.waits_for_ends())?;
        let under_way = &shared.under_way;
        let keys = sessions.map(|session| under_way.key((&server.spec.name, session, &id)));
        let keys: Vec<u64> = keys.collect();
        let (now, call_max) = (shared.clock.now(), server.spec.times.call);
        let places = keys.into_iter();
        let places: Vec<Place> = places
            .map(|key| under_way.enter((&grant.id, key), now))
            .collect();
        (!places.is_empty()).then(|| IdInUse {
            shared: shared.clone(),
            grant: grant.id.clone(),
            places,
            call_max,
            is_over: false,
        })
    }

    /// Whether an answer with this id may be another request's.
    pub(super) fn is_doubtful(&self) -> bool {
        let mut places = self.places.iter();
        places.any(|place| place.doubt.load(Ordering::Acquire))
    }

    /// The request was answered: nothing more comes for it.
    pub(super) fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for IdInUse {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        let until = (!self.is_over).then(|| now.plus(self.call_max));
        for place in &self.places {
            let place = (&self.grant, place.key);
            self.shared.under_way.leave(place, until);
        }
    }
}

impl UnderWay {
    /// Of what a server may take for one id in one session: some take `5` and `"5"` for the same, and some read numbers as
    /// floating point, in which long ones meet.
    fn key(&self, (server, session, id): (&str, &[u8], &RequestId)) -> u64 {
        let (RequestId::Text(text) | RequestId::Number(text)) = id;
        let is_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let number = text.parse::<f64>().ok().filter(|_| is_number);
        match number {
            // The sum makes one zero of two.
            Some(number) => self
                .hasher
                .hash_one((server, session, (number + 0.0).to_bits())),
            None => self.hasher.hash_one((server, session, &**text)),
        }
    }

    fn enter(&self, (grant, key): (&Arc<str>, u64), now: Timestamp) -> Place {
        let mut grants = self.grants.lock();
        let of_grant = grants.entry(grant.clone()).or_default();
        of_grant.enter(key, now)
    }

    fn leave(&self, (grant, key): (&Arc<str>, Option<u64>), until: Option<Timestamp>) {
        let mut grants = self.grants.lock();
        let Some(of_grant) = grants.get_mut(grant) else {
            return;
        };
        of_grant.leave(key, until);
        if of_grant.is_empty() {
            grants.remove(grant);
        }
    }
}

impl OfGrant {
    fn enter(&mut self, key: u64, now: Timestamp) -> Place {
        self.sweep(now);
        let is_doubtful = self.is_doubtful(now);
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(&key) {
            self.unlisted += 1;
            let doubt = Arc::new(AtomicBool::new(true));
            return Place { key: None, doubt };
        }
        let entry = self.entries.entry(key).or_default();
        if entry.is_over(now) {
            *entry = Entry::default();
        }
        if is_doubtful || entry.waiting > 0 || entry.until.is_some() {
            entry.doubt.store(true, Ordering::Release);
        }
        entry.waiting += 1;
        Place {
            key: Some(key),
            doubt: entry.doubt.clone(),
        }
    }

    fn leave(&mut self, key: Option<u64>, until: Option<Timestamp>) {
        let Some(key) = key else {
            self.unlisted = self.unlisted.saturating_sub(1);
            self.doubtful_until = self.doubtful_until.max(until);
            return;
        };
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.waiting = entry.waiting.saturating_sub(1);
            entry.until = entry.until.max(until);
            if entry.waiting == 0 && entry.until.is_none() {
                self.entries.remove(&key);
            }
        }
    }

    /// Lets go of what is over, each time that the table has doubled: what that costs is shared by those that entered.
    fn sweep(&mut self, now: Timestamp) {
        // A full one is not looked through in vain for each newcomer.
        let is_due = self.entries.len() >= self.swept_at.max(SWEPT_FROM);
        if !is_due || self.is_doubtful(now) {
            return;
        }
        self.entries.retain(|_, entry| !entry.is_over(now));
        self.swept_at = (2 * self.entries.len()).min(ENTRIES_MAX);
        self.doubtful_until = None;
    }

    fn is_doubtful(&self, now: Timestamp) -> bool {
        self.unlisted > 0 || self.doubtful_until.is_some_and(|until| until > now)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.unlisted == 0 && self.doubtful_until.is_none()
    }
}

impl Entry {
    fn is_over(&self, now: Timestamp) -> bool {
        self.waiting == 0 && self.until.is_some_and(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        Timestamp::default()
    }

    fn doubted(place: &Place) -> bool {
        place.doubt.load(Ordering::Acquire)
    }

    #[test]
    fn a_full_table_puts_newcomers_in_doubt_until_what_found_no_room_is_over() {
        let now = start();
        let mut of_grant = OfGrant::default();
        let full = 0..ENTRIES_MAX as u64;
        let listed: Vec<Place> = full.map(|key| of_grant.enter(key, now)).collect();
        assert!(!listed.iter().any(doubted), "all had room");
        let unlisted = of_grant.enter(u64::MAX, now);
        assert!(doubted(&unlisted));
        listed
            .iter()
            .for_each(|place| of_grant.leave(place.key, None));
        assert!(doubted(&of_grant.enter(1, now)), "it may be the same id");
        let until = now.plus(Duration::from_secs(9));
        of_grant.leave(unlisted.key, Some(until));
        assert!(doubted(&of_grant.enter(2, now)), "it may still be answered");
        assert!(!doubted(&of_grant.enter(3, until)));
    }

    #[test]
    fn what_was_left_unanswered_is_in_doubt_until_its_time_is_up_and_then_forgotten() {
        let now = start();
        let until = now.plus(Duration::from_secs(9));
        let mut of_grant = OfGrant::default();
        for key in 0..ENTRIES_MAX as u64 {
            let place = of_grant.enter(key, now);
            of_grant.leave(place.key, Some(until));
        }
        let again = of_grant.enter(0, now);
        assert!(doubted(&again));
        of_grant.leave(again.key, None);
        assert!(!doubted(&of_grant.enter(u64::MAX, until)), "all are over");
        assert_eq!(of_grant.entries.len(), 1);
    }

    #[test]
    fn a_number_and_its_text_are_one_id() {
        let under_way = UnderWay::default();
        let key = |id: &str| under_way.key(("s", b"x", &RequestId::read(id).expect("an id")));
        for (one, other) in [
            ("5", "\"5\""),
            ("0", "-0"),
            ("9007199254740992", "9007199254740993"),
        ] {
            assert_eq!(key(one), key(other), "{one} and {other}");
        }
        assert_ne!(key("5"), key("6"));
        assert_ne!(key("\"inf\""), key("\"infinity\""));
    }
}
