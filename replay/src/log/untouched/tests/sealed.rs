//! Files in which messages say something else than sled wrote, each with a checksum that holds: damage never makes them, and yet
//! nothing may be read of them that sled would not show.

use super::*;
use segment::{SEGMENT, SEGMENT_LSN};

/// Where a message lies in a file, where in it the numbers of its segment and its page stand, and how long its header and its body are.
#[derive(Clone, Copy)]
struct Written {
    at: usize,
    segment: usize,
    page: usize,
    header: usize,
    body: usize,
}

impl Written {
    /// The message that begins here, if it is whole.
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let length = bytes.get(at + 5)?;
        let segment = at + 5 + taken(*length);
        let page = segment + taken(*bytes.get(segment)?);
        let header = page + taken(*bytes.get(page)?) - at;
        let body = usize::try_from(Bytes(bytes.get(at + 5..)?).number()?).ok()?;
        (at + header + body <= bytes.len()).then_some(Self { at, segment, page, header, body })
    }
}

/// How many bytes a number takes that begins with this one.
fn taken(first: u8) -> usize {
    match first {
        ..=240 => 1,
        241..=248 => 2,
        more => usize::from(more) - 246,
    }
}

/// The messages of all segments, in the order in which they lie in the file.
fn messages(bytes: &[u8]) -> Vec<Written> {
    let mut found = Vec::new();
    for begin in (0..bytes.len()).step_by(SEGMENT) {
        let mut at = begin + 20;
        while at <= begin + SEGMENT - 32
            && let Some(kind @ 1..=11) = bytes.get(at + 4)
            && let Some(message) = Written::at(bytes, at)
        {
            found.push(message);
            at += message.header + message.body;
            if *kind == 2 {
                break;
            }
        }
    }
    found
}

