//! Policies, and what they protect.

use regex::Regex;
use serde_json::{Value, json};
use tagstone::registry::CreatePolicy;
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Actor, Origin};

use super::{Account, PolicyNow, Refusal, Refused, Standing, Status, mistaken};

type Done = Result<(), Refused>;

impl Standing {
    /// Whether a policy in force protects tags of this name.
    pub(crate) fn selects(&self, repository: &str, tag: &str) -> bool {
        self.policies_on(repository, tag).next().is_some()
    }

    /// Whether the tag, if there is one, is protected.
    pub(crate) fn protects(&self, repository: &str, tag: &str) -> bool {
        let standing = self.shelves.get(repository).and_then(|shelf| shelf.tags.get(tag));
        standing.is_some_and(|tag| tag.locked.is_some()) || self.selects(repository, tag)
    }

    /// The policies in force that protect tags of this name.
    pub(crate) fn policies_on<'a>(
        &'a self,
        repository: &'a str,
        tag: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a PolicyNow)> {
        self.policies.iter().filter(move |(_, policy)| {
            policy.status == Status::Active && contains(&policy.scope, repository) && policy.protects(tag)
        })
    }
}

impl PolicyNow {
    /// Whether its rule, were it in force, protects tags of this name.
    fn protects(&self, tag: &str) -> bool {
        match &self.rule {
            Rule::Immutability { pattern, include_referrer_tags } => {
                let matches = self.selects.as_ref().is_some_and(|selects| selects.is_match(tag));
                matches == pattern.matches && (*include_referrer_tags || !is_for_referrers(tag))
            }
            Rule::Prune { .. } => false,
        }
    }
}

/// By the words of the design, not by the code of the registry.
pub(crate) fn contains(scope: &Scope, repository: &str) -> bool {
    match scope {
        Scope::Registry => true,
        Scope::Namespace(namespace) => repository.starts_with(&format!("{namespace}/")),
        Scope::Repository(only) => repository == only.as_str(),
    }
}

