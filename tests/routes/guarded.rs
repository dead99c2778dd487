//! A registry that asks who comes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagstone::access::{Anonymous, RepositoryGlob, Rule, Subject};
use tagstone::settings::{Bearer, Settings};
use tagstone_schema::event::Action;
use tempfile::NamedTempFile;

use crate::issuer::{ISSUER, Issuer, SERVICE};
use crate::registry::Registry;

/// Whoever is known, and what each may do below `acme`: nothing, or more and more.
pub(crate) const USERS: [(&str, &[Action]); 5] = [
    ("stranger", &[]),
    ("reader", &[Action::Pull]),
    ("writer", &[Action::Pull, Action::Push]),
    ("deleter", &[Action::Pull, Action::Push, Action::Delete]),
    ("root", &[]),
];

/// What a user says in `Authorization`. The password is the name.
pub(crate) fn authorization(user: &str) -> String {
    login(user, user)
}

pub(crate) fn login(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Registry {
    /// From now on requests come from a user, unless they say otherwise.
    pub(crate) fn log_in(&self, user: &str) {
        self.authorize(Some(authorization(user)));
    }

    /// From now on requests come from nobody, unless they say otherwise.
    pub(crate) fn log_out(&self) {
        self.authorize(None);
    }
}

/// A rule for one user.
pub(crate) fn rule(user: &str, glob: &str, actions: &[Action]) -> Rule {
    Rule {
        subject: if user == "anonymous" { Subject::Anonymous } else { Subject::User(user.to_owned()) },
        repositories: vec![RepositoryGlob::parse(glob).unwrap()],
        actions: actions.iter().copied().collect(),
    }
}

/// A registry with all users, in which nobody is logged in yet.
pub(crate) async fn guarded(change: impl FnOnce(&mut Settings)) -> Registry {
    let lines = USERS.iter().map(|(user, _)| format!("{user}:{}\n", bcrypt::hash(user, 4).unwrap()));
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.collect::<String>()).unwrap();
    Registry::with(|settings| {
        settings.auth.htpasswd = Some(file.path().to_owned());
        settings.auth.admins = vec!["root".to_owned()];
        settings.auth.anonymous = Anonymous::None;
        settings.auth.access = USERS.iter().map(|(user, actions)| rule(user, "acme/**", actions)).collect();
        settings.limits.failed_logins = 1_000_000;
        change(settings);
    })
    .await
}

/// [`guarded`], where an outside issuer has a say too, and `boss` is an administrator by its tokens.
pub(crate) async fn with_issuer(issuer: &Issuer, change: impl FnOnce(&mut Settings)) -> Registry {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), issuer.jwks()).unwrap();
    guarded(|settings| {
        settings.auth.bearer = Some(Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: SERVICE.to_owned(),
            issuer: ISSUER.to_owned(),
            jwks: file.path().to_owned(),
            admins: vec!["boss".to_owned()],
        });
        change(settings);
    })
    .await
}
