//! Random registries: a purge and a collection do what the words say, whatever came before, and nothing is left half done.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use tagstone::registry::{
    CollectRules, Command, Condition, CreatePolicy, How, PurgePlan, Purged, PutManifest, Rejection, RemovalError, Way,
};
use tagstone_replay::fold::snapshot;
use tagstone_replay::pattern::referrer_tags;
use tagstone_schema::media_type::{ManifestKind, OCI_INDEX};
use tagstone_schema::policy::Scope;
use tagstone_schema::{Digest, Id, Timestamp};

use super::expected::{Moment, Telling, Tellings, collecting, purging};
use super::naive::Naive;
use super::{GRACE, Site, UNTAGGED, client, recorded_as_removed};
use crate::commands::{self, digest_of, immutable, name, submission, tag};
use crate::registry::{Answer, told_by};

const REPOSITORIES: [&str; 3] = ["a", "a/b", "c"];
const CLIENTS: [&str; 2] = ["one", "other"];
const BLOBS: [&str; 4] = ["blob 1", "blob 2", "blob 3", "blob 4"];
const IMAGES: [(&str, &[&str]); 5] = [
    ("image 1", &["blob 1"]),
    ("image 2", &["blob 1", "blob 2"]),
    ("image 3", &["blob 3", "blob 2"]),
    ("image 4", &["blob 4"]),
    ("image 5", &[]),
];
/// Indexes with their children, one of which is a blob, as caches of builds have them, and one another index.
const INDEXES: [(&str, &[&str]); 3] = [
    ("index 1", &["image 1", "image 4"]),
    ("index 2", &["image 5", "blob 3"]),
    ("index 3", &["index 1", "image 2", "signature 1"]),
];
/// Manifests that name others.
const REFERRERS: [(&str, &[&str], &str); 3] = [
    ("signature 1", &["blob 4"], "image 1"),
    ("signature 2", &[], "index 1"),
    ("signature 3", &["blob 2"], "signature 1"),
];

#[derive(Clone, Debug)]
enum Act {
    Link(&'static str, &'static str, &'static str),
    Mount(&'static str, &'static str, &'static str, &'static str),
    Ask(&'static str, &'static str),
    Push(&'static str, usize, Vec<String>, &'static str),
    Command(Command),
    Purge(&'static str, Purged),
    Collect,
    Pass(u32),
    Restart,
    /// The next removal breaks off after so many contents, and the process dies.
    Break(usize),
}

fn manifests() -> Vec<&'static str> {
    let all = IMAGES.iter().map(|(name, _)| *name).chain(INDEXES.iter().map(|(name, _)| *name));
    all.chain(REFERRERS.iter().map(|(name, ..)| *name)).collect()
}

fn tags() -> Vec<String> {
    let referrers = ["image 1", "index 1", "signature 1"].map(|of| referrer_tags(&digest_of(of)));
    ["latest", "edge", "v1", "v2"]
        .map(str::to_owned)
        .into_iter()
        .chain(referrers.into_iter().flat_map(|tags| tags.into_iter().take(2)))
        .collect()
}

fn act() -> impl Strategy<Value = Act> {
    let repository = || select(&REPOSITORIES[..]);
    let blob = || select(&BLOBS[..]);
    let by = || select(&CLIENTS[..]);
    let named = || select(tags());
    let digest = || select([manifests(), BLOBS.to_vec()].concat()).prop_map(digest_of);
    let what = prop_oneof![
        3 => named().prop_map(|of| Purged::Tag(tag(&of))),
        5 => digest().prop_map(Purged::Digest),
        2 => named().prop_map(|of| Purged::Erased(tag(&of))),
    ];
    let commands = prop_oneof![
        2 => (repository(), digest()).prop_map(|(of, digest)| Command::DeleteManifest { repository: name(of), digest, condition: Condition::Always }),
        2 => (repository(), blob()).prop_map(|(of, blob)| Command::DeleteBlob { repository: name(of), digest: digest_of(blob) }),
        3 => (repository(), named()).prop_map(|(of, named)| Command::DeleteTag { repository: name(of), tag: tag(&named), condition: Condition::Always }),
        1 => repository().prop_map(|of| Command::DeleteRepository { repository: name(of) }),
    ];
    let locks = (repository(), named(), any::<bool>())
        .prop_map(|(of, named, lock)| if lock { commands::lock(of, &named) } else { commands::unlock(of, &named) });
    prop_oneof![
        8 => (repository(), blob(), by()).prop_map(|(of, blob, by)| Act::Link(of, blob, by)),
        3 => (repository(), blob(), repository(), by()).prop_map(|(of, blob, from, by)| Act::Mount(of, blob, from, by)),
        3 => (repository(), blob()).prop_map(|(of, blob)| Act::Ask(of, blob)),
        20 => (repository(), 0..manifests().len(), proptest::collection::vec(named(), 0..3), by()).prop_map(|(of, manifest, tags, by)| Act::Push(of, manifest, tags, by)),
        4 => commands.prop_map(Act::Command),
        1 => locks.prop_map(|submission| Act::Command(submission.command)),
        8 => (repository(), what).prop_map(|(of, what)| Act::Purge(of, what)),
        4 => Just(Act::Collect),
        4 => (1..1_500u32).prop_map(Act::Pass),
        1 => (4_000..7_000u32).prop_map(Act::Pass),
        1 => Just(Act::Restart),
        1 => (0..3usize).prop_map(Act::Break),
    ]
}

/// A registry with what is known of it.
struct Life {
    site: Option<Site>,
    tellings: Tellings,
    began: Timestamp,
    rules: CollectRules,
    breaks: bool,
    naive: Naive,
}

impl Life {
    fn begin(rules: CollectRules) -> Self {
        let site = Site::new(rules);
        let began = site.now();
        let policy = CreatePolicy { policy: Id([7; 16]), scope: Scope::Registry, rule: immutable("v.*"), draft: false };
        let created = site.submit(submission(Command::CreatePolicy(Box::new(policy))));
        assert!(matches!(created, Answer::Committed(_)), "{created:?}");
        Self { site: Some(site), tellings: Tellings::default(), began, rules, breaks: false, naive: Naive::default() }
    }

