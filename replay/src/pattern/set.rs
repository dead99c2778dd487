//! Many patterns at once.

use std::fmt;

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};
use regex_syntax::hir::Hir;

use super::matcher::compile;
use super::selector::Selector;

/// Bytes that the patterns compiled into one group may take: some 1,000 ordinary patterns. A larger group would need a
/// larger cache to be matched quickly.
const GROUP_BYTES: usize = 2 * 1024 * 1024;

/// Several selectors, judged in one pass over the name.
#[derive(Clone, Default)]
pub struct SelectorSet {
    selectors: Vec<Selector>,
    /// Those that select what matches.
    matching: Vec<Group>,
    /// Those that select what does not match.
    inverted: Vec<Group>,
}

/// Selectors that are compiled together.
#[derive(Clone)]
struct Group {
    matcher: Regex,
    /// Where in the set each of them stands, in the order in which they are compiled.
    places: Vec<usize>,
}

impl SelectorSet {
    /// Compiles selectors together. Where they would be too large, they are split into groups.
    pub fn new(selectors: Vec<Selector>) -> Self {
        let (matching, inverted): (Vec<usize>, Vec<usize>) =
            (0..selectors.len()).partition(|place| selectors[*place].pattern().matches);
        let matching = Group::of(&selectors, matching);
        let inverted = Group::of(&selectors, inverted);
        Self { selectors, matching, inverted }
    }

    /// Whether any of them selects the tag.
    pub fn any(&self, tag: &str) -> bool {
        self.matching.iter().any(|group| group.matcher.is_match(tag))
            || self.inverted.iter().any(|group| group.lacks(tag))
    }

    /// The places of those that select the tag, ascending.
    pub fn selecting(&self, tag: &str) -> Vec<usize> {
        let mut places = Vec::new();
        for (groups, selects) in [(&self.matching, true), (&self.inverted, false)] {
            for group in groups {
                let matched = group.matched(tag);
                let all = group.places.iter().enumerate();
                places.extend(all.filter(|(at, _)| is_in(&matched, *at) == selects).map(|(_, place)| *place));
            }
        }
        places.sort_unstable();
        places
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.selectors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }
}

impl fmt::Debug for SelectorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.selectors).finish()
    }
}

impl Group {
    /// The selectors at the places, in as few groups as their size allows.
    fn of(selectors: &[Selector], places: Vec<usize>) -> Vec<Self> {
        match places.as_slice() {
            [] => Vec::new(),
            // One alone was compiled already.
            [only] => vec![Self { matcher: selectors[*only].matcher().clone(), places }],
            [..] => {
                let expressions: Vec<&Hir> = places.iter().map(|place| selectors[*place].expression()).collect();
                if let Ok(matcher) = compile(&expressions, GROUP_BYTES) {
                    return vec![Self { matcher, places }];
                }
                let (first, second) = places.split_at(places.len() / 2);
                let mut groups = Self::of(selectors, first.to_vec());
                groups.extend(Self::of(selectors, second.to_vec()));
                groups
            }
        }
    }

    /// Whether one of the group does not match the tag.
    fn lacks(&self, tag: &str) -> bool {
        // Where not even one matches, which is the rule for inverted patterns, this is much the quicker question.
        !self.matcher.is_match(tag) || (self.places.len() > 1 && self.matched(tag).len() < self.places.len())
    }

    fn matched(&self, tag: &str) -> PatternSet {
        let mut matched = PatternSet::new(self.places.len());
        self.matcher.which_overlapping_matches(&Input::new(tag), &mut matched);
        matched
    }
}

fn is_in(matched: &PatternSet, at: usize) -> bool {
    regex_automata::PatternID::new(at).is_ok_and(|pattern| matched.contains(pattern))
}
