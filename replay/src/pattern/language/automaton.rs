//! One selector as a table of states, over the characters of tags.

use std::collections::HashMap;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;
use tagstone_schema::limits::TAG_BYTES;

use crate::pattern::selector::PATTERN_BYTES;

/// The characters of tags, those first that read well in an example. The last [`NOT_FIRST`] cannot begin a tag.
pub(super) const CHARACTERS: &[u8; 65] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-.";
const NOT_FIRST: usize = 2;

/// States of one automaton. Ordinary patterns need tens; one that counts to the length of a tag needs 130.
const STATES: usize = 2_000;

/// Bytes that the states take while they are built. It bounds the time too, since each state costs what it holds.
const BUILD_BYTES: usize = 1024 * 1024;

/// How many of the shortest names are tried before anything is walked: all of one character.
const SHORTEST: usize = 63;

/// The characters that a tag can begin with.
pub(super) fn first_characters() -> impl Iterator<Item = u8> {
    CHARACTERS[..CHARACTERS.len() - NOT_FIRST].iter().copied()
}

/// Whether the character at this place of [`CHARACTERS`] can begin a tag.
pub(super) fn can_begin(character: usize) -> bool {
    character < CHARACTERS.len() - NOT_FIRST
}

/// What becomes of a name that has led to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is selected, however it goes on.
    Always,
    /// It is selected if it ends here.
    Selected,
    /// It is not selected if it ends here.
    Passed,
    /// It is not selected, however it goes on.
    Never,
}

/// A deterministic automaton that knows of each name whether a selector selects it.
pub(in crate::pattern) struct Automaton {
    /// The class of each of [`CHARACTERS`]: all characters of a class lead to the same states everywhere.
    classes: [u8; 65],
    width: usize,
    /// By state and class, the next state.
    next: Vec<u16>,
    /// By state.
    fates: Vec<Fate>,
}

impl Automaton {
    /// The state before the first character.
    pub(super) const START: u16 = 0;

    /// Builds the automaton of a full match, or of all that it does not match; none where it would be too large.
    pub(in crate::pattern) fn new(expression: &Hir, matches: bool) -> Option<Self> {
        let config = Config::new().which_captures(WhichCaptures::None).utf8(false).nfa_size_limit(Some(PATTERN_BYTES));
        let states = Compiler::new().configure(config).build_from_hir(expression).ok()?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(BUILD_BYTES)
            // Once the space is used up the automaton gives up, it does not begin anew.
            .minimum_cache_clear_count(Some(0));
        let lazy = DFA::builder().configure(config).build_from_nfa(states).ok()?;
        Some(Table::of(&lazy)?.finished(matches))
    }

    /// The state that the character at a place of [`CHARACTERS`] leads to.
    pub(super) fn next(&self, state: u16, character: usize) -> u16 {
        self.next[usize::from(state) * self.width + usize::from(self.classes[character])]
    }

    pub(super) fn fate(&self, state: u16) -> Fate {
        self.fates[usize::from(state)]
    }

    /// The class of the character at a place of [`CHARACTERS`].
    pub(super) fn class(&self, character: usize) -> u8 {
        self.classes[character]
    }

    /// The shortest names that are selected, or the first of them.
    pub(super) fn shortest_names(&self) -> Vec<String> {
        let distances = self.distances();
        let mut names = Vec::new();
        let beginnings = (0..CHARACTERS.len()).filter(|character| can_begin(*character));
        let beginnings = beginnings.map(|character| (self.next(Self::START, character), CHARACTERS[character]));
        let Some(shortest) = beginnings.clone().map(|(state, _)| distances[usize::from(state)]).min() else {
            return names;
        };
        if shortest >= TAG_BYTES {
            return names;
        }
        // Each step leads nearer to the end of a name, so that no path is followed in vain.
        let mut open: Vec<(u16, Vec<u8>)> = beginnings.map(|(state, first)| (state, vec![first])).collect();
        open.retain(|(state, _)| distances[usize::from(*state)] == shortest);
        open.reverse();
        while let Some((state, name)) = open.pop() {
            let distance = distances[usize::from(state)];
            if distance == 0 {
                names.extend(String::from_utf8(name));
                if names.len() == SHORTEST {
                    break;
                }
                continue;
            }
            for character in (0..CHARACTERS.len()).rev() {
                let next = self.next(state, character);
                if distances[usize::from(next)] == distance - 1 {
                    let longer = name.iter().copied().chain([CHARACTERS[character]]).collect();
                    open.push((next, longer));
                }
            }
        }
        names
    }