    fn site(&self) -> &Site {
        self.site.as_ref().unwrap()
    }

    fn play(&mut self, act: &Act) -> TestCaseResult {
        match act {
            Act::Link(of, blob, by) => {
                self.site().submit(commands::link(of, blob));
                self.tell(of, blob, How::Stored, by);
            }
            Act::Mount(of, blob, from, by) => {
                if self.naive.repositories.get(&name(from)).is_some_and(|from| from.blobs.contains(&digest_of(blob))) {
                    let (repository, digest, from) = (name(of), digest_of(blob), name(from));
                    self.site().submit(submission(Command::MountBlob { repository, digest, from }));
                    self.tell(of, blob, How::Stored, by);
                }
            }
            Act::Ask(of, blob) => {
                if self.naive.unnamed.contains_key(&(name(of), digest_of(blob))) {
                    self.tell(of, blob, How::Found, "");
                }
            }
            Act::Push(of, manifest, tags, by) => self.push(of, manifests()[*manifest], tags, by),
            Act::Command(command) => drop(self.site().submit(submission(command.clone()))),
            Act::Purge(of, what) => self.purge(of, what)?,
            Act::Collect => self.collect()?,
            Act::Pass(seconds) => self.site().let_pass(Duration::from_secs((*seconds).into())),
            Act::Restart => self.restart()?,
            Act::Break(after) => {
                self.site().disk.faults.lock().unwrap().erase_only = Some(*after);
                self.breaks = true;
            }
        }
        self.check()
    }

    fn caught_up(&self) -> Naive {
        let mut naive = self.naive.clone();
        naive.catch_up(&self.site().log);
        naive
    }

    fn tell(&mut self, of: &str, blob: &str, how: How, by: &'static str) {
        let digest = digest_of(blob);
        self.site().tell(of, &digest, how, by);
        let at = self.site().now();
        self.tellings.0.push(Telling { digest, repository: name(of), at, how, by });
    }

