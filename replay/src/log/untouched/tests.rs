//! Held against sled itself: what is read without it is what it would have shown.

mod sealed;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Head, Origin, Record, RecordHash};
use tempfile::TempDir;

use super::super::pages::first_key;
use super::super::tree::unwinding;
use super::super::{CopiedLog, StoredRecord};
use super::*;

/// What is done to a table.
#[derive(Clone, Debug)]
enum Deed {
    /// So many values behind the last one, in one batch or one by one, of so many bytes.
    Append(u64, usize),
    Batch(u64, usize),
    /// The last so many values are taken away.
    CutOff(u64),
    Reopen,
}

/// Does it, and lets go of the file.
fn done(deeds: &[Deed]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let db = sled::Config::default().path(directory.path()).flush_every_ms(Some(1)).open().unwrap();
        (db.open_tree(TREE).unwrap(), db)
    };
    let (mut tree, mut db) = open();
    let mut last = 0_u64;
    for deed in deeds {
        let mut batch = sled::Batch::default();
        match deed {
            Deed::Append(count, bytes) | Deed::Batch(count, bytes) => {
                for _ in 0..*count {
                    last += 1;
                    let (key, value) = (last.to_be_bytes(), vec![last.to_le_bytes()[0]; *bytes]);
                    match deed {
                        Deed::Append(..) => drop(tree.insert(key, value).unwrap()),
                        _ => batch.insert(&key, value),
                    }
                }
                tree.apply_batch(batch).unwrap();
            }
            Deed::CutOff(count) => {
                (0..*count).for_each(|back| drop(tree.remove(last.saturating_sub(back).to_be_bytes()).unwrap()));
                last = last.saturating_sub(*count);
            }
            Deed::Reopen => {
                drop((tree, db));
                closed(directory.path());
                (tree, db) = open();
            }
        }
        db.flush().unwrap();
    }
    drop((tree, db));
    closed(directory.path());
    directory
}

/// Waits until sled has let go of a directory, which it does in threads of its own.
fn closed(directory: &Path) {
    while File::open(directory.join("db")).unwrap().try_lock().is_err() {
        std::thread::yield_now();
    }
}

fn copied(from: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("blobs")).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// What sled shows of a copy, if it shows all without an error.
fn in_sled(log: &Path) -> Option<Vec<(u64, Vec<u8>)>> {
    let copy = copied(log);
    let read = || {
        let db = sled::Config::default().path(copy.path()).flush_every_ms(None).open().ok()?;
        let number = |key: sled::IVec| u64::from_be_bytes(key.as_ref().try_into().unwrap());
        let all = db.open_tree(TREE).ok()?.iter().map(Result::ok).collect::<Option<Vec<_>>>()?;
        Some(all.into_iter().map(|(key, value)| (number(key), value.to_vec())).collect())
    };
    unwinding(read).ok().flatten()
}

/// What is read without sled; none if it is left to it, at once or later. What was read until then is added to `seen`.
fn in_file(log: &Path, seen: &mut Vec<(u64, Vec<u8>)>) -> Option<()> {
    let opened = Untouched::open(log)?;
    for stored in opened.read() {
        let stored = stored.map_err(|error| assert_eq!(error.doing, NOT_UNDERSTOOD)).ok()?;
        seen.push((stored.seq, stored.bytes));
    }
    Some(())
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (1u64..400, 1usize..700).prop_map(|(count, bytes)| Deed::Append(count, bytes)),
        2 => (1u64..400, 1usize..700).prop_map(|(count, bytes)| Deed::Batch(count, bytes)),
        1 => (1u64..60, 3000usize..4097).prop_map(|(count, bytes)| Deed::Append(count, bytes)),
        1 => (1u64..30).prop_map(Deed::CutOff),
        2 => Just(Deed::Reopen),
    ];
    prop::collection::vec(deed, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_written_is_read_as_sled_reads_it(deeds in deeds()) {
        let log = done(&deeds);
        let before: BTreeMap<_, _> = contents(log.path());
        let mut seen = Vec::new();
        let read = in_file(log.path(), &mut seen);
        let shown = in_sled(log.path()).unwrap();
        prop_assert!(shown.starts_with(&seen));
        prop_assert!(read.is_none() || seen.len() == shown.len());
        // Nodes are merged where values are taken away.
        let only_appended = deeds.iter().all(|deed| !matches!(deed, Deed::CutOff(_)));
        prop_assert!(read.is_some() || !only_appended, "left to sled");
        prop_assert!(contents(log.path()) == before);
        prop_assert_eq!(not_for_sled(log.path()).unwrap(), None);
    }
}

