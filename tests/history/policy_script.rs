//! What the script does with policies.

use rand::RngExt;
use rand::rngs::StdRng;
use tagstone::registry::{Command, CreatePolicy};
use tagstone_schema::Id;
use tagstone_schema::policy::{Age, AgeUnit, Pattern, PruneMethod, Rule, Scope};

use crate::account::{Account, Status};
use crate::script::REPOSITORIES;

/// None of them selects `w`, so no two are a contradiction; nor do they cover what a prune policy selects.
const PROTECTED: [&str; 6] = ["v[0-9].*", "v.*", "release-.*", ".*-lts", "stable|golden", "dev-keep.*|dev-1"];
const NAMESPACES: [&str; 4] = ["acme", "infra", "labs", "labs/team"];
/// Where tags are pruned.
const PRUNED: [&str; 4] = ["acme/worker", "labs/play", "infra/", "labs/team/"];
/// Policies that may stand at the same time, so that not everything is protected for ever.
const STANDING: usize = 9;

#[derive(Default)]
pub(crate) struct PolicyScript {
    made: u128,
}

impl PolicyScript {
    /// Something about a policy.
    pub(crate) fn next(&mut self, random: &mut StdRng, account: &Account) -> Command {
        let policies = || account.standing.policies.iter();
        let standing = policies().filter(|(_, policy)| policy.status != Status::Retired).count();
        let known: Vec<&String> = policies().map(|(id, _)| id).collect();
        let one = |random: &mut StdRng| match known.is_empty() || random.random_bool(0.03) {
            // One that never was.
            true => Id([0xee; 16]),
            false => known[random.random_range(0..known.len())].parse().unwrap(),
        };
        match random.random_range(0..10) {
            0..5 if standing < STANDING => self.create(random, account),
            5..7 => Command::ActivatePolicy { policy: one(random) },
            7 => {
                let policy = one(random);
                let is_prune = account.standing.policies.get(&policy.to_string());
                let is_prune = is_prune.is_some_and(|policy| matches!(policy.rule, Rule::Prune { .. }));
                let rule = if is_prune { pruning(random) } else { protecting(random, false) };
                Command::ChangePolicy { policy, rule }
            }
            _ => Command::RemovePolicy { policy: one(random) },
        }
    }

    fn create(&mut self, random: &mut StdRng, account: &Account) -> Command {
        self.made += 1;
        let policy = Id::from_random((self.made * 0x0123_4567_89ab_cdef_0123_4567).to_be_bytes());
        let draft = random.random_bool(0.4);
        let (scope, rule) = match random.random_range(0..10) {
            0..4 => {
                let place = PRUNED[random.random_range(0..PRUNED.len())];
                let scope = match place.strip_suffix('/') {
                    Some(namespace) => Scope::Namespace(namespace.parse().unwrap()),
                    None => Scope::Repository(place.parse().unwrap()),
                };
                (scope, pruning(random))
            }
            4 => (Scope::Repository("acme/web".parse().unwrap()), protecting(random, true)),
            _ => (scope(random), protecting(random, false)),
        };
        // Now and then the opposite of a policy in force, which would leave no name free.
        let opposite = account.standing.policies.values().find(|policy| {
            policy.status == Status::Active && policy.rule.pattern().is_some_and(|pattern| pattern.regex == "v.*")
        });
        if let Some(policy_in_force) = opposite
            && random.random_bool(0.3)
        {
            let pattern = Pattern { regex: "v.*".to_owned(), matches: false };
            let rule = Rule::Immutability { pattern, include_referrer_tags: false };
            let scope = policy_in_force.scope.clone();
            return Command::CreatePolicy(Box::new(CreatePolicy { policy, scope, rule, draft: false }));
        }
        Command::CreatePolicy(Box::new(CreatePolicy { policy, scope, rule, draft }))
    }

    /// The prune policies that can be run.
    pub(crate) fn to_run(&self, account: &Account) -> Vec<String> {
        let active = account.standing.policies.iter().filter(|(_, policy)| policy.status == Status::Active);
        active.filter(|(_, policy)| matches!(policy.rule, Rule::Prune { .. })).map(|(id, _)| id.clone()).collect()
    }
}

fn scope(random: &mut StdRng) -> Scope {
    match random.random_range(0..10) {
        0 => Scope::Registry,
        1..4 => Scope::Namespace(NAMESPACES[random.random_range(0..NAMESPACES.len())].parse().unwrap()),
        _ => Scope::Repository(REPOSITORIES[random.random_range(0..REPOSITORIES.len())].parse().unwrap()),
    }
}

fn protecting(random: &mut StdRng, referrers: bool) -> Rule {
    let regex = if referrers { "sha256-.*" } else { PROTECTED[random.random_range(0..PROTECTED.len())] };
    let pattern = Pattern { regex: regex.to_owned(), matches: true };
    Rule::Immutability { pattern, include_referrer_tags: referrers }
}

fn pruning(random: &mut StdRng) -> Rule {
    let method = if random.random_bool(0.5) {
        PruneMethod::NumberOfTags(random.random_range(2..6))
    } else {
        PruneMethod::CreationDate(Age { count: random.random_range(10..50), unit: AgeUnit::Days })
    };
    let regex = [None, None, Some("dev-.*|nightly-.*"), Some("nightly-.*|latest")][random.random_range(0..4)];
    let pattern = regex.map(|regex| Pattern { regex: regex.to_owned(), matches: true });
    Rule::Prune { method, pattern }
}
