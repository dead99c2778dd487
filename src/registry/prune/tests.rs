//! Selection by tables and properties; what happens between selection and deletion; how much fits into a record.

use proptest::prelude::*;
use tagstone_replay::fold::{Moment, State};
use tagstone_replay::pattern::Selector;
use tagstone_schema::event::DeletionCause;
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};
use tagstone_schema::policy::{Age, AgeUnit, Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, Event, Id, Origin, Record, RecordHash, RepositoryName, Tag, Timestamp, limits};

use super::packing::Packing;
use super::selection::{Selection, select};
use crate::registry::command::{Command, FoundTags, Prunable, PruneTags};
use crate::registry::decide::{Judged, Spared, decide};
use crate::registry::rejection::Rejection;

const POLICY: Id = Id([7; 16]);
const SECOND: i64 = 1_000_000;

/// A registry in which one thing happens a second.
struct Story {
    state: State,
    seconds: u64,
}

impl Story {
    fn new() -> Self {
        let mut story = Self { state: State::default(), seconds: 0 };
        story.happens(&Event::LogStarted { log: Id([1; 16]) });
        story
    }

    fn happens(&mut self, event: &Event) {
        self.seconds += 1;
        let at = Moment { seq: self.seconds, time: self.now() };
        self.state.evolve(at, event).unwrap();
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.seconds.cast_signed() * SECOND)
    }

    fn manifest(&mut self, digest: &Digest, children: &[Digest]) {
        let media_type = if children.is_empty() { OCI_IMAGE } else { OCI_INDEX };
        self.happens(&Event::ManifestPushed {
            repository: app(),
            digest: digest.clone(),
            size: 100,
            media_type: media_type.parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: children.iter().cloned().collect(),
        });
    }

    /// A tag on a manifest, which is pushed if it is not there.
    fn tag(&mut self, name: &str, to: &Digest) {
        if self.state.repository("acme/app").and_then(|app| app.manifest(to)).is_none() {
            self.manifest(to, &[]);
        }
        let from = self.state.repository("acme/app").and_then(|app| app.tag(name)).map(|tag| tag.digest().clone());
        self.happens(&Event::TagMoved { repository: app(), tag: tag(name), from, to: to.clone() });
    }

    fn lock(&mut self, name: &str) {
        self.happens(&Event::TagLocked { repository: app(), tag: tag(name) });
    }

    fn policy(&mut self, policy: Id, rule: Rule) {
        self.happens(&Event::PolicyActivated { policy, scope: Scope::Repository(app()), rule });
    }

    /// The names that are to go, and those that are protected.
    fn selected(&self, method: PruneMethod, pattern: Option<(&str, bool)>) -> (Vec<String>, Vec<String>) {
        let (app, selector) = (app(), pattern.map(|(regex, matches)| selector(regex, matches)));
        let Selection { going, immutable, .. } = select(&self.state, &app, method, selector.as_ref(), self.now());
        (going.iter().map(|one| one.tag.to_string()).collect(), immutable.iter().map(ToString::to_string).collect())
    }

    /// What a policy that keeps so many has found, as a command says it.
    fn found(&self, keep: u64) -> FoundTags {
        let app = app();
        let selection = select(&self.state, &app, PruneMethod::NumberOfTags(keep), None, self.now());
        let tags = selection.going.iter().map(super::selection::Selected::prunable).collect();
        FoundTags { repository: app.clone(), tags }
    }

    /// Deletes what was found, and answers what is deleted and what is spared.
    fn delete(&mut self, found: &FoundTags) -> Result<(Vec<String>, Vec<Spared>), Rejection> {
        let in_force = 2;
        let prune = PruneTags { policy: POLICY, in_force, run: Id([9; 16]), found: vec![found.clone()] };
        let events = decide(&self.state, &Command::PruneTags(Box::new(prune)))?;
        let spared = Judged::of(&self.state, found).spared.into_iter().map(|(_, why)| why).collect();
        let mut deleted = Vec::new();
        for event in events {
            self.happens(&event);
            let Event::TagsDeleted { tags, .. } = event else { panic!("{event:?}") };
            deleted.extend(tags.into_iter().map(|ended| ended.tag.to_string()));
        }
        Ok((deleted, spared))
    }
}

