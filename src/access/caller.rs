//! Whoever has sent a request, and what it may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use tagstone_schema::event::Action;
use tagstone_schema::{Actor, ActorKind};

use super::{RepositoryGlob, Rules};

/// Something that is granted by name, beside or within what the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where.
    pub repositories: RepositoryGlob,
    /// What.
    pub actions: BTreeSet<Action>,
}

/// Whoever has sent a request, and what it may do. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Caller {
    actor: Actor,
    authority: Authority,
    /// What the login was held against, as a number that tells it from what stands there later; 0 where there was none.
    login: u64,
}

#[derive(Clone, Debug)]
enum Authority {
    /// Access is not controlled: everybody may do everything.
    Open,
    /// What the rules say of a user, or of somebody without credentials.
    Rules(Arc<Rules>),
    /// What the rules say of the user to whom an access token belongs, and of that only what the token is for.
    Within(Arc<Rules>, Arc<str>, Arc<[Grant]>),
    /// What an outside issuer has granted, whatever the rules say.
    Granted(Arc<[Grant]>),
}

impl Caller {
    /// Anybody, where access is not controlled.
    pub fn of_open_registry() -> Self {
        Self { actor: Actor::anonymous(), authority: Authority::Open, login: 0 }
    }

    /// Somebody without credentials.
    pub fn anonymous(rules: Arc<Rules>) -> Self {
        Self { actor: Actor::anonymous(), authority: Authority::Rules(rules), login: 0 }
    }

    /// A user.
    pub fn user(name: &str, rules: Arc<Rules>) -> Self {
        let actor = Actor { kind: ActorKind::User, name: name.to_owned() };
        Self { actor, authority: Authority::Rules(rules), login: 0 }
    }

    /// The same caller, with what its login was held against.
    pub(super) fn logged_in_by(self, login: u64) -> Self {
        Self { login, ..self }
    }

    pub(super) fn login(&self) -> u64 {
        self.login
    }

    /// Whether these are the rules that the caller is judged by, or none are.
    pub(super) fn is_judged_by(&self, rules: &Arc<Rules>) -> bool {
        match &self.authority {
            Authority::Rules(own) | Authority::Within(own, ..) => Arc::ptr_eq(own, rules),
            Authority::Open | Authority::Granted(_) => true,
        }
    }

    /// Somebody with an access token that belongs to a user. `id` is the token's.
    pub fn token(id: &str, user: &str, rules: Arc<Rules>, scopes: Vec<Grant>) -> Self {
        let actor = Actor { kind: ActorKind::Token, name: id.to_owned() };
        Self { actor, authority: Authority::Within(rules, user.into(), scopes.into()), login: 0 }
    }

    /// A user to whom an outside issuer has granted this.
    pub fn granted(name: &str, grants: Vec<Grant>) -> Self {
        let actor = Actor { kind: ActorKind::User, name: name.to_owned() };
        Self { actor, authority: Authority::Granted(grants.into()), login: 0 }
    }

    /// Whose changes the log calls them.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether credentials were given and were right.
    pub fn is_known(&self) -> bool {
        self.actor.kind != ActorKind::Anonymous
    }

    /// Whether the registry has anything for the caller: somebody without credentials may be turned away at once.
    pub fn may_enter(&self) -> bool {
        match &self.authority {
            Authority::Rules(rules) if !self.is_known() => rules.admit_anonymous(),
            _ => true,
        }
    }

    /// Whether the caller may do what only administrators may. An access token never may, whosever it is: it is for
    /// machines, and for what it names.
    pub fn is_administrator(&self) -> bool {
        match &self.authority {
            Authority::Open => true,
            Authority::Rules(rules) => self.is_known() && rules.administrators.contains(&self.actor.name),
            Authority::Within(..) | Authority::Granted(_) => false,
        }
    }

    /// Whether the caller may do something in a repository.
    pub fn may(&self, action: Action, repository: &str) -> bool {
        let are_for = |grants: &[Grant]| {
            grants.iter().any(|grant| grant.actions.contains(&action) && grant.repositories.matches(repository))
        };
        match &self.authority {
            Authority::Open => true,
            Authority::Rules(rules) => {
                let user = self.is_known().then_some(self.actor.name.as_str());
                rules.allow(user, action, repository)
            }
            Authority::Within(rules, user, scopes) => are_for(scopes) && rules.allow(Some(user), action, repository),
            Authority::Granted(grants) => are_for(grants),
        }
    }

    /// Whether the caller may pull whatever there is, so that nothing has to be looked at one by one.
    pub fn sees_everything(&self) -> bool {
        self.is_administrator()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Anonymous, Rule, Subject};

    fn rules() -> Arc<Rules> {
        let rule = Rule {
            subject: Subject::User("alice".to_owned()),
            repositories: vec![RepositoryGlob::parse("acme/**").unwrap()],
            actions: [Action::Pull, Action::Push].into(),
        };
        Arc::new(Rules { rules: vec![rule], administrators: ["root".to_owned()].into(), anonymous: Anonymous::None })
    }

    fn grant(glob: &str, actions: &[Action]) -> Grant {
        Grant { repositories: RepositoryGlob::parse(glob).unwrap(), actions: actions.iter().copied().collect() }
    }

    #[test]
    fn who_may_do_what() {
        let scopes = vec![grant("acme/app", &[Action::Pull, Action::Delete]), grant("other/**", &[Action::Pull])];
        let token = |user| Caller::token("id", user, rules(), scopes.clone());
        // Each with: administrator; may enter; pull, push, delete in acme/app; pull in other/x.
        let cases = [
            (Caller::of_open_registry(), [true, true, true, true, true, true]),
            (Caller::anonymous(rules()), [false, false, false, false, false, false]),
            (Caller::user("alice", rules()), [false, true, true, true, false, false]),
            (Caller::user("root", rules()), [true, true, true, true, true, true]),
            // A token is for what both its scopes and its user's rules allow.
            (token("alice"), [false, true, true, false, false, false]),
            (token("root"), [false, true, true, false, true, true]),
            (token("nobody"), [false, true, false, false, false, false]),
            (
                Caller::granted("root", vec![grant("acme/app", &[Action::Push])]),
                [false, true, false, true, false, false],
            ),
        ];
        for (caller, expected) in cases {
            let found = [
                caller.is_administrator(),
                caller.may_enter(),
                caller.may(Action::Pull, "acme/app"),
                caller.may(Action::Push, "acme/app"),
                caller.may(Action::Delete, "acme/app"),
                caller.may(Action::Pull, "other/x"),
            ];
            assert_eq!(found, expected, "{caller:?}");
        }
    }

    #[test]
    fn a_name_alone_makes_no_administrator() {
        let rules = Arc::new(Rules { administrators: ["anonymous".to_owned()].into(), ..Rules::default() });
        let caller = Caller::anonymous(rules);
        assert!(!caller.is_administrator() && !caller.may(Action::Pull, "a"));
    }
}
