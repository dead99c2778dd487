use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tagstone_replay::fold::{Moment, State};
use tagstone_schema::event::{Action, TokenScope};
use tagstone_schema::{ActorKind, Event, Id, Timestamp};

use super::*;
use crate::access::{Anonymous, BearerFault, RepositoryGlob, Rule, Secret, Subject};

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
    Known { users: Users::read(file.path()).unwrap(), rules: Arc::new(rules), issuer: None }
}

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// A gate of a registry that has issued no tokens.
async fn enter(gate: &Gate, header: Option<&[u8]>, address: Option<&str>) -> Result<Caller, NotAdmitted> {
    let address = address.map(|address| address.parse().unwrap());
    gate.admit(header, address, IssuedTokens::new(&State::default(), NOW)).await
}

fn renewed(gate: &Gate, caller: &Caller) -> Option<Caller> {
    gate.renewed(caller, IssuedTokens::new(&State::default(), NOW))
}

const NOW: Timestamp = Timestamp(1_000);

/// The name of whoever is admitted with this login, from an address.
async fn admit(gate: &Gate, header: &str, address: &str) -> Result<String, NotAdmitted> {
    let caller = enter(gate, Some(header.as_bytes()), Some(address)).await?;
    assert_eq!(caller.actor().kind == ActorKind::User, caller.is_known());
    Ok(caller.actor().name.to_string())
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
        let bearer = admit(&gate, "Bearer abc", "192.0.2.1").await;
        assert_eq!(bearer, Err(NotAdmitted::Bearer(BearerFault::NotTaken)));
        for header in ["", "Basic", "Bearer", "Digest username=alice", "Basic !!!!"] {
            assert_eq!(admit(&gate, header, "192.0.2.1").await, Err(NotAdmitted::Wrong), "{header}");
        }
        // Nobody is no user, and has no credentials.
        for caller in [enter(&gate, None, None).await.unwrap(), enter(&gate, Some(b"Basic Og=="), None).await.unwrap()]
        {
            assert!(!caller.is_known() && !caller.may_enter());
        }
        let root = enter(&gate, Some(basic("root:two:three").as_bytes()), None).await.unwrap();
        let alice = enter(&gate, Some(basic("alice:one").as_bytes()), None).await.unwrap();
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
        let alice = enter(&gate, Some(basic("alice:one").as_bytes()), None).await.unwrap();
        assert!(renewed(&gate, &alice).unwrap().may(Action::Pull, "a"));
        assert!(renewed(&gate, &gate.nobody()).is_some(), "nothing has changed");

        let users = gate_users(&gate);
        gate.replace(Known { users: users.clone(), ..Known::default() });
        assert!(alice.may(Action::Pull, "a") && !renewed(&gate, &alice).unwrap().may(Action::Pull, "a"));
        gate.replace(known(&[("bob", "one")]));
        assert!(renewed(&gate, &alice).is_none(), "she is gone");
        gate.replace(known(&[("alice", "two")]));
        assert!(renewed(&gate, &alice).is_none(), "she has another password");
        let rules = Rules { anonymous: Anonymous::Pull, ..Rules::default() };
        gate.replace(Known { users, rules: Arc::new(rules), issuer: None });
        let nobody = gate.nobody();
        assert!(renewed(&gate, &nobody).unwrap().may(Action::Pull, "a"));
        gate.replace(Known::default());
        assert!(renewed(&gate, &nobody).is_none(), "nobody may enter any more");
        assert!(renewed(&Gate::open(), &Caller::of_open_registry()).is_some());
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

/// A registry that has issued a token to a user, for pulling and deleting in `acme`, which ends at 2,000 us.
fn issued(user: &str) -> (State, Secret) {
    let token = Id([7; 16]);
    let secret = Secret::draw(token).unwrap();
    let scopes = vec![TokenScope { repositories: "acme/**".to_owned(), actions: vec![Action::Pull, Action::Delete] }];
    let event = Event::TokenIssued {
        token,
        subject: user.into(),
        scopes,
        secret_hash: secret.hash(),
        expires: Some(Timestamp(2_000)),
        label: "a token".into(),
    };
    let mut state = State::default();
    let started = Event::LogStarted { log: Id([1; 16]) };
    for (seq, event) in (1..).zip([&started, &event]) {
        state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, event).unwrap();
    }
    (state, secret)
}

