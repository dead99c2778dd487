//! What nothing refers to any more, since when, and that bytes only go when no repository holds them.

use tagstone_schema::event::{ContentKind, RemovedContent};

use super::*;
use crate::fold::Repository;

fn removed(numbers: &[u8]) -> Vec<RemovedContent> {
    let content = |n: &u8| RemovedContent { digest: digest(*n), size: 7, content: ContentKind::Blob };
    numbers.iter().map(content).collect()
}

fn purged(numbers: &[u8]) -> Event {
    Event::ContentPurged { repository: repository("a"), contents: removed(numbers), reason: "a leak".to_owned() }
}

fn collected(numbers: &[u8]) -> Event {
    Event::ContentCollected { contents: removed(numbers) }
}

/// What is asked: since when the blob, the manifest and the bytes are free. The n-th event is record n + 1, at ten times that.
type Since = (Option<i64>, Option<i64>, Option<i64>);

fn since(state: &State, n: u8) -> Since {
    let digest = digest(n);
    let a = state.repository("a");
    (
        a.and_then(|a| a.unreferenced_since(&digest)).map(|at| at.0 / 10),
        a.and_then(|a| a.idle_since(&digest)).map(|at| at.0 / 10),
        state.loose(&digest).map(|loose| loose.since.0 / 10),
    )
}

#[test]
fn it_is_known_since_when_nothing_refers_to_content() {
    let image = || vec![linked("a", 1, 5, None), pushed("a", 2, &[1], None)];
    let tagged = || [image(), vec![moved("a", "t", None, 2)]].concat();
    let under_index = || [image(), vec![pushed("a", 3, &[2], None)]].concat();
    let signed = || [image(), vec![pushed("a", 4, &[], Some(2))]].concat();
    let facts: Vec<(&str, Vec<Event>, u8, Since)> = vec![
        ("a blob that was linked", vec![linked("a", 1, 5, None)], 1, (Some(2), None, None)),
        ("a blob that a manifest names", image(), 1, (None, None, None)),
        ("one that it named", [image(), vec![deleted("a", 2)]].concat(), 1, (Some(4), None, None)),
        (
            "one that two name",
            [image(), vec![pushed("a", 3, &[1], None), deleted("a", 2)]].concat(),
            1,
            (None, None, None),
        ),
        (
            "one that was named before it was linked",
            vec![pushed("a", 2, &[1], None), linked("a", 1, 5, None)],
            1,
            (None, None, None),
        ),
        (
            "one that was unlinked and came back",
            vec![linked("a", 1, 5, None), unlinked("a", 1), linked("a", 1, 5, None)],
            1,
            (Some(4), None, None),
        ),
        (
            "a blob that is a manifest too",
            vec![pushed("a", 1, &[], None), linked("a", 1, 5, None)],
            1,
            (Some(3), Some(2), None),
        ),
        ("a manifest that was pushed", image(), 2, (None, Some(3), None)),
        ("one with a tag", tagged(), 2, (None, None, None)),
        ("one whose tag ended", [tagged(), vec![ended("a", &[("t", 2)])]].concat(), 2, (None, Some(5), None)),
        ("one whose tag was erased", [tagged(), vec![erased("a", "t", 2)]].concat(), 2, (None, Some(5), None)),
        (
            "one whose tag moved away",
            [tagged(), vec![pushed("a", 3, &[], None), moved("a", "t", Some(2), 3)]].concat(),
            2,
            (None, Some(6), None),
        ),
        ("one in an index", under_index(), 2, (None, None, None)),
        ("one whose index is gone", [under_index(), vec![deleted("a", 3)]].concat(), 2, (None, Some(5), None)),
        ("a referrer", signed(), 4, (None, None, None)),
        ("a referrer of nothing", vec![pushed("a", 4, &[], Some(2))], 4, (None, Some(2), None)),
        ("a referrer whose subject is gone", [signed(), vec![deleted("a", 2)]].concat(), 4, (None, Some(5), None)),
        ("bytes whose last link is gone", vec![linked("a", 1, 5, None), unlinked("a", 1)], 1, (None, None, Some(3))),
        (
            "bytes that another repository holds",
            vec![linked("a", 1, 5, None), linked("b", 1, 5, None), unlinked("a", 1)],
            1,
            (None, None, None),
        ),
        ("bytes of a manifest that is gone", [image(), vec![deleted("a", 2)]].concat(), 2, (None, None, Some(4))),
        ("bytes of a repository that is gone", [image(), vec![gone("a")]].concat(), 2, (None, None, Some(4))),
        (
            "bytes that are a manifest still",
            vec![linked("a", 1, 5, None), pushed("a", 1, &[], None), unlinked("a", 1)],
            1,
            (None, Some(3), None),
        ),
        (
            "bytes that are a blob still",
            vec![linked("a", 1, 5, None), pushed("a", 1, &[], None), deleted("a", 1)],
            1,
            (Some(2), None, None),
        ),
        (
            "bytes that came back",
            vec![linked("a", 1, 5, None), gone("a"), linked("a", 1, 5, None)],
            1,
            (Some(4), None, None),
        ),
        (
            "bytes that were purged",
            vec![linked("a", 1, 5, None), unlinked("a", 1), purged(&[1])],
            1,
            (None, None, None),
        ),
        ("bytes that were collected", vec![linked("a", 1, 5, None), gone("a"), collected(&[1])], 1, (None, None, None)),
        ("bytes that nobody ever held", vec![collected(&[9])], 9, (None, None, None)),
    ];
    for (name, events, n, expected) in facts {
        let state = given(&events);
        assert_eq!(since(&state, n), expected, "{name}");
        if let Some(a) = state.repository("a") {
            assert_eq!(a.unreferenced_blobs().any(|(it, _)| *it == digest(n)), expected.0.is_some(), "{name}");
            assert_eq!(a.idle_manifests().any(|(it, _)| *it == digest(n)), expected.1.is_some(), "{name}");
        }
        assert_eq!(state.all_loose().any(|(it, _)| *it == digest(n)), expected.2.is_some(), "{name}");
        assert_eq!(
            state.knows(&digest(n)),
            expected != (None, None, None) || state.holders(&digest(n)).count() > 0,
            "{name}"
        );
    }
}

