use tagstone_replay::content::hash_of;
use tagstone_schema::Digest;

use super::*;
use crate::content::aligned_buffer::AlignedBuffer;
use crate::content::claim::Claim;
use crate::content::session::{FinishError, Finished};

const SMALL: usize = 100;
const BOTH: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

struct Fixture {
    _directory: tempfile::TempDir,
    layout: Layout,
    uploads: Uploads,
    blobs: BlobFiles,
}

impl Fixture {
    fn new() -> Self {
        Self::within(&std::env::temp_dir(), false)
    }

    fn within(parent: &std::path::Path, direct_io: bool) -> Self {
        let directory = tempfile::tempdir_in(parent).unwrap();
        let layout = Layout::new(directory.path());
        let blobs = BlobFiles::open(&layout).unwrap();
        let settings = Settings { direct_io, small_blob_bytes: SMALL };
        let uploads = Uploads::open(&layout, settings).unwrap();
        Self { _directory: directory, layout, uploads, blobs }
    }

    /// As after a restart, however the process ended.
    fn reopen(&mut self) {
        let settings = Settings { direct_io: false, small_blob_bytes: SMALL };
        self.uploads = Uploads::open(&self.layout, settings).unwrap();
    }

    fn claim(&self, id: UploadId) -> Claim {
        self.uploads.find(&repository(), id).unwrap().unwrap().try_claim().unwrap()
    }

    fn begin(&self) -> (UploadId, Claim) {
        let id = self.uploads.begin(&repository(), Algorithm::Sha256, Box::new(())).unwrap();
        (id, self.claim(id))
    }

    fn is_gone(&self, id: UploadId) -> bool {
        self.uploads.find(&repository(), id).unwrap().is_none()
    }

    /// Puts something in the place of the session's file that cannot be removed, and returns its path.
    fn block(&self, id: UploadId) -> PathBuf {
        let path = self.path(id);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        path
    }

    fn path(&self, id: UploadId) -> PathBuf {
        let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&id.to_string());
        fs::read_dir(self.layout.uploads()).unwrap().map(|file| file.unwrap().path()).find(named).unwrap()
    }

    fn expire(&self, older_than: Duration) -> Vec<UploadId> {
        let expired = self.uploads.expire(older_than).unwrap();
        assert!(expired.failed.is_empty());
        expired.removed
    }

    fn files(&self) -> usize {
        fs::read_dir(self.layout.uploads()).unwrap().count()
    }

    fn blob(&self, digest: &Digest) -> Vec<u8> {
        fs::read(self.layout.blob(digest)).unwrap()
    }
}

fn repository() -> RepositoryName {
    "acme/app".parse().unwrap()
}

#[test]
fn ids_are_read_in_one_spelling_only() {
    let id = UploadId::random().unwrap();
    let text = id.to_string();
    assert_eq!(text.parse(), Ok(id));
    assert_eq!(text.as_bytes()[14], b'4');
    for wrong in [text.replace('-', ""), text.to_uppercase(), format!("{text}0"), "../../etc".to_owned(), String::new()]
    {
        assert_eq!(wrong.parse::<UploadId>(), Err(UploadIdError), "{wrong}");
    }
}

#[test]
fn a_large_blob_becomes_a_file_in_either_algorithm() {
    let fixture = Fixture::new();
    for algorithm in BOTH {
        let (id, mut claim) = fixture.begin();
        for piece in [&[1; 80][..], &[2; 80], &[]] {
            claim.append(piece).unwrap();
        }
        let whole = [[1; 80], [2; 80]].concat();
        let digest = hash_of(algorithm, &whole);
        assert!(matches!(claim.finish(&digest), Ok(Finished::File { size: 160 })));
        fixture.blobs.sync_directories(std::slice::from_ref(&digest)).unwrap();
        assert_eq!(fixture.blob(&digest), whole);
        assert!(fixture.is_gone(id));
        assert_eq!((fixture.uploads.open_count(), fixture.files()), (0, 0));
    }
}

#[test]
fn a_small_blob_is_given_to_the_caller_and_its_session_ends_afterwards() {
    let fixture = Fixture::new();
    for content in [&b""[..], b"small"] {
        let (id, mut claim) = fixture.begin();
        claim.append(content).unwrap();
        let digest = hash_of(Algorithm::Sha512, content);
        let Ok(Finished::Small { bytes, session }) = claim.finish(&digest) else { panic!("the blob is small") };
        assert_eq!(bytes, content);
        // The commit failed: the session is as it was.
        drop(session);
        let Ok(Finished::Small { session, .. }) = fixture.claim(id).finish(&digest) else { panic!("still small") };
        session.abort().unwrap();
        assert!(fixture.is_gone(id) && !fixture.blobs.contains(&digest));
    }
    assert_eq!((fixture.uploads.open_count(), fixture.files()), (0, 0));
}

