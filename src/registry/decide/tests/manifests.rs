//! Manifests and their tags: pushing and deleting.

use super::*;

fn delete(repository: &str, manifest: u8) -> Command {
    let (repository, digest) = (name(repository), digest(manifest));
    Command::DeleteManifest { repository, digest, condition: Condition::Always }
}

#[test]
fn a_manifest_comes_with_all_its_tags_in_one_decision() {
    let events = vec![pushed("a", 9, image(), &[1, 2]), moved("a", "x", None, 9), moved("a", "y", None, 9)];
    let blobs = [linked("a", 1), linked("a", 2)];
    assert_eq!(when(given(&blobs), &push(put("a", 9, &[1, 2], &["x", "y"]))), Ok(events));
    // By digest alone, and into a repository that did not exist.
    assert_eq!(when(given(&[]), &push(put("a", 9, &[], &[]))), Ok(vec![pushed("a", 9, image(), &[])]));
}

#[test]
fn what_is_known_is_not_pushed_again() {
    let known = [pushed("a", 9, image(), &[]), moved("a", "x", None, 9)];
    assert_eq!(when(given(&known), &push(put("a", 9, &[], &["x"]))), Ok(vec![]));
    assert_eq!(when(given(&known), &push(put("a", 9, &[], &[]))), Ok(vec![]));
    // Only what differs is an event.
    assert_eq!(when(given(&known), &push(put("a", 9, &[], &["x", "y"]))), Ok(vec![moved("a", "y", None, 9)]));
    // Its references were judged when it came.
    assert_eq!(when(given(&known), &push(put("a", 9, &[1], &["x"]))), Ok(vec![]));
}

#[test]
fn a_tag_moves_from_where_it_stood() {
    let known = [pushed("a", 8, image(), &[]), moved("a", "x", None, 8)];
    let events = vec![pushed("a", 9, image(), &[]), moved("a", "x", Some(8), 9)];
    assert_eq!(when(given(&known), &push(put("a", 9, &[], &["x"]))), Ok(events));
}

#[test]
fn a_tag_that_is_named_twice_moves_once() {
    let events = vec![pushed("a", 9, image(), &[]), moved("a", "x", None, 9), moved("a", "y", None, 9)];
    assert_eq!(when(given(&[]), &push(put("a", 9, &[], &["x", "y", "x", "x"]))), Ok(events));
}

#[test]
fn another_media_type_is_refused_and_nothing_moves() {
    let known = [pushed("a", 9, image(), &[])];
    let differs =
        Rejection::MediaTypeDiffers { repository: name("a"), digest: digest(9), stored: image(), given: index() };
    assert_eq!(when(given(&known), &push(put_index("a", 9, &[], &["x"]))), Err(differs));
    // Another repository may know it by another type.
    assert!(when(given(&known), &push(put_index("b", 9, &[], &["x"]))).is_ok());
}

#[test]
fn an_image_needs_its_blobs_in_its_own_repository() {
    let missing = |missing: &[u8]| Rejection::ReferencesMissing {
        repository: name("a"),
        digest: digest(9),
        what: Referenced::Blobs,
        missing: missing.iter().copied().map(digest).collect(),
    };
    let image_of = |references: &[u8]| push(put("a", 9, references, &["x"]));
    assert_eq!(when(given(&[]), &image_of(&[1])), Err(missing(&[1])));
    assert_eq!(when(given(&[linked("a", 2)]), &image_of(&[3, 2, 1])), Err(missing(&[1, 3])));
    assert_eq!(when(given(&[linked("b", 1)]), &image_of(&[1])), Err(missing(&[1])));
    // A manifest is no blob.
    assert_eq!(when(given(&[pushed("a", 1, image(), &[])]), &image_of(&[1])), Err(missing(&[1])));

    let sparse = PutManifest { sparse: Sparse { index: false, layers: true }, ..put("a", 9, &[1], &[]) };
    assert_eq!(when(given(&[]), &push(sparse)), Ok(vec![pushed("a", 9, image(), &[1])]));
    // What the manifest names but the repository need not have (foreign layers).
    let foreign = PutManifest { required: [digest(1)].into_iter().collect(), ..put("a", 9, &[1, 2], &[]) };
    assert_eq!(when(given(&[linked("a", 1)]), &push(foreign)), Ok(vec![pushed("a", 9, image(), &[1, 2])]));
}

