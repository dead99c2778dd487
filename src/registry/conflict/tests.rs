use tagstone_schema::policy::{Pattern, PruneMethod};

use super::*;

/// A policy in one line: kind, scope, pattern. A `!` in front of the pattern inverts it; a prune policy may have none.
struct Policy {
    scope: Scope,
    rule: Rule,
    selector: Option<Selector>,
}

fn policy(line: &str) -> Policy {
    let mut words = line.split_whitespace();
    let (kind, scope, pattern) = (words.next().unwrap(), words.next().unwrap(), words.next());
    let scope = match scope.split_once('/') {
        None if scope == "registry" => Scope::Registry,
        _ => match scope.strip_suffix("/*") {
            Some(namespace) => Scope::Namespace(namespace.parse().unwrap()),
            None => Scope::Repository(scope.parse().unwrap()),
        },
    };
    let pattern = pattern.map(|text| match text.strip_prefix('!') {
        Some(regex) => Pattern { regex: regex.to_owned(), matches: false },
        None => Pattern { regex: text.to_owned(), matches: true },
    });
    let selector = pattern.as_ref().map(|pattern| Selector::new(pattern).unwrap());
    let rule = match kind {
        "keep" => Rule::Immutability { pattern: pattern.unwrap(), include_referrer_tags: false },
        "prune" => Rule::Prune { method: PruneMethod::NumberOfTags(3), pattern },
        other => panic!("{other}"),
    };
    Policy { scope, rule, selector }
}

fn judged(candidate: &str, others: &[&str]) -> Judgement {
    let others: Vec<Policy> = others.iter().map(|line| policy(line)).collect();
    let in_force: Vec<InForce<'_>> = (1..)
        .zip(&others)
        .map(|(n, other)| InForce {
            id: Id([n; 16]),
            scope: &other.scope,
            rule: &other.rule,
            selector: other.selector.as_ref(),
        })
        .collect();
    let Policy { scope, rule, selector } = policy(candidate);
    judge(&Candidate { scope: &scope, rule: &rule, selector: selector.as_ref() }, &in_force)
}

/// The numbers of the policies that a conflict names, from 1.
fn named(parties: &[Party]) -> Vec<u8> {
    parties.iter().map(|party| party.id.unwrap().0[0]).collect()
}

#[test]
fn policies_that_together_protect_everything_contradict_each_other() {
    let cases: &[(&str, &[&str], &[u8])] = &[
        ("keep a/b v.*", &["keep a/b !v.*"], &[1]),
        ("keep a/b !v.*", &["keep a/b ^(?:v).*$"], &[1]),
        ("keep a/b v.*", &["keep registry !v.*"], &[1]),
        ("keep registry v.*", &["keep a/b !v.*"], &[1]),
        ("keep a/* v.*", &["keep a/b/* !v.*"], &[1]),
        ("keep a/b/* v.*", &["keep a/* !v.*"], &[1]),
        ("keep a/* v.*", &["keep a/b/c !v.*"], &[1]),
        ("keep a/b .{1,64}", &["keep a/b x", "keep a/b .{65,}"], &[2]),
        ("keep a/b [a-z].*", &["keep registry [A-Z].*", "keep a/* v.*", "keep a/* [0-9_].*"], &[1, 3]),
        // A pair is named where one suffices, though more would do.
        ("keep a/b [a-m].*", &["keep a/b [n-z].*", "keep a/b ![a-z].*", "keep a/b ![a-m].*"], &[3]),
        // They meet below the candidate, and not in its own scope.
        ("keep registry [a-m].*", &["keep a/* [n-z].*", "keep b/c ![a-z].*", "keep a/c ![a-z].*"], &[1, 3]),
        // What protects everything alone does not hide what the others do.
        ("keep a/b v.*", &["keep a/b .*", "keep a/b !v.*"], &[2]),
    ];
    for (candidate, others, expected) in cases {
        let Judgement::Conflict(conflict) = judged(candidate, others) else { panic!("{candidate} {others:?}") };
        let Conflict::EveryTag { others: found, .. } = conflict else { panic!("{candidate} {others:?}: {conflict}") };
        assert_eq!(named(&found), *expected, "{candidate} {others:?}");
    }
}

#[test]
fn a_prune_policy_that_could_never_prune_is_a_contradiction() {
    let cases: &[(&str, &[&str], &[u8])] = &[
        ("prune a/b v.*", &["keep a/b v.*"], &[1]),
        ("prune a/b v1.*", &["keep registry x.*", "keep a/* v.*"], &[2]),
        ("prune a/b", &["keep registry .*"], &[1]),
        ("prune a/b", &["keep a/* [a-z].*", "keep a/b x", "keep registry ![a-z].*"], &[1, 3]),
        ("prune a/b !v.*", &["keep a/b !v1.*"], &[1]),
    ];
    for (candidate, others, expected) in cases {
        let Judgement::Conflict(conflict) = judged(candidate, others) else { panic!("{candidate} {others:?}") };
        let Conflict::NothingToPrune { protecting, .. } = conflict else {
            panic!("{candidate} {others:?}: {conflict}")
        };
        assert_eq!(named(&protecting), *expected, "{candidate} {others:?}");
    }
}

