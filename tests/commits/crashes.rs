//! The process dies at a step of a commit. A copy of the data directory, made at that step, is what it leaves (only
//! the loss of power leaves less, and has its own tests).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tagstone::registry::Submission;
use tagstone_replay::content::Layout;
use tagstone_replay::log::{Log, OpenError};
use tagstone_schema::Head;

use crate::commands::{link, push};
use crate::fake_disk::Step;
use crate::registry::{Answer, Registry, begin, open, told_by};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What each step of a commit leaves.
pub(crate) struct Copies {
    pub(crate) steps: BTreeMap<Step, Layout>,
    /// What was true before it.
    pub(crate) before: (Head, String),
    /// What is true when it is complete.
    pub(crate) after: (Head, String),
}

/// Copies the data directory at each step of the commit of the last command.
pub(crate) fn copies_of(directory: &Path, prepared: Vec<Submission>, last: Submission) -> Copies {
    let data = directory.join("data");
    fs::create_dir_all(&data).unwrap();
    let (mut log, _) = open(&Layout::new(&data)).unwrap();
    begin(&mut log);
    drop(log);
    let (log, snapshot) = open(&Layout::new(&data)).unwrap();

    let taken: Arc<Mutex<Option<BTreeMap<Step, Layout>>>> = Arc::default();
    let at = {
        let (taken, directory, data) = (taken.clone(), directory.to_owned(), data);
        Arc::new(Mutex::new(move |step| {
            if let Some(taken) = taken.lock().unwrap().as_mut() {
                let target = directory.join(format!("{step:?}"));
                copy(&data, &target);
                taken.insert(step, Layout::new(target));
            }
        }))
    };
    let mut registry = Registry::watched(log, snapshot, 10, at);
    let answers = registry.commit(prepared);
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Committed(_))), "{answers:?}");
    let before = registry.seen();
    *taken.lock().unwrap() = Some(BTreeMap::new());
    assert_eq!(registry.submit(last), Answer::Committed(before.0.seq + 1));
    let after = registry.seen();
    registry.stop();
    let steps = taken.lock().unwrap().take().unwrap();
    assert_eq!(steps.len(), 4);
    Copies { steps, before, after }
}

/// Two commits: of two records, and of one.
fn copies(directory: &Path) -> Copies {
    let first = vec![link("a", "1"), push("a", "image 1", &["1"], &["x"])];
    copies_of(directory, first, push("a", "image 2", &["1"], &["x", "y"]))
}

#[test]
fn a_crash_at_any_step_leaves_all_of_a_commit_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let Copies { steps: copies, before, after } = copies(directory.path());
    for (step, layout) in copies {
        let expected = if step == Step::Appended { &after } else { &before };
        // A start that dies too changes nothing about it.
        for _ in 0..3 {
            let (log, snapshot) = open(&layout).unwrap();
            assert_eq!(&told_by(&log), expected, "{step:?}");
            assert_eq!(&(snapshot.head, snapshot.state.fingerprint().to_string()), expected);
        }
        let (log, snapshot) = open(&layout).unwrap();
        let mut registry = Registry::over(log, snapshot, 10);
        let repeated = registry.commit(vec![push("a", "image 2", &["1"], &["x", "y"])]);
        let expected = if step == Step::Appended { Answer::Unchanged } else { Answer::Committed(4) };
        assert_eq!(repeated, [expected], "{step:?}: the client repeats what it was not told of");
        registry.stop();
    }
}

#[test]
fn a_crash_between_log_and_anchor_keeps_the_commit() {
    let directory = tempfile::tempdir().unwrap();
    let Copies { steps: copies, after, .. } = copies(directory.path());
    let layout = &copies[&Step::Appended];
    fs::copy(copies[&Step::Appending].anchor(), layout.anchor()).unwrap();
    let (log, _) = open(layout).unwrap();
    assert_eq!(told_by(&log), after);
    drop(log);
    // The start has moved the anchor up: from now on a log without the commit is refused.
    let anchor = tagstone_replay::log::anchor::read(&layout.anchor()).unwrap();
    assert_eq!(anchor, after.0);
}

#[test]
fn a_log_below_its_anchor_is_refused_every_time() {
    let directory = tempfile::tempdir().unwrap();
    let Copies { steps: copies, before, after } = copies(directory.path());
    let layout = &copies[&Step::Appending];
    fs::copy(copies[&Step::Appended].anchor(), layout.anchor()).unwrap();
    for _ in 0..3 {
        match open(layout) {
            Err(OpenError::BelowAnchor { head, anchor }) => assert_eq!((head, anchor), (before.0, after.0)),
            other => panic!("{:?}", other.map(|(log, _)| log.head())),
        }
    }
}
