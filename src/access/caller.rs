//! Whoever has sent a request, and what it may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use tagstone_schema::event::Action;
use tagstone_schema::{Actor, ActorKind, Id, Timestamp};

use super::{Granted, RepositoryGlob, Rules};

/// Something that an access token is for, within what the rules say.
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
    /// For whoever holds a login token, when that is over.
    until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Authority {
    /// Access is not controlled: everybody may do everything.
    Open,
    /// What the rules say of a user, or of somebody without credentials.
    Rules(Arc<Rules>),
    /// What the rules say of the user to whom an access token belongs, and of that only what the token is for.
    Token(Arc<Within>),
    /// What an outside issuer has granted, whatever the rules say.
    Granted(Arc<Granted>),
}

/// What the holder of an access token may do.
#[derive(Debug)]
struct Within {
    token: Id,
    user: String,
    rules: Arc<Rules>,
    scopes: Arc<[Grant]>,
}

impl Caller {
    /// Anybody, where access is not controlled.
    pub fn of_open_registry() -> Self {
        Self { actor: Actor::anonymous(), authority: Authority::Open, login: 0, until: None }
    }

    /// Somebody without credentials.
    pub fn anonymous(rules: Arc<Rules>) -> Self {
        Self { actor: Actor::anonymous(), authority: Authority::Rules(rules), login: 0, until: None }
    }

    /// A user.
    pub fn user(name: &str, rules: Arc<Rules>) -> Self {
        let actor = Actor { kind: ActorKind::User, name: name.into() };
        Self { actor, authority: Authority::Rules(rules), login: 0, until: None }
    }

    /// The same caller, with what its login was held against.
    pub(super) fn logged_in_by(self, login: u64) -> Self {
        Self { login, ..self }
    }

    /// The same caller, by a login token instead of what was shown for it.
    pub(super) fn by_login_token(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }

    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    pub(super) fn login(&self) -> u64 {
        self.login
    }

    /// Whether these are the rules that the caller is judged by, or none are.
    pub(super) fn is_judged_by(&self, rules: &Arc<Rules>) -> bool {
        match &self.authority {
            Authority::Rules(own) => Arc::ptr_eq(own, rules),
            Authority::Token(own) => Arc::ptr_eq(&own.rules, rules),
            Authority::Open | Authority::Granted(_) => true,
        }
    }

    /// Somebody with an access token that belongs to a user. The log tells both, the user and the token.
    pub fn token(token: Id, user: &str, rules: Arc<Rules>, scopes: Arc<[Grant]>) -> Self {
        let actor = Actor { kind: ActorKind::Token, name: format!("{user}/{token}").into() };
        let within = Within { token, user: user.to_owned(), rules, scopes };
        Self { actor, authority: Authority::Token(Arc::new(within)), login: 0, until: None }
    }

    /// A user of an outside issuer, who has granted this; without a name, somebody to whom it was granted without credentials.
    pub fn granted(name: Option<&str>, granted: Granted) -> Self {
        let user = |name: &str| Actor { kind: ActorKind::User, name: name.into() };
        let actor = name.map_or_else(Actor::anonymous, user);
        Self { actor, authority: Authority::Granted(Arc::new(granted)), login: 0, until: None }
    }

    /// The access token that was shown.
    pub fn token_id(&self) -> Option<Id> {
        if let Authority::Token(within) = &self.authority { Some(within.token) } else { None }
    }

    /// What an outside issuer has granted.
    pub(super) fn grants(&self) -> Option<&Granted> {
        if let Authority::Granted(granted) = &self.authority { Some(granted) } else { None }
    }

    /// Whether another token of the outside issuer who sends the caller could do more.
    pub fn is_sent_by_issuer(&self) -> bool {
        self.grants().is_some()
    }

    /// Whether it is by a wider token alone that the caller would be an administrator.
    pub fn may_become_administrator(&self) -> bool {
        self.grants().is_some_and(Granted::may_become_administrator)
    }

    /// Whether it is a user who has given a password: somebody who can answer for what is done in his name later.
    pub fn is_user(&self) -> bool {
        match &self.authority {
            Authority::Open => true,
            Authority::Rules(_) => self.is_known() && self.until.is_none(),
            Authority::Token(_) | Authority::Granted(_) => false,
        }
    }

