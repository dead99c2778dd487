//! Made-up histories to measure with: pushes of images, as a build system makes them, and the days of a busy registry.

mod busy;

use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{
    Actor, Digest, EncodedRecord, Event, Head, Id, MediaType, Origin, Record, RepositoryName, Tag, Timestamp,
};

pub use busy::Busy;

/// A history, and where it has come to.
#[derive(Clone, Debug)]
pub struct History {
    head: Head,
    pushes: u64,
    repositories: u64,
    image: MediaType,
}

impl History {
    /// The history with its first record. The pushes go to so many repositories, in turn.
    ///
    /// # Panics
    ///
    /// Never: the names are valid.
    pub fn begin(repositories: u64) -> (Self, EncodedRecord) {
        let image = OCI_IMAGE.parse().expect("a media type");
        let mut history = Self { head: Head::default(), pushes: 0, repositories, image };
        let (_, first) = history.record(Actor::system("start"), vec![Event::LogStarted { log: Id([1; 16]) }]);
        (history, first)
    }

    /// The next push, as one record: config, layer, manifest, tag.
    ///
    /// # Panics
    ///
    /// Never: a push fits into a record.
    pub fn push(&mut self) -> (Record, EncodedRecord) {
        let (number, mut events) = self.image();
        let (repository, to) = (repository(number % self.repositories), digest(3 * number + 2));
        events.push(Event::TagMoved { repository, tag: tag(number), from: None, to });
        self.record(Actor::anonymous(), events)
    }

    /// The number of the next image, and what links and pushes it.
    fn image(&mut self) -> (u64, Vec<Event>) {
        self.pushes += 1;
        let number = self.pushes;
        let repository = repository(number % self.repositories);
        let [config, layer, manifest] = [0, 1, 2].map(|part| digest(3 * number + part));
        let linked = [linked(&repository, &config, 1_500), linked(&repository, &layer, 30_000_000)];
        let pushed = self.pushed(&repository, &manifest, &[config, layer]);
        (number, linked.into_iter().chain([pushed]).collect())
    }

    /// The next push, by digest alone: nothing is tagged.
    ///
    /// # Panics
    ///
    /// Never: a push fits into a record.
    pub fn push_untagged(&mut self) -> Record {
        let (_, events) = self.image();
        self.record(Actor::anonymous(), events).0
    }

    /// One more tag, on one of the first so many manifests.
    pub fn tag(&mut self, number: u64, manifests: u64) -> Record {
        let on = number % manifests + 1;
        let (repository, to) = (repository(on % self.repositories), digest(3 * on + 2));
        let moved = Event::TagMoved { repository, tag: tag(1_000_000_000 + number), from: None, to };
        self.record(Actor::anonymous(), vec![moved]).0
    }

    fn pushed(&self, repository: &RepositoryName, digest: &Digest, references: &[Digest]) -> Event {
        Event::ManifestPushed {
            repository: repository.clone(),
            digest: digest.clone(),
            size: 700,
            media_type: self.image.clone(),
            artifact_type: None,
            subject: None,
            references: references.iter().cloned().collect(),
        }
    }

    fn record(&mut self, actor: Actor, events: Vec<Event>) -> (Record, EncodedRecord) {
        let record = Record {
            format: FORMAT_VERSION,
            seq: self.head.seq + 1,
            time: Timestamp(1_700_000_000_000_000 + self.head.seq.cast_signed()),
            prev: self.head.hash,
            actor,
            origin: Origin::new("01f7c2".to_owned(), "192.0.2.17".to_owned(), "skopeo/1.18.0"),
            events,
        };
        let encoded = record.encode().expect("a push fits into a record");
        self.head = encoded.head();
        (record, encoded)
    }
}

fn repository(number: u64) -> RepositoryName {
    format!("acme/app-{number}").parse().expect("a repository name")
}

fn tag(number: u64) -> Tag {
    format!("build-{number}").parse().expect("a tag")
}

fn latest() -> Tag {
    "latest".parse().expect("a tag")
}

fn linked(repository: &RepositoryName, digest: &Digest, size: u64) -> Event {
    Event::BlobLinked { repository: repository.clone(), digest: digest.clone(), size, mounted_from: None }
}

/// A digest like those of real content: without any order.
fn digest(number: u64) -> Digest {
    let mut raw = [0; 32];
    let mut word = number;
    for bytes in raw.chunks_exact_mut(8) {
        bytes.copy_from_slice(&next(&mut word).to_le_bytes());
    }
    Digest::sha256(raw)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn next(word: &mut u64) -> u64 {
    *word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *word;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
