//! The script: what the people, the pipelines and the registry itself do, drawn from a seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tagstone::registry::{Command, Condition, Expiry, Lock, PutManifest, SetTag, Sparse, Submission};
use tagstone_schema::{Actor, ActorKind, Origin, Timestamp};

use crate::account::{Account, Shelf};
use crate::contents::{self, Document};
use crate::policy_script::PolicyScript;

pub(crate) const REPOSITORIES: [&str; 12] = [
    "acme/api",
    "acme/mail",
    "acme/web",
    "acme/worker",
    "infra/ci",
    "infra/db",
    "infra/dns",
    "infra/proxy",
    "labs/model",
    "labs/play",
    "labs/team/data",
    "labs/team/train",
];
/// Only these have tags for referrers; no prune policy holds here.
const SIGNED: [&str; 3] = ["acme/api", "acme/mail", "acme/web"];
const TAGS: [&str; 26] = [
    "latest",
    "latest",
    "latest",
    "main",
    "stable",
    "golden",
    "v1.0",
    "v1.1",
    "v1.2",
    "v2.0",
    "v2.1",
    "release-1",
    "release-2",
    "1-lts",
    "dev-1",
    "dev-2",
    "dev-3",
    "dev-keep",
    "nightly-1",
    "nightly-2",
    "nightly-3",
    "nightly-4",
    "nightly-5",
    "nightly-6",
    "nightly-7",
    "dev-4",
];
/// Images that a repository can have.
const IMAGES: u32 = 14;
pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// What is done next.
pub(crate) enum Step {
    Submit(Submission, Option<Arc<Document>>),
    /// A run of this prune policy.
    Prune(String, Actor, Origin),
}

