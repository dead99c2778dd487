//! What patterns select, judged by the names and not by the spelling: `v.*` and `^(?:v).*$` are the same.
//!
//! Every pattern is a regular language, so whether some of them together select all that another selects can be
//! decided: their automata walk side by side over every name that a tag can have, and where all that follows is the
//! same, the walk goes there once. Both the automata and the walk are bounded, since an expression of a few characters
//! can need more states than there is memory; beyond the bounds the answer is that it cannot be judged.

mod automaton;
mod examples;
mod walk;

use tagstone_schema::Tag;

pub(super) use automaton::Automaton;

use super::selector::Selector;

/// Whether some selectors together select everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cover {
    /// They do.
    Everything,
    /// They do not: none of them selects this tag, the shortest there is where that could be found out.
    Misses(Tag),
    /// Too large to be judged, and no tag was found that none of them selects.
    TooLarge,
}

/// Whether `protecting` together select every tag that `selected` selects (none: every tag there can be). What selects
/// no tag at all is covered, even by nothing.
pub fn cover(selected: Option<&Selector>, protecting: &[&Selector]) -> Cover {
    cover_within(selected, protecting, &mut Budget::default())
}

/// What several questions may cost together: some tens of milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// In steps of single automata.
    steps: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: walk::STEPS }
    }
}

impl Budget {
    /// Whether so many steps were left, which are gone now.
    pub fn spend(&mut self, steps: usize) -> bool {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.steps == 0
    }
}

/// The same, within what is left of a budget; beyond it the answer is that the question is too large.
pub fn cover_within(selected: Option<&Selector>, protecting: &[&Selector], budget: &mut Budget) -> Cover {
    let is_missed = |name: &str| !protecting.iter().any(|selector| selector.selects(name));
    // Most questions end here, and the shortest names are quick to find: for every tag, the names of one character.
    let missed: Option<Tag> = match selected {
        None => automaton::first_characters().find_map(|character| {
            let mut name = [0];
            let name = char::from(character).encode_utf8(&mut name);
            is_missed(name).then(|| name.parse().ok())?
        }),
        Some(selected) => {
            let shortest = selected.automaton().map(Automaton::shortest_names).unwrap_or_default();
            shortest.into_iter().find(|name| is_missed(name)).and_then(|name| name.parse().ok())
        }
    };
    if let Some(tag) = missed {
        return Cover::Misses(tag);
    }
    match walk::first_missed(selected, protecting, budget) {
        Ok(None) => Cover::Everything,
        Ok(Some(tag)) => Cover::Misses(tag),
        Err(walk::TooLarge) if is_covered_by_spelling(selected, protecting) => Cover::Everything,
        Err(walk::TooLarge) => {
            let mut examples = selected.into_iter().chain(protecting.iter().copied()).flat_map(examples::of);
            let is_selected = |name: &str| selected.is_none_or(|selected| selected.selects(name));
            let missed = examples.find(|tag| is_selected(tag.as_str()) && is_missed(tag.as_str()));
            missed.map_or(Cover::TooLarge, Cover::Misses)
        }
    }
}

/// Whether a selector covers itself, or one covers all that another leaves: what can be said where the names are too
/// many, since the spelling is the same.
fn is_covered_by_spelling(selected: Option<&Selector>, protecting: &[&Selector]) -> bool {
    let (matching, inverted): (Vec<&Selector>, Vec<&Selector>) =
        protecting.iter().partition(|selector| selector.pattern().matches);
    let has = |some: &[&Selector], own: &Selector| some.iter().any(|other| other.expression() == own.expression());
    let itself = selected.is_some_and(|own| has(if own.pattern().matches { &matching } else { &inverted }, own));
    itself || inverted.iter().any(|own| has(&matching, own))
}

#[cfg(test)]
mod tests;
