use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagstone_schema::ActorKind;
use tagstone_schema::event::Action;

use super::*;
use crate::access::{Anonymous, RepositoryGlob, Rule, Subject};

/// Runs what is asked of a gate.
fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Users with passwords at the lowest cost; any user may pull.
fn known(users: &[(&str, &str)]) -> Known {
    let lines = users.iter().map(|(user, password)| format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.collect::<String>()).unwrap();
    let rule = Rule {
        subject: Subject::AnyUser,
        repositories: vec![RepositoryGlob::parse("**").unwrap()],
        actions: [Action::Pull].into(),
    };
    let rules = Rules { rules: vec![rule], administrators: ["root".to_owned()].into(), anonymous: Anonymous::None };
    Known { users: Users::read(file.path()).unwrap(), rules: Arc::new(rules) }
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// The name of whoever is admitted with this login, from an address.
async fn admit(gate: &Gate, header: &str, address: &str) -> Result<String, NotAdmitted> {
    let caller = gate.admit(Some(header.as_bytes()), Some(address.parse().unwrap())).await?;
    assert_eq!(caller.actor().kind == ActorKind::User, caller.is_known());
    Ok(caller.actor().name.clone())
}

#[test]
fn who_is_admitted() {
    run(async {
        let long = "x".repeat(80);
        let users = [("alice", "one"), ("root", "two:three"), ("Zoë", "пароль"), ("none", ""), ("long", &long)];
        let gate = Gate::guarded(known(&users), 1_000).unwrap();
        for (login, name) in
            [("alice:one", "alice"), ("root:two:three", "root"), ("Zoë:пароль", "Zoë"), ("none:", "none")]
        {
            // The second time it is remembered.
            for _ in 0..2 {
                assert_eq!(admit(&gate, &basic(login), "192.0.2.1").await, Ok(name.to_owned()), "{login}");
            }
        }
        let cut = format!("long:{}", &long[..72]);
        for login in
            ["alice:two", "alice:", "alice:one ", "Alice:one", "bob:one", ":one", "alice:oneone", &cut, "long:x"]
        {
            assert_eq!(admit(&gate, &basic(login), "192.0.2.1").await, Err(NotAdmitted::Wrong), "{login}");
        }
        for header in ["", "Basic", "Bearer abc", "Digest username=alice", "Basic !!!!"] {
            assert_eq!(admit(&gate, header, "192.0.2.1").await, Err(NotAdmitted::Wrong), "{header}");
        }
        // Nobody is no user, and has no credentials.
        for caller in [gate.admit(None, None).await.unwrap(), gate.admit(Some(b"Basic Og=="), None).await.unwrap()] {
            assert!(!caller.is_known() && !caller.may_enter());
        }
        let root = gate.admit(Some(basic("root:two:three").as_bytes()), None).await.unwrap();
        let alice = gate.admit(Some(basic("alice:one").as_bytes()), None).await.unwrap();
        assert!(root.is_administrator() && !alice.is_administrator());
        assert!(alice.may(Action::Pull, "a") && !alice.may(Action::Push, "a"));
    });
}

#[test]
fn a_user_who_is_gone_is_refused_at_once() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one"), ("bob", "one")]), 1_000).unwrap();
        assert!(admit(&gate, &basic("alice:one"), "192.0.2.1").await.is_ok());
        gate.replace(known(&[("bob", "one")]));
        assert_eq!(admit(&gate, &basic("alice:one"), "192.0.2.1").await, Err(NotAdmitted::Wrong));
        gate.replace(known(&[("alice", "two")]));
        assert_eq!(admit(&gate, &basic("alice:one"), "192.0.2.1").await, Err(NotAdmitted::Wrong));
        assert!(admit(&gate, &basic("alice:two"), "192.0.2.1").await.is_ok());
        gate.replace(Known::default());
        assert_eq!(admit(&gate, &basic("alice:two"), "192.0.2.1").await, Err(NotAdmitted::Wrong));
    });
}

#[test]
fn who_was_admitted_is_judged_by_what_is_in_force() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one"), ("bob", "one")]), 1_000).unwrap();
        let alice = gate.admit(Some(basic("alice:one").as_bytes()), None).await.unwrap();
        assert!(gate.renewed(&alice).unwrap().may(Action::Pull, "a"));
        assert!(gate.renewed(&gate.nobody()).is_some(), "nothing has changed");

        let users = gate_users(&gate);
        gate.replace(Known { users: users.clone(), rules: Arc::default() });
        assert!(alice.may(Action::Pull, "a") && !gate.renewed(&alice).unwrap().may(Action::Pull, "a"));
        gate.replace(known(&[("bob", "one")]));
        assert!(gate.renewed(&alice).is_none(), "she is gone");
        gate.replace(known(&[("alice", "two")]));
        assert!(gate.renewed(&alice).is_none(), "she has another password");
        let rules = Rules { anonymous: Anonymous::Pull, ..Rules::default() };
        gate.replace(Known { users, rules: Arc::new(rules) });
        let nobody = gate.nobody();
        assert!(gate.renewed(&nobody).unwrap().may(Action::Pull, "a"));
        gate.replace(Known::default());
        assert!(gate.renewed(&nobody).is_none(), "nobody may enter any more");
        assert!(Gate::open().renewed(&Caller::of_open_registry()).is_some());
    });
}

/// The users that a gate knows.
fn gate_users(gate: &Gate) -> Users {
    match &*gate.0 {
        Kind::Guarded(guarded) => guarded.known.load().users.clone(),
        Kind::Open => panic!("an open gate knows nobody"),
    }
}

#[test]
fn whoever_fails_too_often_has_to_wait() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one"), ("bob", "two")]), 3).unwrap();
        assert!(admit(&gate, &basic("alice:one"), "192.0.2.1").await.is_ok());
        for number in 0..3 {
            let login = basic(&format!("user{number}:x"));
            assert_eq!(admit(&gate, &login, "192.0.2.1").await, Err(NotAdmitted::Wrong));
        }
        // The next ones are not even looked at, right or wrong; a login that is remembered is no attempt.
        for login in ["user9:x", "bob:three", "bob:two"] {
            let refused = admit(&gate, &basic(login), "192.0.2.1").await.unwrap_err();
            let NotAdmitted::TooMany { retry_after } = refused else { panic!("{login}: {refused}") };
            assert!((1..=20).contains(&whole_seconds(retry_after)), "{retry_after:?}");
        }
        assert!(admit(&gate, &basic("alice:one"), "192.0.2.1").await.is_ok());
        assert!(admit(&gate, &basic("bob:two"), "192.0.2.2").await.is_ok());
    });
}

#[test]
fn seconds_are_whole_and_enough() {
    for (millis, seconds) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2)] {
        assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis}");
    }
}
