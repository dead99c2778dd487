//! The account: what the script did, kept in plain maps beside the registry and without its code.
//!
//! For every command it says beforehand what the registry has to answer, and writes down what happened: one JSON object for
//! each thing, in the form of the events that the registry tells. It knows nothing of the fold. In particular it seals a tag at
//! the moment at which something begins to protect it, where the fold looks back through the rules that ever were.

mod content;
mod policies;
mod refusals;
mod tags;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Value, json};
use tagstone::registry::{Command, Submission};
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Actor, ActorKind, Origin, Timestamp};

pub(crate) use refusals::Attempt;
pub(crate) use tags::{Broken, Stay};

use crate::contents::Document;

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) seq: u64,
    pub(crate) time: i64,
}

impl At {
    pub(crate) fn text(self) -> String {
        instant(self.time)
    }
}

/// RFC 3339 with microseconds.
pub(crate) fn instant(micros: i64) -> String {
    Timestamp(micros).to_string()
}

/// What a command has to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Committed(u64),
    Unchanged,
    Refused(Refusal),
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Immutable,
    Spent,
    InUse,
    Unknown,
    Missing,
    Precondition,
    PolicyUnknown,
    PolicyExists,
    PolicyNotDraft,
    PolicyConflict,
}

#[derive(Clone, Debug)]
pub(crate) struct TagNow {
    pub(crate) digest: String,
    pub(crate) since: At,
    pub(crate) locked: Option<At>,
    pub(crate) expires: Option<i64>,
    /// The digest at which something protected it last.
    pub(crate) sealed: Option<String>,
    /// Whether something protected it since it began to point where it points.
    sealed_here: bool,
}

impl TagNow {
    fn seal(&mut self) {
        (self.sealed, self.sealed_here) = (Some(self.digest.clone()), true);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) document: Arc<Document>,
    pub(crate) pushed: At,
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) blobs: BTreeMap<String, u64>,
    pub(crate) manifests: BTreeMap<String, Held>,
    pub(crate) tags: BTreeMap<String, TagNow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Draft,
    Active,
    Retired,
}

#[derive(Clone, Debug)]
pub(crate) struct PolicyNow {
    pub(crate) scope: Scope,
    pub(crate) rule: Rule,
    pub(crate) selects: Option<Regex>,
    pub(crate) status: Status,
    pub(crate) created: At,
    pub(crate) activated: Option<At>,
    /// When its rule of now came into force.
    pub(crate) in_force: Option<At>,
    pub(crate) retired: Option<At>,
}

/// Everything as it stands behind one record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) shelves: BTreeMap<String, Shelf>,
    /// By repository and tag: the only digest, and when the tag was last removed.
    pub(crate) spent: BTreeMap<(String, String), (String, At)>,
    pub(crate) policies: BTreeMap<String, PolicyNow>,
}

/// A copy of all of it, with what the clock said.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) head: At,
    pub(crate) standing: Standing,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) standing: Standing,
    pub(crate) head: At,
    /// What the clock says.
    pub(crate) now: i64,
    /// The events, in order.
    pub(crate) happened: Vec<Value>,
    /// Every stay of a tag at a digest, by repository and tag, in order.
    pub(crate) stays: BTreeMap<(String, String), Vec<Stay>>,
    /// Moves of tags away from a digest that they were protected at.
    pub(crate) broken: Vec<Broken>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// Refused attempts, those made first first; the same attempt is one entry.
    pub(crate) refused: Vec<Attempt>,
    pending: Vec<Attempt>,
    record: Option<Record>,
}

/// The record that is being written.
#[derive(Clone)]
struct Record {
    at: At,
    actor: Value,
    origin: Value,
    index: u32,
}

impl Account {
    /// Over a log of one record.
    pub(crate) fn new(start: i64, log: &str) -> Self {
        let mut account = Self {
            standing: Standing::default(),
            head: At { seq: 0, time: i64::MIN },
            now: start,
            happened: Vec::new(),
            stays: BTreeMap::new(),
            broken: Vec::new(),
            snapshots: Vec::new(),
            refused: Vec::new(),
            pending: Vec::new(),
            record: None,
        };
        account.begin(&Actor::system("test"), &Origin::default());
        account.tell("log_started", json!({ "log": log }));
        account
    }

    /// The registry was started.
    pub(crate) fn started(&mut self) {
        // The clock of the machine is behind that of the script.
        let now = std::mem::replace(&mut self.now, i64::MIN);
        self.begin(&Actor::system("start"), &Origin::default());
        self.tell("server_started", json!({ "version": env!("CARGO_PKG_VERSION") }));
        self.now = now;
    }

