//! Access tokens: what may be issued and revoked, and what each becomes.

use tagstone_schema::event::{Action, TokenScope};
use tagstone_schema::limits::TOKENS_PER_USER;

use super::super::super::command::IssueToken;
use super::*;

fn id(n: u16) -> Id {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&n.to_be_bytes());
    Id(id)
}

fn scopes() -> Vec<TokenScope> {
    vec![TokenScope { repositories: "acme/**".to_owned(), actions: vec![Action::Pull] }]
}

fn issued(n: u16, subject: &str, expires: i64) -> Event {
    Event::TokenIssued {
        token: id(n),
        subject: subject.into(),
        scopes: scopes(),
        secret_hash: [7; 32],
        expires: Some(Timestamp(expires)),
        label: "a label".into(),
    }
}

fn revoked(n: u16) -> Event {
    Event::TokenRevoked { token: id(n) }
}

fn issue(n: u16, subject: &str, now: i64) -> Command {
    Command::IssueToken(Box::new(IssueToken {
        token: id(n),
        subject: subject.to_owned(),
        scopes: scopes(),
        secret_hash: [7; 32],
        expires: Timestamp(9_000_000),
        label: "a label".to_owned(),
        now: Timestamp(now),
    }))
}

#[test]
fn issuing_and_revoking() {
    let revoke = Command::RevokeToken { token: id(1) };
    let cases = [
        (vec![], issue(1, "alice", 10), Ok(vec![issued(1, "alice", 9_000_000)])),
        (vec![issued(1, "bob", 5)], issue(1, "alice", 10), Err(Rejection::TokenExists { token: id(1) })),
        (vec![], revoke.clone(), Err(Rejection::TokenUnknown { token: id(1) })),
        (vec![issued(1, "alice", 9)], revoke.clone(), Ok(vec![revoked(1)])),
        (vec![issued(1, "alice", 9), revoked(1)], revoke, Ok(vec![])),
    ];
    for (given_events, command, expected) in cases {
        assert_eq!(when(given(&given_events), &command), expected, "{command:?}");
    }
}

#[test]
fn a_user_has_so_many_that_count() {
    const DAY: i64 = 24 * 3_600 * 1_000_000;
    let most = u16::try_from(TOKENS_PER_USER).unwrap();
    let refused = Err(Rejection::TooManyTokens { subject: "alice".to_owned(), limit: TOKENS_PER_USER });
    let full = |expires| (1..=most).map(|n| issued(n, "alice", expires)).collect::<Vec<_>>();
    let all_revoked = |expires| full(expires).into_iter().chain((1..=most).map(revoked)).collect::<Vec<_>>();
    let one_revoked = full(9 * DAY).into_iter().chain([revoked(2)]).collect::<Vec<_>>();
    // What each has, and when the first of the next can be issued.
    let cases = [
        ("valid", full(9 * DAY), 9 * DAY),
        ("expired at once", full(2), DAY),
        ("revoked at once", all_revoked(9 * DAY), DAY),
        ("expired and revoked", all_revoked(2), DAY),
        ("one of them revoked", one_revoked, DAY),
    ];
    for (what, events, from) in cases {
        let state = given(&events);
        let latest = |n: u16| state.token(&id(n)).unwrap().issued.time.0;
        // A day is counted from the issue of each, and each is a record of its own here.
        let (before, behind) = if from == DAY { (latest(1) + from - 1, latest(most) + from) } else { (from - 1, from) };
        assert_eq!(when(given(&events), &issue(most + 1, "alice", before)), refused, "{what}");
        assert!(when(given(&events), &issue(most + 1, "alice", behind)).is_ok(), "{what}");
        assert!(when(given(&events), &issue(most + 1, "bob", before)).is_ok(), "{what}: each user has its own");
    }
}
