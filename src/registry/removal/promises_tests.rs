//! Reservations and dooms exclude each other; what was told is heeded until a manifest keeps it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn digest(n: u8) -> Digest {
    Digest::sha256([n; 32])
}

fn told(repository: &str, at: i64, how: How) -> Told {
    let by = (how == How::Stored).then(|| client("one"));
    Told { repository: repository.parse().unwrap(), at: Timestamp(at), how, by }
}

fn client(name: &str) -> Actor {
    Actor { name: name.into(), ..Actor::anonymous() }
}

fn doomed(promises: &Arc<Promises>, numbers: &[u8], is_heeded: impl Fn(&Told) -> bool) -> (Doom, Vec<u8>) {
    let digests: Vec<_> = numbers.iter().map(|n| digest(*n)).collect();
    let doom = promises.doom(&digests, is_heeded);
    let taken = numbers.iter().copied().filter(|n| doom.digests().contains(&digest(*n))).collect();
    (doom, taken)
}

fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn what_is_written_is_not_removed_and_what_is_removed_not_written() {
    let promises = Promises::begin(Timestamp(0));
    let first = now(promises.reserve(&digest(1))).unwrap();
    let second = now(promises.reserve(&digest(1))).unwrap();
    assert_eq!(doomed(&promises, &[1, 2], |_| true).1, [2]);
    drop(first);
    assert!(doomed(&promises, &[1], |_| true).1.is_empty());
    drop(second);

    let (doom, taken) = doomed(&promises, &[1, 2], |_| true);
    assert_eq!(taken, [1, 2]);
    assert!(doomed(&promises, &[1], |_| true).1.is_empty(), "only one removes");
    assert!(!promises.is_free(&digest(1), |_| true));
    let one = digest(1);
    let mut waiting = pin!(promises.reserve(&one));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let mut telling = pin!(promises.tell(&one, told("a", 1, How::Found)));
    assert!(telling.as_mut().poll(&mut context).is_pending());
    drop(doom);
    assert!(waiting.as_mut().poll(&mut context).is_ready());
    assert!(telling.as_mut().poll(&mut context).is_ready());
    promises.forget_before(Timestamp(2));
    assert!(promises.entries().is_empty(), "nothing is left of what is over");
}

#[test]
fn what_was_told_is_heeded_as_long_as_it_has_to_be() {
    let promises = Promises::begin(Timestamp(0));
    let b: RepositoryName = "b".parse().unwrap();
    now(promises.tell(&digest(1), told("a", 10, How::Found))).unwrap();
    now(promises.tell(&digest(1), told("b", 20, How::Stored))).unwrap();
    // The clock may go backwards; what was told later stays so.
    now(promises.tell(&digest(1), told("b", 15, How::Stored))).unwrap();
    type Heeded = fn(&Told) -> bool;
    let cases: [(&str, Heeded, bool); 4] = [
        ("anything since 5", |told| told.at > Timestamp(5), false),
        ("anything since 20", |told| told.at > Timestamp(20), true),
        ("stored since 15", |told| told.at > Timestamp(15) && told.how == How::Stored, false),
        ("found since 10", |told| told.at > Timestamp(10) && told.how == How::Found, true),
    ];
    for (name, is_heeded, is_free) in cases {
        assert_eq!(promises.is_free(&digest(1), is_heeded), is_free, "{name}");
        assert_eq!(doomed(&promises, &[1], is_heeded).1.len(), usize::from(is_free), "{name}");
    }
    now(promises.tell(&digest(1), Told { by: Some(client("other")), ..told("b", 15, How::Stored) })).unwrap();
    promises.keep(&b, &client("one"), [&digest(1), &digest(9)]);
    assert!(!promises.is_free(&digest(1), |told| told.repository == b), "another has sent it too");
    promises.refused(&b, &client("one"), [&digest(1)]);
    assert!(!promises.is_free(&digest(1), |told| told.how == How::Stored), "that was refused to somebody else");
    promises.refused(&b, &client("other"), [&digest(1), &digest(9)]);
    assert!(promises.is_free(&digest(1), |told| told.how == How::Stored));
    assert!(!promises.is_free(&digest(1), |told| told.repository == b), "it may be pushed again");
    promises.keep(&b, &client("one"), [&digest(1)]);
    assert!(promises.is_free(&digest(1), |told| told.repository == b));
    assert!(!promises.is_free(&digest(1), |_| true), "another repository was told as well");
    promises.forget_before(Timestamp(10));
    assert!(!promises.is_free(&digest(1), |_| true));
    promises.forget_before(Timestamp(11));
    assert!(promises.is_free(&digest(1), |_| true) && promises.entries().is_empty());
}

#[test]
fn what_a_commit_lets_go_was_promised_in_vain() {
    let (a, b): (RepositoryName, RepositoryName) = ("a".parse().unwrap(), "b".parse().unwrap());
    let (repository, one) = (a.clone(), digest(1));
    let cases: [(Event, &[u8]); 4] = [
        (Event::BlobUnlinked { repository: a.clone(), digest: one.clone() }, &[1]),
        (Event::ManifestDeleted { repository: a.clone(), digest: one }, &[1]),
        (Event::RepositoryDeleted { repository: a }, &[1, 2]),
        (Event::RepositoryDeleted { repository: b }, &[]),
    ];
    for (event, let_go) in cases {
        let promises = Promises::begin(Timestamp(0));
        // The third was stored again behind the commit.
        for (n, at) in [(1, 10), (2, 9), (3, 11)] {
            now(promises.tell(&digest(n), told("a", at, How::Stored))).unwrap();
        }
        let committed = Committed { seq: Some(1), time: Some(Timestamp(10)), events: vec![event.clone()] };
        promises.let_go(&committed);
        for n in 1..=3 {
            let is_free = promises.is_free(&digest(n), |told| told.repository == repository);
            assert_eq!(is_free, let_go.contains(&n), "{event:?}: {n}");
        }
        assert_eq!(promises.entries().len(), 3 - let_go.len());
    }
}