    fn push(&mut self, of: &str, manifest: &str, tags: &[String], by: &str) {
        let image = IMAGES.iter().find(|(name, _)| *name == manifest).map(|(_, blobs)| (*blobs, None, false));
        let index = INDEXES.iter().find(|(name, _)| *name == manifest).map(|(_, children)| (*children, None, true));
        let referrer =
            REFERRERS.iter().find(|(name, ..)| *name == manifest).map(|(_, blobs, of)| (*blobs, Some(*of), false));
        let (references, subject, is_index) = image.or(index).or(referrer).unwrap();
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        let mut put = commands::image(of, manifest, references, &tags);
        put.subject = subject.map(digest_of);
        if is_index {
            put = PutManifest { kind: ManifestKind::Index, media_type: OCI_INDEX.parse().unwrap(), ..put };
            // What is no manifest need not be one.
            put.sparse.index = true;
        }
        let digests: Vec<_> = references.iter().map(|of| digest_of(of)).collect();
        let mut submission = commands::put(put);
        submission.contents.push((digest_of(manifest), manifest.to_owned().into()));
        match self.site().submit(submission) {
            Answer::Rejected(Rejection::ReferencesMissing { .. }) => {}
            Answer::Rejected(_) => {
                self.site().removal.promises.refused(&name(of), &client(by), &digests);
                self.tellings.refused(&name(of), by, &digests);
            }
            _ => {
                self.site().removal.promises.keep(&name(of), &client(by), &digests);
                self.tellings.keep(&name(of), by, &digests);
            }
        }
    }

    fn purge(&mut self, of: &str, what: &Purged) -> TestCaseResult {
        let before = self.naive.clone();
        let now = self.site().now();
        let grace_began = ago(now, GRACE);
        let moment = Moment { tellings: &self.tellings, grace_began, process_began: self.began };
        let expected = purging(&before, &name(of), what, &moment);
        let preview = self.site().preview(of, what.clone());
        let told = self.site().registry.seen().1;
        prop_assert_eq!(&told, &self.site().registry.seen().1, "a preview changes nothing");
        let done = self.site().purge(of, what.clone());
        let (expected, plan) = match (expected, done) {
            (Some(expected), Ok((plan, _))) => (expected, plan),
            (Some(_), Err(RemovalError::Bytes { .. })) if self.breaks => return self.restart(),
            (None, Err(RemovalError::Write(error))) => {
                prop_assert!(preview.is_err(), "{error}");
                prop_assert_eq!(told, self.site().registry.seen().1);
                return Ok(());
            }
            (expected, done) => {
                return Err(TestCaseError::fail(format!("{what:?} in {of}: {done:?}, expected {expected:?}")));
            }
        };
        prop_assert_eq!(summary(&preview.unwrap()), summary(&plan), "a dry run says what the run does");
        prop_assert_eq!(&gone(&plan), &expected.gone, "{:?} in {}: {:?}", what, of, plan);
        prop_assert_eq!(plan.tags.iter().cloned().collect::<BTreeSet<_>>(), expected.tags);
        let after = self.caught_up();
        let (was, is) = (&before.repositories[&name(of)], &after.repositories[&name(of)]);
        let lost: BTreeSet<_> =
            was.manifests.keys().filter(|digest| !is.manifests.contains_key(*digest)).cloned().collect();
        prop_assert_eq!(lost, expected.deleted);
        let lost: BTreeSet<_> =
            was.blobs.difference(&is.blobs).filter(|blob| !expected.gone.contains(*blob)).cloned().collect();
        prop_assert_eq!(lost, expected.hidden);
        for digest in &expected.gone {
            prop_assert!(!self.site().bytes.kept().contents.contains_key(digest), "{} is on the disk", digest);
        }
        // In the other repositories nothing that holds anything has changed.
        for (name, was) in before.repositories.iter().filter(|(repository, _)| **repository != name(of)) {
            let is = &after.repositories[name];
            prop_assert_eq!(was.manifests.keys().collect::<Vec<_>>(), is.manifests.keys().collect::<Vec<_>>());
            prop_assert_eq!(&was.tags, &is.tags);
        }
        for (tag, digest) in was
            .tags
            .iter()
            .filter(|(tag, _)| was.protects(tag) && !matches!(what, Purged::Erased(erased) if erased == *tag))
        {
            prop_assert_eq!(is.tags.get(tag), Some(digest), "a protected tag stays");
            prop_assert!(was.reached(digest).iter().filter(|digest| was.has(digest)).all(|digest| is.has(digest)));
        }
        Ok(())
    }

