//! The days of a busy registry: new images, tags that move, tags that are deleted or pruned, manifests that go.

use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{Actor, ActorKind, Digest, EncodedRecord, Event, Id, Record, RepositoryName, Tag};

use crate::{History, digest, linked, next, repository, tag};

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
}

impl Busy {
    /// The history with its first record. What happens is spread over so many repositories, at random.
    pub fn begin(repositories: u64) -> (Self, EncodedRecord) {
        let (history, first) = History::begin(repositories);
        let repositories = (0..repositories).map(|_| Contents::default()).collect();
        (Self { history, repositories, chance: 0, fresh: 0 }, first)
    }

    /// What happens next, as one record.
    pub fn act(&mut self) -> (Record, EncodedRecord) {
        let place = self.random(self.repositories.len());
        let name = repository(place as u64);
        let standing = self.repositories[place].tags.len();
        let events = match self.random(100) {
            // Most tags are new, and every fourth push moves one that is there.
            chance if chance < 60 || standing < 20 => self.push(place, name, None),
            chance if chance < 85 => {
                let which = self.random(standing);
                self.push(place, name, Some(which))
            }
            chance if chance < 93 => vec![self.end(place, name, 1, DeletionCause::Request)],
            chance if chance < 96 => {
                let cause = DeletionCause::Prune { policy: Id([2; 16]), run: Id([3; 16]) };
                vec![self.end(place, name, 10, cause)]
            }
            _ => {
                let which = self.random(standing);
                let (_, manifest) = self.repositories[place].tags.swap_remove(which);
                vec![Event::ManifestDeleted { repository: name, digest: digest(manifest) }]
            }
        };
        let actor = Actor { kind: ActorKind::User, name: format!("robot-{}", self.random(5)) };
        self.history.record(actor, events)
    }

    fn push(&mut self, place: usize, name: RepositoryName, moved: Option<usize>) -> Vec<Event> {
        let [config, layer, manifest, number] = [0, 1, 2, 3].map(|part| self.fresh + part);
        self.fresh += 5;
        let contents = &mut self.repositories[place];
        let mut events = Vec::new();
        let base = contents.base.get_or_insert_with(|| {
            let base = digest(self.fresh - 1);
            events.push(linked(&name, &base, 80_000_000));
            base
        });
        let references = [base.clone(), digest(config), digest(layer)];
        events.extend(references[1..].iter().map(|blob| linked(&name, blob, 3_000)));
        events.push(self.history.pushed(&name, &digest(manifest), &references));
        let (tag, from): (Tag, _) = match moved.and_then(|which| contents.tags.get_mut(which)) {
            Some((number, pointed)) => (tag(*number), Some(digest(std::mem::replace(pointed, manifest)))),
            None => {
                contents.tags.push((number, manifest));
                (tag(number), None)
            }
        };
        events.push(Event::TagMoved { repository: name, tag, from, to: digest(manifest) });
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

    fn random(&mut self, below: usize) -> usize {
        (next(&mut self.chance) >> 33) as usize % below
    }
}