fn is_for_referrers(tag: &str) -> bool {
    let digits = tag.strip_prefix("sha256-").unwrap_or_default().split('.').next().unwrap_or_default();
    digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn compiled(rule: &Rule) -> Option<Regex> {
    rule.pattern().map(|pattern| Regex::new(&format!("^(?:{})$", pattern.regex)).expect("a pattern of the script"))
}

fn is_immutability(rule: &Rule) -> bool {
    matches!(rule, Rule::Immutability { .. })
}

impl Account {
    pub(super) fn create_policy(&mut self, actor: &Actor, origin: &Origin, create: &CreatePolicy) -> Done {
        let CreatePolicy { policy, scope, rule, draft } = create;
        self.check_same(None, scope, rule)?;
        if !*draft {
            self.check_conflict(scope, rule)?;
        }
        self.begin(actor, origin);
        let made = PolicyNow {
            scope: scope.clone(),
            rule: rule.clone(),
            selects: compiled(rule),
            status: if *draft { Status::Draft } else { Status::Active },
            created: self.head,
            activated: (!draft).then_some(self.head),
            in_force: (!draft).then_some(self.head),
            retired: None,
        };
        self.standing.policies.insert(policy.to_string(), made);
        self.tell_policy(if *draft { "policy_drafted" } else { "policy_activated" }, &policy.to_string(), Some(rule));
        self.seal();
        Ok(())
    }

    pub(super) fn activate_policy(&mut self, actor: &Actor, origin: &Origin, id: &str) -> Done {
        let Some(policy) = self.standing.policies.get(id) else { return mistaken(Refusal::PolicyUnknown) };
        if policy.status != Status::Draft {
            return mistaken(Refusal::PolicyNotDraft);
        }
        let (scope, rule) = (policy.scope.clone(), policy.rule.clone());
        self.check_conflict(&scope, &rule)?;
        self.begin(actor, origin);
        let head = self.head;
        self.change_of(id, |policy| {
            (policy.status, policy.activated, policy.in_force) = (Status::Active, Some(head), Some(head));
        });
        self.tell_policy("policy_activated", id, Some(&rule));
        self.seal();
        Ok(())
    }

    pub(super) fn change_policy(&mut self, actor: &Actor, origin: &Origin, id: &str, rule: &Rule) -> Done {
        let policy = self.standing.policies.get(id).filter(|policy| policy.status != Status::Retired);
        let Some(policy) = policy else { return mistaken(Refusal::PolicyUnknown) };
        if policy.rule == *rule {
            return Ok(());
        }
        let (scope, is_active) = (policy.scope.clone(), policy.status == Status::Active);
        self.check_same(Some(id), &scope, rule)?;
        if is_active {
            self.check_conflict(&scope, rule)?;
        }
        self.begin(actor, origin);
        let head = self.head;
        self.change_of(id, |policy| {
            (policy.rule, policy.selects) = (rule.clone(), compiled(rule));
            policy.in_force = is_active.then_some(head);
        });
        self.tell_policy("policy_changed", id, Some(rule));
        self.seal();
        Ok(())
    }

    pub(super) fn remove_policy(&mut self, actor: &Actor, origin: &Origin, id: &str) -> Done {
        match self.standing.policies.get(id).map(|policy| policy.status) {
            None | Some(Status::Retired) => mistaken(Refusal::PolicyUnknown),
            Some(Status::Draft) => {
                self.begin(actor, origin);
                self.tell_policy("draft_removed", id, None);
                self.standing.policies.remove(id);
                Ok(())
            }
            Some(Status::Active) => {
                self.begin(actor, origin);
                let head = self.head;
                self.change_of(id, |policy| {
                    (policy.status, policy.retired, policy.in_force) = (Status::Retired, Some(head), None);
                });
                self.tell_policy("policy_retired", id, None);
                Ok(())
            }
        }
    }

    fn change_of(&mut self, id: &str, change: impl FnOnce(&mut PolicyNow)) {
        change(self.standing.policies.get_mut(id).expect("a policy to be changed"));
    }

    fn tell_policy(&mut self, kind: &str, id: &str, rule: Option<&Rule>) {
        let (namespace, repository) = match &self.standing.policies[id].scope {
            Scope::Registry => (None, None),
            Scope::Namespace(namespace) => (Some(namespace.to_string()), None),
            Scope::Repository(repository) => (None, Some(repository.to_string())),
        };
        let rule = rule.map_or(Value::Null, |rule| json!(rule));
        self.tell(kind, json!({ "policy": id, "rule": rule, "namespace": namespace, "repository": repository }));
    }

    /// A second policy that demands the same in the same scope is refused.
    fn check_same(&self, itself: Option<&str>, scope: &Scope, rule: &Rule) -> Done {
        let same = self.standing.policies.iter().any(|(id, other)| {
            let demands = match (is_immutability(&other.rule), is_immutability(rule)) {
                (true, true) => other.rule.pattern() == rule.pattern(),
                _ => other.rule == *rule,
            };
            other.status != Status::Retired && itself != Some(id) && other.scope == *scope && demands
        });
        if same { mistaken(Refusal::PolicyExists) } else { Ok(()) }
    }

    /// The only contradiction in the script: a pattern and its opposite, in scopes of which one contains the other.
    fn check_conflict(&self, scope: &Scope, rule: &Rule) -> Done {
        let Rule::Immutability { pattern, .. } = rule else { return Ok(()) };
        let contradicts = self.standing.policies.values().any(|other| {
            let opposite = other
                .rule
                .pattern()
                .is_some_and(|other| other.regex == pattern.regex && other.matches != pattern.matches);
            other.status == Status::Active && is_immutability(&other.rule) && opposite && overlap(&other.scope, scope)
        });
        if contradicts { mistaken(Refusal::PolicyConflict) } else { Ok(()) }
    }

    /// Whatever is protected now, is sealed at the digest that it points at.
    fn seal(&mut self) {
        let mut sealed = Vec::new();
        for (repository, shelf) in &self.standing.shelves {
            let protected = shelf.tags.keys().filter(|tag| self.standing.selects(repository, tag));
            sealed.extend(protected.map(|tag| (repository.clone(), tag.clone())));
        }
        for (repository, tag) in sealed {
            let tag = self.standing.shelves.get_mut(&repository).and_then(|shelf| shelf.tags.get_mut(&tag));
            if let Some(tag) = tag {
                tag.seal();
            }
        }
    }
}

fn overlap(one: &Scope, other: &Scope) -> bool {
    let name = |scope: &Scope| match scope {
        Scope::Registry => String::new(),
        Scope::Namespace(namespace) => namespace.to_string(),
        Scope::Repository(repository) => repository.to_string(),
    };
    one == other || contains(one, &name(other)) || contains(other, &name(one))
}
