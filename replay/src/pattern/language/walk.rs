//! Automata that walk side by side, over every name that a tag can have.

use std::collections::HashSet;

use tagstone_schema::Tag;
use tagstone_schema::limits::TAG_BYTES;

use super::Budget;
use super::automaton::{Automaton, CHARACTERS, Fate, can_begin};
use crate::pattern::selector::Selector;

/// What one walk may cost, in steps of single automata: some tens of milliseconds. 1,000 patterns whose names part after
/// a few characters take a hundredth of it.
pub(super) const STEPS: usize = 4_000_000;

/// What it costs to look a standing up, and to keep one that is new, in steps of single automata.
const LOOKING_UP: usize = 4;
const KEEPING: usize = 32;

/// More states than are walked.
pub(super) struct TooLarge;

/// The first, shortest tag that `selected` selects and none of `protecting` does.
pub(super) fn first_missed(
    selected: Option<&Selector>,
    protecting: &[&Selector],
    budget: &mut Budget,
) -> Result<Option<Tag>, TooLarge> {
    if budget.is_spent() {
        return Err(TooLarge);
    }
    let selected = selected.map(|selector| selector.automaton().ok_or(TooLarge)).transpose()?;
    let protecting =
        protecting.iter().map(|selector| selector.automaton().ok_or(TooLarge)).collect::<Result<_, _>>()?;
    Walk { selected, protecting, budget }.first_missed()
}

struct Walk<'a> {
    selected: Option<&'a Automaton>,
    protecting: Vec<&'a Automaton>,
    /// What the walk may cost still.
    budget: &'a mut Budget,
}

/// Where all automata stand after the same characters.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Standing {
    /// The state of `selected`; none once it selects whatever follows.
    selected: Option<u16>,
    /// The places and states of those of `protecting` that can still select a name.
    protecting: Vec<(u32, u16)>,
}

/// How a name came about: the place of the name that it prolongs, and its last character.
struct Origin {
    before: Option<usize>,
    character: u8,
}

impl Walk<'_> {
    fn first_missed(mut self) -> Result<Option<Tag>, TooLarge> {
        let Some(start) = self.start() else { return Ok(None) };
        let characters = self.characters();
        let mut origins: Vec<Origin> = Vec::new();
        let mut seen: HashSet<Standing> = HashSet::new();
        let mut level: Vec<(Option<usize>, Standing)> = vec![(None, start)];
        for length in 0..TAG_BYTES {
            let mut longer = Vec::new();
            for (before, standing) in level {
                for character in characters.iter().filter(|character| length > 0 || can_begin(**character)) {
                    let Some(next) = self.step(&standing, *character) else { continue };
                    if self.budget.is_spent() {
                        return Err(TooLarge);
                    }
                    if seen.contains(&next) {
                        continue;
                    }
                    origins.push(Origin { before, character: CHARACTERS[*character] });
                    let place = origins.len() - 1;
                    if self.is_missed(&next) {
                        return name(&origins, place).parse().map(Some).map_err(|_| TooLarge);
                    }
                    self.budget.spend(KEEPING);
                    seen.insert(next.clone());
                    longer.push((Some(place), next));
                }
            }
            level = longer;
        }
        Ok(None)
    }

    /// Before the first character; none if nothing can be missed.
    fn start(&mut self) -> Option<Standing> {
        let selected = self.selected.map(|_| Automaton::START);
        let protecting = (0..).zip(&self.protecting).map(|(place, _)| (place, Automaton::START)).collect::<Vec<_>>();
        self.relevant(selected, protecting.into_iter())
    }

    /// After one more character; none if no name that begins so can be missed.
    fn step(&mut self, from: &Standing, character: usize) -> Option<Standing> {
        self.budget.spend(LOOKING_UP + from.protecting.len());
        let selected = from.selected.zip(self.selected).map(|(state, automaton)| automaton.next(state, character));
        let moved = from
            .protecting
            .iter()
            .map(|(place, state)| (*place, self.protecting[*place as usize].next(*state, character)));
        self.relevant(selected, moved)
    }

    /// Leaves out what has no say any more; none if no name that goes on from here can be missed.
    fn relevant(&self, selected: Option<u16>, protecting: impl Iterator<Item = (u32, u16)>) -> Option<Standing> {
        let selected = match selected.zip(self.selected) {
            None => None,
            Some((state, automaton)) => match automaton.fate(state) {
                Fate::Never => return None,
                Fate::Always => None,
                Fate::Selected | Fate::Passed => Some(state),
            },
        };
        let mut left = Vec::new();
        for (place, state) in protecting {
            match self.protecting[place as usize].fate(state) {
                Fate::Always => return None,
                Fate::Never => {}
                Fate::Selected | Fate::Passed => left.push((place, state)),
            }
        }
        Some(Standing { selected, protecting: left })
    }

    /// Whether a name that ends here is selected and not protected.
    fn is_missed(&self, at: &Standing) -> bool {
        let is_selected = |automaton: &Automaton, state| automaton.fate(state) == Fate::Selected;
        at.selected.zip(self.selected).is_none_or(|(state, automaton)| is_selected(automaton, state))
            && !at.protecting.iter().any(|(place, state)| is_selected(self.protecting[*place as usize], *state))
    }

    /// A character of each class, as places of [`CHARACTERS`]: all automata take the characters of a class alike.
    fn characters(&self) -> Vec<usize> {
        let automata: Vec<&Automaton> = self.selected.iter().chain(&self.protecting).copied().collect();
        let mut seen = HashSet::new();
        let class =
            |character: &usize| automata.iter().map(|automaton| automaton.class(*character)).collect::<Vec<_>>();
        (0..CHARACTERS.len()).filter(|character| seen.insert(class(character))).collect()
    }
}

/// The name that ends with the origin at a place.
fn name(origins: &[Origin], place: usize) -> String {
    let mut characters: Vec<char> = Vec::new();
    let mut at = Some(place);
    while let Some(origin) = at.and_then(|place| origins.get(place)) {
        characters.push(origin.character.into());
        at = origin.before;
    }
    characters.iter().rev().collect()
}