#[test]
fn an_index_needs_its_children_in_its_own_repository() {
    let missing = Rejection::ReferencesMissing {
        repository: name("a"),
        digest: digest(9),
        what: Referenced::Manifests,
        missing: vec![digest(1)],
    };
    let index_of_1 = push(put_index("a", 9, &[1], &[]));
    // A blob is no manifest, and a manifest elsewhere is not here.
    for nothing in [vec![], vec![linked("a", 1)], vec![pushed("b", 1, image(), &[])]] {
        assert_eq!(when(given(&nothing), &index_of_1), Err(missing.clone()));
    }
    let expected = Ok(vec![pushed("a", 9, index(), &[1])]);
    assert_eq!(when(given(&[pushed("a", 1, image(), &[])]), &index_of_1), expected);
    let sparse = PutManifest { sparse: Sparse { index: true, layers: false }, ..put_index("a", 9, &[1], &[]) };
    assert_eq!(when(given(&[]), &push(sparse)), expected);
}

#[test]
fn the_setting_for_images_says_nothing_about_indexes() {
    let index = PutManifest { sparse: Sparse { index: false, layers: true }, ..put_index("a", 9, &[1], &[]) };
    let image = PutManifest { sparse: Sparse { index: true, layers: false }, ..put("a", 9, &[1], &[]) };
    for put in [index, image] {
        assert!(matches!(when(given(&[]), &push(put)), Err(Rejection::ReferencesMissing { .. })));
    }
}

#[test]
fn a_subject_need_not_exist() {
    let referrer = PutManifest { subject: Some(digest(77)), ..put("a", 9, &[], &[]) };
    let events = when(given(&[]), &push(referrer)).unwrap();
    assert!(matches!(&events[..], [Event::ManifestPushed { subject: Some(subject), .. }] if *subject == digest(77)));
}

#[test]
fn a_manifest_is_deleted_in_one_event_whatever_its_tags() {
    let known = [pushed("a", 9, image(), &[]), moved("a", "x", None, 9), moved("a", "y", None, 9)];
    let deleted = Event::ManifestDeleted { repository: name("a"), digest: digest(9) };
    assert_eq!(when(given(&known), &delete("a", 9)), Ok(vec![deleted]));
}

#[test]
fn a_manifest_that_is_not_there_is_not_deleted() {
    let nowhere = Rejection::RepositoryUnknown { repository: name("a") };
    assert_eq!(when(given(&[]), &delete("a", 9)), Err(nowhere));
    let unknown = Rejection::ManifestUnknown { repository: name("a"), digest: digest(9) };
    assert_eq!(when(given(&[linked("a", 9)]), &delete("a", 9)), Err(unknown.clone()));
    let gone = [pushed("a", 9, image(), &[]), Event::ManifestDeleted { repository: name("a"), digest: digest(9) }];
    assert_eq!(when(given(&gone), &delete("a", 9)), Err(unknown));
}

#[test]
fn a_child_in_use_is_kept_and_all_its_indexes_are_named() {
    let used = [pushed("a", 1, image(), &[]), pushed("a", 9, index(), &[1]), pushed("a", 8, index(), &[1])];
    let in_use = Rejection::InUse { repository: name("a"), digest: digest(1), by: vec![digest(8), digest(9)] };
    assert_eq!(when(given(&used), &delete("a", 1)), Err(in_use));
    // A referrer holds nothing: its subject can go.
    let mut referrer = pushed("a", 7, image(), &[]);
    if let Event::ManifestPushed { subject, .. } = &mut referrer {
        *subject = Some(digest(1));
    }
    assert!(when(given(&[pushed("a", 1, image(), &[]), referrer]), &delete("a", 1)).is_ok());
}

#[test]
fn rejections_say_what_stands_in_the_way_and_what_would_be_right() {
    let in_use = Rejection::InUse { repository: name("a"), digest: digest(1), by: vec![digest(2)] }.to_string();
    assert!(in_use.contains(&digest(2).to_string()) && in_use.ends_with("delete that first"), "{in_use}");
    let missing = Rejection::ReferencesMissing {
        repository: name("a"),
        digest: digest(1),
        what: Referenced::Blobs,
        missing: (2..30).map(digest).collect(),
    };
    let missing = missing.to_string();
    assert!(missing.contains("names blobs that are not in repository a"), "{missing}");
    assert!(missing.ends_with("and 18 more; push them first"), "{missing}");
}