fn app() -> RepositoryName {
    "acme/app".parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn digest(number: usize) -> Digest {
    let mut raw = [0; 32];
    raw[..8].copy_from_slice(&number.to_le_bytes());
    Digest::sha256(raw)
}

fn signature_of(number: usize) -> String {
    digest(number).to_string().replacen(':', "-", 1) + ".sig"
}

fn selector(regex: &str, matches: bool) -> Selector {
    Selector::new(&Pattern { regex: regex.to_owned(), matches }).unwrap()
}

fn keep(number: u64) -> Rule {
    Rule::Prune { method: PruneMethod::NumberOfTags(number), pattern: None }
}

fn immutable(regex: &str) -> Rule {
    let pattern = Pattern { regex: regex.to_owned(), matches: true };
    Rule::Immutability { pattern, include_referrer_tags: false }
}

#[test]
fn protected_tags_do_not_count() {
    for (tags, protected, keep, remain) in
        [(100, 5, 1, 6), (500, 50, 100, 150), (7, 2, 3, 5), (3, 3, 1, 3), (2, 0, 5, 2)]
    {
        let mut story = Story::new();
        for number in 0..tags {
            let kind = if number < protected { "release" } else { "build" };
            story.tag(&format!("{kind}-{number}"), &digest(number));
        }
        story.policy(Id([3; 16]), immutable("release-.*"));
        let (going, immutable) = story.selected(PruneMethod::NumberOfTags(keep), None);
        assert_eq!((tags - going.len(), immutable.len()), (remain, protected), "{tags}, {protected} and {keep}");
        let newest = format!("build-{}", tags - 1);
        assert!(!going.contains(&newest) && going.iter().all(|tag| tag.starts_with("build")), "{going:?}");
    }
}

#[test]
fn a_filter_counts_only_what_it_selects() {
    let mut story = Story::new();
    for (number, name) in ["v1", "main", "v2", "dev", "v3", "v1"].into_iter().enumerate() {
        story.tag(name, &digest(number));
    }
    let number = |keep| PruneMethod::NumberOfTags(keep);
    // `v1` was moved last, and so is the newest.
    assert_eq!(story.selected(number(1), Some(("v.*", true))).0, ["v2", "v3"]);
    assert_eq!(story.selected(number(1), Some(("v.*", false))).0, ["main"]);
    assert_eq!(story.selected(number(1), Some(("v", true))).0, [""; 0], "a pattern matches the whole name");
    assert_eq!(story.selected(number(2), None).0, ["main", "v2", "dev"]);
}

#[test]
fn tags_are_as_old_as_their_move() {
    let mut story = Story::new();
    story.tag("a", &digest(1));
    story.tag("b", &digest(1));
    story.tag("c", &digest(1));
    let moved = story.seconds;
    story.seconds += 7 * 24 * 3_600 - 1;
    let age = |count, unit| PruneMethod::CreationDate(Age { count, unit });
    assert_eq!(story.seconds - moved, 604_799);
    for (method, going) in [
        (age(7, AgeUnit::Days), &["a"][..]),
        (age(1, AgeUnit::Weeks), &["a"]),
        (age(604_799, AgeUnit::Seconds), &["a", "b"]),
        (age(604_798, AgeUnit::Seconds), &["a", "b", "c"]),
        (age(168, AgeUnit::Hours), &["a"]),
        (age(10_080, AgeUnit::Minutes), &["a"]),
        (age(1, AgeUnit::Years), &[]),
        (age(u32::MAX, AgeUnit::Years), &[]),
    ] {
        assert_eq!(story.selected(method, None).0, going, "{method:?}");
    }
}

#[test]
fn expired_tags_are_not_there() {
    let mut story = Story::new();
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        story.tag(name, &digest(number));
    }
    story.happens(&Event::TagExpirySet { repository: app(), tag: tag("c"), at: Some(story.now()) });
    assert_eq!(story.selected(PruneMethod::NumberOfTags(1), None).0, ["a"]);
}

