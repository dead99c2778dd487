//! A made-up history to measure with: pushes of images to a few repositories, as a build system makes them.

use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{
    Actor, Digest, EncodedRecord, Event, Head, Id, MediaType, Origin, Record, RepositoryName, Tag, Timestamp,
};

/// Events of one push: config, layer, manifest, tag.
pub const EVENTS_OF_A_PUSH: u64 = 4;
/// Repositories that the pushes go to, in turn.
const REPOSITORIES: u64 = 10;

/// A history, and where it has come to.
#[derive(Clone, Debug)]
pub struct History {
    head: Head,
    pushes: u64,
    image: MediaType,
}

impl History {
    /// The history with its first record.
    ///
    /// # Panics
    ///
    /// Never: the names are valid.
    pub fn begin() -> (Self, EncodedRecord) {
        let mut history = Self { head: Head::default(), pushes: 0, image: OCI_IMAGE.parse().expect("a media type") };
        let (_, first) = history.record(vec![Event::LogStarted { log: Id([1; 16]) }]);
        (history, first)
    }

    /// The next push, as one record.
    ///
    /// # Panics
    ///
    /// Never: a push fits into a record.
    pub fn push(&mut self) -> (Record, EncodedRecord) {
        self.pushes += 1;
        let number = self.pushes;
        let repository: RepositoryName =
            format!("acme/app-{}", number % REPOSITORIES).parse().expect("a repository name");
        let tag: Tag = format!("build-{number}").parse().expect("a tag");
        let [config, layer, manifest] = [0, 1, 2].map(|part| digest(3 * number + part));
        let linked = |digest: &Digest, size| Event::BlobLinked {
            repository: repository.clone(),
            digest: digest.clone(),
            size,
            mounted_from: None,
        };
        let events = vec![
            linked(&config, 1_500),
            linked(&layer, 30_000_000),
            Event::ManifestPushed {
                repository: repository.clone(),
                digest: manifest.clone(),
                size: 700,
                media_type: self.image.clone(),
                artifact_type: None,
                subject: None,
                references: [config, layer].into_iter().collect(),
            },
            Event::TagMoved { repository, tag, from: None, to: manifest },
        ];
        self.record(events)
    }

    fn record(&mut self, events: Vec<Event>) -> (Record, EncodedRecord) {
        let record = Record {
            format: FORMAT_VERSION,
            seq: self.head.seq + 1,
            time: Timestamp(1_700_000_000_000_000 + self.head.seq.cast_signed()),
            prev: self.head.hash,
            actor: Actor::anonymous(),
            origin: Origin::new("01f7c2".to_owned(), "192.0.2.17".to_owned(), "skopeo/1.18.0"),
            events,
        };
        let encoded = record.encode().expect("a push fits into a record");
        self.head = encoded.head();
        (record, encoded)
    }
}

/// A digest like those of real content: without any order.
fn digest(number: u64) -> Digest {
    let mut raw = [0; 32];
    let mut word = number;
    for bytes in raw.chunks_exact_mut(8) {
        // SplitMix64 (Steele, Lea, Flood 2014).
        word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = word;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.copy_from_slice(&(mixed ^ mixed >> 31).to_le_bytes());
    }
    Digest::sha256(raw)
}