#[test]
fn a_wrong_digest_leaves_the_session_as_it_was() {
    let fixture = Fixture::new();
    for size in [50, 500] {
        let (id, mut claim) = fixture.begin();
        claim.append(&vec![7; size]).unwrap();
        for algorithm in BOTH {
            let wrong = hash_of(algorithm, b"something else");
            let error = claim.finish(&wrong).unwrap_err();
            let right = hash_of(algorithm, &vec![7; size]);
            assert!(
                matches!(&error, FinishError::DigestMismatch { expected, actual } if *expected == wrong && *actual == right)
            );
            claim = fixture.claim(id);
            assert_eq!(claim.offset(), size as u64);
        }
        claim.append(&[8; 500]).unwrap();
        let whole = [vec![7; size], vec![8; 500]].concat();
        claim.finish(&hash_of(Algorithm::Sha256, &whole)).unwrap();
    }
}

#[test]
fn a_session_goes_on_after_a_restart() {
    let mut fixture = Fixture::new();
    let (id, mut claim) = fixture.begin();
    claim.append(&[1; 300]).unwrap();
    drop(claim);
    let empty = fixture.uploads.begin(&repository(), Algorithm::Sha512, Box::new(())).unwrap();
    fixture.reopen();
    assert_eq!(fixture.uploads.open_count(), 2);
    let mut claim = fixture.claim(id);
    assert_eq!(claim.offset(), 300);
    claim.append(&[2; 30]).unwrap();
    let whole = [vec![1; 300], vec![2; 30]].concat();
    let digest = hash_of(Algorithm::Sha256, &whole);
    claim.finish(&digest).unwrap();
    assert_eq!(fixture.blob(&digest), whole);
    let mut claim = fixture.claim(empty);
    assert_eq!(claim.offset(), 0);
    claim.append(&whole).unwrap();
    claim.finish(&hash_of(Algorithm::Sha512, &whole)).unwrap();
    assert_eq!(fixture.uploads.open_count(), 0);
}

#[test]
fn a_process_that_died_while_appending_left_a_true_offset() {
    let mut fixture = Fixture::new();
    let (id, mut claim) = fixture.begin();
    claim.append(&[1; 300]).unwrap();
    let path = fs::read_dir(fixture.layout.uploads()).unwrap().next().unwrap().unwrap().path();
    io::Write::write_all(&mut fs::OpenOptions::new().append(true).open(path).unwrap(), &[2; 17]).unwrap();
    fixture.reopen();
    assert_eq!(fixture.claim(id).offset(), 317);
}

#[test]
fn one_request_at_a_time_has_a_session() {
    let fixture = Fixture::new();
    let (id, claim) = fixture.begin();
    let session = fixture.uploads.find(&repository(), id).unwrap().unwrap();
    assert!(session.try_claim().is_none());
    assert_eq!((session.offset(), session.id()), (0, id));
    drop(claim);
    session.try_claim().unwrap().abort().unwrap();
    assert!(session.try_claim().is_none() && session.is_closed());
    assert!(fixture.is_gone(id));
}

#[test]
fn a_panic_while_claimed_releases_the_session() {
    let fixture = Fixture::new();
    let (id, claim) = fixture.begin();
    std::thread::spawn(move || {
        let _claim = claim;
        panic!("a request that went wrong");
    })
    .join()
    .unwrap_err();
    assert_eq!(fixture.claim(id).offset(), 0);
}

#[test]
fn a_session_belongs_to_one_repository() {
    let mut fixture = Fixture::new();
    let (id, claim) = fixture.begin();
    drop(claim);
    let other = "acme/other".parse().unwrap();
    assert!(fixture.uploads.find(&other, id).unwrap().is_none());
    fixture.reopen();
    assert!(fixture.uploads.find(&other, id).unwrap().is_none());
    assert!(!fixture.is_gone(id));
}

#[test]
fn sessions_expire_unless_somebody_has_them() {
    let mut fixture = Fixture::new();
    let (in_use, claim) = fixture.begin();
    let (idle, idle_claim) = fixture.begin();
    drop(idle_claim);
    fs::write(fixture.layout.uploads().join("not a session"), b"").unwrap();
    assert!(fixture.expire(Duration::from_secs(3600)).is_empty());
    assert_eq!(fixture.expire(Duration::ZERO), [idle]);
    assert!(fixture.is_gone(idle) && !fixture.is_gone(in_use));
    assert_eq!(fixture.uploads.open_count(), 1);
    drop(claim);
    fixture.reopen();
    assert_eq!(fixture.expire(Duration::ZERO), [in_use]);
    assert_eq!((fixture.uploads.open_count(), fixture.files()), (0, 1), "foreign files stay");
}

#[test]
fn a_session_that_cannot_be_removed_goes_on_and_holds_up_no_other() {
    let fixture = Fixture::new();
    let (blocked, claim) = fixture.begin();
    let path = fixture.block(blocked);
    claim.abort().unwrap_err();
    assert!(!fixture.is_gone(blocked), "it is idle again");
    let mut others: Vec<_> = (0..20).map(|_| fixture.begin().0).collect();
    let mut expired = fixture.uploads.expire(Duration::ZERO).unwrap();
    others.sort_by_key(ToString::to_string);
    expired.removed.sort_by_key(ToString::to_string);
    assert_eq!(expired.removed, others);
    assert_eq!(expired.failed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [blocked]);
    assert_eq!(fixture.uploads.open_count(), 1);
    // What was in the way is gone: the next pass removes it.
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"").unwrap();
    assert_eq!(fixture.expire(Duration::ZERO), [blocked]);
    assert_eq!((fixture.uploads.open_count(), fixture.files()), (0, 0));
}