fn contents(log: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// What is done to the bytes of a file, at a millionth of it.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Zeros(usize, usize),
    Cut(usize),
    Moved(usize, usize),
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (0usize..1_000_000, 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        2 => (0usize..1_000_000, 1usize..5000).prop_map(|(at, length)| Damage::Zeros(at, length)),
        2 => (0usize..1_000_000).prop_map(Damage::Cut),
        1 => (0usize..1_000_000, 0usize..1_000_000).prop_map(|(from, to)| Damage::Moved(from, to)),
    ]
}

fn do_damage(path: &Path, damage: &Damage) {
    let bytes = fs::read(path).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let place = |at: usize| at * bytes.len() / 1_000_000;
    match damage {
        Damage::Flip(at, bits) => file.write_all_at(&[bytes[place(*at)] ^ bits], place(*at) as u64).unwrap(),
        Damage::Zeros(at, length) => {
            let length = (*length).min(bytes.len() - place(*at));
            file.write_all_at(&vec![0; length], place(*at) as u64).unwrap();
        }
        Damage::Cut(at) => file.set_len(place(*at) as u64).unwrap(),
        Damage::Moved(from, to) => {
            let (from, to) = (place(*from) / segment::SEGMENT, place(*to) / segment::SEGMENT);
            let bytes = &bytes[from * segment::SEGMENT..];
            let length = bytes.len().min(segment::SEGMENT);
            file.write_all_at(&bytes[..length], (to * segment::SEGMENT) as u64).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn of_a_damaged_file_nothing_is_read_that_sled_would_not_show(
        is_reopened in any::<bool>(),
        in_snapshot in prop::bool::weighted(0.2),
        damage in damages(),
    ) {
        static LOGS: std::sync::OnceLock<[TempDir; 2]> = std::sync::OnceLock::new();
        let logs = LOGS.get_or_init(|| {
            let deeds = [Deed::Append(1500, 700), Deed::Batch(500, 600), Deed::Reopen, Deed::Append(900, 500)];
            [done(&deeds[..2]), done(&deeds)]
        });
        let log = copied(logs[usize::from(is_reopened)].path());
        let snapshot = fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().path());
        let snapshot = snapshot.into_iter().find(|path| path.to_string_lossy().contains("snap.")).filter(|_| in_snapshot);
        do_damage(&snapshot.unwrap_or_else(|| log.path().join("db")), &damage);
        let mut seen = Vec::new();
        if in_file(log.path(), &mut seen).is_some() {
            prop_assert!(Some(seen) == in_sled(log.path()));
        }
        prop_assert_eq!(not_for_sled(log.path()).unwrap(), None, "damage names no page");
    }
}

/// A log of records, and its head.
fn recorded() -> (TempDir, Head) {
    let directory = tempfile::tempdir().unwrap();
    let mut head = Head::default();
    for count in [1500, 1000] {
        let db = sled::Config::default().path(directory.path()).flush_every_ms(None).open().unwrap();
        let tree = db.open_tree(TREE).unwrap();
        for _ in 0..count {
            let (actor, origin) = (Actor::system("test"), Origin::default());
            let events = vec![Event::ServerStarted { version: "v".repeat(500) }];
            let (seq, time, prev) = (head.seq + 1, head.time.next(), head.hash);
            let record = Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events }.encode().unwrap();
            head = record.head();
            tree.insert(first_key(seq), record.bytes()).unwrap();
        }
        db.flush().unwrap();
        drop((tree, db));
        closed(directory.path());
    }
    (directory, head)
}

