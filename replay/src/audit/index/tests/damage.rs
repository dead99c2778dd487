//! What is damaged, cut off or left over is never answered from, and costs no more than to read those records again.

use std::fs;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::audit::index::merge::merged;

/// A closed index of a whole log in several runs.
fn closed(known: &Known, directory: &Path) {
    let index = AuditIndex::open_with(directory, Limits { postings: 80, most: 0, ..SMALL }).unwrap();
    known.add_to(&index, known.records.len()).unwrap();
    index.close().unwrap();
}

/// Opens an index after a harm, and brings it up again as the one who follows the log does: with another log's it begins
/// anew, and in doubt as well.
fn healed(known: &Known, directory: &Path) -> AuditIndex {
    let index = AuditIndex::open_with(directory, SMALL).unwrap();
    if !known.agrees(&index) {
        index.clear().unwrap();
    }
    for _ in 0..2 {
        let all = known.records.len();
        if known.add_to(&index, all).and_then(|()| known.compare(&index.view(), all)).is_ok() {
            assert!(!index.is_in_doubt());
            return index;
        }
        assert!(index.is_in_doubt(), "it failed and nobody would know");
        index.clear().unwrap();
    }
    panic!("made anew it is still in doubt");
}

fn copied(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for path in files(from) {
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn flips_and_cuts_of_every_byte_of_a_run() {
    let known = Known::of(&history(&(0u8..30).map(|n| [n.wrapping_mul(7), n, n ^ 0x55, 2]).collect::<Vec<_>>()));
    assert!(known.records.len() > 5);
    let (directory, harmed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = AuditIndex::open(directory.path()).unwrap();
    known.add_to(&index, known.records.len()).unwrap();
    index.close().unwrap();
    let [run] = &files(directory.path())[..] else { panic!("more than one run") };
    let bytes = fs::read(run).unwrap();
    let path = harmed.path().join(run.file_name().unwrap());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        for harmful in [&flipped[..], &bytes[..at]] {
            fs::write(&path, harmful).unwrap();
            // Found when it is opened, or when the part is read: there is no byte that nobody checks.
            let index = AuditIndex::open(harmed.path()).unwrap();
            let is_found = index.reached().seq == 0 || known.compare(&index.view(), known.records.len()).is_err();
            assert!(is_found, "byte {at} of {}", bytes.len());
            if at % 16 == 0 {
                fs::write(&path, harmful).unwrap();
                drop(healed(&known, harmed.path()));
            }
            files(harmed.path()).iter().for_each(|path| fs::remove_file(path).unwrap());
        }
    }
}

#[test]
fn what_is_in_doubt_is_made_anew() {
    let (known, other) = (Known::long(0), Known::long(1));
    let (directory, foreign, harmed) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed(&known, directory.path());
    closed(&other, foreign.path());
    let runs = files(directory.path());
    assert!(runs.len() > 4, "{}", runs.len());
    let name = |at: usize| runs[at].file_name().unwrap().to_owned();
    type Harm<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Harm<'_>, Option<u64>); 9] = [
        ("nothing", &|_| {}, None),
        ("all removed", &|index| files(index).iter().for_each(|path| fs::remove_file(path).unwrap()), Some(0)),
        ("a gap", &|index| fs::remove_file(index.join(name(1))).unwrap(), Some(1)),
        ("without the first", &|index| fs::remove_file(index.join(name(0))).unwrap(), Some(0)),
        ("emptied", &|index| fs::write(index.join(name(2)), b"").unwrap(), Some(2)),
        ("garbage", &|index| fs::write(index.join(name(2)), [0xa5; 10_000]).unwrap(), Some(2)),
        ("under another name", &|index| fs::rename(index.join(name(2)), index.join(name(1))).unwrap(), Some(1)),
        (
            "strangers",
            &|index| {
                fs::write(index.join("db"), b"of another program").unwrap();
                fs::write(index.join("00000000000000000001-00000000000000000000.run"), b"").unwrap();
                fs::create_dir(index.join("blobs")).unwrap();
                fs::write(index.join("blobs/1"), b"").unwrap();
            },
            None,
        ),
        ("of another log", &|index| copied(foreign.path(), index), None),
    ];
    for (what, harm, kept) in cases {
        copied(directory.path(), harmed.path());
        harm(harmed.path());
        let index = AuditIndex::open_with(harmed.path(), SMALL).unwrap();
        let all = if what == "of another log" { other.records.len() } else { known.records.len() };
        let kept = kept.map(|runs| usize::try_from(runs).unwrap());
        match kept {
            Some(kept) => assert_eq!(index.parts().runs.len(), kept, "{what}"),
            None => assert_eq!(index.reached().seq, all as u64, "{what}"),
        }
        assert_eq!(known.agrees(&index), what != "of another log", "{what}");
        assert_eq!(files(harmed.path()).len(), index.parts().runs.len(), "{what}: something is left");
        drop(index);
        drop(healed(&known, harmed.path()));
        let index = AuditIndex::open_with(harmed.path(), SMALL).unwrap();
        assert!(known.agrees(&index) && index.reached().seq > 0, "{what}");
    }
}

#[test]
fn a_crash_at_each_step_of_a_flush_and_a_merge_loses_nothing() {
    let known = Known::long(0);
    let (directory, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed(&known, directory.path());
    let index = AuditIndex::open_with(directory.path(), Limits { least: 1, ..SMALL }).unwrap();
    let runs = index.parts().runs;
    let (all, merging) = (index.reached(), &runs[1..4]);
    // The file that the merge makes, beside those that it was made of.
    let scratch = tempfile::tempdir().unwrap();
    let one = merged(scratch.path(), merging, &AtomicBool::new(false)).unwrap();
    let name = one.file.path.file_name().unwrap();
    let bytes = fs::read(&one.file.path).unwrap();
    let after_renaming = |removed: usize| {
        copied(directory.path(), crashed.path());
        fs::write(crashed.path().join(name), &bytes).unwrap();
        let parts = &merging[..removed];
        parts.iter().for_each(|run| fs::remove_file(crashed.path().join(run.file.path.file_name().unwrap())).unwrap());
    };
    for removed in 0..=3 {
        after_renaming(removed);
        let index = AuditIndex::open_with(crashed.path(), SMALL).unwrap();
        assert_eq!(index.reached(), all, "{removed} parts removed");
        assert_eq!(files(crashed.path()).len(), runs.len() - 2, "the merged one is preferred, its parts are removed");
        known.compare(&index.view(), known.records.len()).unwrap();
    }
    // The merged one came to harm before its parts were removed.
    after_renaming(0);
    fs::write(crashed.path().join(name), &bytes[..bytes.len() - 1]).unwrap();
    let index = AuditIndex::open_with(crashed.path(), SMALL).unwrap();
    assert_eq!((index.reached(), files(crashed.path()).len()), (all, runs.len()));
    drop(index);
    // Cut off while it was written, by a flush or a merge.
    for length in [0, 1, bytes.len() / 2, bytes.len()] {
        copied(directory.path(), crashed.path());
        fs::write(crashed.path().join(name).with_extension("new"), &bytes[..length]).unwrap();
        let index = AuditIndex::open_with(crashed.path(), SMALL).unwrap();
        assert_eq!((index.reached(), files(crashed.path()).len()), (all, runs.len()));
    }
}

#[test]
fn what_cannot_be_written_is_told() {
    let known = Known::long(0);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    fs::write(&path, b"in the way").unwrap();
    assert!(AuditIndex::open(&path).is_err());
    fs::remove_file(&path).unwrap();
    let index = AuditIndex::open_with(&path, SMALL).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let added = known.add_to(&index, known.records.len());
    assert!(added.unwrap_err().to_string().starts_with("writing the index of the audit failed"));
}

#[test]
fn a_merge_that_cannot_write_is_put_off() {
    let (known, directory) = (Known::long(3), tempfile::tempdir().unwrap());
    let index = unmerged(&known, directory.path());
    let runs = index.parts().runs.len();
    // A directory is in the way of each run that a merge could make.
    for from in 1..=runs {
        fs::create_dir(directory.path().join(format!("{from:020}-{:020}.run", from + 3))).unwrap();
    }
    add_rest(&known, &index).unwrap();
    assert_eq!(index.parts().runs.len(), runs);
    known.compare(&index.view(), known.records.len()).unwrap();
}

#[test]
fn a_merge_that_reads_what_nobody_wrote_is_told() {
    let (known, directory) = (Known::long(3), tempfile::tempdir().unwrap());
    let index = unmerged(&known, directory.path());
    for path in files(directory.path()) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[10] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let error = add_rest(&known, &index).unwrap_err();
    assert!(error.is_of_reading(), "{error}");
}

#[test]
fn what_a_merge_has_left_goes_with_all_the_rest() {
    let known = Known::long(0);
    let directory = tempfile::tempdir().unwrap();
    let index = AuditIndex::open_with(directory.path(), SMALL).unwrap();
    known.add_to(&index, known.records.len()).unwrap();
    index.close().unwrap();
    // A run that nobody has taken yet. The next start would prefer it to those that are made anew, since it is longer.
    let merged = directory.path().join(format!("{:020}-{:020}.run", 1, known.records.len()));
    fs::copy(&files(directory.path())[0], merged).unwrap();
    index.clear().unwrap();
    assert_eq!(files(directory.path()), <[std::path::PathBuf; 0]>::default());
}
