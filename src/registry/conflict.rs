//! Contradictions between policies: whether a policy can be put in force beside those that are.
//!
//! Two clear wishes can make a trap: `v.*` protected, and all but `v.*` protected, and no tag of the repository can ever
//! change again, which neither of them says. What patterns select is judged by their language, over all names that a
//! tag can have; that tags of referrers may be exempt plays no part. One policy that alone protects everything says so,
//! and is no contradiction with any other.
//!
//! **Invariant**: pure, like the decision that asks.

mod explained;

use tagstone_replay::pattern::Selector;
use tagstone_replay::pattern::language::{self, Budget, Cover};
use tagstone_schema::policy::{Id, Rule, Scope};

pub use explained::{Conflict, Party, Warning};

/// A policy that is in force.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// Its id.
    pub id: Id,
    /// Where it holds.
    pub scope: &'a Scope,
    /// What it demands.
    pub rule: &'a Rule,
    /// The tags that it selects; none for a prune policy that selects every tag.
    pub selector: Option<&'a Selector>,
}

/// A policy that is to be put in force.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Where it is to hold.
    pub scope: &'a Scope,
    /// What it demands.
    pub rule: &'a Rule,
    /// The tags that it selects; none for a prune policy that selects every tag.
    pub selector: Option<&'a Selector>,
}

/// Whether a policy can be put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It can.
    Sound,
    /// It can, and somebody should know this. Never empty.
    Warned(Vec<Warning>),
    /// It cannot.
    Conflict(Conflict),
}

/// Judges a policy beside all others that are in force. A policy that is to be changed is the candidate, in its new
/// form, and is not among the others.
pub fn judge(candidate: &Candidate<'_>, others: &[InForce<'_>]) -> Judgement {
    let mut judge = Judge { budget: Budget::default(), warnings: Vec::new() };
    let (immutability, prune): (Vec<InForce<'_>>, Vec<_>) = others.iter().partition(|other| protects(other.rule));
    let [immutability, prune] =
        [immutability, prune].map(|policies| policies.iter().map(Judged::from).collect::<Vec<_>>());
    let own = Judged::from(candidate);
    let conflict = if protects(candidate.rule) {
        let conflict = judge.immutability(own, &immutability);
        // Last, so that prune policies too large to be judged take nothing from what can be refused.
        for policy in prune.iter().filter(|policy| conflict.is_none() && contains(own.scope, policy.scope)) {
            judge.warn_of_idle_prune(own, *policy, &immutability);
        }
        conflict
    } else {
        judge.prune(own, &immutability)
    };
    match conflict {
        Some(conflict) => Judgement::Conflict(conflict),
        None if judge.warnings.is_empty() => Judgement::Sound,
        None => Judgement::Warned(judge.warnings),
    }
}

fn protects(rule: &Rule) -> bool {
    matches!(rule, Rule::Immutability { .. })
}

/// What is judged of a policy: where, and which tags.
#[derive(Clone, Copy)]
struct Judged<'a> {
    id: Option<Id>,
    scope: &'a Scope,
    selector: Option<&'a Selector>,
}

impl<'a> From<&Candidate<'a>> for Judged<'a> {
    fn from(policy: &Candidate<'a>) -> Self {
        Self { id: None, scope: policy.scope, selector: policy.selector }
    }
}

impl<'a> From<&InForce<'a>> for Judged<'a> {
    fn from(policy: &InForce<'a>) -> Self {
        Self { id: Some(policy.id), scope: policy.scope, selector: policy.selector }
    }
}

impl Judged<'_> {
    /// Whether the policy alone selects every tag.
    fn is_clear_wish(&self, budget: &mut Budget) -> bool {
        self.selector.is_none_or(|selector| language::cover_within(None, &[selector], budget) == Cover::Everything)
    }
}

/// One judgement on its way.
struct Judge {
    /// What it may cost still: it is made by the writer, which others wait for.
    budget: Budget,
    warnings: Vec<Warning>,
}

