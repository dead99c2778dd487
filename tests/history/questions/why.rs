//! Why a tag is protected, or its name spent.

use serde_json::{Value, json};

use super::state::scope;
use crate::account::{At, Standing};

/// What there is to be said of a name at an instant; none of a name that nobody knows.
pub(crate) fn why(standing: &Standing, (repository, tag): (&str, &str), was_there: bool, now: i64) -> Option<Value> {
    let shelf = standing.shelves.get(repository);
    let found = shelf.and_then(|shelf| shelf.tags.get(tag));
    let expired = found.filter(|_| !standing.is_live(repository, tag, now));
    let live = found.filter(|_| standing.is_live(repository, tag, now));
    let mut reasons: Vec<_> = standing
        .policies_on(repository, tag)
        .map(|(id, policy)| {
            json!({
                "kind": "policy", "policy": id, "scope": scope(&policy.scope),
                "pattern": policy.rule.pattern().map(|pattern| &pattern.regex),
                "since": policy.in_force.map(At::text), "seq": policy.in_force.map(|at| at.seq),
            })
        })
        .collect();
    if let Some(locked) = live.and_then(|tag| tag.locked) {
        reasons.push(json!({ "kind": "lock", "since": locked.text(), "seq": locked.seq }));
    }
    let protected = !reasons.is_empty();
    let written = standing.spent.get(&(repository.to_owned(), tag.to_owned()));
    let written = written.map(|(only, removed)| (only.clone(), removed.text(), Some(removed.seq)));
    let unwritten = expired.and_then(|tag| Some((tag.sealed.clone()?, crate::account::instant(tag.expires?), None)));
    let spent = unwritten.or(written);
    if shelf.is_none() && spent.is_none() && !was_there {
        return None;
    }
    let only = spent.as_ref().map(|(only, ..)| only.clone());
    if let Some((_, since, seq)) = spent {
        reasons.push(json!({ "kind": "spent", "since": since, "seq": seq }));
    }
    let digest = live.map(|tag| &tag.digest);
    Some(sorted(json!({
        "protected": protected, "spent": only.is_some(), "digest": digest, "reasons": reasons, "only_digest": only,
    })))
}

/// The order of policies in one scope is nobody's promise.
pub(crate) fn sorted(mut why: Value) -> Value {
    if let Some(Value::Array(reasons)) = why.get_mut("reasons") {
        reasons.sort_by_key(|reason| (reason["kind"].to_string(), reason["policy"].to_string()));
    }
    why
}
