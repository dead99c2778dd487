//! The rules of immutability policies, by the scope in which they hold.

use std::sync::{Arc, OnceLock};

use imbl::OrdMap;
use tagstone_schema::name::Namespace;
use tagstone_schema::policy::Scope;
use tagstone_schema::{Id, RepositoryName, Seq};

use crate::fold::state::Moment;
use crate::pattern::{Selector, SelectorSet, is_referrer_tag};

/// Every rule that is or was in force. A repository asks only the scopes that contain it.
#[derive(Clone, Debug, Default)]
pub(in crate::fold) struct Rules {
    registry: Option<Arc<ScopeRules>>,
    namespaces: OrdMap<Namespace, Arc<ScopeRules>>,
    repositories: OrdMap<RepositoryName, Arc<ScopeRules>>,
}

/// What a policy of immutability demands.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The tags that are to be immutable.
    pub selector: Selector,
    /// Whether tags that exist for referrers are among them.
    pub include_referrer_tags: bool,
}

impl Demand {
    /// Whether it protects tags of this name.
    pub fn protects(&self, tag: &str) -> bool {
        (self.include_referrer_tags || !is_referrer_tag(tag)) && self.selector.selects(tag)
    }
}

/// The rules of one scope. They are compiled together when somebody asks for the first time after a change.
#[derive(Debug)]
pub(super) struct ScopeRules {
    pub(super) scope: Scope,
    in_force: OrdMap<Id, (Demand, Moment)>,
    /// Demands that were in force, with the last moment at which one of them ended. Two policies that demanded the same
    /// need one entry: whoever asks wants to know whether any was in force after some moment.
    ended: OrdMap<DemandKey, (Demand, Moment)>,
    /// The same in the order of their ends, in parts, of which an end touches only the last. A demand that ended again
    /// stands in an older part too, which changes no answer.
    past: Vec<Arc<Past>>,
    compiled: OnceLock<Judge>,
}

/// Demands that ended one after another.
#[derive(Debug, Default)]
struct Past {
    ended: Vec<(Demand, Moment)>,
    compiled: OnceLock<Judge>,
}

impl Past {
    /// Demands that are compiled together: few enough that compiling them holds nobody up for long.
    const MOST: usize = 128;

    /// Whether one that ended later than `seq` protected tags of this name.
    fn protected_after(&self, tag: &str, seq: Seq) -> bool {
        let judge = self.compiled.get_or_init(|| Judge::new(self.ended.iter().map(|(demand, _)| demand)));
        let places = judge.selecting(tag).into_iter();
        places.filter_map(|place| self.ended.get(place)).any(|(_, until)| until.seq > seq)
    }

    fn last_end(&self) -> Seq {
        self.ended.last().map_or(0, |(_, until)| until.seq)
    }
}

/// The text of a demand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DemandKey {
    regex: String,
    matches: bool,
    include_referrer_tags: bool,
}

impl DemandKey {
    fn of(demand: &Demand) -> Self {
        let pattern = demand.selector.pattern();
        let include_referrer_tags = demand.include_referrer_tags;
        Self { regex: pattern.regex.clone(), matches: pattern.matches, include_referrer_tags }
    }
}

impl Rules {
    /// A demand comes into force.
    pub(in crate::fold) fn begin(&mut self, scope: &Scope, policy: Id, demand: Demand, at: Moment) {
        self.change(scope, |rules| {
            rules.in_force.insert(policy, (demand, at));
        });
    }

    /// The demand of a policy ceases to be in force.
    pub(in crate::fold) fn end(&mut self, scope: &Scope, policy: Id, at: Moment) {
        self.change(scope, |rules| {
            if let Some((demand, _)) = rules.in_force.remove(&policy) {
                rules.ended.insert(DemandKey::of(&demand), (demand.clone(), at));
                let last = rules.past.pop_if(|last| last.ended.len() < Past::MOST);
                let mut ended = last.map(|last| last.ended.clone()).unwrap_or_default();
                ended.retain(|(other, _)| DemandKey::of(other) != DemandKey::of(&demand));
                ended.push((demand, at));
                rules.past.push(Arc::new(Past { ended, compiled: OnceLock::new() }));
            }
        });
    }

    /// Takes back the demands that [`Rules::ended`] told, in any order. Nothing has ended in these rules yet.
    pub(in crate::fold) fn recall(&mut self, mut ended: Vec<(Scope, Demand, Moment)>) {
        ended.sort_by(|(a, _, a_until), (b, _, b_until)| (a, a_until.seq).cmp(&(b, b_until.seq)));
        for of_scope in ended.chunk_by(|(a, ..), (b, ..)| a == b) {
            let Some((scope, ..)) = of_scope.first() else { continue };
            self.change(scope, |rules| {
                let demands = || of_scope.iter().map(|(_, demand, until)| (demand.clone(), *until));
                rules.ended = demands().map(|(demand, until)| (DemandKey::of(&demand), (demand, until))).collect();
                let parts = demands().collect::<Vec<_>>();
                let parts = parts.chunks(Past::MOST).map(<[_]>::to_vec);
                rules.past = parts.map(|ended| Arc::new(Past { ended, compiled: OnceLock::new() })).collect();
            });
        }
    }

