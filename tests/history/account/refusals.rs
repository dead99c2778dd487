//! What was tried and refused.

use serde_json::{Value, json};
use tagstone_schema::{Actor, Origin};

use super::{Account, Refusal, actor_of, instant};

/// The same attempt, made once or more often.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u64,
    /// Who tried what, and why it was refused.
    what: Value,
    /// The same as text.
    key: String,
}

impl Attempt {
    /// As it is told.
    pub(crate) fn form(&self) -> Value {
        let mut form = self.what.clone();
        if let Value::Object(form) = &mut form {
            form.insert("first".to_owned(), json!(instant(self.first)));
            form.insert("last".to_owned(), json!(instant(self.last)));
            form.insert("count".to_owned(), json!(self.count));
        }
        form
    }
}

impl Account {
    /// Keeps what was tried by a command that a rule has forbidden.
    pub(super) fn gather(
        &mut self,
        actor: &Actor,
        origin: &Origin,
        refusal: Refusal,
        attempts: Vec<(Option<String>, Option<String>, String)>,
    ) {
        let reason = match refusal {
            Refusal::Immutable => "TAG_IMMUTABLE",
            Refusal::Spent => "TAG_SPENT",
            Refusal::InUse => "IN_USE",
            _ => return,
        };
        for (tag, digest, repository) in attempts {
            let mut what = json!({
                "actor": actor_of(actor), "address": origin.address, "repository": repository, "reason": reason,
            });
            for (name, value) in [("tag", tag), ("digest", digest)] {
                if let (Value::Object(what), Some(value)) = (&mut what, value) {
                    what.insert(name.to_owned(), json!(value));
                }
            }
            let once = Attempt { first: self.now, last: self.now, count: 1, key: what.to_string(), what };
            for list in [&mut self.pending, &mut self.refused] {
                match list.iter_mut().find(|known| known.key == once.key) {
                    Some(known) => (known.last, known.count) = (self.now, known.count + 1),
                    None => list.push(once.clone()),
                }
            }
        }
    }

    /// Writes down what was refused since the last time, if anything was.
    pub(crate) fn record_refusals(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let Some(first) = pending.first() else { return };
        let last = pending.iter().map(|attempt| attempt.last).max().unwrap_or(first.first);
        let (first, last) = (instant(first.first), instant(last));
        self.begin(&Actor::system("refusals"), &Origin::default());
        let entries: Vec<_> = pending.iter().map(Attempt::form).collect();
        let fields = json!({ "first": first, "last": last, "entries": entries, "others": 0 });
        self.tell("attempts_refused", fields);
        self.record = None;
    }
}