#[test]
fn what_leaves_something_out_is_sound() {
    let cases: &[(&str, &[&str])] = &[
        ("keep a/b v.*", &[]),
        ("keep a/b .*", &[]),
        ("keep a/b v.*", &["keep a/b v.*"]),
        ("keep a/b v.+", &["keep a/b !v.*"]),
        ("keep a/b .{1,64}", &["keep a/b .{66,}"]),
        // A clear wish.
        ("keep a/b .*", &["keep a/b v.*", "keep a/b !v.*"]),
        ("keep a/b v.*", &["keep a/b .*"]),
        ("keep a/b v.*", &["keep registry .+", "keep a/* w.*"]),
        // Scopes that have nothing in common.
        ("keep a/b v.*", &["keep a/c !v.*"]),
        ("keep a/* v.*", &["keep ab/* !v.*"]),
        ("keep a/* v.*", &["keep b/a !v.*"]),
        // They meet the candidate, but not each other.
        ("keep registry [a-m].*", &["keep a/b [n-z].*", "keep a/c ![a-z].*"]),
        ("prune a/b v.*", &["keep a/b v1.*"]),
        ("prune a/b", &["keep a/b v.*"]),
        // Elsewhere there is something to prune.
        ("prune registry v.*", &["keep a/b v.*"]),
        ("prune a/* v.*", &["keep a/b .*", "keep a/b/* .*"]),
        ("keep a/b v.*", &["prune a/* v.*", "prune a/c v.*", "prune a/b"]),
        ("prune a/b v.*", &["prune a/b v.*"]),
        // It was idle before.
        ("keep a/b v.*", &["prune a/b v1.*", "keep a/* v1.*"]),
    ];
    for (candidate, others) in cases {
        assert_eq!(judged(candidate, others), Judgement::Sound, "{candidate} {others:?}");
    }
}

#[test]
fn what_somebody_should_know_is_a_warning() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("keep a/b v.*", &["prune a/b v1.*"], "nothing is left to prune for policy 01010101"),
        ("keep registry .*", &["prune a/b"], "nothing is left to prune for policy 01010101"),
        ("keep a/b [bc].*", &["prune a/b [a-c].*", "keep a/* x", "keep a/* a.*"], ") with policy 03030303"),
        ("keep a/* .*", &["prune a/b", "prune b/c", "prune registry", "keep a/b x"], "match `.*`); retire the prune"),
        (
            "keep a/b ä.*",
            &[],
            "no tag can have a name that this policy (in repository a/b, tags that match `ä.*`) selects",
        ),
        ("prune a/b [.-].*", &["keep a/b .*"], "no tag can have a name"),
        ("keep a/b [ab_]*a[ab_]{20}", &["keep a/* ![ab_]*aa[ab_]{20}", "keep a/b v"], "could not be judged"),
    ];
    for (candidate, others, text) in cases {
        let Judgement::Warned(warnings) = judged(candidate, others) else { panic!("{candidate} {others:?}") };
        let [warning] = warnings.as_slice() else { panic!("{candidate} {others:?}: {warnings:?}") };
        assert!(warning.to_string().contains(text), "{candidate} {others:?}: {warning}");
    }
}

#[test]
fn the_messages_say_who_what_and_what_to_do() {
    let text = |candidate, others| match judged(candidate, others) {
        Judgement::Conflict(conflict) => conflict.to_string(),
        Judgement::Warned(warnings) => warnings[0].to_string(),
        Judgement::Sound => "sound".to_owned(),
    };
    assert_eq!(
        text("keep a/* v.*", &["keep a/b !^v.*"]),
        "every tag in repository a/b would be immutable: this policy (in namespace a, tags that match `v.*`, such as `v`) \
         and policy 01010101-0101-0101-0101-010101010101 (in repository a/b, tags that do not match `^v.*`, such as `a`) \
         leave none out, though none of them says so alone; narrow a pattern or retire the other policy, or, if every \
         tag is to be immutable, say so with one policy that matches `.*`"
    );
    assert_eq!(
        text("prune a/b v.*", &["keep registry [a-z].*"]),
        "nothing could ever be pruned: all that this policy (in repository a/b, tags that match `v.*`) selects is \
         immutable by policy 01010101-0101-0101-0101-010101010101 (in the whole registry, tags that match `[a-z].*`); \
         choose a pattern that selects other tags, or retire that policy first"
    );
    assert_eq!(
        text("keep registry .*", &["prune a/b"]),
        "nothing is left to prune for policy 01010101-0101-0101-0101-010101010101 (in repository a/b, every tag): all \
         that it selects is made immutable by this policy (in the whole registry, tags that match `.*`); retire the \
         prune policy if that is meant"
    );
}