    /// Whether the names of all repositories may be listed.
    pub fn sees_catalog(&self) -> bool {
        self.is_administrator() || self.grants().is_some_and(Granted::sees_catalog)
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
    /// machines, and for what it names. Nor does a login token, which clients of registries hold, who need nothing of the kind.
    pub fn is_administrator(&self) -> bool {
        match &self.authority {
            Authority::Open => true,
            Authority::Rules(rules) => self.is_user() && rules.administrators.contains(self.actor.name.as_str()),
            Authority::Token(_) => false,
            Authority::Granted(granted) => granted.is_administrator(),
        }
    }

    /// Whether the caller may do something in a repository.
    pub fn may(&self, action: Action, repository: &str) -> bool {
        match &self.authority {
            Authority::Open => true,
            Authority::Rules(rules) => {
                let user = self.is_known().then_some(self.actor.name.as_str());
                rules.allow(user, action, repository)
            }
            Authority::Token(within) => {
                let is_for = |grant: &Grant| grant.actions.contains(&action) && grant.repositories.matches(repository);
                within.scopes.iter().any(is_for) && within.rules.allow(Some(&within.user), action, repository)
            }
            Authority::Granted(granted) => granted.allow(action, repository),
        }
    }

    /// Whether there is any repository, existing or not, in which the caller may do something by the rules.
    pub fn may_do_something(&self) -> bool {
        match &self.authority {
            Authority::Open | Authority::Granted(_) => true,
            Authority::Rules(rules) => rules.allow_something(self.is_known().then_some(self.actor.name.as_str())),
            Authority::Token(within) => within.rules.allow_something(Some(&within.user)),
        }
    }

    /// Whether the caller may pull whatever there is, so that nothing has to be looked at one by one.
    pub fn sees_everything(&self) -> bool {
        self.is_administrator()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::granted::AccessEntry;
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
        let scopes: Arc<[Grant]> =
            [grant("acme/app", &[Action::Pull, Action::Delete]), grant("other/**", &[Action::Pull])].into();
        let token = |user| Caller::token(Id([7; 16]), user, rules(), scopes.clone());
        let grants = |access| {
            let access: Vec<AccessEntry> = serde_json::from_value(access).unwrap();
            Granted::new(&access, Timestamp(1), [0; 32])
        };
        let granted = |access| Caller::granted(Some("root"), grants(access));
        let named = |access| Caller::granted(Some("root"), grants(access).for_an_administrator());
        let push = || json!([{"type": "repository", "name": "acme/app", "actions": ["push"]}]);
        let catalog = || json!([{"type": "registry", "name": "catalog", "actions": ["*"]}]);
        // Each with: administrator; may enter; pull, push, delete in acme/app; pull in other/x.
        let cases = [
            (Caller::of_open_registry(), [true, true, true, true, true, true]),
            (Caller::anonymous(rules()), [false, false, false, false, false, false]),
            (Caller::user("alice", rules()), [false, true, true, true, false, false]),
            (Caller::user("root", rules()), [true, true, true, true, true, true]),
            // A token is for what both its scopes and its user's rules allow.
            (Caller::user("root", rules()).by_login_token(Timestamp(1)), [false, true, true, true, true, true]),
            (token("alice"), [false, true, true, false, false, false]),
            (token("root"), [false, true, true, false, true, true]),
            (token("nobody"), [false, true, false, false, false, false]),
            (granted(push()), [false, true, false, true, false, false]),
            (named(push()), [false, true, false, true, false, false]),
            (granted(catalog()), [false, true, false, false, false, false]),
            // Who is named has to show a token for it too.
            (named(catalog()), [true, true, true, true, true, true]),
            (
                granted(json!([{"type": "repository", "name": "acme/app", "actions": ["*", "fly"]}])),
                [false, true, true, true, true, false],
            ),
            // Names of an issuer are names and no globs, and other things are not repositories.
            (
                granted(json!([{"type": "repository", "name": "acme/**", "actions": ["*"]}])),
                [false, true, false, false, false, false],
            ),
            (
                granted(json!([{"type": "plugin", "name": "acme/app", "actions": ["*"]}])),
                [false, true, false, false, false, false],
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
    fn the_log_tells_the_token_and_its_user() {
        let token = Caller::token(Id([7; 16]), "alice", rules(), Arc::new([]));
        let expected = Actor { kind: ActorKind::Token, name: format!("alice/{}", Id([7; 16])).into() };
        assert_eq!(*token.actor(), expected);
        assert!(token.is_known() && !token.is_user());
        let nobody = Caller::granted(None, Granted::new(&[], Timestamp(1), [0; 32]));
        assert_eq!(*nobody.actor(), Actor::anonymous());
        assert!(!nobody.is_user() && !nobody.is_known());
    }

    #[test]
    fn a_name_alone_makes_no_administrator() {
        let rules = Arc::new(Rules { administrators: ["anonymous".to_owned()].into(), ..Rules::default() });
        let caller = Caller::anonymous(rules);
        assert!(!caller.is_administrator() && !caller.may(Action::Pull, "a"));
    }
}
