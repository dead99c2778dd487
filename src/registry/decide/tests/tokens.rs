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
        subject: subject.to_owned(),
        scopes: scopes(),
        secret_hash: [7; 32],
        expires: Some(Timestamp(expires)),
        label: "a label".to_owned(),
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
fn a_user_has_so_many_that_are_valid() {
    let most = u16::try_from(TOKENS_PER_USER).unwrap();
    let full: Vec<_> = (1..=most).map(|n| issued(n, "alice", if n == 1 { 50 } else { 100_000 })).collect();
    let refused = Err(Rejection::TooManyTokens { subject: "alice".to_owned(), limit: TOKENS_PER_USER });
    assert_eq!(when(given(&full), &issue(most + 1, "alice", 49)), refused);
    // Those that have ended do not count, and each user has its own.
    assert!(when(given(&full), &issue(most + 1, "alice", 50)).is_ok());
    assert!(when(given(&full), &issue(most + 1, "bob", 49)).is_ok());
    let mut events = full;
    events.push(revoked(2));
    assert!(when(given(&events), &issue(most + 1, "alice", 49)).is_ok());
}
