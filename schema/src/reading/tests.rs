use std::path::Path;

use bincode::Options;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::record::codec;
use crate::{Actor, ActorKind, Origin, Record};

/// Records with every variant of every type in them.
fn vectors() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/v1");
    let files = directory.read_dir().unwrap().map(|file| file.unwrap().path());
    let records: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "bin")).collect();
    assert!(records.len() > 30);
    records.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// What bincode makes of the bytes must be what is read.
fn compared(bytes: &[u8]) -> Result<bool, TestCaseError> {
    let oracle = codec().deserialize::<Record>(bytes).ok();
    let read = whole::<Record>(bytes);
    prop_assert_eq!(read.as_ref().ok(), oracle.as_ref(), "{:?}", read.as_ref().err());
    Ok(read.is_ok())
}

#[test]
fn vectors_are_read_as_bincode_reads_them_and_no_beginning_of_one_is() {
    for bytes in vectors() {
        assert!(compared(&bytes).unwrap());
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / 500) {
            assert!(!compared(&bytes[..cut]).unwrap(), "cut to {cut} bytes");
        }
        assert!(!compared(&[&bytes[..], &[0]].concat()).unwrap());
    }
}

#[test]
fn every_byte_that_is_changed_is_read_or_refused_as_bincode_does() {
    let (mut read, mut refused) = (0, 0);
    for bytes in vectors().iter().filter(|bytes| bytes.len() < 2_000) {
        for at in 0..bytes.len() {
            for change in [1, 2, 0x20, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                *if compared(&changed).unwrap() { &mut read } else { &mut refused } += 1;
            }
        }
    }
    assert!(read > 10_000 && refused > 10_000, "{read} read, {refused} refused");
}

proptest! {
    #[test]
    fn what_is_put_together_of_records_is_read_or_refused_as_bincode_does(
        one in any::<Index>(),
        other in any::<Index>(),
        from in any::<Index>(),
        to in any::<Index>(),
    ) {
        let vectors = vectors();
        let (one, other) = (one.get(&vectors), other.get(&vectors));
        compared(&[&one[..from.index(one.len())], &other[to.index(other.len())..]].concat())?;
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let actor = Actor { kind: ActorKind::User, name: "dana@acme.example/a-long-name".into() };
    let both = (actor, Origin::new("7f0c1d6e4b2a4c57", "2001:db8::7334", "skopeo/1.18.0 (größe=1)"));
    let bytes = codec().serialize(&both).unwrap();
    let read = |bytes: &[u8]| {
        let (actor, length) = first::<Actor>(bytes).map_err(|error| error.to_string())?;
        let origin = whole::<Origin>(&bytes[length..]).map_err(|error| error.to_string())?;
        Ok::<_, String>((actor, origin))
    };
    assert_eq!(read(&bytes).as_ref(), Ok(&both));
    let changed = |at: usize, to: u8| {
        let mut changed = bytes.clone();
        changed[at] = to;
        read(&changed).unwrap_err()
    };
    for text in [&both.0.name, &both.1.request_id, &both.1.address, &both.1.user_agent] {
        let at = bytes.windows(text.len()).position(|part| part == text.as_bytes()).unwrap();
        assert!(changed(at + 1, 0xff).contains("a text is not UTF-8"), "{text}");
    }
    assert_eq!(changed(0, 9), "at byte 4: 9 is the number of no ActorKind");
    let follow = bytes.len() - 12;
    assert_eq!(changed(6, 1), format!("at byte 12: {} bytes are announced, but only {follow} bytes follow", 0x1001d));
    assert_eq!(read(&bytes[..2]).unwrap_err(), "at byte 0: 4 bytes should follow, but only 2 do");
    assert_eq!(
        read(&[&bytes[..], &[1]].concat()).unwrap_err().split_once(": ").unwrap().1,
        "1 bytes follow where the end should be"
    );
    for (bytes, why) in [
        (&[2_u8][..], "at byte 1: 2 stands neither for none (0) nor for something (1)"),
        (&[1, 3], "at byte 2: 3 stands for neither false (0) nor true (1)"),
    ] {
        assert_eq!(whole::<Option<bool>>(bytes).unwrap_err().to_string(), why);
    }
    let many = [&u64::MAX.to_le_bytes()[..], &[0; 9]].concat();
    let why = format!("at byte 8: {} elements are announced, but only 9 bytes follow", u64::MAX);
    assert_eq!(whole::<Vec<u8>>(&many).unwrap_err().to_string(), why);
}

#[test]
fn a_text_that_comes_again_in_another_record_is_not_copied() {
    let bytes = [&8_u64.to_le_bytes()[..], b"acme/app"].concat();
    let first: RepositoryName = whole(&bytes).unwrap();
    assert!(whole::<RepositoryName>(&bytes[..9]).is_err());
    assert!(std::ptr::eq(first.as_str(), whole::<RepositoryName>(&bytes).unwrap().as_str()));
}
