//! The rules of access: who may do what in which repositories.

use std::collections::BTreeSet;

use tagstone_schema::event::Action;

use super::RepositoryGlob;

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(String),
    /// Any user, whoever it is.
    AnyUser,
    /// Whoever gives no credentials.
    Anonymous,
}

/// What those whom it is about may do in the repositories that it is about. No action at all is a rule too: it forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is about.
    pub subject: Subject,
    /// Which repositories it is about.
    pub repositories: Vec<RepositoryGlob>,
    /// What is allowed.
    pub actions: BTreeSet<Action>,
}

/// What clients without credentials may do where no rule is about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// Nothing.
    #[default]
    None,
    /// Pull from everywhere.
    Pull,
}

/// All rules. The first one that is about the client and the repository decides; where none is, there is no access.
///
/// A user may always do at least what somebody may who gives no credentials, unless a rule about the user says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// In order.
    pub rules: Vec<Rule>,
    /// Who may do everything, everywhere.
    pub administrators: BTreeSet<String>,
    /// What is so where no rule says anything.
    pub anonymous: Anonymous,
}

impl Rules {
    /// Whether a user, or with `None` somebody without credentials, may do something in a repository.
    pub fn allow(&self, user: Option<&str>, action: Action, repository: &str) -> bool {
        if user.is_some_and(|user| self.administrators.contains(user)) {
            return true;
        }
        let decision = user.and_then(|user| self.first(repository, |subject| subject.is_user(user)));
        let decision = decision.or_else(|| self.first(repository, |subject| *subject == Subject::Anonymous));
        match decision {
            Some(rule) => rule.actions.contains(&action),
            None => self.anonymous == Anonymous::Pull && action == Action::Pull,
        }
    }

    /// Whether somebody without credentials may do anything at all, anywhere.
    pub fn admit_anonymous(&self) -> bool {
        let grants = |rule: &Rule| rule.subject == Subject::Anonymous && !rule.actions.is_empty();
        self.anonymous == Anonymous::Pull || self.rules.iter().any(grants)
    }

    /// Whether a user, or with `None` somebody without credentials, may do anything at all. A rule that stands behind another which
    /// covers it counts too: this is no promise, but keeps those out whom nobody has given anything.
    pub fn allow_something(&self, user: Option<&str>) -> bool {
        let grants = |rule: &Rule| user.is_some_and(|user| rule.subject.is_user(user)) && !rule.actions.is_empty();
        user.is_some_and(|user| self.administrators.contains(user))
            || self.admit_anonymous()
            || self.rules.iter().any(grants)
    }

    fn first(&self, repository: &str, is_about: impl Fn(&Subject) -> bool) -> Option<&Rule> {
        let is_there = |rule: &&Rule| rule.repositories.iter().any(|glob| glob.matches(repository));
        self.rules.iter().filter(|rule| is_about(&rule.subject)).find(is_there)
    }
}

impl Subject {
    fn is_user(&self, name: &str) -> bool {
        match self {
            Self::User(user) => user == name,
            Self::AnyUser => true,
            Self::Anonymous => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Action; 3] = [Action::Pull, Action::Push, Action::Delete];

    fn rule(subject: &str, repositories: &[&str], actions: &str) -> Rule {
        let subject = match subject {
            "*" => Subject::AnyUser,
            "anonymous" => Subject::Anonymous,
            user => Subject::User(user.to_owned()),
        };
        let repositories = repositories.iter().map(|glob| RepositoryGlob::parse(glob).unwrap()).collect();
        let actions = ALL.into_iter().zip("lpd".chars()).filter(|(_, letter)| actions.contains(*letter));
        Rule { subject, repositories, actions: actions.map(|(action, _)| action).collect() }
    }

    /// What is allowed, as letters: pull, push, delete.
    fn allowed(rules: &Rules, user: Option<&str>, repository: &str) -> String {
        let letters = ALL.into_iter().zip("lpd".chars());
        letters.filter(|(action, _)| rules.allow(user, *action, repository)).map(|(_, letter)| letter).collect()
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = |anonymous| Rules {
            rules: vec![
                rule("alice", &["acme/secret"], ""),
                rule("alice", &["acme/**", "labs/*"], "lpd"),
                rule("*", &["acme/**"], "l"),
                rule("bob", &["acme/app"], "lp"),
                rule("bob", &["bob/**"], "lpd"),
                rule("anonymous", &["public/**"], "l"),
                rule("anonymous", &["inbox"], "p"),
            ],
            administrators: ["root".to_owned()].into(),
            anonymous,
        };
        let cases = [
            (Some("alice"), "acme/app", "lpd", "lpd"),
            (Some("alice"), "acme/secret", "", ""),
            (Some("alice"), "labs/x", "lpd", "lpd"),
            (Some("alice"), "labs/x/y", "", "l"),
            (Some("alice"), "public/x", "l", "l"),
            // The rule for any user comes before the one for bob.
            (Some("bob"), "acme/app", "l", "l"),
            (Some("bob"), "bob/x", "lpd", "lpd"),
            (Some("bob"), "inbox", "p", "p"),
            (Some("anonymous"), "nowhere", "", "l"),
            (Some("root"), "acme/secret", "lpd", "lpd"),
            (None, "acme/app", "", "l"),
            (None, "public/x", "l", "l"),
            (None, "inbox", "p", "p"),
        ];
        for (user, repository, none, pull) in cases {
            assert_eq!(allowed(&rules(Anonymous::None), user, repository), none, "{user:?} {repository}");
            assert_eq!(allowed(&rules(Anonymous::Pull), user, repository), pull, "{user:?} {repository}");
        }
        assert!(rules(Anonymous::None).admit_anonymous());
        assert!(!Rules { rules: vec![rule("anonymous", &["**"], "")], ..Rules::default() }.admit_anonymous());
        assert!(!Rules { rules: vec![rule("*", &["**"], "l")], ..Rules::default() }.admit_anonymous());
        assert!(Rules { anonymous: Anonymous::Pull, ..Rules::default() }.admit_anonymous());
    }
}