impl Judge {
    /// Of an immutability policy: whether, with others, it would protect everything where none of them does so alone.
    fn immutability(&mut self, candidate: Judged<'_>, others: &[Judged<'_>]) -> Option<Conflict> {
        if self.warn_of_no_selection(candidate) || candidate.is_clear_wish(&mut self.budget) {
            return None;
        }
        let meets =
            |other: &&Judged<'_>| contains(other.scope, candidate.scope) || contains(candidate.scope, other.scope);
        let partial: Vec<Judged<'_>> =
            others.iter().filter(meets).filter(|other| !other.is_clear_wish(&mut self.budget)).copied().collect();
        for place in meeting_places(candidate.scope, &partial) {
            if !self.budget.spend(partial.len()) {
                self.warn_of_no_judgement(candidate);
                break;
            }
            let holding: Vec<Judged<'_>> =
                partial.iter().filter(|other| contains(other.scope, place)).copied().collect();
            let all: Vec<Judged<'_>> = [candidate].into_iter().chain(holding.iter().copied()).collect();
            match self.cover(None, &all) {
                Cover::Everything => {
                    // To find the fewest that explain it is work of its own.
                    self.budget = Budget::default();
                    let others = self.fewest(None, &[candidate], holding);
                    return Some(self.every_tag(candidate, &others, place));
                }
                Cover::Misses(_) => {}
                Cover::TooLarge => self.warn_of_no_judgement(candidate),
            }
        }
        None
    }

    /// Of a prune policy: whether all that it selects is protected, so that it could never prune anything.
    fn prune(&mut self, candidate: Judged<'_>, others: &[Judged<'_>]) -> Option<Conflict> {
        if self.warn_of_no_selection(candidate) {
            return None;
        }
        let protecting = above(candidate.scope, others);
        match self.cover(candidate.selector, &protecting) {
            Cover::Everything => {
                let protecting = self.fewest(candidate.selector, &[], protecting);
                let protecting = protecting.iter().map(Party::from).collect();
                Some(Conflict::NothingToPrune { candidate: Party::from(&candidate), protecting })
            }
            Cover::Misses(_) => None,
            Cover::TooLarge => {
                self.warn_of_no_judgement(candidate);
                None
            }
        }
    }

    /// Warns where the candidate takes from a prune policy the last that it could prune. Where that is too large to be
    /// judged nothing is said, since a run of the policy will say it.
    fn warn_of_idle_prune(&mut self, candidate: Judged<'_>, prune: Judged<'_>, others: &[Judged<'_>]) {
        let before = above(prune.scope, others);
        let after: Vec<Judged<'_>> = [candidate].into_iter().chain(before.iter().copied()).collect();
        let is_idle = self.cover(prune.selector, &after) == Cover::Everything;
        if is_idle && self.cover(prune.selector, &before) != Cover::Everything {
            let with = self.fewest(prune.selector, &[candidate], before).iter().map(Party::from).collect();
            let (candidate, prune) = (Party::from(&candidate), Party::from(&prune));
            self.warnings.push(Warning::NothingLeftToPrune { candidate, with, prune });
        }
    }

    /// Warns of a pattern that no tag can match; such a policy contradicts nothing.
    fn warn_of_no_selection(&mut self, candidate: Judged<'_>) -> bool {
        let selector = candidate.selector;
        let selects_none = selector.is_some() && language::cover(selector, &[]) == Cover::Everything;
        if selects_none {
            self.warnings.push(Warning::SelectsNothing { candidate: Party::from(&candidate) });
        }
        selects_none
    }

    /// Once is enough: whatever else is too large, the answer stands for no more than what could be compared.
    fn warn_of_no_judgement(&mut self, candidate: Judged<'_>) {
        let warning = Warning::NotJudged { candidate: Party::from(&candidate) };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn cover(&mut self, selected: Option<&Selector>, protecting: &[Judged<'_>]) -> Cover {
        if !self.budget.spend(protecting.len()) {
            return Cover::TooLarge;
        }
        let protecting: Vec<&Selector> = protecting.iter().filter_map(|policy| policy.selector).collect();
        language::cover_within(selected, &protecting, &mut self.budget)
    }

    /// Those of `pool` without which `needed` and it would not cover what is selected: one, if one suffices. They are
    /// known to do it together.
    fn fewest<'a>(
        &mut self,
        selected: Option<&Selector>,
        needed: &[Judged<'a>],
        mut pool: Vec<Judged<'a>>,
    ) -> Vec<Judged<'a>> {
        let mut covers = |chosen: &[Judged<'a>], more: &[Judged<'a>]| {
            let all: Vec<Judged<'a>> = [needed, chosen, more].concat();
            self.cover(selected, &all) == Cover::Everything
        };
        if covers(&[], &[]) {
            return Vec::new();
        }
        if let Some(one) = pool.iter().find(|one| covers(&[], &[**one])) {
            return vec![*one];
        }
        let mut chosen = Vec::new();
        // The more there are the more they cover, so the last that is needed can be found by halving.
        while !pool.is_empty() && !covers(&chosen, &[]) {
            let (mut too_few, mut enough) = (0, pool.len());
            while too_few + 1 < enough {
                let middle = too_few.midpoint(enough);
                if covers(&chosen, &pool[..middle]) { enough = middle } else { too_few = middle }
            }
            pool.truncate(enough);
            chosen.extend(pool.pop());
        }
        chosen.reverse();
        chosen
    }

    fn every_tag(&mut self, candidate: Judged<'_>, others: &[Judged<'_>], place: &Scope) -> Conflict {
        let all: Vec<Judged<'_>> = [candidate].into_iter().chain(others.iter().copied()).collect();
        let mut parties = (0..all.len()).map(|own| {
            let rest: Vec<Judged<'_>> = (0..all.len()).filter(|at| *at != own).map(|at| all[at]).collect();
            let example = match self.cover(all[own].selector, &rest) {
                Cover::Misses(tag) => Some(tag),
                Cover::Everything | Cover::TooLarge => None,
            };
            Party { example, ..Party::from(&all[own]) }
        });
        let candidate = parties.next().unwrap_or_else(|| Party::from(&candidate));
        Conflict::EveryTag { candidate, others: parties.collect(), place: place.clone() }
    }
}

