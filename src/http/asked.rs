//! The repository that a request asks about: as it is, or as it was.
//!
//! Handlers that read go through here. They are given a state to look into and need not know of which time it is; that of the past
//! holds only what the question is about.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::Guard;
use serde_json::{Value, json};
use tagstone_replay::audit::past::{Question, Removal};
use tagstone_replay::fold::{Repository, State};
use tagstone_schema::{Digest, RepositoryName, Timestamp};

use super::as_of::Named;
use super::error::{Code, Refusal};
use super::exchange::Exchange;
use crate::history::{Past, PointError};
use crate::registry::{Rejection, Snapshot};

/// A repository that is read.
pub(super) struct Asked<'a> {
    /// The name as it stands in the path: links lead on below it.
    pub(super) path: &'a str,
    /// Its own name.
    pub(super) name: RepositoryName,
    /// When it is looked at, if that is not now.
    pub(super) past: Option<Past>,
    /// The instant by which its tags have expired.
    pub(super) now: Timestamp,
}

/// A state that is looked into for a moment. It is not held across an await.
pub(super) enum Seen {
    /// The one that is.
    Now(Guard<Arc<Snapshot>>),
    /// What was.
    Then(Arc<State>),
}

impl Deref for Seen {
    type Target = State;

    fn deref(&self) -> &State {
        match self {
            Self::Now(snapshot) => &snapshot.state,
            Self::Then(state) => state,
        }
    }
}

/// What bytes are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Manifest,
    Blob,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Blob => "blob",
        }
    }

    pub(super) fn unknown(self) -> Code {
        match self {
            Self::Manifest => Code::ManifestUnknown,
            Self::Blob => Code::BlobUnknown,
        }
    }
}

impl<'a> Asked<'a> {
    /// Reads the name in a path, and finds the point that it may name.
    pub(super) async fn of(exchange: &Exchange<'_>, path: &'a str) -> Result<Self, Refusal> {
        let now = exchange.now();
        let (point, name) = match Named::of(path)? {
            Named::Now(name) => return Ok(Self { path, name, past: None, now }),
            Named::Then(point, name) => (point, name),
            Named::Unreadable(why) => return Err(unreadable(exchange, path, why).await),
        };
        let head = exchange.site.published.load().head;
        match exchange.site.history.past(point, head, now).await {
            Ok(past) => Ok(Self { path, name, now: past.now, past: Some(past) }),
            Err(PointError::History(error)) => Err(error.into()),
            Err(outside @ PointError::Outside(_)) => {
                Err(Refusal::not_found(Code::NameUnknown, format!("there is no {path}: {outside}")))
            }
        }
    }

    /// The state that an answer is looked up in. `question` says what of it is needed.
    pub(super) async fn state(
        &self,
        exchange: &Exchange<'_>,
        question: impl FnOnce() -> Question,
    ) -> Result<Seen, Refusal> {
        match &self.past {
            None => Ok(Seen::Now(exchange.site.published.load())),
            Some(past) => Ok(Seen::Then(past.state(&self.name, question()).await?)),
        }
    }

    /// A refusal, of the time that was asked for.
    pub(super) fn refuse(&self, rejection: Rejection) -> Refusal {
        let Some(past) = &self.past else { return rejection.into() };
        let message = match &rejection {
            Rejection::RepositoryUnknown { repository } => format!("repository {repository} was not there"),
            rejection => rejection.to_string(),
        };
        let refusal = Refusal::from(rejection);
        let mut detail = refusal.detail.clone();
        tell_when(&mut detail, past);
        Refusal { message: format!("{message}, {}", behind(past)), detail, ..refusal }
    }

