//! Who holds what, compared with a plain map, also for digests that the index takes for each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use proptest::prelude::*;
use tagstone_schema::event::RemovedContent;
use tagstone_schema::{Event, Id};

use super::*;
use crate::fold::state::Moment;

fn digest(number: u64) -> Digest {
    let mut raw = [0; 32];
    raw[..8].copy_from_slice(&number.to_le_bytes());
    Digest::sha256(raw)
}

fn repository(number: usize) -> RepositoryName {
    format!("r{number}").parse().unwrap()
}

/// A way of hashing, and four digests of which it takes two times two for each other.
static CONFUSED: LazyLock<(RandomState, [Digest; 4])> = LazyLock::new(|| {
    let (hashing, mut seen, mut found) = (RandomState::default(), HashMap::new(), Vec::new());
    let mut digests = (0..).map(digest);
    while found.len() < 4 {
        let digest = digests.next().unwrap();
        // The index keeps the lower half of a hash.
        if let Some(other) = seen.insert(hashing.hash_one(&digest) & 0xffff_ffff, digest.clone()) {
            found.extend([other, digest]);
        }
    }
    (hashing, found.try_into().unwrap())
});

/// What a naive registry knows.
#[derive(Default)]
struct Model {
    held: BTreeMap<Digest, BTreeSet<RepositoryName>>,
    loose: BTreeMap<Digest, Timestamp>,
}

impl Model {
    fn hold(&mut self, digest: &Digest, name: &RepositoryName) {
        self.held.entry(digest.clone()).or_default().insert(name.clone());
        self.loose.remove(digest);
    }

    fn forget(&mut self, digest: &Digest, name: &RepositoryName, at: Timestamp) {
        if let Some(names) = self.held.get_mut(digest)
            && names.remove(name)
            && names.is_empty()
        {
            self.loose.insert(digest.clone(), at);
        }
    }
}

proptest! {
    #[test]
    fn holders_are_those_of_a_plain_map(
        acts in proptest::collection::vec((0usize..4, 0usize..4, 0u8..8), 0..120),
        alone in any::<bool>(),
    ) {
        let mut state = if alone { State::alone() } else { State::default() };
        let (hashing, digests) = &*CONFUSED;
        state.contents.hashing = hashing.clone();
        let moment = |time: i64| Moment { seq: time.cast_unsigned(), time: Timestamp(time) };
        state.evolve(moment(1), &Event::LogStarted { log: Id([1; 16]) }).unwrap();
        let mut model = Model::default();
        for (time, (which, name, what)) in (2..).zip(acts) {
            let (digest, repository, at) = (digests[which].clone(), repository(name), moment(time));
            let event = match what {
                0..4 => Event::BlobLinked { repository: repository.clone(), digest: digest.clone(), size: 1, mounted_from: None },
                4 | 5 => Event::BlobUnlinked { repository: repository.clone(), digest: digest.clone() },
                6 => Event::RepositoryDeleted { repository: repository.clone() },
                _ => {
                    let content = RemovedContent { digest: digest.clone(), size: 1, content: ContentKind::Blob };
                    Event::ContentCollected { contents: vec![content] }
                }
            };
            if state.evolve(at, &event).is_ok() {
                match event {
                    Event::BlobLinked { .. } => model.hold(&digest, &repository),
                    Event::BlobUnlinked { .. } => model.forget(&digest, &repository, at.time),
                    Event::RepositoryDeleted { .. } => {
                        digests.iter().for_each(|digest| model.forget(digest, &repository, at.time));
                    }
                    _ => drop(model.loose.remove(&digest)),
                }
            } else if what == 7 {
                prop_assert!(model.held.get(&digest).is_some_and(|names| !names.is_empty()));
            }
            for digest in digests {
                let names = model.held.get(digest).cloned().unwrap_or_default();
                prop_assert!(state.holders(digest).eq(&names), "{digest}");
                let loose = state.loose(digest).map(|loose| loose.since);
                prop_assert_eq!(loose, model.loose.get(digest).copied());
                prop_assert_eq!(state.knows(digest), loose.is_some() || !names.is_empty());
            }
            let known = digests.iter().filter(|digest| state.knows(digest)).count();
            prop_assert_eq!((state.contents.len(), state.all_loose().count()), (known, model.loose.len()));
            // What is vacant is used again before there are more; all of it may be vacant.
            let (entries, vacant) = (state.contents.entries.len(), state.contents.vacant.len());
            prop_assert!(entries <= digests.len() && entries - vacant == known);
        }
    }
}