    fn collect(&mut self) -> TestCaseResult {
        let before = self.naive.clone();
        let now = self.site().now();
        let ago = |span| ago(now, span);
        let moment = Moment { tellings: &self.tellings, grace_began: ago(GRACE), process_began: self.began };
        let expected = collecting(&before, self.rules.untagged.map(ago), &moment);
        let seen = self.site().registry.seen().1;
        let fault = self.site().disk.faults.lock().unwrap().erase_only.take();
        let said = self.site().collect(Way::Dry).unwrap();
        prop_assert_eq!(seen, self.site().registry.seen().1);
        self.site().disk.faults.lock().unwrap().erase_only = fault;
        let Ok(done) = self.site().collect(Way::Delete) else {
            prop_assert!(self.breaks);
            return self.restart();
        };
        self.tellings.forget_before(ago(GRACE));
        let digests = |of: &tagstone::registry::Collection| -> BTreeSet<_> {
            of.removed.entries.iter().map(|content| content.digest.clone()).collect()
        };
        prop_assert_eq!(digests(&said), digests(&done), "a dry run says what the run does");
        prop_assert_eq!(
            (said.manifests_deleted, said.kept_in_grace, said.considered, said.bytes_freed),
            (done.manifests_deleted, done.kept_in_grace, done.considered, done.bytes_freed)
        );
        prop_assert_eq!(&digests(&done), &expected.gone);
        let after = self.caught_up();
        let places = |naive: &Naive| -> BTreeSet<_> {
            let all = naive.repositories.iter();
            all.flat_map(|(name, of)| {
                of.manifests.keys().map(|digest| (name.clone(), digest.clone())).collect::<Vec<_>>()
            })
            .collect()
        };
        let lost: BTreeSet<_> = places(&before).difference(&places(&after)).cloned().collect();
        prop_assert_eq!(lost, expected.deleted);
        for digest in &expected.gone {
            prop_assert!(!self.site().bytes.kept().contents.contains_key(digest), "{} is on the disk", digest);
        }
        Ok(())
    }

    /// What is left of removals that broke off goes at the next start.
    fn restart(&mut self) -> TestCaseResult {
        let site = self.site.take().unwrap().restarted();
        site.disk.faults.lock().unwrap().erase_only = None;
        (self.breaks, self.began) = (false, site.now());
        self.tellings = Tellings::default();
        prop_assert!(site.removal.collector.finish_removals().unwrap());
        let (recorded, held) = (recorded_as_removed(&site.log), site.registry.published.snapshot());
        for digest in recorded.iter().filter(|digest| !held.state.knows(digest)) {
            prop_assert!(!site.bytes.kept().contents.contains_key(digest), "{} was recorded as removed", digest);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot");
        snapshot::write(&path, &held.state, held.head).unwrap();
        let (state, head) = snapshot::read(&path).unwrap();
        prop_assert_eq!((head, state.fingerprint()), (held.head, held.state.fingerprint()));
        let loose = |state: &tagstone_replay::fold::State| -> BTreeSet<(Digest, Timestamp)> {
            state.all_loose().map(|(digest, loose)| (digest.clone(), loose.since)).collect()
        };
        prop_assert_eq!(loose(&state), loose(&held.state));
        drop(held);
        self.site = Some(site);
        Ok(())
    }

    /// What holds at any time.
    fn check(&mut self) -> TestCaseResult {
        self.naive = self.caught_up();
        self.tellings.let_go(&self.naive);
        let (site, naive) = (self.site(), &self.naive);
        prop_assert_eq!(site.registry.seen().1, told_by(&site.log).1);
        let kept = site.bytes.kept();
        for digest in naive.held() {
            prop_assert!(kept.contents.contains_key(&digest), "the log holds {} and the disk does not", digest);
        }
        let state = &site.registry.published.snapshot().state;
        let loose: BTreeSet<_> = state.all_loose().map(|(digest, loose)| (digest.clone(), loose.since)).collect();
        prop_assert_eq!(loose, naive.loose.clone().into_iter().collect::<BTreeSet<_>>());
        Ok(())
    }
}

fn ago(now: Timestamp, span: Duration) -> Timestamp {
    Timestamp(now.0 - i64::try_from(span.as_micros()).unwrap())
}

fn gone(plan: &PurgePlan) -> BTreeSet<Digest> {
    plan.manifests
        .iter()
        .map(|manifest| manifest.digest.clone())
        .chain(plan.blobs.iter().map(|(digest, _)| digest.clone()))
        .collect()
}

fn summary(plan: &PurgePlan) -> String {
    format!("{:?} {:?} {:?} {:?} {:?}", plan.erased, plan.tags, gone(plan), plan.kept, plan.bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn removal_does_what_it_says(acts in proptest::collection::vec(act(), 1..80), ages in any::<bool>()) {
        let rules = CollectRules { grace: GRACE, untagged: ages.then_some(UNTAGGED) };
        let mut life = Life::begin(rules);
        for act in &acts {
            life.play(act)?;
        }
        life.restart()?;
        life.site.take().unwrap().end();
    }
}
