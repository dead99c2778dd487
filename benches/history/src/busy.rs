//! A made-up log of a busy registry: builds that are pushed, tags that move with them, and old builds that are deleted.

use std::collections::VecDeque;

use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{
    Actor, ActorKind, Digest, EncodedRecord, Event, Head, Id, MediaType, Origin, Record, RepositoryName, Tag, Timestamp,
};

/// How a log is made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Repositories that the pushes go to, in turn.
    pub repositories: usize,
    /// Builds that each repository keeps; older ones are deleted with their blobs.
    pub kept: usize,
}

/// A registry that goes on and on.
pub struct Busy {
    shape: Shape,
    head: Head,
    pushes: u64,
    image: MediaType,
    repositories: Vec<Repository>,
    actors: Vec<Actor>,
}

struct Repository {
    name: RepositoryName,
    builds: VecDeque<Build>,
}

#[derive(Clone)]
struct Build {
    config: Digest,
    layer: Digest,
    manifest: Digest,
}

/// Where the log begins: November 2023.
const BEGIN: i64 = 1_700_000_000_000_000;

impl Busy {
    /// A registry without a record.
    ///
    /// # Panics
    ///
    /// Never: the names are valid.
    pub fn new(shape: Shape) -> Self {
        let repositories = (0..shape.repositories)
            .map(|number| Repository {
                name: format!("team-{}/app-{number}", number % 37).parse().expect("a repository name"),
                builds: VecDeque::new(),
            })
            .collect();
        let user = |number| Actor { kind: ActorKind::User, name: format!("builder-{number}") };
        let actors = (0..20).map(user).collect();
        let image = OCI_IMAGE.parse().expect("a media type");
        Self { shape, head: Head::default(), pushes: 0, image, repositories, actors }
    }

    /// How many pushes there were.
    pub fn pushes(&self) -> u64 {
        self.pushes
    }

    /// The repository and the tag of a push.
    pub fn tag_of(&self, push: u64) -> (String, String) {
        (self.repositories[self.place(push)].name.to_string(), format!("build-{push}"))
    }

    /// The next record, and how many events it has.
    ///
    /// # Panics
    ///
    /// Never: everything fits into a record.
    pub fn record(&mut self) -> (EncodedRecord, u64) {
        let events = match self.head.seq {
            0 => vec![Event::LogStarted { log: Id([7; 16]) }],
            1 => vec![releases_stay()],
            _ => self.next_events(),
        };
        let (seq, count) = (self.head.seq + 1, events.len() as u64);
        let place = usize::try_from(seq).unwrap_or_default() % self.actors.len();
        let record = Record {
            format: FORMAT_VERSION,
            seq,
            time: Timestamp(BEGIN + seq.cast_signed() * 10_000_000),
            prev: self.head.hash,
            actor: self.actors[place].clone(),
            origin: Origin::new(format!("{seq:x}-4f"), "192.0.2.17".to_owned(), "containerd/2.0.4"),
            events,
        };
        let encoded = record.encode().expect("it fits");
        self.head = encoded.head();
        (encoded, count)
    }

    fn place(&self, push: u64) -> usize {
        usize::try_from(push).unwrap_or_default() % self.repositories.len()
    }

    /// A push, or where a repository has more builds than it keeps the deletion of its oldest.
    fn next_events(&mut self) -> Vec<Event> {
        let (place, kept) = (self.place(self.pushes), self.shape.kept);
        let repository = &mut self.repositories[place];
        if repository.builds.len() > kept
            && let Some(oldest) = repository.builds.pop_front()
        {
            let name = &repository.name;
            return vec![
                Event::ManifestDeleted { repository: name.clone(), digest: oldest.manifest },
                Event::BlobUnlinked { repository: name.clone(), digest: oldest.config },
                Event::BlobUnlinked { repository: name.clone(), digest: oldest.layer },
            ];
        }
        self.pushes += 1;
        self.push(place, self.pushes - 1)
    }

    fn push(&mut self, place: usize, number: u64) -> Vec<Event> {
        let image = self.image.clone();
        let repository = &mut self.repositories[place];
        let name = &repository.name;
        let [config, layer, manifest] = [0, 1, 2].map(|part| digest(3 * number + part));
        let linked = |digest: &Digest, size| Event::BlobLinked {
            repository: name.clone(),
            digest: digest.clone(),
            size,
            mounted_from: None,
        };
        let build: Tag = format!("build-{number}").parse().expect("a tag");
        let latest: Tag = "latest".parse().expect("a tag");
        let before = repository.builds.back().map(|build| build.manifest.clone());
        let events = vec![
            linked(&config, 1_500),
            linked(&layer, 30_000_000),
            Event::ManifestPushed {
                repository: name.clone(),
                digest: manifest.clone(),
                size: 700,
                media_type: image,
                artifact_type: None,
                subject: None,
                references: [config.clone(), layer.clone()].into_iter().collect(),
            },
            Event::TagMoved { repository: name.clone(), tag: build, from: None, to: manifest.clone() },
            Event::TagMoved { repository: name.clone(), tag: latest, from: before, to: manifest.clone() },
        ];
        repository.builds.push_back(Build { config, layer, manifest });
        events
    }
}

fn releases_stay() -> Event {
    let pattern = Pattern { regex: "v[0-9]+.*".to_owned(), matches: true };
    let rule = Rule::Immutability { pattern, include_referrer_tags: false };
    Event::PolicyActivated { policy: Id([9; 16]), scope: Scope::Registry, rule }
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