/// All that is read of a log, how many records that are, the error that ends it, and what is said of it.
fn read(log: &Path, anchor: Head) -> (RecordHash, usize, Option<String>, Option<String>) {
    let opened = CopiedLog::of(log, Some(anchor)).unwrap();
    let (mut all, mut count, mut error) = (Vec::new(), 0, None);
    for stored in opened.read(1) {
        match stored {
            Ok(StoredRecord { seq, bytes }) => {
                all.extend(seq.to_le_bytes().into_iter().chain(bytes));
                count += 1;
            }
            Err(why) => error = Some(why.to_string()),
        }
    }
    (RecordHash::of(&all), count, error, opened.damage().map(|(seq, what)| format!("from {seq} on: {what}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn where_it_ends_the_rest_comes_as_if_sled_had_read_all(
        damage in prop::option::of(damages()),
        stray in prop::option::weighted(0.2, (1u64..2500, 1u16..3)),
        removed in prop::option::weighted(0.2, 1u64..2500),
    ) {
        static LOG: std::sync::OnceLock<(TempDir, Head)> = std::sync::OnceLock::new();
        let (log, head) = LOG.get_or_init(recorded);
        let log = copied(log.path());
        if stray.is_some() || removed.is_some() {
            let db = sled::Config::default().path(log.path()).flush_every_ms(None).open().unwrap();
            let tree = db.open_tree(TREE).unwrap();
            let stray = stray.map(|(seq, part)| [&first_key(seq)[..], &part.to_be_bytes()].concat());
            stray.iter().for_each(|key| drop(tree.insert(key, b"?").unwrap()));
            removed.iter().for_each(|seq| drop(tree.remove(first_key(*seq)).unwrap()));
            db.flush().unwrap();
            drop((tree, db));
            closed(log.path());
        }
        if let Some(damage) = damage {
            do_damage(&log.path().join("db"), &damage);
        }
        let seen = read(log.path(), *head);
        fs::write(log.path().join("note"), b"sled has to look at it").unwrap();
        prop_assert_eq!(seen, read(log.path(), *head));
    }
}

#[test]
fn a_file_that_lies_elsewhere_is_read_as_a_server_would_read_it() {
    let (log, head) = recorded();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(log.path().join("db"), elsewhere.path().join("db")).unwrap();
    let seen = read(log.path(), head);
    assert_eq!((seen.1, &seen.2, &seen.3), (2500, &None, &None));
    fs::remove_file(log.path().join("db")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("db"), log.path().join("db")).unwrap();
    assert_eq!(read(log.path(), head), seen);
}

#[test]
fn what_does_not_belong_into_the_directory_is_left_to_sled() {
    let deeds = [Deed::Append(20, 10), Deed::Reopen, Deed::Append(20, 10)];
    let log = done(&deeds);
    assert!(in_file(log.path(), &mut Vec::new()).is_some());
    let snapshot_twice = |log: &Path| {
        let first = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
        let first = first.into_iter().find(|path| path.to_string_lossy().contains("snap.")).unwrap();
        fs::copy(first, log.join("snap.0000000000000001")).map(drop).unwrap();
    };
    let odd: [fn(&Path); 7] = [
        snapshot_twice,
        |log| fs::write(log.join("conf"), [CONF, b"\n"].concat()).unwrap(),
        |log| fs::remove_file(log.join("conf")).unwrap(),
        |log| fs::write(log.join("blobs/1"), b"").unwrap(),
        |log| fs::write(log.join("snap.0000000000000001"), b"").unwrap(),
        |log| fs::write(log.join("snap.0000000000000001.generating"), b"").unwrap(),
        |log| fs::write(log.join("note"), b"").unwrap(),
    ];
    for (number, odd) in odd.iter().enumerate() {
        let copy = copied(log.path());
        odd(copy.path());
        assert!(Untouched::open(copy.path()).is_none(), "{number}");
    }
}
