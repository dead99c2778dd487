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
    Rejection::PreconditionFailed { repository: name("a"), tag: tag(name_of_tag), standing: standing.map(digest) }
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
fn a_condition_without_a_tag_has_nothing_to_be_judged_of() {
    let put = PutManifest { condition: Condition::Exists, ..put("a", 5, &[], &[]) };
    assert_eq!(when(standing(), &push(put)), Ok(vec![pushed("a", 5, image(), &[])]));
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
