//! What the vectors tell: some days in the life of a registry, every step of which its rules allow.
//!
//! The digests belong to no content: they are derived from a label, so that a reader can tell them apart. New pages are
//! only ever appended.

use tagstone_schema::event::{Action, ContentKind, DeletionCause, Event, RefusedAttempt, RemovedContent, TokenScope};
use tagstone_schema::policy::{Age, AgeUnit, Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::{Actor, ActorKind, Digest, Id, Origin, Timestamp};

mod acts;
use acts::{erased, expiry, image, index, link, locked, mount, moved, tag_deletion, unlink, unlocked};

/// One record of the story, before it is chained.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) time: Timestamp,
    pub(crate) actor: Actor,
    pub(crate) origin: Origin,
    pub(crate) events: Vec<Event>,
}

fn d256(label: &str) -> Digest {
    Digest::sha256(*blake3::hash(label.as_bytes()).as_bytes())
}

fn d512(label: &str) -> Digest {
    let mut raw = [0; 64];
    blake3::Hasher::new().update(label.as_bytes()).finalize_xof().fill(&mut raw);
    Digest::sha512(raw)
}

fn id(label: &str) -> Id {
    let hash = blake3::hash(label.as_bytes());
    Id::from_random(*hash.as_bytes().first_chunk().unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn user(name: &str) -> Actor {
    Actor { kind: ActorKind::User, name: name.into() }
}

fn pattern(regex: &str, matches: Matches) -> Pattern {
    Pattern { regex: regex.to_owned(), matches: matches == Matches::Yes }
}

#[derive(Clone, Copy, PartialEq)]
enum Matches {
    Yes,
    No,
}

fn immutable(pattern: Pattern) -> Rule {
    Rule::Immutability { pattern, include_referrer_tags: false }
}

fn older_than(count: u32, unit: AgeUnit) -> Rule {
    Rule::Prune { method: PruneMethod::CreationDate(Age { count, unit }), pattern: None }
}

fn newest(count: u64, pattern: Pattern) -> Rule {
    Rule::Prune { method: PruneMethod::NumberOfTags(count), pattern: Some(pattern) }
}

fn gone(digest: Digest, size: u64, content: ContentKind) -> RemovedContent {
    RemovedContent { digest, size, content }
}

/// Collects the pages, each one second later than the last unless a time is set.
struct Teller {
    now: i64,
    pages: Vec<Page>,
}

impl Teller {
    fn at(&mut self, time: &str) {
        self.now = at(time).0;
    }

    fn tell(&mut self, name: &'static str, actor: Actor, events: Vec<Event>) {
        self.now += 1_000_001;
        let origin = if actor.kind == ActorKind::System {
            Origin::default()
        } else {
            let request_id = format!("req-{:04}", self.pages.len() + 1);
            Origin::new(request_id, "192.0.2.17".to_owned(), "skopeo/1.9.3 (größe=1)")
        };
        self.pages.push(Page { name, time: Timestamp(self.now), actor, origin, events });
    }
}

/// The whole story.
pub(crate) fn pages() -> Vec<Page> {
    let mut teller = Teller { now: at("2026-03-02T08:00:00Z").0, pages: Vec::new() };
    pushes(&mut teller);
    policies(&mut teller);
    tags(&mut teller);
    tokens_and_refusals(&mut teller);
    removals(&mut teller);
    teller.pages
}

fn pushes(t: &mut Teller) {
    let (app, base) = ("acme/app", "lib/base");
    t.tell("log-started", Actor::system("log"), vec![Event::LogStarted { log: id("log") }]);
    t.tell("server-started", Actor::system("server"), vec![Event::ServerStarted { version: "0.1.0".to_owned() }]);
    t.tell("blob-linked-sha256", user("alice"), vec![link(app, d256("config"), 2)]);
    t.tell("blob-linked-sha512", user("alice"), vec![link(app, d512("layer"), 4_294_967_296)]);
    t.tell(
        "image-pushed-with-tag",
        user("alice"),
        vec![
            image(app, d256("image-1"), None, None, &[d256("config"), d512("layer")]),
            moved(app, "latest", None, d256("image-1")),
        ],
    );
    t.tell(
        "blob-mounted",
        Actor::anonymous(),
        vec![mount(base, d256("config"), 2, app), mount(base, d512("layer"), 4_294_967_296, app)],
    );
    let layers: Vec<Digest> = (1..=60).map(|n| d256(&format!("layer-{n}"))).collect();
    t.tell(
        "many-blobs-linked-in-one-long-record",
        user("alice"),
        layers.iter().zip(1_000..).map(|(layer, size)| link(app, layer.clone(), size)).collect(),
    );
    t.tell("image-with-many-layers-pushed", user("alice"), vec![image(app, d512("image-2"), None, None, &layers)]);
    t.tell("tag-moved-to-sha512", user("alice"), vec![moved(app, "latest", Some(d256("image-1")), d512("image-2"))]);
    t.tell(
        "image-pushed-under-three-tags",
        user("bob"),
        vec![
            image(app, d256("image-3"), Some("application/vnd.acme.app.v1"), None, &[d512("layer")]),
            moved(app, "latest", Some(d512("image-2")), d256("image-3")),
            moved(app, "release-1.0", None, d256("image-3")),
            moved(app, "old", None, d256("image-3")),
        ],
    );
    t.tell(
        "signature-pushed-for-subject",
        user("bob"),
        vec![
            link(app, d256("{}"), 2),
            image(app, d256("signature"), Some("application/vnd.acme.signature"), Some(d256("image-1")), &[d256("{}")]),
            image(
                app,
                d512("attestation"),
                Some("application/vnd.acme.attestation"),
                Some(d512("image-2")),
                &[d256("{}")],
            ),
        ],
    );
    t.tell(
        "index-pushed",
        user("bob"),
        vec![
            index(app, d512("index"), &[d256("image-1"), d512("image-2")]),
            index(app, d256("empty-index"), &[]),
            moved(app, "multi", None, d512("index")),
            moved(app, "nothing", None, d256("empty-index")),
        ],
    );
    t.tell("more-pushed-to-another-repository", user("carol"), base_images());
}

/// Images of `lib/base`, each with a nightly tag.
fn base_images() -> Vec<Event> {
    let push = |n: u32| {
        let digest = d256(&format!("base-{n}"));
        [
            image("lib/base", digest.clone(), None, None, &[d256("config")]),
            moved("lib/base", &format!("nightly-{n}"), None, digest),
        ]
    };
    (1..=4).flat_map(push).collect()
}

fn policies(t: &mut Teller) {
    let policy = |label: &str| id(&format!("policy-{label}"));
    let suffix = immutable(pattern(".*[-_.]immutable", Matches::Yes));
    let releases = Rule::Immutability { pattern: pattern("release-.*", Matches::Yes), include_referrer_tags: true };
    let all_but_nightly = immutable(pattern("nightly-.*|edge", Matches::No));
    let nightly = newest(2, pattern("nightly-.*", Matches::Yes));
    let namespace = Scope::Namespace("acme".parse().unwrap());
    let repository = Scope::Repository("lib/base".parse().unwrap());
    let draft = |label, scope: &Scope, rule: &Rule| Event::PolicyDrafted {
        policy: policy(label),
        scope: scope.clone(),
        rule: rule.clone(),
    };
    let activate = |label, scope: &Scope, rule: &Rule| Event::PolicyActivated {
        policy: policy(label),
        scope: scope.clone(),
        rule: rule.clone(),
    };
    t.at("2026-03-03T09:00:00Z");
    t.tell(
        "policy-activated-everywhere",
        Actor::system("first-start"),
        vec![activate("suffix", &Scope::Registry, &suffix)],
    );
    t.tell(
        "policy-drafted",
        user("root"),
        vec![draft("releases", &namespace, &immutable(pattern("v.*", Matches::Yes)))],
    );
    t.tell(
        "draft-changed",
        user("root"),
        vec![Event::PolicyChanged { policy: policy("releases"), rule: releases.clone() }],
    );
    t.tell("draft-activated", user("root"), vec![activate("releases", &namespace, &releases)]);
    t.tell("policy-activated-inverted", user("root"), vec![activate("base", &repository, &all_but_nightly)]);
    t.tell("prune-policy-drafted", user("root"), vec![draft("nightly", &repository, &nightly)]);
    t.tell("prune-policy-activated", user("root"), vec![activate("nightly", &repository, &nightly)]);
    let units = [AgeUnit::Seconds, AgeUnit::Minutes, AgeUnit::Hours, AgeUnit::Days, AgeUnit::Weeks, AgeUnit::Years];
    let labels = ["seconds", "minutes", "hours", "days", "weeks", "years"];
    let ages = labels.iter().zip(units).map(|(label, unit)| draft(label, &Scope::Registry, &older_than(7, unit)));
    let kept = draft("kept", &namespace, &newest(u64::MAX, pattern("keep-.*", Matches::No)));
    t.tell("prune-policies-drafted-by-age", user("root"), ages.chain([kept]).collect());
    t.tell(
        "drafts-removed",
        user("root"),
        labels.iter().map(|label| Event::DraftRemoved { policy: policy(label) }).collect(),
    );
    let longer = immutable(pattern("nightly-.*|edge|test-.*", Matches::No));
    t.tell("active-policy-changed", user("root"), vec![Event::PolicyChanged { policy: policy("base"), rule: longer }]);
}

fn tags(t: &mut Teller) {
    let (app, base) = ("acme/app", "lib/base");
    t.at("2026-03-04T10:00:00Z");
    t.tell("tag-created-under-a-policy", user("alice"), vec![moved(app, "release-2.0", None, d512("image-2"))]);
    t.tell("tag-locked", user("root"), vec![locked(app, "multi")]);
    t.tell("tag-unlocked", user("root"), vec![unlocked(app, "multi")]);
    t.tell("tag-expiry-set", user("alice"), vec![expiry(app, "nothing", Some(at("2026-03-04T11:00:00Z")))]);
    t.tell("tag-expiry-removed", user("alice"), vec![expiry(app, "nothing", None)]);
    t.tell("tag-expiry-set-again", user("alice"), vec![expiry(app, "nothing", Some(at("2026-03-04T12:00:00Z")))]);
    t.tell(
        "tag-erased-sha512",
        user("root"),
        vec![erased(app, "release-2.0", d512("image-2"), "The release contained a key; ticket 4711.")],
    );
    t.tell("spent-tag-came-back-as-what-it-was", user("alice"), vec![moved(app, "release-2.0", None, d512("image-2"))]);
    t.tell(
        "tag-erased-sha256",
        user("root"),
        vec![erased(app, "release-1.0", d256("image-3"), "Zurückgezogen auf Wunsch des Kunden.")],
    );
    t.at("2026-03-04T12:00:00Z");
    t.tell(
        "tag-expired",
        Actor::system("expiry"),
        vec![tag_deletion(app, &[("nothing", d256("empty-index"))], DeletionCause::Expiry)],
    );
    let cause = DeletionCause::Prune { policy: id("policy-nightly"), run: id("run") };
    let pruned = [("nightly-1", d256("base-1")), ("nightly-2", d256("base-2"))];
    t.tell("tags-pruned", Actor::system("prune"), vec![tag_deletion(base, &pruned, cause)]);
    t.tell("tag-moved-again", user("bob"), vec![moved(app, "old", Some(d256("image-3")), d512("attestation"))]);
    let asked = [("latest", d256("image-3")), ("old", d512("attestation"))];
    t.tell("tags-deleted-on-request", user("bob"), vec![tag_deletion(app, &asked, DeletionCause::Request)]);
}

fn tokens_and_refusals(t: &mut Teller) {
    t.at("2026-03-05T07:30:00Z");
    let issued = |label: &str, scopes, expires| Event::TokenIssued {
        token: id(label),
        subject: "alice".into(),
        scopes,
        secret_hash: *blake3::hash(label.as_bytes()).as_bytes(),
        expires,
        label: format!("the {label} of the build").into(),
    };
    let scope = |repositories: &str, actions: &[Action]| TokenScope {
        repositories: repositories.to_owned(),
        actions: actions.to_vec(),
    };
    let scopes = vec![scope("acme/**", &[Action::Pull, Action::Push]), scope("lib/base", &[Action::Delete])];
    t.tell("token-issued", user("alice"), vec![issued("token", scopes, Some(at("2027-03-05T00:00:00Z")))]);
    t.tell("token-issued-without-end-or-scope", user("alice"), vec![issued("other token", Vec::new(), None)]);
    let robot = Actor { kind: ActorKind::Token, name: id("token").to_string().into() };
    t.tell(
        "blob-linked-by-a-token",
        robot.clone(),
        vec![link("acme/tool", d256("tool"), 0), link("acme/tool", d512("tool"), 0)],
    );
    t.tell("token-revoked", user("alice"), vec![Event::TokenRevoked { token: id("token") }]);
    let attempt = |actor: Actor, tag: Option<&str>, digest, reason: &str, count| RefusedAttempt {
        first: at("2026-03-05T07:00:00.000001Z"),
        last: at("2026-03-05T07:00:59.999999Z"),
        actor,
        address: "2001:db8::1".to_owned(),
        repository: "acme/app".parse().unwrap(),
        tag: tag.map(|tag| tag.parse().unwrap()),
        digest,
        reason: reason.to_owned(),
        count,
    };
    let (since, until) = (at("2026-03-05T07:00:00.000001Z"), at("2026-03-05T07:00:59.999999Z"));
    let entries = vec![
        attempt(user("bob"), Some("release-2.0"), Some(d256("image-1")), "TAG_IMMUTABLE", 3),
        attempt(robot, None, Some(d512("image-2")), "TAG_IMMUTABLE", 1),
        attempt(Actor::anonymous(), Some("release-1.0"), None, "TAG_SPENT", u64::MAX),
    ];
    t.tell(
        "attempts-refused",
        Actor::system("refusals"),
        vec![Event::AttemptsRefused { since, until, entries, others: 17 }],
    );
    let uncounted = Event::AttemptsRefused { since, until, entries: Vec::new(), others: 0 };
    t.tell("attempts-refused-without-entries", Actor::system("refusals"), vec![uncounted]);
}

fn removals(t: &mut Teller) {
    let (app, base, tool) = ("acme/app", "lib/base", "acme/tool");
    let deleted = |repository: &str, digest| Event::ManifestDeleted { repository: repository.parse().unwrap(), digest };
    t.at("2026-03-06T16:00:00Z");
    t.tell("blob-unlinked", user("alice"), vec![unlink(tool, d256("tool"))]);
    t.tell("blob-unlinked-sha512", user("alice"), vec![unlink(tool, d512("tool"))]);
    t.tell("manifest-deleted", user("bob"), vec![deleted(app, d256("signature"))]);
    t.tell("manifest-deleted-sha512-with-its-tag", user("bob"), vec![deleted(app, d512("index"))]);
    t.tell(
        "policies-retired",
        user("root"),
        vec![Event::PolicyRetired { policy: id("policy-base") }, Event::PolicyRetired { policy: id("policy-nightly") }],
    );
    t.tell(
        "content-to-be-purged-pushed",
        user("root"),
        vec![
            link(tool, d512("secret"), 77),
            image(tool, d256("leak"), None, None, &[d512("secret")]),
            moved(tool, "leak", None, d256("leak")),
            moved(tool, "leak-too", None, d256("leak")),
        ],
    );
    t.tell(
        "content-purged",
        user("root"),
        vec![
            tag_deletion(tool, &[("leak", d256("leak")), ("leak-too", d256("leak"))], DeletionCause::Purge),
            deleted(tool, d256("leak")),
            unlink(tool, d512("secret")),
            Event::ContentPurged {
                repository: tool.parse().unwrap(),
                contents: vec![
                    gone(d256("leak"), 512, ContentKind::Manifest),
                    gone(d512("secret"), 77, ContentKind::Blob),
                ],
                reason: "A password was in the image.".to_owned(),
            },
        ],
    );
    t.tell("repository-deleted", user("root"), vec![Event::RepositoryDeleted { repository: base.parse().unwrap() }]);
    t.at("2026-03-08T03:00:00Z");
    let contents = vec![
        gone(d256("base-1"), 512, ContentKind::Manifest),
        gone(d512("index"), 512, ContentKind::Manifest),
        gone(d256("tool"), 0, ContentKind::Blob),
    ];
    t.tell("content-collected", Actor::system("collect"), vec![Event::ContentCollected { contents }]);
    t.tell(
        "server-started-again",
        Actor::system("server"),
        vec![Event::ServerStarted { version: "0.2.0-rc.1+build".to_owned() }],
    );
}
