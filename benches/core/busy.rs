//! The days of a busy registry: new images under a tag of their own and `latest`, tags that move, tags that are deleted or
//! pruned, manifests that go.

use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Actor, ActorKind, Digest, EncodedRecord, Event, Id, Record, RepositoryName, Tag};

use crate::{History, digest, latest, linked, next, repository, tag};

/// A history in which things also end, with what it must know of each repository to stay legal.
#[derive(Clone, Debug)]
pub struct Busy {
    history: History,
    repositories: Vec<Contents>,
    chance: u64,
    fresh: u64,
}

/// The tags of one repository, each with the number of its manifest, and the layer under all of its images.
#[derive(Clone, Debug, Default)]
struct Contents {
    base: Option<Digest>,
    tags: Vec<(u64, u64)>,
    /// The manifest that `latest` points at.
    latest: Option<u64>,
}

/// Records of a portion.
const PORTION: usize = 10_000;

impl Busy {
    /// The history with its first record. What happens is spread over so many repositories, at random.
    pub fn begin(repositories: u64) -> (Self, EncodedRecord) {
        let (history, first) = History::begin(repositories);
        let repositories = (0..repositories).map(|_| Contents::default()).collect();
        (Self { history, repositories, chance: 0, fresh: 0 }, first)
    }

    /// A history of at least so many events, a portion at a time, so that a long one takes no memory.
    ///
    /// # Panics
    ///
    /// Never: what was encoded is decoded.
    pub fn portions(repositories: u64, events: u64) -> impl Iterator<Item = Vec<(Record, EncodedRecord)>> {
        let (mut busy, first) = Self::begin(repositories);
        let mut first = Some((Record::decode(first.bytes()).expect("a record"), first));
        let mut made = 0;
        std::iter::from_fn(move || {
            let mut portion = Vec::with_capacity(PORTION);
            while made < events && portion.len() < PORTION {
                let next = first.take().unwrap_or_else(|| busy.record());
                made += next.0.events.len() as u64;
                portion.push(next);
            }
            (!portion.is_empty()).then_some(portion)
        })
    }

    /// What happens next, as one record.
    pub fn record(&mut self) -> (Record, EncodedRecord) {
        let place = self.random(self.repositories.len());
        let name = repository(place as u64);
        let standing = self.repositories[place].tags.len();
        let events = match self.random(100) {
            // Most tags are new, and every fourth push moves one that is there.
            chance if chance < 60 || standing < 20 => self.push(place, &name, None),
            chance if chance < 85 => {
                let which = self.random(standing);
                self.push(place, &name, Some(which))
            }
            chance if chance < 93 => vec![self.end(place, name, 1, DeletionCause::Request)],
            chance if chance < 96 => {
                let cause = DeletionCause::Prune { policy: Id([2; 16]), run: Id([3; 16]) };
                vec![self.end(place, name, 10, cause)]
            }
            _ => {
                let which = self.random(standing);
                let contents = &mut self.repositories[place];
                let (_, manifest) = contents.tags.swap_remove(which);
                // All tags end that point there.
                contents.latest = contents.latest.filter(|latest| *latest != manifest);
                vec![Event::ManifestDeleted { repository: name, digest: digest(manifest) }]
            }
        };
        let actor = Actor { kind: ActorKind::User, name: format!("robot-{}", self.random(5)).into() };
        self.history.record(actor, events)
    }

    fn push(&mut self, place: usize, name: &RepositoryName, moved: Option<usize>) -> Vec<Event> {
        let [config, layer, manifest, number] = [0, 1, 2, 3].map(|part| self.fresh + part);
        self.fresh += 5;
        let contents = &mut self.repositories[place];
        let mut events = Vec::new();
        let base = contents.base.get_or_insert_with(|| {
            let base = digest(self.fresh - 1);
            events.push(linked(name, &base, 80_000_000));
            base
        });
        let references = [base.clone(), digest(config), digest(layer)];
        events.extend(references[1..].iter().map(|blob| linked(name, blob, 3_000)));
        events.push(self.history.pushed(name, &digest(manifest), &references));
        let mut point = |tag: Tag, from: Option<u64>| {
            let (repository, from) = (name.clone(), from.map(digest));
            events.push(Event::TagMoved { repository, tag, from, to: digest(manifest) });
        };
        match moved.and_then(|which| contents.tags.get_mut(which)) {
            Some((number, pointed)) => point(tag(*number), Some(std::mem::replace(pointed, manifest))),
            None => {
                contents.tags.push((number, manifest));
                point(tag(number), None);
                point(latest(), contents.latest.replace(manifest));
            }
        }
        events
    }

    fn end(&mut self, place: usize, name: RepositoryName, count: usize, cause: DeletionCause) -> Event {
        let ended = (0..count).map(|_| {
            let which = self.random(self.repositories[place].tags.len());
            let (number, manifest) = self.repositories[place].tags.swap_remove(which);
            EndedTag { tag: tag(number), was: digest(manifest) }
        });
        Event::TagsDeleted { repository: name, tags: ended.collect(), cause }
    }

    /// A number below another one.
    fn random(&mut self, below: usize) -> usize {
        (next(&mut self.chance) >> 33) as usize % below
    }
}

#[cfg(test)]
mod tests {
    use tagstone_replay::fold::State;
    use tagstone_replay::log::StoredRecord;
    use tagstone_replay::log::chain::Chain;

    use super::*;

    #[test]
    fn a_busy_history_is_legal_and_much_happens_in_it() {
        let (mut chain, mut state) = (Chain::default(), State::default());
        let mut kinds = std::collections::BTreeMap::<_, u64>::new();
        for (_, encoded) in Busy::portions(10, 50_000).flatten() {
            let record = chain.next(&StoredRecord { seq: encoded.seq(), bytes: encoded.bytes().to_vec() }).unwrap();
            state.apply(&record).unwrap();
            for event in &record.events {
                let kind = match event {
                    Event::TagMoved { from: Some(_), .. } => "moved",
                    Event::TagMoved { from: None, .. } => "created",
                    Event::TagsDeleted { cause: DeletionCause::Request, .. } => "deleted",
                    Event::TagsDeleted { .. } => "pruned",
                    Event::ManifestDeleted { .. } => "manifest deleted",
                    Event::ManifestPushed { .. } => "pushed",
                    _ => "other",
                };
                *kinds.entry(kind).or_default() += 1;
            }
        }
        assert_eq!(kinds.len(), 7, "{kinds:?}");
        assert!(kinds.values().sum::<u64>() >= 50_000 && kinds.values().all(|count| *count >= 100), "{kinds:?}");
    }
}