/// Sets the checksum of a message right.
fn seal(bytes: &mut [u8], Written { at, header, body, .. }: Written) {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[at + header..at + header + body]);
    hasher.update(&bytes[at + 4..at + header]);
    let checksum = hasher.finalize() ^ u32::MAX;
    bytes[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// What a file says that sled did not write.
#[derive(Clone, Debug)]
enum Lie {
    /// A message is of another kind.
    Kind(usize, u8),
    /// It belongs to another page.
    Page(usize, u8),
    /// It names another segment.
    Segment(usize, u8),
    /// A byte of its body is another one.
    Body(usize, usize, u8),
    /// A batch ends so far from where all ends.
    Batch(usize, i64),
    /// A segment is another one in the sequence, and says up to where that was stable.
    Header(usize, i64, i64),
    /// The same of a segment, and its messages agree.
    Renumbered(usize, u8),
}

fn lies() -> impl Strategy<Value = Vec<Lie>> {
    let message = 0usize..1_000_000;
    let lie = prop_oneof![
        3 => (message.clone(), 0u8..12).prop_map(|(at, kind)| Lie::Kind(at, kind)),
        2 => (message.clone(), 0u8..10).prop_map(|(at, page)| Lie::Page(at, page)),
        1 => (message.clone(), 0u8..4).prop_map(|(at, number)| Lie::Segment(at, number)),
        3 => (message.clone(), 0usize..1_000_000, any::<u8>()).prop_map(|(at, byte, to)| Lie::Body(at, byte, to)),
        2 => (message.clone(), 0usize..24, 0u8..3).prop_map(|(at, byte, to)| Lie::Body(at, byte, to)),
        2 => (message, -2i64..3).prop_map(|(at, from_end)| Lie::Batch(at, from_end)),
        2 => (0usize..4, 0i64..5, 0i64..SEGMENT_LSN * 4).prop_map(|(at, number, stable)| Lie::Header(at, number, stable)),
        2 => (0usize..4, 0u8..6).prop_map(|(at, number)| Lie::Renumbered(at, number)),
    ];
    prop::collection::vec(lie, 1..3)
}

fn tell(bytes: &mut [u8], lie: &Lie) {
    let all = messages(bytes);
    // What fills a segment up is not counted.
    let last = all.iter().rfind(|message| bytes[message.at + 4] != 2);
    let end = last.map_or(0, |last| last.at + last.header + last.body);
    // Half of them concern the last messages.
    let chosen = |at: usize| {
        let among = if at.is_multiple_of(2) { all.len() } else { all.len().min(20) };
        all[all.len() - 1 - at * among / 1_000_000]
    };
    match *lie {
        Lie::Kind(at, kind) => {
            let chosen = chosen(at);
            bytes[chosen.at + 4] = kind;
            seal(bytes, chosen);
        }
        Lie::Page(at, page) => {
            let chosen = chosen(at);
            if chosen.at + chosen.header == chosen.page + 1 {
                bytes[chosen.page] = page;
                seal(bytes, chosen);
            }
        }
        Lie::Segment(at, number) => {
            let chosen = chosen(at);
            bytes[chosen.segment] = number;
            seal(bytes, chosen);
        }
        Lie::Body(at, byte, to) => {
            let chosen = chosen(at);
            if chosen.body > 0 {
                let byte = if byte < 24 { byte.min(chosen.body - 1) } else { byte * chosen.body / 1_000_000 };
                bytes[chosen.at + chosen.header + byte] = to;
                seal(bytes, chosen);
            }
        }
        Lie::Batch(at, from_end) => {
            let batches: Vec<_> = all.iter().filter(|message| bytes[message.at + 4] == 3).collect();
            if let Some(&&batch) = batches.get(at * batches.len() / 1_000_000) {
                let body = batch.at + batch.header;
                bytes[body..body + 8].copy_from_slice(&(end as i64 + from_end).to_le_bytes());
                seal(bytes, batch);
            }
        }
        Lie::Header(at, number, stable) => {
            head(bytes, at * SEGMENT, number, Some(stable));
        }
        Lie::Renumbered(at, number) => {
            head(bytes, at * SEGMENT, number.into(), None);
            for message in all.into_iter().filter(|message| message.at / SEGMENT == at) {
                bytes[message.segment] = number;
                seal(bytes, message);
            }
        }
    }
}

/// A copy of one of the logs, with these lies.
fn lying(which: usize, lies: &[Lie]) -> TempDir {
    static LOGS: std::sync::OnceLock<[TempDir; 4]> = std::sync::OnceLock::new();
    let logs = LOGS.get_or_init(|| {
        let few = [Deed::Append(40, 30), Deed::Batch(10, 100), Deed::Append(5, 10), Deed::CutOff(2), Deed::Reopen];
        let many = [Deed::Append(900, 500), Deed::Batch(200, 600), Deed::Reopen, Deed::Append(300, 500)];
        [done(&few[..4]), done(&few), done(&many[..2]), done(&many)]
    });
    let log = copied(logs[which].path());
    let mut bytes = fs::read(log.path().join("db")).unwrap();
    lies.iter().for_each(|lie| tell(&mut bytes, lie));
    fs::write(log.path().join("db"), bytes).unwrap();
    log
}

/// Writes the header of the segment at a place, if there is one.
fn head(bytes: &mut [u8], at: usize, number: i64, stable: Option<i64>) {
    let Some(header) = bytes.get_mut(at..at + 20) else { return };
    header[4..12].copy_from_slice(&((number * SEGMENT_LSN) ^ i64::MAX).to_le_bytes());
    if let Some(stable) = stable {
        header[12..20].copy_from_slice(&(stable ^ i64::MAX).to_le_bytes());
    }
    let checksum = crc32fast::hash(&header[4..]) ^ u32::MAX;
    header[..4].copy_from_slice(&checksum.to_le_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn of_a_file_that_lies_nothing_is_read_that_sled_would_not_show(which in 0usize..4, lies in lies()) {
        let log = lying(which, &lies);
        let mut seen = Vec::new();
        if in_file(log.path(), &mut seen).is_some() {
            prop_assert!(Some(seen) == in_sled(log.path()));
        }
    }
}

/// sled would go on writing where these records lie, because it takes their segment for one that comes later.
#[test]
fn records_in_a_segment_that_says_to_be_another_one_are_left_to_sled() {
    assert!(Untouched::open(lying(1, &[]).path()).is_some());
    let log = lying(1, &[Lie::Header(0, 2, 2 * SEGMENT_LSN)]);
    assert!(Untouched::open(log.path()).is_none() && in_sled(log.path()).is_none());
}

/// A batch names a page that is far beyond all others, for which sled would make room.
#[test]
fn a_change_of_a_page_that_nothing_makes_is_left_to_sled() {
    let log = lying(0, &[]);
    let mut bytes = fs::read(log.path().join("db")).unwrap();
    let batch = messages(&bytes).into_iter().find(|message| bytes[message.at + 4] == 3).unwrap();
    bytes[batch.at + 4] = 10;
    seal(&mut bytes, batch);
    fs::write(log.path().join("db"), bytes).unwrap();
    assert!(Untouched::open(log.path()).is_none() && in_sled(log.path()).is_none());
}

/// A copy of a log with one more message, which has no body.
fn with_message(log: &Path, kind: u8, page: u64) -> TempDir {
    let bytes = fs::read(log.join("db")).unwrap();
    let last = messages(&bytes).into_iter().rfind(|message| bytes[message.at + 4] != 2).unwrap();
    let mut more = vec![0, 0, 0, 0, kind, 0, bytes[last.segment], u8::MAX];
    more.extend_from_slice(&page.to_le_bytes());
    let written = Written { at: 0, segment: 6, page: 7, header: more.len(), body: 0 };
    seal(&mut more, written);
    let copy = copied(log);
    let db = OpenOptions::new().write(true).open(copy.path().join("db")).unwrap();
    db.write_all_at(&more, (last.at + last.header + last.body) as u64).unwrap();
    copy
}

/// sled would make room for all pages up to this one, and where there is not so much memory the process ends.
#[test]
fn a_log_that_names_a_page_beyond_all_others_is_read_past_sled() {
    let (log, head) = recorded();
    let whole = read(log.path(), head);
    assert_eq!((whole.1, &whole.2, &whole.3), (2500, &None, &None));
    for (kind, page) in [(4, 1_u64 << 40), (10, 1 << 40), (8, u64::MAX)] {
        let copy = with_message(log.path(), kind, page);
        let (records, count, error, damage) = read(copy.path(), head);
        assert_eq!((records, count), (whole.0, 2500), "{kind}");
        let why = format!("its file names the page {page}, but has no room for more than");
        for said in [error.unwrap(), damage.unwrap()] {
            assert!(said.contains(&why), "{said}");
        }
    }
}

#[test]
fn sled_makes_room_for_as_many_pages_as_a_file_may_have() {
    let log = done(&[Deed::Append(1500, 700), Deed::Reopen, Deed::Append(20, 10)]);
    let snapshot = contents(log.path()).into_iter().find(|(path, _)| path.to_string_lossy().contains("snap."));
    let (snapshot, noted) = snapshot.map(|(path, bytes)| (path, bytes.len() / 11)).unwrap();
    for (has_snapshot, noted) in [(true, noted), (false, 0)] {
        if !has_snapshot {
            fs::remove_file(&snapshot).unwrap();
        }
        let bytes = fs::read(log.path().join("db")).unwrap();
        let of_pages = messages(&bytes).iter().filter(|message| !matches!(bytes[message.at + 4], 1..=3)).count();
        assert!(of_pages > 500 && (noted > 10) == has_snapshot, "{of_pages} {noted}");
        let room = (of_pages + 1 + noted + bytes.len() / 128) as u64;
        for kind in [4, 5, 6, 7, 8, 9, 10, 11] {
            for (page, is_refused) in [(room - 1, false), (room, true)] {
                let copy = with_message(log.path(), kind, page);
                assert_eq!(not_for_sled(copy.path()).unwrap().is_some(), is_refused, "{kind} {page}");
                // sled takes no other than the last, and nothing that is not named like one.
                fs::write(copy.path().join("snap.0"), vec![0; 9_999]).unwrap();
                fs::write(copy.path().join("z"), vec![0; 9_999]).unwrap();
                let is_last = !has_snapshot;
                assert_eq!(not_for_sled(copy.path()).unwrap().is_some(), is_refused && !is_last, "{kind} {page}");
            }
        }
        let other = with_message(log.path(), 3, room);
        assert_eq!(not_for_sled(other.path()).unwrap(), None, "the page of a batch is none");
    }
}

#[test]
fn a_log_of_which_pages_may_lie_elsewhere_is_not_for_sled() {
    let (log, head) = recorded();
    let whole = read(log.path(), head);
    let copy = copied(log.path());
    fs::write(copy.path().join("blobs/note"), b"1").unwrap();
    assert_eq!(not_for_sled(copy.path()).unwrap(), None, "no page lies there");
    fs::write(copy.path().join("blobs/12"), b"1").unwrap();
    let (records, count, _, damage) = read(copy.path(), head);
    assert_eq!((records, count), (whole.0, 2500));
    assert!(damage.unwrap().contains("the file `blobs/12`, and the log of a registry never has such files"));
}
