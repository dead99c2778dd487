//! Purges.

use super::super::WhyKept;
use super::*;
use crate::registry::Rejection;

/// Bytes that are the first byte of each digest.
fn numbers<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> Vec<u8> {
    let mut numbers: Vec<_> = digests.into_iter().map(|digest| digest.raw()[0]).collect();
    numbers.sort_unstable();
    numbers
}

/// What a plan says: manifests and blobs that go, what is kept with why and by whom (repository and number), what is hidden.
#[derive(Debug, Default, PartialEq)]
struct Said {
    manifests: Vec<u8>,
    blobs: Vec<u8>,
    kept: Vec<(u8, &'static str, Vec<(String, Option<u8>)>)>,
    hidden: Vec<u8>,
}

fn said(plan: &PurgePlan) -> Said {
    let by = |kept: &super::super::Kept| {
        let one = |keeper: &super::super::Keeper| {
            (keeper.repository.to_string(), keeper.manifest.as_ref().map(|manifest| manifest.raw()[0]))
        };
        (kept.digest.raw()[0], kept.why.code(), kept.by.iter().map(one).collect())
    };
    let mut kept: Vec<_> = plan.kept.iter().map(by).collect();
    kept.sort();
    Said {
        manifests: numbers(plan.manifests.iter().map(|manifest| &manifest.digest)),
        blobs: numbers(plan.blobs.iter().map(|(blob, _)| blob)),
        kept,
        hidden: numbers(plan.hidden()),
    }
}

fn by(keepers: &[(&str, u8)]) -> Vec<(String, Option<u8>)> {
    keepers.iter().map(|(repository, manifest)| ((*repository).to_owned(), Some(*manifest))).collect()
}

const REFERENCED: &str = "referenced";
const TAGGED: &str = "tagged";

#[test]
fn what_goes_with_a_manifest_and_what_stays() {
    let blobs = [linked("a", 1), linked("a", 2)];
    let with = |events: &[Event]| [&blobs[..], events].concat();
    let of_child = tag_for(10);
    let cases: Vec<(&str, Vec<Event>, Said)> = vec![
        (
            "an image with its blobs",
            with(&[image("a", 20, &[1, 2]), tagged("a", "t", 20)]),
            Said { manifests: vec![20], blobs: vec![1, 2], ..Said::default() },
        ),
        (
            "a layer that another image names",
            with(&[image("a", 20, &[1, 2]), image("a", 21, &[2])]),
            Said { manifests: vec![20], blobs: vec![1], kept: vec![(2, REFERENCED, by(&[("a", 21)]))], hidden: vec![] },
        ),
        (
            "a layer that an image of another repository names",
            [with(&[image("a", 20, &[1])]), vec![linked("b", 1), image("b", 21, &[1])]].concat(),
            Said {
                manifests: vec![20],
                kept: vec![(1, REFERENCED, by(&[("b", 21)]))],
                hidden: vec![1],
                ..Said::default()
            },
        ),
        (
            "a manifest that another repository has as well",
            with(&[image("a", 20, &[]), image("b", 20, &[])]),
            Said { kept: vec![(20, "in_repository", by(&[("b", 20)]))], ..Said::default() },
        ),
        (
            "an index with the children that only it has",
            with(&[image("a", 10, &[1]), image("a", 11, &[2]), tagged("a", "own", 11), index("a", 20, &[10, 11])]),
            Said {
                manifests: vec![10, 20],
                blobs: vec![1],
                kept: vec![(11, TAGGED, by(&[("a", 11)]))],
                hidden: vec![],
            },
        ),
        (
            "a child of another index too",
            with(&[image("a", 10, &[1]), index("a", 20, &[10]), index("a", 21, &[10])]),
            Said { manifests: vec![20], kept: vec![(10, REFERENCED, by(&[("a", 21)]))], ..Said::default() },
        ),
        (
            "an index in an index, with a child of both",
            with(&[image("a", 10, &[1]), index("a", 11, &[10]), index("a", 20, &[10, 11])]),
            Said { manifests: vec![10, 11, 20], blobs: vec![1], ..Said::default() },
        ),
        (
            "an index that names a blob, as caches of builds do",
            with(&[index("a", 20, &[1, 2]), image("a", 21, &[2])]),
            Said { manifests: vec![20], blobs: vec![1], kept: vec![(2, REFERENCED, by(&[("a", 21)]))], hidden: vec![] },
        ),
        (
            "referrers and theirs, with tags",
            with(&[image("a", 20, &[]), referrer("a", 10, 20), tagged("a", "s", 10), referrer("a", 11, 10)]),
            Said { manifests: vec![10, 11, 20], ..Said::default() },
        ),
        (
            "a referrer under an immutable tag",
            with(&[image("a", 20, &[]), referrer("a", 10, 20), tagged("a", "s", 10), locked("a", "s")]),
            Said { manifests: vec![20], kept: vec![(10, TAGGED, by(&[("a", 10)]))], ..Said::default() },
        ),
        (
            "a referrer that an index holds",
            with(&[image("a", 20, &[]), referrer("a", 10, 20), index("a", 21, &[10])]),
            Said { manifests: vec![20], kept: vec![(10, REFERENCED, by(&[("a", 21)]))], ..Said::default() },
        ),
        (
            "a tagged referrer of a child, which the index names itself",
            with(&[image("a", 10, &[]), referrer("a", 11, 10), tagged("a", "s", 11), index("a", 20, &[10, 11])]),
            Said { manifests: vec![10, 11, 20], ..Said::default() },
        ),
        (
            "what the tag of older clients says of a child",
            with(&[image("a", 10, &[]), image("a", 11, &[1]), tagged("a", &of_child, 11), index("a", 20, &[10])]),
            Said { manifests: vec![10, 11, 20], blobs: vec![1], ..Said::default() },
        ),
        (
            "the same with a tag of its own",
            with(&[
                image("a", 10, &[]),
                image("a", 11, &[1]),
                tagged("a", &of_child, 11),
                tagged("a", "own", 11),
                index("a", 20, &[10]),
            ]),
            Said { manifests: vec![10, 20], kept: vec![(11, TAGGED, by(&[("a", 11)]))], ..Said::default() },
        ),
    ];
    for (case, events, expected) in cases {
        let state = given(&events);
        let plan = purged(&state, &order(Purged::Digest(digest(20))), Free::WHOLLY).unwrap();
        assert_eq!(said(&plan), expected, "{case}");
        assert_eq!(plan.subject(), Some(&digest(20)), "{case}");
    }
}

#[test]
fn what_is_immutable_or_in_use_is_not_purged() {
    let base = [linked("a", 1), image("a", 10, &[1]), index("a", 20, &[10])];
    let with = |events: &[Event]| [&base[..], events].concat();
    let immutable = |rejection: &Rejection| matches!(rejection, Rejection::Immutable(_));
    let in_use = |rejection: &Rejection| matches!(rejection, Rejection::InUse { .. });
    type Is<'a> = &'a dyn Fn(&Rejection) -> bool;
    let cases: Vec<(&str, Vec<Event>, Purged, Is<'_>)> = vec![
        ("by a policy", with(&[tagged("a", "v1", 20), policy()]), Purged::Tag(tag("v1")), &immutable),
        ("through an index", with(&[tagged("a", "v1", 20), policy()]), Purged::Digest(digest(10)), &immutable),
        ("down to a blob", with(&[tagged("a", "v1", 20), policy()]), Purged::Digest(digest(1)), &immutable),
        ("by hand", with(&[tagged("a", "t", 20), locked("a", "t")]), Purged::Digest(digest(20)), &immutable),
        (
            "erased, and another immutable tag reaches it",
            with(&[tagged("a", "v1", 10), tagged("a", "v2", 20), policy()]),
            Purged::Erased(tag("v1")),
            &immutable,
        ),
        ("an index holds it", base.to_vec(), Purged::Digest(digest(10)), &in_use),
        ("an image names it", base.to_vec(), Purged::Digest(digest(1)), &in_use),
        ("no such tag", base.to_vec(), Purged::Tag(tag("none")), &|rejection: &Rejection| {
            matches!(rejection, Rejection::TagUnknown { .. })
        }),
        ("no such digest", base.to_vec(), Purged::Digest(digest(99)), &|rejection: &Rejection| {
            matches!(rejection, Rejection::ManifestUnknown { .. })
        }),
    ];
    for (case, events, what, is) in cases {
        let refused = purged(&given(&events), &order(what), Free::WHOLLY).unwrap_err();
        assert!(is(&refused), "{case}: {refused:?}");
    }
    let erased = given(&with(&[tagged("a", "v1", 20), tagged("a", "also", 20), policy()]));
    let plan = purged(&erased, &order(Purged::Erased(tag("v1"))), Free::WHOLLY).unwrap();
    assert_eq!(plan.erased.as_ref().map(|erased| &erased.tag), Some(&tag("v1")));
    assert_eq!((plan.tags.clone(), said(&plan).manifests), (vec![tag("also")], vec![10, 20]));
}

#[test]
fn what_was_linked_lately_elsewhere_or_is_not_free_stays() {
    // The links are made at 2, 3, 4.
    let state = given(&[linked("a", 1), linked("b", 1), image("a", 20, &[1])]);
    let began = |at: i64| PurgeOrder { grace_began: Timestamp(at), ..order(Purged::Digest(digest(20))) };
    let none = |_: &Digest| false;
    let all = |_: &Digest| true;
    let cases: [(&str, i64, Free<'_>, &str, &[u8], &[u8]); 5] = [
        ("linked within the grace period", 2, Free::WHOLLY, "recently_linked", &[], &[1]),
        ("linked when it began", 3, Free::WHOLLY, "", &[1], &[]),
        ("not free", 3, Free { to_remove: &none, to_unlink: &none }, "being_pushed", &[], &[]),
        ("bytes not free", 3, Free { to_remove: &none, to_unlink: &all }, "being_pushed", &[], &[1]),
        ("link not free", 2, Free { to_remove: &all, to_unlink: &none }, "recently_linked", &[], &[]),
    ];
    for (case, at, free, why, gone, hidden) in cases {
        let said = said(&purged(&state, &began(at), free).unwrap());
        let kept: Vec<_> = said.kept.iter().filter(|(digest, ..)| *digest == 1).map(|(_, why, _)| *why).collect();
        let expected: Vec<_> = Some(why).filter(|why| !why.is_empty()).into_iter().collect();
        assert_eq!((kept, &*said.blobs, &*said.hidden), (expected, gone, hidden), "{case}");
    }
    // The repository itself counts for nothing: it is there that the content is to go.
    let own = given(&[linked("a", 1), image("a", 20, &[1])]);
    assert_eq!(said(&purged(&own, &began(0), Free::WHOLLY).unwrap()).blobs, [1]);
}

#[test]
fn a_layer_of_many_images_names_a_hundred_of_them() {
    let mut events = vec![linked("a", 1), image("a", 20, &[1])];
    for of in 30..180 {
        events.push(image("a", of, &[1]));
    }
    let plan = purged(&given(&events), &order(Purged::Digest(digest(20))), Free::WHOLLY).unwrap();
    let kept = &plan.kept[0];
    assert_eq!((kept.why, kept.by.len(), kept.more), (WhyKept::Referenced, 100, 50));
}
