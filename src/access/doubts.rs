//! What is allowed to stand in the settings and hardly meant: users whom nobody knows, and rules that never decide anything.

use super::{Rule, Rules, Subject, Users};

/// What is doubtful, a sentence each. `users` is the file of users, if there is one.
pub fn doubts(rules: &Rules, users: Option<&Users>) -> Vec<String> {
    let is_unknown = |user: &str| users.is_none_or(|users| !users.has(user));
    let admins = rules.administrators.iter().filter(|admin| is_unknown(admin));
    let admins = admins.map(|admin| {
        format!("an administrator is not in the file of users, and cannot log in with a password: {admin:?}")
    });
    let subjects = (0..).zip(&rules.rules).filter_map(|(at, rule)| match &rule.subject {
        Subject::User(user) if is_unknown(user) => {
            Some(format!("{} is about a user who is not in the file of users, and about nobody else", named(at, rule)))
        }
        _ => None,
    });
    let covered = (0..).zip(&rules.rules).filter(|(at, rule)| is_covered(rule, &rules.rules[..*at]));
    let covered = covered.map(|(at, rule)| {
        format!("{} never decides anything: rules before it are about the same users and repositories", named(at, rule))
    });
    admins.chain(subjects).chain(covered).collect()
}

/// The rule, as whoever wrote it finds it.
fn named(at: usize, rule: &Rule) -> String {
    let subject = match &rule.subject {
        Subject::User(user) => user.as_str(),
        Subject::AnyUser => "*",
        Subject::Anonymous => "anonymous",
    };
    let globs: Vec<_> = rule.repositories.iter().map(|glob| format!("{:?}", glob.as_str())).collect();
    format!("[[access]] rule {} (subject {subject:?}, repositories [{}])", at + 1, globs.join(", "))
}

/// Whether each of a rule's globs stands, as it is written, in a rule before it that is about the same users, or all of them.
fn is_covered(rule: &Rule, before: &[Rule]) -> bool {
    let is_wider = |other: &Rule| match (&other.subject, &rule.subject) {
        (Subject::AnyUser, Subject::User(_)) => true,
        (one, other) => one == other,
    };
    rule.repositories.iter().all(|own| {
        let has_it = |other: &Rule| other.repositories.iter().any(|glob| glob == own || glob.as_str() == "**");
        before.iter().any(|other| is_wider(other) && has_it(other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::RepositoryGlob;

    fn rule(subject: Subject, globs: &[&str]) -> Rule {
        let repositories = globs.iter().map(|glob| RepositoryGlob::parse(glob).unwrap()).collect();
        Rule { subject, repositories, actions: [].into() }
    }

    #[test]
    fn what_is_doubted() {
        let user = |name: &str| Subject::User(name.to_owned());
        let users = Users::parse(format!("alice:{}\n", bcrypt::hash("x", 4).unwrap()).as_bytes()).unwrap();
        let rules = vec![
            rule(user("alice"), &["a/**"]),
            rule(user("bob"), &["b"]),
            rule(Subject::AnyUser, &["c/**", "d"]),
            rule(user("alice"), &["c/**", "a/**"]),
            rule(user("alice"), &["c/**", "e"]),
            rule(Subject::Anonymous, &["c/**"]),
            rule(Subject::AnyUser, &["**"]),
            rule(user("alice"), &["z"]),
            rule(Subject::Anonymous, &["z"]),
        ];
        let rules = Rules { rules, administrators: ["root".to_owned(), "alice".to_owned()].into(), ..Rules::default() };
        let told = doubts(&rules, Some(&users));
        let expected = [
            "an administrator is not in the file of users, and cannot log in with a password: \"root\"",
            "rule 2 (subject \"bob\", repositories [\"b\"]) is about a user who",
            "rule 4 (subject \"alice\", repositories [\"c/**\", \"a/**\"]) never decides",
            "rule 8 (subject \"alice\", repositories [\"z\"]) never decides",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected), "{told}");
        }
    }
}
