//! Which events somebody asks for.

use std::fmt::Display;

use tagstone_schema::{Actor, ActorKind, Digest, Namespace, RepositoryName, Seq, Tag, Timestamp};

use super::{AuditEvent, CauseKind, Kind, Touch};

/// A choice of events: those for which everything holds that is asked for here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this repository.
    pub repository: Option<RepositoryName>,
    /// In repositories below this namespace, and on policies of it or of one below it.
    pub namespace: Option<Namespace>,
    /// On tags of this name.
    pub tag: Option<Tag>,
    /// About this digest, as what was pushed or removed, or as where a tag points or pointed.
    pub digest: Option<Digest>,
    /// By this actor; what was refused to him as well.
    pub actor: Option<ActorName>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Ends of tags for this cause.
    pub cause: Option<CauseKind>,
    /// At this instant or later.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// In this record or a later one.
    pub from_seq: Option<Seq>,
    /// In this record or an earlier one.
    pub to_seq: Option<Seq>,
}

/// An actor as a filter names it: by name, or by kind and name (`system:prune`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorName {
    /// The kind, where it is given.
    pub kind: Option<ActorKind>,
    /// The name.
    pub name: String,
}

/// A filter that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A filter of that name does not exist.
    #[error("there is no filter `{0}`; there are {names}", names = Filter::NAMES.join(", "))]
    Unknown(String),
    /// It stands twice.
    #[error("the filter `{0}` is given more than once")]
    Twice(&'static str),
    /// Its value means nothing.
    #[error("the filter `{name}`: {why}")]
    Value {
        /// The filter.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing can lie between the bounds.
    #[error("nothing can be found: {0}")]
    Empty(&'static str),
}

impl Filter {
    /// The names of all filters.
    pub const NAMES: [&'static str; 11] =
        ["repository", "namespace", "tag", "digest", "actor", "kind", "cause", "since", "until", "from_seq", "to_seq"];

    /// Adds a filter by its name.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), FilterError> {
        match name {
            "repository" => set(&mut self.repository, "repository", value.parse()),
            "namespace" => set(&mut self.namespace, "namespace", value.parse()),
            "tag" => set(&mut self.tag, "tag", value.parse()),
            "digest" => set(&mut self.digest, "digest", value.parse()),
            "actor" => set(&mut self.actor, "actor", ActorName::of(value)),
            "kind" => set(&mut self.kind, "kind", value.parse()),
            "cause" => set(&mut self.cause, "cause", value.parse()),
            "since" => set(&mut self.since, "since", value.parse()),
            "until" => set(&mut self.until, "until", value.parse()),
            "from_seq" => set(&mut self.from_seq, "from_seq", seq(value)),
            "to_seq" => set(&mut self.to_seq, "to_seq", seq(value)),
            other => Err(FilterError::Unknown(other.chars().take(80).collect())),
        }
    }

    /// Checks that something can be found: filters that exclude each other are a mistake.
    pub fn check(&self) -> Result<(), FilterError> {
        if self.since.zip(self.until).is_some_and(|(since, until)| since >= until) {
            return Err(FilterError::Empty("`since` is not before `until`"));
        }
        if self.from_seq.zip(self.to_seq).is_some_and(|(from, to)| from > to) {
            return Err(FilterError::Empty("`from_seq` lies behind `to_seq`"));
        }
        Ok(())
    }

    /// Whether the filter selects an event.
    pub fn selects(&self, event: &AuditEvent<'_>) -> bool {
        let record = event.record;
        let in_time = self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && self.from_seq.is_none_or(|from| record.seq >= from)
            && self.to_seq.is_none_or(|to| record.seq <= to);
        let in_kind = self.kind.is_none_or(|kind| event.kind() == kind)
            && self.cause.is_none_or(|cause| event.cause() == Some(cause));
        let mut touches = false;
        if in_time && in_kind {
            event.touches(|touch| touches = touches || self.selects_touch(&record.actor, &touch));
        }
        touches
    }

    fn selects_touch(&self, actor: &Actor, touch: &Touch<'_>) -> bool {
        let below = |namespace: &Namespace| {
            touch.repository.is_some_and(|repository| namespace.contains(repository))
                || touch.namespace.is_some_and(|other| is_or_is_below(other, namespace))
        };
        self.repository.as_ref().is_none_or(|repository| touch.repository == Some(repository))
            && self.namespace.as_ref().is_none_or(below)
            && self.tag.as_ref().is_none_or(|tag| touch.tag == Some(tag))
            && self.digest.as_ref().is_none_or(|digest| [touch.digest, touch.from].contains(&Some(digest)))
            && self
                .actor
                .as_ref()
                .is_none_or(|wanted| wanted.is(actor) || touch.actor.is_some_and(|actor| wanted.is(actor)))
    }
}

impl ActorName {
    fn of(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty; give the name of an actor, or kind and name as in user:alice".to_owned());
        }
        let kinds = [
            ("user:", ActorKind::User),
            ("anonymous:", ActorKind::Anonymous),
            ("system:", ActorKind::System),
            ("token:", ActorKind::Token),
        ];
        let with_kind = kinds.iter().find_map(|(prefix, kind)| Some((Some(*kind), text.strip_prefix(prefix)?)));
        let (kind, name) = with_kind.unwrap_or((None, text));
        Ok(Self { kind, name: name.to_owned() })
    }

    fn is(&self, actor: &Actor) -> bool {
        self.kind.is_none_or(|kind| kind == actor.kind) && self.name == actor.name
    }
}

fn is_or_is_below(namespace: &Namespace, above: &Namespace) -> bool {
    let rest = namespace.as_str().strip_prefix(above.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn seq(text: &str) -> Result<Seq, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if is_number { text.parse().ok() } else { None };
    parsed.filter(|seq| *seq > 0).ok_or_else(|| {
        format!("`{}` is not the seq of a record; give an integer from 1", text.chars().take(80).collect::<String>())
    })
}

fn set<T, E: Display>(slot: &mut Option<T>, name: &'static str, value: Result<T, E>) -> Result<(), FilterError> {
    if slot.is_some() {
        return Err(FilterError::Twice(name));
    }
    *slot = Some(value.map_err(|why| FilterError::Value { name, why: why.to_string() })?);
    Ok(())
}
