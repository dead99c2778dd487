//! The past, as it is asked, is what the fold of the log held.

use proptest::prelude::*;
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, Record, RepositoryName, Seq, Tag};

use super::{Past, PolicyHistory, Question};
use crate::audit::index::AuditIndex;
use crate::audit::{Archive, Folded};
use crate::content::Layout;
use crate::fold::properties::{choices, decoded, history};
use crate::fold::{Manifest, State};
use crate::log::{EmbeddedLog, Log, Options};

/// Everything that is compared of a manifest.
fn told(manifest: &Manifest) -> String {
    let Manifest { digest, size, pushed, .. } = manifest;
    let (media_type, artifact_type, subject) = (manifest.media_type(), manifest.artifact_type(), manifest.subject());
    format!("{digest} {size} {media_type} {artifact_type:?} {subject:?} {pushed:?}")
}

/// A tag with what protects it.
fn tag_told(state: &State, repository: &RepositoryName, tag: &str) -> Option<String> {
    let (tag, standing) = state.repository(repository.as_str())?.tag_entry(tag)?;
    let reasons = state.protection(repository).reasons(tag, Some(standing));
    let (at, since) = (told(standing.manifest()), standing.since());
    Some(format!("{tag} {at} {since:?} {:?} {:?} {reasons:?}", standing.locked(), standing.expires()))
}

fn tags_told(state: &State, repository: &RepositoryName) -> Option<Vec<Option<String>>> {
    let tags = state.repository(repository.as_str())?.tags_after(None);
    Some(tags.map(|(tag, _)| tag_told(state, repository, tag.as_str())).collect())
}

fn manifests_told(state: &State, repository: &RepositoryName) -> Option<Vec<String>> {
    Some(state.repository(repository.as_str())?.manifests().map(told).collect())
}

fn referrers_told(state: &State, repository: &RepositoryName, subject: &Digest) -> Option<Vec<String>> {
    Some(state.repository(repository.as_str())?.referrers(subject, None).map(told).collect())
}

/// What the records are about.
#[derive(Default)]
struct Names {
    repositories: Vec<RepositoryName>,
    tags: Vec<Tag>,
    digests: Vec<Digest>,
}

impl Names {
    fn of(records: &[Record]) -> Self {
        let mut names = Self::default();
        for event in records.iter().flat_map(|record| &record.events) {
            match event {
                Event::ManifestPushed { repository, digest, subject, .. } => {
                    names.repositories.push(repository.clone());
                    names.digests.push(digest.clone());
                    names.digests.extend(subject.clone());
                }
                Event::BlobLinked { repository, digest, .. } => {
                    names.repositories.push(repository.clone());
                    names.digests.push(digest.clone());
                }
                Event::TagMoved { tag, .. } => names.tags.push(tag.clone()),
                _ => {}
            }
        }
        names.repositories.push("never/was".parse().unwrap());
        names.repositories.sort();
        names.repositories.dedup();
        names.tags.sort();
        names.tags.dedup();
        names.digests.sort();
        names.digests.dedup();
        names
    }
}

/// A log of these records, with its archive.
pub(in crate::audit) fn archived<T>(records: &[Record], ask: impl FnOnce(&Archive) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let opened = EmbeddedLog::open(&Layout::new(directory.path()), Options::default(), &mut |_| Ok(()));
    let mut log = opened.unwrap().log;
    let (index, mut state) = (AuditIndex::default(), State::default());
    let encoded: Vec<_> = records.iter().map(|record| record.encode().unwrap()).collect();
    let head = log.head();
    log.append(&head, &encoded).unwrap();
    for (record, encoded) in records.iter().zip(&encoded) {
        let folded = Folded::apply(&mut state, record.clone()).unwrap();
        index.add(&folded, encoded.head()).unwrap();
    }
    ask(&Archive::new(&index, log.reader()))
}