#[test]
fn tags_for_referrers_go_when_nothing_holds_their_subject() {
    let keep_one = PruneMethod::NumberOfTags(1);
    let with = |also: &dyn Fn(&mut Story)| {
        let mut story = Story::new();
        story.tag("old", &digest(1));
        story.tag(&signature_of(1), &digest(2));
        // A signature can be signed.
        story.tag(&signature_of(2), &digest(3));
        also(&mut story);
        story.tag("new", &digest(9));
        story.selected(keep_one, None)
    };
    let all = ["old".to_owned(), signature_of(1), signature_of(2)];
    assert_eq!(with(&|_| {}).0, all);
    // It does not hold what it is for.
    assert_eq!(
        with(&|story| story.tag(&format!("{}.att", digest(1).to_string().replacen(':', "-", 1)), &digest(1))).0.len(),
        4
    );
    let protected = with(&|story| story.lock(&signature_of(1)));
    assert_eq!(protected, (vec!["old".to_owned()], vec![signature_of(1)]));
    let held = with(&|story| {
        story.tag("locked", &digest(1));
        story.lock("locked");
    });
    assert_eq!(held, (vec!["old".to_owned()], vec!["locked".to_owned()]));
    let held_by_index = with(&|story| {
        story.manifest(&digest(5), &[digest(1)]);
        story.tag("index", &digest(5));
        story.lock("index");
    });
    assert_eq!(held_by_index, (vec!["old".to_owned()], vec!["index".to_owned()]));
}

#[test]
fn the_children_of_an_index_are_subjects_too() {
    let mut story = Story::new();
    story.manifest(&digest(1), &[]);
    story.manifest(&digest(5), &[digest(1)]);
    story.tag("old", &digest(5));
    story.tag(&signature_of(1), &digest(2));
    story.tag("new", &digest(9));
    assert_eq!(story.selected(PruneMethod::NumberOfTags(1), None).0, ["old".to_owned(), signature_of(1)]);
}

/// Three tags and a signature of the first, of which a policy that keeps one wants two and the signature.
fn found() -> (Story, FoundTags) {
    let mut story = Story::new();
    story.policy(POLICY, keep(1));
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        story.tag(name, &digest(number));
    }
    story.tag(&signature_of(0), &digest(7));
    let found = story.found(1);
    assert_eq!(found.tags.len(), 3);
    (story, found)
}

#[test]
fn what_has_changed_since_it_was_found_is_skipped() {
    type Change = fn(&mut Story);
    let signature = signature_of(0);
    let (all, no_a) = ([signature.as_str(), "a", "b"], ["b"]);
    let cases: [(&str, Change, &[&str], &[Spared]); 6] = [
        ("nothing", |_| {}, &all, &[]),
        ("a lock", |story| story.lock("a"), &no_a, &[Spared::Immutable, Spared::SubjectTagged]),
        (
            "a policy",
            |story| story.policy(Id([3; 16]), immutable("a")),
            &no_a,
            &[Spared::Immutable, Spared::SubjectTagged],
        ),
        ("a move", |story| story.tag("a", &digest(8)), &[&signature, "b"], &[Spared::Moved]),
        ("another tag", |story| story.tag("z", &digest(0)), &["a", "b"], &[Spared::SubjectTagged]),
        (
            "a deletion",
            |story| {
                let tags = vec![tagstone_schema::event::EndedTag { tag: tag("a"), was: digest(0) }];
                story.happens(&Event::TagsDeleted { repository: app(), tags, cause: DeletionCause::Request });
            },
            &[&signature, "b"],
            &[Spared::Gone],
        ),
    ];
    for (what, change, expected, why) in cases {
        let (mut story, found) = found();
        change(&mut story);
        let (mut deleted, spared) = story.delete(&found).unwrap();
        deleted.sort_by_key(|tag| (tag.len() < 10, tag.clone()));
        assert_eq!(deleted, expected, "{what}");
        assert_eq!(spared, why, "{what}");
    }
}

#[test]
fn a_policy_that_was_changed_or_retired_deletes_nothing() {
    let (mut story, found) = found();
    story.happens(&Event::PolicyChanged { policy: POLICY, rule: keep(2) });
    assert_eq!(story.delete(&found), Err(Rejection::PolicyChanged { policy: POLICY }));
    story.happens(&Event::PolicyRetired { policy: POLICY });
    let retired = Some(story.now());
    assert_eq!(story.delete(&found), Err(Rejection::PolicyUnknown { policy: POLICY, retired }));
}