    /// Whether content is there also after the client was told of it, which keeps it from collection for a while. Only what nothing
    /// else keeps (`is_free`) has to be kept like this, and the past promises nothing.
    pub(super) async fn is_there_for_whoever_is_told(
        &self,
        exchange: &Exchange<'_>,
        digest: &Digest,
        is_free: fn(Repository<'_>, &Digest) -> bool,
        is_there: fn(Repository<'_>, &Digest) -> bool,
    ) -> bool {
        let holds = |what: fn(Repository<'_>, &Digest) -> bool| {
            let snapshot = exchange.site.published.load();
            snapshot.state.repository(self.name.as_str()).is_some_and(|repository| what(repository, digest))
        };
        if self.past.is_some() || !holds(is_free) {
            return true;
        }
        exchange.tell(&self.name, digest).await;
        // Looked at once more behind the promise: it may have gone in between.
        holds(is_there)
    }

    /// The refusal of bytes that belong to the repository and are not on this server.
    pub(super) async fn absent(&self, exchange: &Exchange<'_>, kind: Kind, digest: &Digest) -> Refusal {
        let Some(past) = &self.past else {
            let (what, repository) = (kind.name(), &self.name);
            let message = format!(
                "{what} {digest} belongs to repository {repository}, but its bytes are not on this server (restored \
                 without its content?); pushing it again brings it back"
            );
            return Refusal::not_found(kind.unknown(), message);
        };
        let head = exchange.site.published.load().head;
        match past.removal(digest, head).await {
            Ok(removal) => self.gone(kind, digest, past, removal.as_ref()),
            Err(error) => error.into(),
        }
    }

    /// Refuses bytes of the past that were removed since, also where they lie there still: a removal that was cut off, or that the disk
    /// refused, is finished later.
    pub(super) async fn refuse_removed(
        &self,
        exchange: &Exchange<'_>,
        kind: Kind,
        digest: &Digest,
    ) -> Result<(), Refusal> {
        let Some(past) = &self.past else { return Ok(()) };
        let head = {
            let snapshot = exchange.site.published.load();
            if snapshot.state.knows(digest) {
                return Ok(());
            }
            snapshot.head
        };
        match past.removal(digest, head).await? {
            Some(removal) => Err(self.gone(kind, digest, past, Some(&removal))),
            None => Ok(()),
        }
    }

    fn gone(&self, kind: Kind, digest: &Digest, past: &Past, removal: Option<&Removal>) -> Refusal {
        let (what, repository) = (kind.name(), &self.name);
        let (why, mut detail) = match removal {
            Some(removal) => {
                let (how, reason, given) = match &removal.reason {
                    Some(given) => ("purged", "CONTENT_PURGED", format!("; the reason given: {given}")),
                    None => ("collected, as nothing named them any more,", "CONTENT_COLLECTED", String::new()),
                };
                let why = format!("they were {how} at {} by record {}{given}", removal.time, removal.seq);
                let removed = json!({"seq": removal.seq, "time": removal.time.to_string(), "reason": removal.reason});
                (why, json!({"reason": reason, "digest": digest, "removed": removed}))
            }
            None => (
                "no record says that they were removed (restored without its content?)".to_owned(),
                json!({"reason": "CONTENT_MISSING", "digest": digest}),
            ),
        };
        tell_when(&mut detail, past);
        let was = behind(past);
        let message = format!("{what} {digest} was in repository {repository}, {was}, but its bytes are gone: {why}");
        Refusal::not_found(kind.unknown(), message).with_detail(detail)
    }
}

fn behind(past: &Past) -> String {
    format!("as it stood behind record {} of {}", past.seq, past.time)
}

fn tell_when(detail: &mut Value, past: &Past) {
    if let Value::Object(fields) = detail {
        fields.insert("as_of".to_owned(), json!({"seq": past.seq, "time": past.time.to_string()}));
    }
}

async fn unreadable(exchange: &Exchange<'_>, path: &str, why: &str) -> Refusal {
    let head = exchange.site.published.load().head;
    let range = match exchange.site.history.range(head).await {
        Ok(range) => format!("; the past of this registry goes {range}"),
        Err(_) => String::new(),
    };
    let shown: String = path.chars().take(300).collect();
    let message = format!(
        "`{shown}` is no repository of the past: {why}; write as-of/<point>/<repository>, the point as seq-1234 or, in UTC, \
         as 20261101t120000z{range}"
    );
    Refusal::bad_request(Code::NameInvalid, message)
}