/// The scopes in which policies meet the candidate: its own, and those within it where others hold. What holds in a
/// scope holds in all within it, so only the innermost are judged.
fn meeting_places<'a>(own: &'a Scope, others: &[Judged<'a>]) -> Vec<&'a Scope> {
    let mut places: Vec<&Scope> = others.iter().map(|other| other.scope).filter(|scope| contains(own, scope)).collect();
    places.push(own);
    places.sort_unstable();
    places.dedup();
    let all = places.clone();
    let is_innermost = |place: &Scope| {
        matches!(place, Scope::Repository(_)) || !all.iter().any(|inner| *inner != place && contains(place, inner))
    };
    places.retain(|place| is_innermost(place));
    places
}

/// The policies that hold in the whole scope.
fn above<'a>(scope: &Scope, policies: &[Judged<'a>]) -> Vec<Judged<'a>> {
    policies.iter().filter(|policy| contains(policy.scope, scope)).copied().collect()
}

/// Whether all that lies in `inner` lies in `outer`.
fn contains(outer: &Scope, inner: &Scope) -> bool {
    match (outer, inner) {
        (Scope::Registry, _) => true,
        (_, Scope::Registry) | (Scope::Repository(_), Scope::Namespace(_)) => false,
        (outer, Scope::Repository(repository)) => outer.contains(repository),
        (Scope::Namespace(outer), Scope::Namespace(inner)) => {
            inner.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

#[cfg(test)]
mod tests;
