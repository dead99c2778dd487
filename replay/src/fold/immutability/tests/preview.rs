//! A preview, and what then becomes of the tags.

use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag, Timestamp};

use crate::fold::{Demand, Moment, State};
use crate::pattern::Selector;

fn moment(seq: u64) -> Moment {
    Moment { seq, time: Timestamp(seq.cast_signed()) }
}

/// A registry with these tags, each on the one manifest of its repository.
fn registry(tags: &[(&str, &str)]) -> State {
    let mut state = State::default();
    let mut seq = 1;
    let mut happen = |state: &mut State, event: &Event| {
        state.evolve(moment(seq), event).unwrap_or_else(|why| panic!("{event:?}: {why}"));
        seq += 1;
    };
    happen(&mut state, &Event::LogStarted { log: Id([1; 16]) });
    let digest = Digest::sha256([1; 32]);
    for (repository, tag) in tags {
        let repository: RepositoryName = repository.parse().unwrap();
        if state.repository(repository.as_str()).is_none() {
            let pushed = Event::ManifestPushed {
                repository: repository.clone(),
                digest: digest.clone(),
                size: 7,
                media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
                artifact_type: None,
                subject: None,
                references: [].into_iter().collect(),
            };
            happen(&mut state, &pushed);
        }
        let moved = Event::TagMoved { repository, tag: tag.parse().unwrap(), from: None, to: digest.clone() };
        happen(&mut state, &moved);
    }
    state
}

#[test]
fn what_has_expired_is_not_counted_unless_it_is_protected() {
    let mut state = registry(&[("acme/app", "v1"), ("acme/app", "v2"), ("acme/app", "w1"), ("acme/app", "w2")]);
    let repository: RepositoryName = "acme/app".parse().unwrap();
    for (seq, name) in (100..).zip(["v1", "w1"]) {
        let (repository, tag) = (repository.clone(), name.parse::<Tag>().unwrap());
        state.evolve(moment(seq), &Event::TagExpirySet { repository, tag, at: Some(Timestamp(500)) }).unwrap();
    }
    let pattern = |regex: &str| Pattern { regex: regex.to_owned(), matches: true };
    let rule = Rule::Immutability { pattern: pattern("w.*"), include_referrer_tags: false };
    let (policy, scope) = (Id([2; 16]), Scope::Repository(repository));
    state.evolve(moment(200), &Event::PolicyActivated { policy, scope, rule }).unwrap();
    let demand = Demand { selector: Selector::new(&pattern("v.*")).unwrap(), include_referrer_tags: false };
    for (now, tags, newly) in [(499, 4, 2), (500, 3, 1)] {
        let preview = state.preview(&Scope::Registry, &demand, Timestamp(now), 1);
        let found = (preview.tags_in_scope, preview.newly_protected, preview.already_protected);
        assert_eq!(found, (tags, newly, 2), "at {now}");
        assert_eq!(preview.sample.len(), 1, "at {now}");
    }
}

#[test]
fn a_scope_holds_what_lies_below_it() {
    let names = ["acme", "acme-x/a", "acme.x/a", "acme/a", "acme/a/b", "acme0/a", "acme_x/a", "b"];
    let state = registry(&names.map(|name| (name, "v1")));
    let demand = Demand {
        selector: Selector::new(&Pattern { regex: ".*".to_owned(), matches: true }).unwrap(),
        include_referrer_tags: false,
    };
    let scopes = names
        .iter()
        .flat_map(|name| [Scope::Repository(name.parse().unwrap()), Scope::Namespace(name.parse().unwrap())]);
    for scope in scopes.chain([Scope::Registry]) {
        let preview = state.preview(&scope, &demand, Timestamp(1_000), 100);
        let found: Vec<_> = preview.sample.iter().map(|(repository, ..)| repository.as_str()).collect();
        let mut expected: Vec<_> =
            names.iter().filter(|name| scope.contains(&name.parse().unwrap())).copied().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{scope:?}");
    }
}