    /// Whether no rule ever was in force.
    pub(super) fn is_empty(&self) -> bool {
        self.registry.is_none() && self.namespaces.is_empty() && self.repositories.is_empty()
    }

    /// The scopes that contain a repository and have rules, the widest first.
    pub(super) fn around<'a>(&'a self, repository: &'a str) -> impl Iterator<Item = &'a Arc<ScopeRules>> {
        let within = if self.namespaces.is_empty() { "" } else { repository };
        let prefixes = within.match_indices('/').map(|(at, _)| &repository[..at]);
        let namespaces = prefixes.filter_map(|prefix| self.namespaces.get(prefix));
        self.registry.iter().chain(namespaces).chain(self.repositories.get(repository))
    }

    /// Every demand that ended, by scope, with its last end.
    pub(in crate::fold) fn ended(&self) -> impl Iterator<Item = (&Scope, &Demand, Moment)> {
        let all = self.registry.iter().chain(self.namespaces.values()).chain(self.repositories.values());
        all.flat_map(|rules| rules.ended.values().map(|(demand, until)| (&rules.scope, demand, *until)))
    }

    fn change(&mut self, scope: &Scope, change: impl FnOnce(&mut ScopeRules)) {
        let standing = match scope {
            Scope::Registry => self.registry.as_ref(),
            Scope::Namespace(namespace) => self.namespaces.get(namespace),
            Scope::Repository(repository) => self.repositories.get(repository),
        };
        let mut changed = ScopeRules::copied(scope, standing.map(|rules| &**rules));
        change(&mut changed);
        let changed = Arc::new(changed);
        match scope {
            Scope::Registry => self.registry = Some(changed),
            Scope::Namespace(namespace) => drop(self.namespaces.insert(namespace.clone(), changed)),
            Scope::Repository(repository) => drop(self.repositories.insert(repository.clone(), changed)),
        }
    }
}

impl ScopeRules {
    /// The same rules, to be changed and compiled anew.
    fn copied(scope: &Scope, from: Option<&Self>) -> Self {
        Self {
            scope: scope.clone(),
            in_force: from.map(|rules| rules.in_force.clone()).unwrap_or_default(),
            ended: from.map(|rules| rules.ended.clone()).unwrap_or_default(),
            past: from.map(|rules| rules.past.clone()).unwrap_or_default(),
            compiled: OnceLock::new(),
        }
    }

    /// Whether a rule in force protects tags of this name.
    pub(super) fn protects(&self, tag: &str) -> bool {
        !self.in_force.is_empty() && self.judge().any(tag)
    }

    /// The policies in force that protect tags of this name.
    pub(super) fn protecting(&self, tag: &str) -> impl Iterator<Item = (Id, &Demand, Moment)> {
        let places = if self.in_force.is_empty() { Vec::new() } else { self.judge().selecting(tag) };
        let members: Vec<_> = self.in_force.iter().collect();
        places.into_iter().filter_map(move |place| members.get(place).map(|(id, (demand, at))| (**id, demand, *at)))
    }

    /// Whether a rule that ended later than `seq` protected tags of this name. What ended in that very record was no
    /// longer in force when the record was complete, and a record is one moment.
    pub(super) fn protected_after(&self, tag: &str, seq: Seq) -> bool {
        let since = self.past.iter().rev().take_while(|past| past.last_end() > seq);
        since.into_iter().any(|past| past.protected_after(tag, seq))
    }

    fn judge(&self) -> &Judge {
        self.compiled.get_or_init(|| Judge::new(self.in_force.values().map(|(demand, _)| demand)))
    }
}

/// Demands compiled for one pass over a name. Names that exist for referrers ask only the demands that include them.
#[derive(Debug)]
struct Judge {
    all: SelectorSet,
    referrer: SelectorSet,
    /// The places in the whole of those that include names for referrers.
    referrer_places: Vec<usize>,
}

impl Judge {
    fn new<'a>(demands: impl Iterator<Item = &'a Demand>) -> Self {
        let demands: Vec<_> = demands.collect();
        let including = || demands.iter().enumerate().filter(|(_, demand)| demand.include_referrer_tags);
        Self {
            all: SelectorSet::new(demands.iter().map(|demand| demand.selector.clone()).collect()),
            referrer: SelectorSet::new(including().map(|(_, demand)| demand.selector.clone()).collect()),
            referrer_places: including().map(|(place, _)| place).collect(),
        }
    }

    fn any(&self, tag: &str) -> bool {
        if is_referrer_tag(tag) { self.referrer.any(tag) } else { self.all.any(tag) }
    }

    /// The places of the demands that select the name.
    fn selecting(&self, tag: &str) -> Vec<usize> {
        if !is_referrer_tag(tag) {
            return self.all.selecting(tag);
        }
        let places = self.referrer.selecting(tag).into_iter();
        places.filter_map(|place| self.referrer_places.get(place).copied()).collect()
    }
}