    /// By state, how many characters are missing to a name that is selected.
    fn distances(&self) -> Vec<usize> {
        let mut distances: Vec<usize> = self.fates.iter().map(|fate| fate.distance()).collect();
        settle(&self.next, self.width, &mut distances, |own, next| (next.saturating_add(1) < own).then(|| next + 1));
        distances
    }
}

impl Fate {
    /// 0 where a name may end here; otherwise unknown, and as large as can be.
    fn distance(self) -> usize {
        if matches!(self, Self::Always | Self::Selected) { 0 } else { usize::MAX }
    }
}

/// The states that names lead to, as they are found.
struct Table {
    classes: [u8; 65],
    width: usize,
    next: Vec<u16>,
    /// By state, whether the expression matches a name that ends there.
    matched: Vec<bool>,
}

impl Table {
    fn of(lazy: &DFA) -> Option<Self> {
        let (classes, characters) = classes(lazy);
        let mut cache: Cache = lazy.create_cache();
        let start = lazy.start_state_forward(&mut cache, &Input::new("").anchored(Anchored::Yes)).ok()?;
        let mut table = Self { classes, width: characters.len(), next: Vec::new(), matched: Vec::new() };
        let mut places: HashMap<LazyStateID, u16> = HashMap::from([(start, Automaton::START)]);
        let mut found = vec![start];
        while let Some(state) = found.get(table.matched.len()).copied() {
            for character in &characters {
                let next = lazy.next_state(&mut cache, state, *character).ok()?;
                let place = u16::try_from(places.len()).ok()?;
                table.next.push(*places.entry(next).or_insert_with(|| {
                    found.push(next);
                    place
                }));
            }
            table.matched.push(lazy.next_eoi_state(&mut cache, state).ok()?.is_match());
            if found.len() > STATES {
                return None;
            }
        }
        Some(table)
    }

    /// Adds to each state what lies behind it.
    fn finished(self, matches: bool) -> Automaton {
        let Self { classes, width, next, matched } = self;
        // Whether a name that is selected, and one that is not, can lie behind a state.
        let mut ahead: Vec<(bool, bool)> =
            matched.iter().map(|matched| (*matched == matches, *matched != matches)).collect();
        settle(&next, width, &mut ahead, |own, next| {
            let both = (own.0 || next.0, own.1 || next.1);
            (both != own).then_some(both)
        });
        let fates = matched.iter().zip(ahead).map(|(matched, ahead)| match ahead {
            (true, false) => Fate::Always,
            (false, _) => Fate::Never,
            (true, true) if *matched == matches => Fate::Selected,
            (true, true) => Fate::Passed,
        });
        Automaton { classes, width, fates: fates.collect(), next }
    }
}

/// The class of each character, and a character of each class.
fn classes(lazy: &DFA) -> ([u8; 65], Vec<u8>) {
    let mut seen: Vec<u8> = Vec::new();
    let mut characters = Vec::new();
    let classes = CHARACTERS.map(|character| {
        let class = lazy.byte_classes().get(character);
        let place = seen.iter().position(|known| *known == class).unwrap_or_else(|| {
            seen.push(class);
            characters.push(character);
            seen.len() - 1
        });
        u8::try_from(place).unwrap_or(u8::MAX)
    });
    (classes, characters)
}

/// Passes what is known of states back to those that lead to them, until nothing changes. `better` tells what a state
/// learns from one that follows it.
fn settle<T: Copy>(next: &[u16], width: usize, known: &mut [T], better: impl Fn(T, T) -> Option<T>) {
    let mut changed = true;
    while changed {
        changed = false;
        // States are numbered as they are found, so what lies further on comes first.
        for (state, followers) in next.chunks(width.max(1)).enumerate().rev() {
            for follower in followers {
                if let Some(learned) = better(known[state], known[usize::from(*follower)]) {
                    known[state] = learned;
                    changed = true;
                }
            }
        }
    }
}