    /// Keeps a copy of everything as it stands.
    pub(crate) fn take_snapshot(&mut self) {
        self.snapshots.push(Snapshot { head: self.head, standing: self.standing.clone() });
    }

    /// Plays a command.
    pub(crate) fn play(&mut self, submission: &Submission, document: Option<&Arc<Document>>) -> Expected {
        self.before_a_command();
        let before = self.head;
        let (actor, origin) = (&submission.actor, &submission.origin);
        let result = match &submission.command {
            Command::LinkBlob { repository, digest, size } => {
                self.link(actor, origin, repository.as_str(), &digest.to_string(), *size, None)
            }
            Command::MountBlob { repository, digest, from } => {
                self.mount(actor, origin, repository.as_str(), &digest.to_string(), from.as_str())
            }
            Command::DeleteBlob { repository, digest } => {
                self.delete_blob(actor, origin, repository.as_str(), &digest.to_string())
            }
            Command::PutManifest(put) => self.put(actor, origin, put, document.expect("a push has a document")),
            Command::DeleteManifest { repository, digest, .. } => {
                self.delete_manifest(actor, origin, repository.as_str(), &digest.to_string())
            }
            Command::DeleteRepository { repository } => self.delete_repository(actor, origin, repository.as_str()),
            Command::DeleteTag { repository, tag, .. } => {
                self.delete_tags(actor, origin, repository.as_str(), &[tag.to_string()])
            }
            Command::DeleteTags { repository, tags } => {
                let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
                self.delete_tags(actor, origin, repository.as_str(), &tags)
            }
            Command::EraseTag { repository, tag, because } => {
                self.erase(actor, origin, repository.as_str(), tag.as_str(), because.as_str())
            }
            Command::SetTag(set) => self.set(actor, origin, set),
            Command::CreatePolicy(create) => self.create_policy(actor, origin, create),
            Command::ActivatePolicy { policy } => self.activate_policy(actor, origin, &policy.to_string()),
            Command::ChangePolicy { policy, rule } => self.change_policy(actor, origin, &policy.to_string(), rule),
            Command::RemovePolicy { policy } => self.remove_policy(actor, origin, &policy.to_string()),
            Command::PruneTags(_) => panic!("a run is played by `prune`"),
            Command::IssueToken(_) | Command::RevokeToken { .. } => panic!("no script has tokens"),
            Command::Purge(_) | Command::DropContents(_) | Command::DropManifests(_) => {
                panic!("the script removes no bytes")
            }
        };
        self.record = None;
        match result {
            Err((refusal, attempts)) => {
                assert_eq!(self.head, before, "the account has changed something that it refuses");
                self.gather(actor, origin, refusal, attempts);
                Expected::Refused(refusal)
            }
            Ok(()) if self.head == before => Expected::Unchanged,
            Ok(()) => Expected::Committed(self.head.seq),
        }
    }

    /// What the writer does before it decides anything: it ends what has expired, and records what was refused.
    fn before_a_command(&mut self) {
        self.expire();
        if self.pending.first().is_some_and(|first| self.now - first.first >= 60_000_000) {
            self.record_refusals();
        }
        self.record = None;
    }

    /// A record begins.
    fn begin(&mut self, actor: &Actor, origin: &Origin) {
        self.head = At { seq: self.head.seq + 1, time: self.now.max(self.head.time.saturating_add(1)) };
        let origin = json!({
            "request_id": origin.request_id,
            "address": origin.address,
            "user_agent": origin.user_agent,
        });
        self.record = Some(Record { at: self.head, actor: actor_of(actor), origin, index: 0 });
    }

    /// One thing happened. The record that it happened in has begun.
    fn tell(&mut self, kind: &str, fields: Value) {
        let record = self.record.as_mut().expect("a record that has begun");
        let mut event = json!({
            "seq": record.at.seq,
            "index": record.index,
            "time": record.at.text(),
            "actor": record.actor,
            "origin": record.origin,
            "kind": kind,
        });
        record.index += 1;
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        self.happened.push(event);
    }
}

/// A refusal, with what was tried: on which tag, and with which digest.
type Refused = (Refusal, Vec<(Option<String>, Option<String>, String)>);

/// A refusal that is nobody's attempt to break a rule.
fn mistaken<T>(refusal: Refusal) -> Result<T, Refused> {
    Err((refusal, Vec::new()))
}

pub(crate) fn actor_of(actor: &Actor) -> Value {
    let kind = match actor.kind {
        ActorKind::User => "user",
        ActorKind::Anonymous => "anonymous",
        ActorKind::System => "system",
        ActorKind::Token => "token",
    };
    json!({ "kind": kind, "name": actor.name })
}
