use proptest::prelude::*;
use tagstone_schema::policy::Pattern;

use super::*;
use crate::pattern::tests::{regexes, selector as compiled};

/// A selector; a `!` in front inverts it.
fn selector(text: &str) -> Selector {
    let (regex, matches) = text.strip_prefix('!').map_or((text, true), |regex| (regex, false));
    compiled(regex, matches)
}

fn judged(selected: Option<&str>, protecting: &[&str]) -> Cover {
    let protecting: Vec<Selector> = protecting.iter().map(|text| selector(text)).collect();
    cover(selected.map(selector).as_ref(), &protecting.iter().collect::<Vec<_>>())
}

#[test]
fn what_covers_every_tag_does_in_any_spelling() {
    let cases: &[&[&str]] = &[
        &[".*"],
        &[".+"],
        &["(?s).{1,}"],
        &[r"[\w.-]+"],
        &["!ä"],
        &["![.-].*"],
        &["!.{129}"],
        &["v.*", "!v.*"],
        &["v.*", "!^v.*$"],
        &["^v.*$", "!(?:v).*"],
        &[r"v[\w.-]*", "!v.*"],
        &["(?i)V.*", "![vV].*"],
        &["v.*", r"!v(\b|\B).*"],
        &["v.*", "!v|v.+"],
        &["v.*", "!v.+"],
        &["v.*", r"!v\b.*"],
        &["release-.*", "!release-[0-9]+"],
        &["[a-z].*|[^a-z].*"],
        &["[a-z].*", "[^a-z].*"],
        &["[a-z].*", "[A-Z].*", "[0-9_].*"],
        &["[a-m].*", "[n-z].*", "![a-z].*"],
        &[".{1,64}", ".{65,}"],
        &[".{1,64}", ".{65,128}"],
        &[".|..|...", "(?:.{4})+", ".(.{4})+", "..(.{4})+", "...(.{4})+"],
        &["!a.*", "!b.*"],
        &["!.*a", "!.*b"],
        &[r"\d.*", r"!\d.*", "x"],
        &[r".*\b.*"],
        &["(?m)^.*$"],
    ];
    for protecting in cases {
        assert_eq!(judged(None, protecting), Cover::Everything, "{protecting:?}");
    }
}

#[test]
fn what_only_looks_like_everything_misses_the_shortest_tag() {
    let long = |length| "a".repeat(length);
    let cases: &[(&[&str], &str)] = &[
        (&[], "a"),
        (&["v.*"], "a"),
        (&["!v.*"], "v"),
        (&["v.+", "!v.*"], "v"),
        (&["v.*", "!V.*"], "V"),
        (&["v.*", "!(?i)v.*"], "V"),
        (&["v1.*", "!v.*"], "v"),
        (&["[a-z].*", "[A-Z].*"], "0"),
        (&["[a-z].*", "[A-Z].*", "[0-9].*"], "_"),
        (&["[a-m].*", "[o-z].*", "![a-z].*"], "n"),
        (&["..+"], "a"),
        (&[".{1,64}", ".{66,}"], &long(65)),
        (&[".{1,127}"], &long(128)),
        (&[".|..|...", "(?:.{4})+", ".(.{4})+", "...(.{4})+"], "aaaaaa"),
        (&["!.*a.*", "!.*b.*", "[^a].*"], "ab"),
        (&[r"\w+"], "a-"),
        (&[r"[\w.]+"], "a-"),
        (&[r"[\w-]+"], "a."),
        (&["[[:alnum:]].*"], "_"),
        (&["!.*-.*-.*", "[^-]*-[^-]*"], "a--"),
        (&["!(?:v|version)", "v"], "version"),
    ];
    for (protecting, missed) in cases {
        assert_eq!(judged(None, protecting), Cover::Misses(missed.parse().unwrap()), "{protecting:?}");
    }
}