#[test]
fn who_is_admitted_with_an_access_token() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one"), ("bob", "one")]), 1_000).unwrap();
        let (state, secret) = issued("alice");
        let text = secret.text();
        let of = async |header: String, now: i64| {
            gate.admit(Some(header.as_bytes()), None, IssuedTokens::new(&state, Timestamp(now))).await
        };
        for header in [basic(&format!("alice:{text}")), basic(&format!("$token:{text}")), format!("Bearer {text}")] {
            let caller = of(header.clone(), 1_999).await.unwrap();
            assert_eq!(caller.actor().name, format!("alice/{}", Id([7; 16])), "{header}");
            // Any user may pull, and the token is for acme; nobody may delete.
            assert!(caller.may(Action::Pull, "acme/app") && !caller.may(Action::Pull, "labs/x"));
            assert!(!caller.may(Action::Delete, "acme/app") && !caller.may(Action::Push, "acme/app"));
            assert_eq!(of(header, 2_000).await.unwrap_err(), NotAdmitted::TokenExpired);
        }
        let other = Secret::draw(Id([7; 16])).unwrap();
        let unknown = Secret::draw(Id([8; 16])).unwrap();
        for header in [
            basic(&format!("bob:{text}")),
            basic(&format!(":{text}")),
            basic(&format!("alice:{}", other.text())),
            format!("Bearer {}", other.text()),
            format!("Bearer {}", unknown.text()),
        ] {
            assert_eq!(of(header.clone(), 1_999).await.unwrap_err(), NotAdmitted::Wrong, "{header}");
        }
    });
}

#[test]
fn a_token_ends_with_its_revocation_its_time_and_its_user() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one")]), 1_000).unwrap();
        let (state, secret) = issued("alice");
        let header = format!("Bearer {}", secret.text());
        let (state, header) = (&state, header.as_bytes());
        let at = |now| IssuedTokens::new(state, Timestamp(now));
        let caller = gate.admit(Some(header), None, at(1_999)).await.unwrap();
        assert!(gate.renewed(&caller, at(1_999)).unwrap().may(Action::Pull, "acme/app"));
        assert!(gate.renewed(&caller, at(2_000)).is_none());

        let mut revoked = state.clone();
        let event = Event::TokenRevoked { token: Id([7; 16]) };
        revoked.evolve(Moment { seq: 3, time: Timestamp(3) }, &event).unwrap();
        let revoked = IssuedTokens::new(&revoked, Timestamp(10));
        assert_eq!(gate.admit(Some(header), None, revoked).await.unwrap_err(), NotAdmitted::TokenRevoked);
        assert!(gate.renewed(&caller, revoked).is_none());

        // The rules of its user are those in force.
        gate.replace(Known { users: gate_users(&gate), ..Known::default() });
        assert!(!gate.renewed(&caller, at(10)).unwrap().may(Action::Pull, "acme/app"));
        gate.replace(known(&[("bob", "one")]));
        assert!(gate.renewed(&caller, at(10)).is_none());
        assert_eq!(gate.admit(Some(header), None, at(10)).await.unwrap_err(), NotAdmitted::TokenWithoutUser);
    });
}

#[test]
fn guessing_secrets_is_attempts_and_a_right_one_is_always_heard() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one")]), 2).unwrap();
        let (state, secret) = issued("alice");
        let of = async |secret: &str, now: i64| {
            let header = format!("Bearer {secret}");
            let tokens = IssuedTokens::new(&state, Timestamp(now));
            gate.admit(Some(header.as_bytes()), Some("192.0.2.1".parse().unwrap()), tokens).await
        };
        let wrong = Secret::draw(Id([7; 16])).unwrap();
        for _ in 0..10 {
            assert_eq!(of(secret.text(), 2_000).await.unwrap_err(), NotAdmitted::TokenExpired, "this is no guess");
        }
        for _ in 0..2 {
            assert_eq!(of(wrong.text(), 10).await.unwrap_err(), NotAdmitted::Wrong);
        }
        assert!(matches!(of(wrong.text(), 10).await.unwrap_err(), NotAdmitted::TooMany { .. }));
        assert!(of(secret.text(), 10).await.is_ok());
    });
}

#[test]
fn a_login_token_ends_with_the_login() {
    run(async {
        let gate = Gate::guarded(known(&[("alice", "one")]), 1_000).unwrap();
        let alice = enter(&gate, Some(basic("alice:one").as_bytes()), None).await.unwrap();
        let token = |caller: &Caller| gate.login_token(caller, NOW).map(|token| format!("Bearer {}", token.text));
        let (of_alice, of_nobody) = (token(&alice).unwrap(), token(&gate.nobody()).unwrap());
        let by = async |header: &str| enter(&gate, Some(header.as_bytes()), None).await;
        let again = by(&of_alice).await.unwrap();
        assert!(again.actor() == alice.actor() && again.may(Action::Pull, "a") && !again.is_user());
        assert!(!by(&of_nobody).await.unwrap().is_known());
        // It cannot be prolonged, and what was let in with it is not let in for longer.
        assert_eq!(token(&again), None);
        assert!(renewed(&gate, &again).is_some_and(|again| !again.is_user()));
        assert!(gate.renewed(&again, IssuedTokens::new(&State::default(), Timestamp(300_001_000))).is_none());

        gate.replace(known(&[("alice", "two")]));
        assert_eq!(by(&of_alice).await.unwrap_err(), NotAdmitted::LoginOver);
        assert!(renewed(&gate, &again).is_none());
        gate.replace(Known::default());
        assert_eq!(by(&of_alice).await.unwrap_err(), NotAdmitted::LoginOver);
        let other = Gate::guarded(known(&[("alice", "one")]), 1_000).unwrap();
        assert_eq!(enter(&other, Some(of_alice.as_bytes()), None).await.unwrap_err(), NotAdmitted::LoginOver);
    });
}
