//! Policies: what may be written down, activated, changed and removed, and what each becomes.

use tagstone_schema::policy::{Pattern, PruneMethod, Rule, Scope};

use super::super::super::command::CreatePolicy;
use super::*;

fn id(n: u8) -> Id {
    Id([n; 16])
}

fn pattern(regex: &str) -> Pattern {
    Pattern { regex: regex.to_owned(), matches: true }
}

fn immutable(regex: &str) -> Rule {
    Rule::Immutability { pattern: pattern(regex), include_referrer_tags: false }
}

fn inverse(regex: &str) -> Rule {
    Rule::Immutability { pattern: Pattern { matches: false, ..pattern(regex) }, include_referrer_tags: false }
}

fn prune(regex: &str) -> Rule {
    Rule::Prune { method: PruneMethod::NumberOfTags(3), pattern: Some(pattern(regex)) }
}

fn drafted(n: u8, rule: Rule) -> Event {
    Event::PolicyDrafted { policy: id(n), scope: Scope::Registry, rule }
}

fn activated(n: u8, rule: Rule) -> Event {
    Event::PolicyActivated { policy: id(n), scope: Scope::Registry, rule }
}

fn create(n: u8, rule: Rule) -> Command {
    Command::CreatePolicy(Box::new(CreatePolicy { policy: id(n), scope: Scope::Registry, rule, draft: false }))
}

fn draft(n: u8, rule: Rule) -> Command {
    Command::CreatePolicy(Box::new(CreatePolicy { policy: id(n), scope: Scope::Registry, rule, draft: true }))
}

fn below(n: u8, scope: &str, rule: Rule) -> Command {
    let scope = Scope::Repository(name(scope));
    Command::CreatePolicy(Box::new(CreatePolicy { policy: id(n), scope, rule, draft: false }))
}

fn activate(n: u8) -> Command {
    Command::ActivatePolicy { policy: id(n) }
}

fn change(n: u8, rule: Rule) -> Command {
    Command::ChangePolicy { policy: id(n), rule }
}

fn remove(n: u8) -> Command {
    Command::RemovePolicy { policy: id(n) }
}

/// What comes of a command: the events, or the kind of the rejection.
#[derive(Debug, PartialEq)]
enum Outcome {
    Events(Vec<Event>),
    Exists,
    Unknown,
    NotDraft,
    Conflict,
    Invalid,
}

fn outcome(before: &[Event], command: &Command) -> Outcome {
    match when(given(before), command) {
        Ok(events) => Outcome::Events(events),
        Err(Rejection::PolicyExists { .. }) => Outcome::Exists,
        Err(Rejection::PolicyUnknown { .. }) => Outcome::Unknown,
        Err(Rejection::PolicyNotDraft { .. }) => Outcome::NotDraft,
        Err(Rejection::PolicyConflict(_)) => Outcome::Conflict,
        Err(Rejection::PatternInvalid(_)) => Outcome::Invalid,
        Err(other) => panic!("{command:?}: {other}"),
    }
}

#[test]
fn policies_live_and_die() {
    use Outcome::{Conflict, Events, Exists, Invalid, NotDraft, Unknown};
    let one = |event: Event| Events(vec![event]);
    let v = || immutable("v.*");
    let retired = || vec![activated(1, v()), Event::PolicyRetired { policy: id(1) }];
    let cases: Vec<(&str, Vec<Event>, Command, Outcome)> = vec![
        ("a policy is one event", vec![], create(1, v()), one(activated(1, v()))),
        ("a draft is one event", vec![], draft(1, v()), one(drafted(1, v()))),
        ("an invalid one is none", vec![], create(1, immutable("v(")), Invalid),
        ("nor an invalid draft", vec![], draft(1, immutable("(")), Invalid),
        ("the same again", vec![activated(1, v())], create(2, v()), Exists),
        ("a draft counts", vec![drafted(1, v())], create(2, v()), Exists),
        ("the same in another scope", vec![activated(1, v())], below(2, "a", v()), {
            one(Event::PolicyActivated { policy: id(2), scope: Scope::Repository(name("a")), rule: v() })
        }),
        ("a retired one does not count", retired(), create(2, v()), one(activated(2, v()))),
        ("spelled otherwise it is another", vec![activated(1, v())], create(2, immutable("^v.*$")), {
            one(activated(2, immutable("^v.*$")))
        }),
        ("a contradiction", vec![activated(1, v())], create(2, inverse("^v.*$")), Conflict),
        ("also from below", vec![activated(1, v())], below(2, "a", inverse("v.*")), Conflict),
        ("a draft may contradict", vec![activated(1, v())], draft(2, inverse("v.*")), one(drafted(2, inverse("v.*")))),
        ("but is not activated", vec![activated(1, v()), drafted(2, inverse("v.*"))], activate(2), Conflict),
        ("what a draft says contradicts nothing", vec![drafted(1, v())], create(2, inverse("v.*")), {
            one(activated(2, inverse("v.*")))
        }),
        ("everything is a clear wish", vec![activated(1, v())], create(2, immutable(".*")), {
            one(activated(2, immutable(".*")))
        }),
        ("a draft is activated as it stands", vec![drafted(1, v())], activate(1), one(activated(1, v()))),
        ("once", vec![activated(1, v())], activate(1), NotDraft),
        ("not after its end", retired(), activate(1), NotDraft),
        ("not if it never was", vec![], activate(1), Unknown),
        ("an active one is changed", vec![activated(1, v())], change(1, immutable("w.*")), {
            one(Event::PolicyChanged { policy: id(1), rule: immutable("w.*") })
        }),
        ("to the same: nothing", vec![activated(1, v())], change(1, v()), Events(vec![])),
        ("not into another", vec![activated(1, v()), activated(2, immutable("w"))], change(2, v()), Exists),
        (
            "not into a contradiction",
            vec![activated(1, v()), activated(2, immutable("w"))],
            { change(2, inverse("v.*")) },
            Conflict,
        ),
        ("which a draft may be", vec![activated(1, v()), drafted(2, immutable("w"))], change(2, inverse("v.*")), {
            one(Event::PolicyChanged { policy: id(2), rule: inverse("v.*") })
        }),
        ("not to an invalid one", vec![activated(1, v())], change(1, immutable("[")), Invalid),
        ("not after its end", retired(), change(1, immutable("w")), Unknown),
        ("a draft is removed", vec![drafted(1, v())], remove(1), one(Event::DraftRemoved { policy: id(1) })),
        ("an active one is retired", vec![activated(1, v())], remove(1), one(Event::PolicyRetired { policy: id(1) })),
        ("once", retired(), remove(1), Unknown),
        ("a prune policy", vec![activated(1, v())], create(2, prune("x.*")), one(activated(2, prune("x.*")))),
        ("that could never prune", vec![activated(1, v())], create(2, prune("v1.*")), Conflict),
        ("immutability goes first", vec![activated(1, prune("v1.*"))], create(2, v()), one(activated(2, v()))),
        ("the same prune policy", vec![activated(1, prune("x"))], create(2, prune("x")), Exists),
    ];
    for (what, before, command, expected) in cases {
        assert_eq!(outcome(&before, &command), expected, "{what}");
    }
}

#[test]
fn a_conflict_names_both_patterns_and_what_to_do() {
    let before = given(&[activated(1, immutable("v.*"))]);
    let told = when(before, &create(2, inverse("^v.*$"))).unwrap_err().to_string();
    for part in ["`v.*`", "`^v.*$`", &id(1).to_string()] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
}