#[test]
fn bytes_go_only_when_no_repository_holds_them() {
    let held = [
        vec![linked("a", 1, 5, None)],
        vec![pushed("a", 1, &[], None)],
        vec![linked("b", 1, 5, None), linked("a", 1, 5, Some("b")), gone("b")],
    ];
    for before in held {
        for event in [purged(&[1]), collected(&[8, 1])] {
            let refused = given(&before).evolve(moment(99), &event);
            assert_eq!(
                refused,
                Err(Illegality::ContentHeld { digest: digest(1), repository: repository("a") }),
                "{before:?}"
            );
        }
    }
}

/// The manifest that comes next may lie where the one that went has lain.
#[test]
fn a_clone_keeps_a_manifest_that_goes_and_a_new_one_has_none_of_its_tags() {
    let shown = |state: &State| {
        let tags = |a: Repository<'_>| {
            let tags = a.tags_after(None).map(|(tag, standing)| format!("{tag} {}", standing.digest().raw()[0]));
            let on = |n: u8| a.tags_on(&digest(n)).into_iter().flat_map(|on| on.iter().map(ToString::to_string));
            (tags.collect::<Vec<_>>(), [2, 3].map(|n| on(n).collect::<Vec<_>>()))
        };
        state.repository("a").map(tags)
    };
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (mut state, shared_at) in [(State::default(), 9), (State::alone(), 9), (State::alone(), 4), (State::alone(), 6)]
    {
        let mut taken = None;
        let happened = [
            started(),
            pushed("a", 2, &[], None),
            moved("a", "t", None, 2),
            deleted("a", 2),
            pushed("a", 3, &[], None),
        ];
        for (at, event) in (1..).zip(happened.iter().chain([&moved("a", "u", None, 3)])) {
            if at == shared_at {
                state.share();
            }
            if at == 4 {
                taken = Some(state.clone());
            }
            state.evolve(moment(at), event).unwrap();
        }
        assert_eq!(shown(&state), Some((owned(&["u 3"]), [vec![], owned(&["u"])])));
        assert_eq!(taken.as_ref().and_then(shown), Some((owned(&["t 2"]), [owned(&["t"]), vec![]])));
        state.contents.assert_sound(&state);
    }
}