fn encoded(actor: &Actor, origin: &Origin, found: &[FoundTags]) -> u64 {
    let event = |found: &FoundTags| Event::TagsDeleted {
        repository: found.repository.clone(),
        tags: found
            .tags
            .iter()
            .map(|one| tagstone_schema::event::EndedTag { tag: one.tag.clone(), was: one.digest.clone() })
            .collect(),
        cause: DeletionCause::Prune { policy: POLICY, run: POLICY },
    };
    let (format, actor, origin) = (FORMAT_VERSION, actor.clone(), origin.clone());
    let events = found.iter().map(event).collect();
    Record { format, seq: 1, time: Timestamp(1), prev: RecordHash::ZERO, actor, origin, events }.encoded_len()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Every record is as full as it can be, and what comes out is what went in.
    #[test]
    fn records_are_filled(lengths in proptest::collection::vec((1_usize..200, 1_usize..=128, 1_usize..40), 1..40)) {
        let (actor, origin) = (Actor::anonymous(), Origin::new("id".to_owned(), "192.0.2.1".to_owned(), "a test"));
        let mut packing = Packing::new(&actor, &origin);
        let (mut all, mut records) = (Vec::new(), Vec::new());
        for (place, (repository, tag, tags)) in lengths.into_iter().enumerate() {
            let repository: RepositoryName = format!("r{place}/{}", "x".repeat(repository)).parse().unwrap();
            for _ in 0..tags {
                let one = Prunable { tag: "t".repeat(tag).parse().unwrap(), digest: digest(1), since: 1, subject: None };
                all.push((repository.clone(), one.clone()));
                records.extend(packing.add(&repository, one));
            }
        }
        records.extend(packing.take());
        let mut packed = records.iter().flatten().flat_map(|found| found.tags.iter().map(|one| (found.repository.clone(), one.clone())));
        prop_assert!(all.iter().all(|one| packed.next().as_ref() == Some(one)));
        prop_assert!(packed.next().is_none());
        for (record, next) in records.iter().zip(records.iter().skip(1)) {
            let (mut more, first) = (record.clone(), &next[0]);
            prop_assert!(encoded(&actor, &origin, record) <= limits::RECORD_BYTES as u64);
            match more.last_mut().filter(|last| last.repository == first.repository) {
                Some(last) => last.tags.push(first.tags[0].clone()),
                None => more.push(FoundTags { repository: first.repository.clone(), tags: vec![first.tags[0].clone()] }),
            }
            prop_assert!(encoded(&actor, &origin, &more) > limits::RECORD_BYTES as u64);
        }
        prop_assert!(packing.take().is_none());
    }

    #[test]
    fn what_remains_is_what_was_to_be_kept(
        tags in proptest::collection::vec((any::<bool>(), any::<bool>(), 0_usize..6), 0..40),
        number in 0_u64..20,
        matches: bool,
    ) {
        let mut story = Story::new();
        for (place, (is_locked, is_build, manifest)) in tags.iter().enumerate() {
            let name = format!("{}-{place}", if *is_build { "build" } else { "other" });
            story.tag(&name, &digest(*manifest));
            if *is_locked {
                story.lock(&name);
            }
        }
        let (going, immutable) = story.selected(PruneMethod::NumberOfTags(number), Some(("build-.*", matches)));
        let selected: Vec<_> = tags.iter().enumerate().filter(|(_, (_, is_build, _))| *is_build == matches).collect();
        let mutable: Vec<_> = selected.iter().filter(|(_, (is_locked, ..))| !is_locked).map(|(place, _)| *place).collect();
        let places: Vec<usize> = going.iter().map(|tag| tag.split_once('-').unwrap().1.parse().unwrap()).collect();
        // Later pushes are newer.
        let surplus = mutable.len().saturating_sub(usize::try_from(number).unwrap());
        prop_assert_eq!(&places, &mutable[..surplus]);
        prop_assert_eq!(immutable.len(), selected.len() - mutable.len());
    }
}
