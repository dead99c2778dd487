//! The log of the registry that docs/forensics.md investigates: who did what, and when.

use std::path::Path;

use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::media_type::OCI_IMAGE;
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, ActorKind, Digest, Event, Head, Id, Origin, Record, RepositoryName, Tag, Timestamp};

/// Writes the log of the story into a data directory, and returns its head.
pub(super) fn play(data: &Path) -> Head {
    std::fs::create_dir_all(data).unwrap();
    let log = EmbeddedLog::open(&Layout::new(data), Options::default(), &mut |_| Ok(())).unwrap().log;
    let mut scene = Scene { log, state: State::default(), requests: 0 };
    scene.an_ordinary_winter();
    scene.the_night();
    scene.the_morning_after();
    scene.log.head()
}

struct Scene {
    log: EmbeddedLog,
    state: State,
    requests: u32,
}

/// An actor with the address and the program that he comes with.
struct Person {
    actor: Actor,
    address: &'static str,
    program: &'static str,
}

fn person(kind: ActorKind, name: &str, address: &'static str, program: &'static str) -> Person {
    Person { actor: Actor { kind, name: name.into() }, address, program }
}

fn alice() -> Person {
    person(ActorKind::User, "alice", "192.0.2.10", "curl/8.14.1")
}

fn builder() -> Person {
    person(ActorKind::Token, "ci-payments", "192.0.2.40", "skopeo/1.18.0")
}

fn dana() -> Person {
    person(ActorKind::User, "dana", "203.0.113.77", "curl/7.88.1")
}

fn payments() -> RepositoryName {
    "acme/payments".parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn releases(policy: u8) -> Event {
    let pattern = Pattern { regex: "v[0-9]+\\.[0-9]+\\.[0-9]+".to_owned(), matches: true };
    let rule = Rule::Immutability { pattern, include_referrer_tags: false };
    Event::PolicyActivated { policy: id(policy), scope: Scope::Repository(payments()), rule }
}

fn id(number: u8) -> Id {
    Id::from_random([number.wrapping_mul(37); 16])
}

/// A digest that stands for content of this name.
fn digest(content: &str) -> Digest {
    tagstone_replay::content::hash_of(tagstone_schema::Algorithm::Sha256, content.as_bytes())
}

/// The push of an image under tags: where each pointed before, and that it points to the image now.
fn image(version: &str, tags: &[(&str, Option<&str>)]) -> Vec<Event> {
    let repository = payments();
    let [config, layer, manifest] = ["config", "layer", "manifest"].map(|part| digest(&format!("{part} of {version}")));
    let linked = |digest: &Digest, size| {
        let (repository, digest) = (repository.clone(), digest.clone());
        Event::BlobLinked { repository, digest, size, mounted_from: None }
    };
    let mut events = vec![
        linked(&config, 1_469),
        linked(&layer, 29_754_290),
        Event::ManifestPushed {
            repository: repository.clone(),
            digest: manifest,
            size: 714,
            media_type: OCI_IMAGE.parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: [config, layer].into_iter().collect(),
        },
    ];
    events.extend(tags.iter().map(|(name, from)| moved(name, *from, version)));
    events
}

fn moved(name: &str, from: Option<&str>, to: &str) -> Event {
    let manifest = |version: &str| digest(&format!("manifest of {version}"));
    Event::TagMoved { repository: payments(), tag: tag(name), from: from.map(manifest), to: manifest(to) }
}

impl Scene {
    fn an_ordinary_winter(&mut self) {
        let started = vec![Event::LogStarted { log: id(1) }, Event::ServerStarted { version: "0.1.0".to_owned() }];
        self.by_the_registry("2026-01-12T07:58:00Z", "start", started);
        self.by(&alice(), "2026-01-12T08:04:11Z", vec![releases(2)]);
        self.by(&builder(), "2026-02-02T10:20:45Z", image("2.3.0", &[("v2.3.0", None), ("latest", None)]));
        self.by(&builder(), "2026-03-09T10:01:32Z", image("2.3.1", &[("v2.3.1", None), ("latest", Some("2.3.0"))]));
        self.by(&builder(), "2026-03-12T16:40:09Z", image("2.4.0-rc1", &[("rc", None)]));
    }

    fn the_night(&mut self) {
        let attempt = RefusedAttempt {
            first: at("2026-03-13T02:09:47Z"),
            last: at("2026-03-13T02:10:31Z"),
            actor: dana().actor,
            address: dana().address.to_owned(),
            repository: payments(),
            tag: Some(tag("v2.3.1")),
            digest: Some(digest("manifest of the night")),
            reason: "TAG_IMMUTABLE".to_owned(),
            count: 3,
        };
        let (since, until) = (attempt.first, attempt.last);
        let refused = Event::AttemptsRefused { since, until, entries: vec![attempt], others: 0 };
        self.by_the_registry("2026-03-13T02:10:58Z", "refusals", vec![refused]);
        self.by(&dana(), "2026-03-13T02:13:05Z", vec![Event::PolicyRetired { policy: id(2) }]);
        self.by(&dana(), "2026-03-13T02:13:40Z", image("the night", &[("v2.3.1", Some("2.3.1"))]));
        self.by(&dana(), "2026-03-13T02:14:22Z", vec![releases(3)]);
    }

    fn the_morning_after(&mut self) {
        self.by(&builder(), "2026-03-13T07:30:18Z", image("2.4.0-rc2", &[("rc", Some("2.4.0-rc1"))]));
        self.by(&alice(), "2026-03-13T09:31:02Z", vec![Event::PolicyRetired { policy: id(3) }]);
        self.by(&alice(), "2026-03-13T09:31:37Z", vec![moved("v2.3.1", Some("the night"), "2.3.1")]);
        self.by(&alice(), "2026-03-13T09:32:10Z", vec![releases(4)]);
    }

    fn by(&mut self, person: &Person, time: &str, events: Vec<Event>) {
        self.requests += 1;
        let request = format!("5e0a41-{}", self.requests);
        let origin = Origin::new(request, person.address.to_owned(), person.program);
        self.write(time, person.actor.clone(), origin, events);
    }

    fn by_the_registry(&mut self, time: &str, part: &str, events: Vec<Event>) {
        self.write(time, Actor::system(part), Origin::default(), events);
    }

    fn write(&mut self, time: &str, actor: Actor, origin: Origin, events: Vec<Event>) {
        let head = self.log.head();
        let (seq, time, prev) = (head.seq + 1, at(time), head.hash);
        let record = Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events };
        // What the registry could not have done is no evidence.
        self.state.apply(&record).unwrap();
        self.log.append(&head, &[record.encode().unwrap()]).unwrap();
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
