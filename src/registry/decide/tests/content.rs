//! Blobs: linking, mounting, deleting.

use super::*;

fn link(repository: &str, blob: u8) -> Command {
    Command::LinkBlob { repository: name(repository), digest: digest(blob), size: u64::from(blob) }
}

fn mount(repository: &str, blob: u8, from: &str) -> Command {
    Command::MountBlob { repository: name(repository), digest: digest(blob), from: name(from) }
}

fn delete(repository: &str, blob: u8) -> Command {
    Command::DeleteBlob { repository: name(repository), digest: digest(blob) }
}

#[test]
fn a_blob_is_linked_once() {
    assert_eq!(when(given(&[]), &link("a", 1)), Ok(vec![linked("a", 1)]));
    assert_eq!(when(given(&[linked("a", 1)]), &link("a", 1)), Ok(vec![]));
    assert_eq!(when(given(&[linked("b", 1)]), &link("a", 1)), Ok(vec![linked("a", 1)]));
    // Whatever size a client claims for what is known: the known blob was verified.
    let other_size = Command::LinkBlob { repository: name("a"), digest: digest(1), size: 99 };
    assert_eq!(when(given(&[linked("a", 1)]), &other_size), Ok(vec![]));
}

#[test]
fn a_mount_takes_the_size_from_the_source() {
    let mounted =
        Event::BlobLinked { repository: name("a"), digest: digest(7), size: 7, mounted_from: Some(name("b")) };
    assert_eq!(when(given(&[linked("b", 7)]), &mount("a", 7, "b")), Ok(vec![mounted]));
}

#[test]
fn a_mount_of_what_is_there_changes_nothing() {
    assert_eq!(when(given(&[linked("a", 1), linked("b", 1)]), &mount("a", 1, "b")), Ok(vec![]));
    assert_eq!(when(given(&[linked("a", 1)]), &mount("a", 1, "a")), Ok(vec![]));
}

#[test]
fn a_mount_needs_the_blob_in_its_source() {
    let unknown = Rejection::RepositoryUnknown { repository: name("b") };
    assert_eq!(when(given(&[]), &mount("a", 1, "b")), Err(unknown.clone()));
    // The source is judged even where the target has the blob: a client learns nothing about other repositories.
    assert_eq!(when(given(&[linked("a", 1)]), &mount("a", 1, "b")), Err(unknown));
    let missing = Rejection::BlobUnknown { repository: name("b"), digest: digest(1) };
    assert_eq!(when(given(&[linked("b", 2)]), &mount("a", 1, "b")), Err(missing));
}

#[test]
fn a_blob_that_nothing_references_is_deleted() {
    let unlinked = Event::BlobUnlinked { repository: name("a"), digest: digest(1) };
    assert_eq!(when(given(&[linked("a", 1)]), &delete("a", 1)), Ok(vec![unlinked.clone()]));
    // References count in their own repository only.
    let elsewhere = [linked("a", 1), linked("b", 1), pushed("b", 9, image(), &[1])];
    assert_eq!(when(given(&elsewhere), &delete("a", 1)), Ok(vec![unlinked]));
}

#[test]
fn a_blob_that_is_not_there_is_not_deleted() {
    let unknown = Rejection::RepositoryUnknown { repository: name("a") };
    assert_eq!(when(given(&[linked("b", 1)]), &delete("a", 1)), Err(unknown));
    let missing = Rejection::BlobUnknown { repository: name("a"), digest: digest(1) };
    assert_eq!(when(given(&[linked("a", 2)]), &delete("a", 1)), Err(missing.clone()));
    let gone = [linked("a", 1), Event::BlobUnlinked { repository: name("a"), digest: digest(1) }];
    assert_eq!(when(given(&gone), &delete("a", 1)), Err(missing.clone()));
    // A sparse image may reference what is not there; there is nothing to be deleted all the same.
    assert_eq!(when(given(&[pushed("a", 9, image(), &[1])]), &delete("a", 1)), Err(missing));
}

#[test]
fn a_blob_in_use_is_kept_and_all_its_users_are_named() {
    let used = [linked("a", 1), pushed("a", 9, image(), &[1]), pushed("a", 8, image(), &[1, 2])];
    let in_use = Rejection::InUse { repository: name("a"), digest: digest(1), by: vec![digest(8), digest(9)] };
    assert_eq!(when(given(&used), &delete("a", 1)), Err(in_use));

    let deleted = |manifest| Event::ManifestDeleted { repository: name("a"), digest: digest(manifest) };
    let one_less = [&used[..], &[deleted(8)]].concat();
    let in_use = Rejection::InUse { repository: name("a"), digest: digest(1), by: vec![digest(9)] };
    assert_eq!(when(given(&one_less), &delete("a", 1)), Err(in_use));

    let none = [&used[..], &[deleted(8), deleted(9)]].concat();
    assert!(when(given(&none), &delete("a", 1)).is_ok());
}