/// Asks everything behind one record.
fn compare(past: Past<'_>, names: &Names, was: &State, seq: Seq) {
    for repository in &names.repositories {
        let asked = |question: Question| past.state(repository, &question).unwrap();
        let is_there = was.repository(repository.as_str()).is_some();
        assert_eq!(
            asked(Question::Existence).repository(repository.as_str()).is_some(),
            is_there,
            "{seq} {repository}"
        );
        for tag in &names.tags {
            let found = asked(Question::Tag(tag.clone()));
            let expected = tag_told(was, repository, tag.as_str());
            assert_eq!(tag_told(&found, repository, tag.as_str()), expected, "{seq} {repository}:{tag}");
        }
        for digest in &names.digests {
            let found = asked(Question::Digest(digest.clone()));
            let of = |state: &State| {
                let repository = state.repository(repository.as_str())?;
                Some((repository.manifest(digest).map(told), repository.blob(digest)))
            };
            assert_eq!(of(&found), of(was), "{seq} {repository}@{digest}");
            let found = asked(Question::Referrers(digest.clone()));
            let expected = referrers_told(was, repository, digest);
            assert_eq!(referrers_told(&found, repository, digest), expected, "{seq} {repository} {digest}");
        }
        let found = asked(Question::Tags);
        assert_eq!(tags_told(&found, repository), tags_told(was, repository), "{seq} {repository}");
        assert_eq!(manifests_told(&found, repository), manifests_told(was, repository), "{seq} {repository}");
    }
}

/// Puts policies that select the tags of the records between them, and takes out what they would forbid.
fn with_policies(records: Vec<Record>, at: usize) -> Vec<Record> {
    let (policy, scope) = (Id([0xEE; 16]), Scope::Namespace("team".parse().unwrap()));
    let rule = |regex: &str, matches| {
        let pattern = Pattern { regex: regex.to_owned(), matches };
        Rule::Immutability { pattern, include_referrer_tags: false }
    };
    let mut state = State::default();
    let (mut all, mut head) = (Vec::<Record>::new(), tagstone_schema::Head::default());
    for (number, mut record) in records.into_iter().enumerate() {
        match number.checked_sub(at) {
            Some(1) => {
                record.events.push(Event::PolicyActivated { policy, scope: scope.clone(), rule: rule("t[01]", true) });
            }
            Some(4) => record.events.push(Event::PolicyChanged { policy, rule: rule("t[12]", true) }),
            Some(9) => record.events.push(Event::PolicyRetired { policy }),
            _ => {}
        }
        (record.seq, record.prev) = (head.seq + 1, head.hash);
        record.events.retain(|event| {
            let mut next = state.clone();
            let at = crate::fold::Moment { seq: record.seq, time: record.time };
            let is_legal = next.evolve(at, event).is_ok();
            if is_legal {
                state = next;
            }
            is_legal
        });
        if !record.events.is_empty() {
            head = record.encode().unwrap().head();
            all.push(record);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_past_is_what_the_fold_held(choices in choices(), policies_from in 0usize..40) {
        let records = with_policies(decoded(&history(&choices)), policies_from);
        let names = Names::of(&records);
        archived(&records, |archive| {
            let (policies, mut state) = (PolicyHistory::default(), State::default());
            for record in &records {
                state.apply(record).unwrap();
                compare(Past::new(archive, &policies, record.seq), &names, &state, record.seq);
            }
        });
    }

    #[test]
    fn nothing_changes_between_changes(choices in choices()) {
        let records = with_policies(decoded(&history(&choices)), 5);
        let names = Names::of(&records);
        archived(&records, |archive| {
            let policies = PolicyHistory::default();
            let mut states = vec![State::default()];
            for record in &records {
                let mut state = states.last().unwrap().clone();
                state.apply(record).unwrap();
                states.push(state);
            }
            for (seq, state) in (0..).zip(&states).skip(1) {
                for repository in &names.repositories {
                    let last = Past::new(archive, &policies, seq).last_change(repository).unwrap();
                    assert!(last <= seq);
                    let then = &states[usize::try_from(last).unwrap()];
                    assert_eq!(tags_told(then, repository), tags_told(state, repository), "{seq} {last} {repository}");
                    assert_eq!(manifests_told(then, repository), manifests_told(state, repository));
                }
            }
        });
    }
}