#[test]
fn what_is_selected_may_be_covered_by_less_than_everything() {
    let covered: &[(&str, &[&str])] = &[
        ("v.*", &["v.*"]),
        (r"v\d+", &["v.*"]),
        (r"v\d+\.\d+", &[r"v1.*", r"v[02-9].*"]),
        ("!v.*", &["!v1.*"]),
        ("pr-.*", &["release-.*", "!release-.*"]),
        ("(?i)dev", &["[dD].*"]),
        ("a|b|c", &["a", "b|c.*"]),
        ("[^a]", &["!a.*"]),
        ("[a-z]{20}", &["[a-y].*", "z[a-z]*"]),
        // They select no tag at all.
        ("ä", &[]),
        ("[.-].*", &[]),
        ("!.*", &[]),
        (".{129}", &["v"]),
    ];
    for (selected, protecting) in covered {
        assert_eq!(judged(Some(selected), protecting), Cover::Everything, "{selected} {protecting:?}");
    }
    let missed: &[(&str, &[&str], &str)] = &[
        ("v.*", &[], "v"),
        ("v.*", &["v.+"], "v"),
        (r"v\d+", &["v[1-9].*"], "v0"),
        (r"v\d+", &["v.", "v.{3,}"], "v00"),
        ("!v.*", &["!w.*"], "w"),
        ("pr-.*", &["release-.*", "pr-[a-z].*"], "pr-"),
        ("(?i)dev", &["d.*"], "Dev"),
        ("[a-z]{20}", &["[a-y].*", "z[a-y]*"], "zaaaaaaaaaaaaaaaaaaz"),
        (".{70,}", &[".{1,99}"], &"a".repeat(100)),
    ];
    for (selected, protecting, missed) in missed {
        let expected = Cover::Misses(missed.parse().unwrap());
        assert_eq!(judged(Some(selected), protecting), expected, "{selected} {protecting:?}");
    }
}

#[test]
fn what_is_too_large_is_judged_by_examples_or_not_at_all() {
    let evil = "[ab_]*a[ab_]{20}";
    assert_eq!(judged(None, &[evil, "[^v].*", "v.+"]), Cover::Misses("v".parse().unwrap()));
    assert_eq!(judged(Some(evil), &["v", evil]), Cover::Everything, "it covers itself");
    assert_eq!(
        judged(None, &[evil, "![ab_]*a(?:[ab_]{20})"]),
        Cover::Everything,
        "and leaves to the other what it does not"
    );
    assert_eq!(judged(Some(evil), &["[ab_]*aa[ab_]{20}", "[ab_]*[b_]a[ab_]{20}", "a[ab_]{20}"]), Cover::TooLarge);
    let Cover::Misses(example) = judged(Some(evil), &["b.*"]) else { panic!("an example was to be found") };
    assert!(selector(evil).selects(example.as_str()) && !example.as_str().starts_with('b'), "{example}");
    let ninth_last = [".*a.{8}", ".*b.{8}", ".*c.{8}", ".*d.{8}", ".*[^a-d].{8}", ".{1,8}"];
    assert_eq!(judged(None, &ninth_last), Cover::TooLarge, "each is small, and all together are not");
}

proptest! {
    #[test]
    fn every_name_over_a_few_characters_agrees(
        selected in proptest::option::of((regexes(), any::<bool>())),
        protecting in proptest::collection::vec((regexes(), any::<bool>()), 0..4),
    ) {
        let compile = |(regex, matches)| Selector::new(&Pattern { regex, matches }).ok();
        let selected = selected.and_then(compile);
        let protecting: Vec<Selector> = protecting.into_iter().filter_map(compile).collect();
        let is_missed = |name: &str| {
            selected.as_ref().is_none_or(|selected| selected.selects(name))
                && !protecting.iter().any(|selector| selector.selects(name))
        };
        let first_missed = short_names().into_iter().find(|name| is_missed(name));
        match cover(selected.as_ref(), &protecting.iter().collect::<Vec<_>>()) {
            Cover::Misses(tag) => {
                prop_assert!(is_missed(tag.as_str()), "{}", tag);
                let shortest = first_missed.is_none_or(|first| first.len() >= tag.as_str().len());
                prop_assert!(shortest, "{}", tag);
            }
            Cover::Everything => prop_assert_eq!(first_missed, None),
            Cover::TooLarge => prop_assert!(false, "nothing here is large"),
        }
    }
}

/// All names of up to three characters out of a few, by length.
fn short_names() -> Vec<String> {
    let mut names = vec![String::new()];
    let mut at = 0;
    while names[at].len() < 3 {
        let longer = "abvkKS1_-.".chars().map(|character| format!("{}{character}", names[at])).collect::<Vec<_>>();
        names.extend(longer);
        at += 1;
    }
    names.retain(|name| name.parse::<Tag>().is_ok());
    names
}