#[test]
fn a_closed_session_whose_file_is_left_is_removed_later() {
    let fixture = Fixture::new();
    let (id, claim) = fixture.begin();
    drop(claim);
    // As after a sync and then a removal that failed.
    fixture.uploads.find(&repository(), id).unwrap().unwrap().release(None);
    forget_idle(&mut fixture.uploads.open.resident());
    assert!(fixture.is_gone(id), "it does not come back to life from its file");
    assert_eq!((fixture.uploads.open_count(), fixture.files()), (1, 1));
    assert_eq!(fixture.expire(Duration::ZERO), [id]);
    assert_eq!((fixture.uploads.open_count(), fixture.files()), (0, 0));
}

#[test]
fn a_transient_session_ends_with_its_claim() {
    let fixture = Fixture::new();
    let (small, large) = ([7; 50], [7; 500]);
    let of = |bytes: &[u8]| {
        let mut claim = fixture.uploads.begin_transient(&repository(), Algorithm::Sha256, Box::new(())).unwrap();
        claim.append(bytes).unwrap();
        assert_eq!((claim.offset(), fixture.uploads.open_count(), fixture.files()), (bytes.len() as u64, 1, 1));
        (hash_of(Algorithm::Sha256, bytes), claim)
    };
    let is_gone = || (fixture.uploads.open_count(), fixture.files()) == (0, 0);

    drop(of(&large));
    assert!(is_gone(), "given up");
    for bytes in [&small[..], &large] {
        let wrong = hash_of(Algorithm::Sha256, b"something else");
        assert!(matches!(of(bytes).1.finish(&wrong), Err(FinishError::DigestMismatch { .. })));
        assert!(is_gone(), "another digest");
    }
    let (digest, claim) = of(&small);
    let Ok(Finished::Small { bytes, session }) = claim.finish(&digest) else { panic!("the blob is small") };
    assert_eq!(bytes, &small[..]);
    drop(session);
    assert!(is_gone(), "a small blob");
    of(&large).1.abort().unwrap();
    assert!(is_gone(), "aborted");
    let (digest, claim) = of(&large);
    assert!(matches!(claim.finish(&digest), Ok(Finished::File { size: 500 })));
    assert!(is_gone() && fixture.blob(&digest) == large, "a large blob");
    let (_, claim) = of(&large);
    std::thread::spawn(move || {
        let _claim = claim;
        panic!("a request that went wrong");
    })
    .join()
    .unwrap_err();
    assert!(is_gone(), "a panic");
}

#[test]
fn a_transient_session_that_cannot_be_removed_is_left_to_expire() {
    let fixture = Fixture::new();
    let claim = fixture.uploads.begin_transient(&repository(), Algorithm::Sha256, Box::new(())).unwrap();
    let id = *fixture.uploads.open.resident().keys().next().unwrap();
    let path = fixture.block(id);
    drop(claim);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"").unwrap();
    assert_eq!(fixture.expire(Duration::ZERO), [id]);
}

#[test]
fn forgotten_sessions_are_found_again_by_their_files() {
    let fixture = Fixture::new();
    let (id, mut claim) = fixture.begin();
    claim.append(&[3; 200]).unwrap();
    forget_idle(&mut fixture.uploads.open.resident());
    assert!(fixture.uploads.open.resident().contains_key(&id), "a claimed session stays");
    drop(claim);
    forget_idle(&mut fixture.uploads.open.resident());
    assert!(fixture.uploads.open.resident().is_empty());
    assert!(matches!(
        fixture.claim(id).finish(&hash_of(Algorithm::Sha256, &[3; 200])),
        Ok(Finished::File { size: 200 })
    ));
    assert_eq!(fixture.uploads.open_count(), 0);
}

/// On the disk direct writes work or are refused, in memory file systems they are mostly refused: the bytes are the
/// same everywhere.
#[test]
fn direct_and_buffered_pieces_mix() {
    for parent in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
        if !parent.is_dir() {
            continue;
        }
        let fixture = Fixture::within(&parent, true);
        let (_, mut claim) = fixture.begin();
        let mut buffer = AlignedBuffer::default();
        let mut whole = Vec::new();
        for (n, size) in [1 << 20, 1 << 19, 4096, 1000, 1 << 20, 3096, 1 << 20].into_iter().enumerate() {
            let piece = vec![u8::try_from(n).unwrap(); size];
            buffer.clear();
            assert_eq!(buffer.extend_from_slice(&piece), size);
            claim.append(buffer.as_slice()).unwrap();
            whole.extend_from_slice(&piece);
        }
        let digest = hash_of(Algorithm::Sha256, &whole);
        assert!(matches!(claim.finish(&digest), Ok(Finished::File { size }) if size == whole.len() as u64));
        assert!(fixture.blob(&digest) == whole);
    }
}