pub(crate) struct Script {
    pub(crate) random: StdRng,
    /// Commands so far.
    pub(crate) count: u64,
    policies: PolicyScript,
    documents: BTreeMap<(String, u32), Arc<Document>>,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { random, count: 0, policies: PolicyScript::default(), documents: BTreeMap::new() }
    }

    /// Whether something else happens at the same moment.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.random.random_bool(0.75)
    }

    /// How much time goes by until the next thing happens: seconds or hours, and mostly nothing at night.
    pub(crate) fn pause(&mut self, now: i64) -> i64 {
        if self.random.random_bool(0.2) {
            return self.random.random_range(0..3_000_000);
        }
        let pause = self.random.random_range(HOUR / 20..HOUR * 13);
        let hour = (now + pause).rem_euclid(DAY) / HOUR;
        if (7..22).contains(&hour) || self.random.random_bool(0.1) { pause } else { pause + 8 * HOUR }
    }

    pub(crate) fn any<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.random.random_range(0..of.len())]
    }

    /// Who, and from where.
    fn someone(&mut self) -> (Actor, Origin) {
        let user = |name: &str| Actor { kind: ActorKind::User, name: name.into() };
        let token = Actor { kind: ActorKind::Token, name: "2b1c6e0a-0000-4000-8000-00000000c1c1".into() };
        let (actor, address, agent) = match self.random.random_range(0..10) {
            0..3 => (user("alice"), "192.0.2.10", "docker/28.0"),
            3..5 => (user("bob"), "192.0.2.11", "crane/0.20"),
            5..6 => (user("carol"), "2001:db8::7", "curl/8.9"),
            6..9 => (token, "198.51.100.4", "skopeo/1.16"),
            _ => (Actor::anonymous(), "203.0.113.66", "podman/5.2"),
        };
        self.count += 1;
        let origin = Origin::new(format!("{:016x}", self.count), address.to_owned(), agent);
        (actor, origin)
    }

    fn submission(&mut self, command: Command) -> Submission {
        let (actor, origin) = self.someone();
        Submission::new(actor, origin, command)
    }

    fn step(&mut self, command: Command) -> Step {
        Step::Submit(self.submission(command), None)
    }

    fn repository(&mut self) -> &'static str {
        self.any(&REPOSITORIES)
    }

    /// A tag that is there, rather than any.
    fn tag(&mut self, shelf: Option<&Shelf>) -> String {
        let live: Vec<&str> = shelf.into_iter().flat_map(|shelf| shelf.tags.keys()).map(String::as_str).collect();
        if live.is_empty() || self.random.random_bool(0.25) { self.any(&TAGS) } else { self.any(&live) }.to_owned()
    }

    /// What is done next; several steps where one needs another.
    pub(crate) fn next(&mut self, account: &Account) -> Vec<Step> {
        let repository = self.repository();
        let shelf = account.standing.shelves.get(repository);
        match self.random.random_range(0..1_000) {
            0..330 => self.push_image(repository, shelf),
            330..390 => self.push_index(repository, shelf),
            390..450 => self.push_signature(shelf),
            450..560 => vec![self.set(repository, shelf)],
            560..620 => vec![self.delete_tag(repository, shelf)],
            620..650 => vec![self.delete_tags(repository, shelf)],
            650..700 => self.delete_content(repository, shelf),
            700..706 => vec![self.step(Command::DeleteRepository { repository: repository.parse().unwrap() })],
            706..770 => vec![self.lock(repository, shelf)],
            770..850 => vec![self.expiry(repository, shelf, account.now)],
            850..865 => vec![self.erase(repository, shelf)],
            865..885 => self.mount(repository, account),
            885..960 => {
                let command = self.policies.next(&mut self.random, account);
                vec![self.step(command)]
            }
            _ => self.prune(account),
        }
    }

    /// The configs and layers of two images are never all the same, and some layers are shared.
    fn blobs(repository: &str, number: u32) -> (Bytes, Vec<Bytes>) {
        let config = Bytes::from(format!("{{\"config\":\"{repository} {number}\"}}"));
        let layers = (0..1 + number % 2).map(|at| Bytes::from(format!("layer {} of many", (number + at) % 7)));
        (config, layers.collect())
    }

    fn document(&mut self, repository: &str, number: u32) -> Arc<Document> {
        let (config, layers) = Self::blobs(repository, number);
        let made = self.documents.entry((repository.to_owned(), number));
        made.or_insert_with(|| Arc::new(contents::image(&config, &layers))).clone()
    }

    fn push(&mut self, repository: &str, document: &Arc<Document>, tags: &[String]) -> Step {
        let conditional = self.random.random_bool(0.05);
        let references: tagstone_schema::References =
            document.references.iter().map(|digest| digest.parse().unwrap()).collect();
        let put = PutManifest {
            repository: repository.parse().unwrap(),
            digest: document.digest.parse().unwrap(),
            size: document.bytes.len() as u64,
            media_type: document.media_type.parse().unwrap(),
            kind: document.kind,
            artifact_type: document.artifact_type.as_ref().map(|of| of.parse().unwrap()),
            subject: document.subject.as_ref().map(|digest| digest.parse().unwrap()),
            required: references.clone(),
            references,
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            condition: if conditional && !tags.is_empty() { Condition::Absent } else { Condition::Always },
            sparse: Sparse { index: false, layers: false },
        };
        let mut submission = self.submission(Command::PutManifest(Box::new(put)));
        submission.contents.push((document.digest.parse().unwrap(), document.bytes.clone()));
        Step::Submit(submission, Some(document.clone()))
    }

    fn link(&mut self, repository: &str, blob: &Bytes) -> Step {
        let digest: tagstone_schema::Digest = contents::digest_of(blob).parse().unwrap();
        let (repository, size) = (repository.parse().unwrap(), blob.len() as u64);
        let mut submission = self.submission(Command::LinkBlob { repository, digest: digest.clone(), size });
        submission.contents.push((digest, blob.clone()));
        Step::Submit(submission, None)
    }

    fn some_tags(&mut self, shelf: Option<&Shelf>) -> Vec<String> {
        (0..self.random.random_range(0..4)).map(|_| self.tag(shelf)).collect()
    }

    fn push_image(&mut self, repository: &str, shelf: Option<&Shelf>) -> Vec<Step> {
        let number = self.random.random_range(0..IMAGES);
        let document = self.document(repository, number);
        let (config, layers) = Self::blobs(repository, number);
        let mut steps = Vec::new();
        for blob in [&config].into_iter().chain(&layers) {
            let is_there = shelf.is_some_and(|shelf| shelf.blobs.contains_key(&contents::digest_of(blob)));
            // Now and then somebody forgets a layer, or sends one again.
            if self.random.random_bool(if is_there { 0.04 } else { 0.98 }) {
                steps.push(self.link(repository, blob));
            }
        }
        // And now and then somebody uploads what nothing ever names.
        if self.random.random_bool(0.08) {
            steps.push(self.link(repository, &Bytes::from(format!("nothing names blob {}", self.count % 50))));
        }
        let tags = self.some_tags(shelf);
        steps.push(self.push(repository, &document, &tags));
        steps
    }

    fn push_index(&mut self, repository: &str, shelf: Option<&Shelf>) -> Vec<Step> {
        let first = self.random.random_range(0..IMAGES);
        let mut children = vec![self.document(repository, first), self.document(repository, (first + 1) % IMAGES)];
        // Mostly of what is there.
        if self.random.random_bool(0.9) {
            children.retain(|child| shelf.is_some_and(|shelf| shelf.manifests.contains_key(&child.digest)));
        }
        let children: Vec<&Document> = children.iter().map(|child| &**child).collect();
        let document = Arc::new(contents::index(&children));
        let tags = self.some_tags(shelf);
        vec![self.push(repository, &document, &tags)]
    }

    /// A signature of a manifest, sometimes under the tag that clients without referrers give it.
    fn push_signature(&mut self, _: Option<&Shelf>) -> Vec<Step> {
        let repository = self.any(&SIGNED);
        let number = self.random.random_range(0..IMAGES);
        let subject = self.document(repository, number);
        let config = Bytes::from_static(b"{}");
        let signed = self.random.random_range(0..3).to_string();
        let document = Arc::new(contents::signature(&subject, &config, &signed));
        let tag = format!("{}.sig", subject.digest.replacen(':', "-", 1));
        let tags = if self.random.random_bool(0.5) { vec![tag] } else { Vec::new() };
        vec![self.link(repository, &config), self.push(repository, &document, &tags)]
    }

    fn set_tag(&mut self, repository: &str, tag: &str) -> SetTag {
        let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
        SetTag { repository, tag, manifest: None, expiry: Expiry::Keep, lock: Lock::Keep }
    }

    /// A tag is pointed somewhere else, mostly at something that is there: forth and back.
    fn set(&mut self, repository: &str, shelf: Option<&Shelf>) -> Step {
        let tag = self.tag(shelf);
        let there: Vec<&str> = shelf.into_iter().flat_map(|shelf| shelf.manifests.keys()).map(String::as_str).collect();
        let manifest = if there.is_empty() || self.random.random_bool(0.05) {
            self.document("elsewhere", 0).digest.clone()
        } else {
            self.any(&there).to_owned()
        };
        let lock = if self.random.random_bool(0.1) { Lock::Unlock } else { Lock::Keep };
        let manifest = Some(manifest.parse().unwrap());
        let set = SetTag { manifest, lock, ..self.set_tag(repository, &tag) };
        self.step(Command::SetTag(Box::new(set)))
    }

    fn lock(&mut self, repository: &str, shelf: Option<&Shelf>) -> Step {
        let tag = self.tag(shelf);
        let is_locked = shelf.and_then(|shelf| shelf.tags.get(&tag)).is_some_and(|tag| tag.locked.is_some());
        let lock = if is_locked || self.random.random_bool(0.4) { Lock::Unlock } else { Lock::Lock };
        let set = SetTag { lock, ..self.set_tag(repository, &tag) };
        self.step(Command::SetTag(Box::new(set)))
    }

    fn expiry(&mut self, repository: &str, shelf: Option<&Shelf>, now: i64) -> Step {
        let tag = self.tag(shelf);
        let expiry = match self.random.random_range(0..10) {
            0 => Expiry::Never,
            // An expiry that is over.
            1 => Expiry::At(Timestamp(now - HOUR)),
            _ => Expiry::At(Timestamp(now + self.random.random_range(HOUR..20 * DAY))),
        };
        let set = SetTag { expiry, ..self.set_tag(repository, &tag) };
        self.step(Command::SetTag(Box::new(set)))
    }

    fn delete_tag(&mut self, repository: &str, shelf: Option<&Shelf>) -> Step {
        let tag = self.tag(shelf).parse().unwrap();
        let repository = repository.parse().unwrap();
        self.step(Command::DeleteTag { repository, tag, condition: Condition::Always })
    }

    fn delete_tags(&mut self, repository: &str, shelf: Option<&Shelf>) -> Step {
        let mut tags = self.some_tags(shelf);
        tags.push(self.tag(shelf));
        let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        self.step(Command::DeleteTags { repository: repository.parse().unwrap(), tags })
    }

    fn erase(&mut self, repository: &str, shelf: Option<&Shelf>) -> Step {
        let tag = self.tag(shelf).parse().unwrap();
        let because = format!("ticket {}", self.count).parse().unwrap();
        self.step(Command::EraseTag { repository: repository.parse().unwrap(), tag, because })
    }

    fn delete_content(&mut self, repository: &str, shelf: Option<&Shelf>) -> Vec<Step> {
        let Some(shelf) = shelf else { return Vec::new() };
        let manifests = self.random.random_bool(0.6);
        let keys: Vec<&str> = if manifests {
            shelf.manifests.keys().map(String::as_str).collect()
        } else {
            shelf.blobs.keys().map(String::as_str).collect()
        };
        if keys.is_empty() {
            return Vec::new();
        }
        let (repository, digest) = (repository.parse().unwrap(), self.any(&keys).parse().unwrap());
        vec![self.step(if manifests {
            Command::DeleteManifest { repository, digest, condition: Condition::Always }
        } else {
            Command::DeleteBlob { repository, digest }
        })]
    }

    fn mount(&mut self, repository: &str, account: &Account) -> Vec<Step> {
        let from = self.repository();
        let shelf = account.standing.shelves.get(from);
        let blobs: Vec<&str> = shelf.into_iter().flat_map(|shelf| shelf.blobs.keys()).map(String::as_str).collect();
        if blobs.is_empty() || from == repository {
            return Vec::new();
        }
        let (digest, from) = (self.any(&blobs).parse().unwrap(), from.parse().unwrap());
        vec![self.step(Command::MountBlob { repository: repository.parse().unwrap(), digest, from })]
    }

    fn prune(&mut self, account: &Account) -> Vec<Step> {
        let active = self.policies.to_run(account);
        if active.is_empty() {
            return Vec::new();
        }
        let active: Vec<&str> = active.iter().map(String::as_str).collect();
        let policy = self.any(&active).to_owned();
        let (actor, origin) =
            if self.random.random_bool(0.7) { (Actor::system("prune"), Origin::default()) } else { self.someone() };
        vec![Step::Prune(policy, actor, origin)]
    }
}
