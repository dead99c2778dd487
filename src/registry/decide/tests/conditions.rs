//! Compare-and-swap, and the deletion of tags.

use super::*;

fn standing() -> State {
    given(&[
        pushed("a", 8, image(), &[]),
        pushed("a", 9, image(), &[]),
        moved("a", "x", None, 8),
        moved("a", "y", None, 9),
    ])
}

fn delete(name_of_tag: &str, condition: Condition) -> Command {
    Command::DeleteTag { repository: name("a"), tag: tag(name_of_tag), condition }
}

fn failed(name_of_tag: &str, standing: Option<u8>) -> Rejection {
    Rejection::PreconditionFailed {
        repository: name("a"),
        reference: name_of_tag.to_owned(),
        standing: standing.map(digest),
    }
}

#[test]
fn conditions_hold_or_not() {
    let lists = |digests: &[u8]| digests.iter().copied().map(digest).collect::<Vec<_>>();
    // The condition; whether it holds for a tag on 8, and for no tag.
    let cases = [
        (Condition::Always, true, true),
        (Condition::Exists, true, false),
        (Condition::Absent, false, true),
        (Condition::PointsAt(lists(&[8])), true, false),
        (Condition::PointsAt(lists(&[7, 8])), true, false),
        (Condition::PointsAt(lists(&[7])), false, false),
        (Condition::PointsAt(vec![]), false, false),
        (Condition::PointsElsewhere(lists(&[7])), true, true),
        (Condition::PointsElsewhere(lists(&[7, 8])), false, true),
        (Condition::PointsElsewhere(vec![]), true, true),
    ];
    for (condition, on_8, on_none) in cases {
        for (name, stands, holds) in [("x", Some(8), on_8), ("new", None, on_none)] {
            let put = PutManifest { condition: condition.clone(), ..put("a", 9, &[], &[name]) };
            let expected = if holds { Ok(vec![moved("a", name, stands, 9)]) } else { Err(failed(name, stands)) };
            assert_eq!(when(standing(), &push(put)), expected, "{condition:?} on {name}");
        }
    }
}

#[test]
fn a_condition_holds_for_every_tag_or_nothing_is_pushed() {
    let condition = Condition::PointsAt(vec![digest(8)]);
    let put = PutManifest { condition, ..put("a", 5, &[], &["x", "y"]) };
    assert_eq!(when(standing(), &push(put)), Err(failed("y", Some(9))));
}

#[test]
fn a_condition_is_judged_even_where_nothing_would_change() {
    let put = PutManifest { condition: Condition::Absent, ..put("a", 8, &[], &["x"]) };
    assert_eq!(when(standing(), &push(put)), Err(failed("x", Some(8))));
}

#[test]
fn a_condition_without_a_tag_is_judged_of_the_manifest_itself() {
    let failed = |manifest: u8, standing: Option<u8>| failed(&digest(manifest).to_string(), standing);
    let delete = |condition| Command::DeleteManifest { repository: name("a"), digest: digest(8), condition };
    let put = |manifest, condition| push(PutManifest { condition, ..put("a", manifest, &[], &[]) });
    let cases = [
        (put(5, Condition::Exists), Err(failed(5, None))),
        (put(5, Condition::Absent), Ok(vec![pushed("a", 5, image(), &[])])),
        (put(8, Condition::Absent), Err(failed(8, Some(8)))),
        (put(8, Condition::PointsAt(vec![digest(8)])), Ok(vec![])),
        (delete(Condition::PointsAt(vec![digest(9)])), Err(failed(8, Some(8)))),
        (delete(Condition::Absent), Err(failed(8, Some(8)))),
        (
            delete(Condition::PointsAt(vec![digest(8)])),
            Ok(vec![Event::ManifestDeleted { repository: name("a"), digest: digest(8) }]),
        ),
    ];
    for (command, expected) in cases {
        assert_eq!(when(standing(), &command), expected, "{command:?}");
    }
}

#[test]
fn a_condition_is_judged_after_everything_else() {
    let put = PutManifest { condition: Condition::Absent, ..put("a", 5, &[66], &["x"]) };
    assert!(matches!(when(standing(), &push(put)), Err(Rejection::ReferencesMissing { .. })));
}

#[test]
fn a_tag_is_deleted_and_its_manifest_stays() {
    let deleted = Event::TagsDeleted {
        repository: name("a"),
        tags: vec![EndedTag { tag: tag("x"), was: digest(8) }],
        cause: DeletionCause::Request,
    };
    for condition in [Condition::Always, Condition::Exists, Condition::PointsAt(vec![digest(8)])] {
        assert_eq!(when(standing(), &delete("x", condition)), Ok(vec![deleted.clone()]));
    }
}

#[test]
fn a_tag_is_not_deleted_where_it_is_not_or_the_condition_fails() {
    let unknown = Rejection::TagUnknown { repository: name("a"), tag: tag("new") };
    assert_eq!(when(standing(), &delete("new", Condition::Always)), Err(unknown));
    assert_eq!(when(standing(), &delete("new", Condition::Exists)), Err(failed("new", None)));
    let other = Condition::PointsAt(vec![digest(9)]);
    assert_eq!(when(standing(), &delete("x", other)), Err(failed("x", Some(8))));
    let nowhere = Rejection::RepositoryUnknown { repository: name("a") };
    assert_eq!(when(given(&[]), &delete("x", Condition::Always)), Err(nowhere));
}
