//! One compiled pattern.

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::NFA;
use regex_syntax::Parser;
use regex_syntax::hir::Hir;
use tagstone_schema::limits::PATTERN_CHARS;
use tagstone_schema::policy::Pattern;

use super::language::Automaton;
use super::matcher::compile;
use super::narrow::full_match;

/// Bytes that one compiled pattern may take. `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`, which spells out a whole tag, takes a
/// third of it.
pub(super) const PATTERN_BYTES: usize = 64 * 1024;

/// Bytes that a pattern may take as it was written, before it is cut to the names of tags: what the `regex` crate allows.
/// Nested counts such as `((a{99}){99}){99}` would take gigabytes; whoever writes one means something else.
const WRITTEN_BYTES: usize = 10 * 1024 * 1024;

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing, or nothing but white space.
    #[error("the pattern is empty; `.*` selects every tag")]
    Empty,
    /// Longer than [`PATTERN_CHARS`].
    #[error("the pattern has {chars} characters; at most {PATTERN_CHARS} are allowed")]
    TooLong {
        /// Its length.
        chars: usize,
    },
    /// Not a regular expression.
    #[error("the pattern is not a regular expression: {what}, at character {character}")]
    Syntax {
        /// What is wrong.
        what: String,
        /// Where it begins, counted from 1.
        character: usize,
    },
    /// Too large when compiled.
    #[error("the pattern takes more than {limit} bytes when compiled; use smaller counts, or fewer within one another")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// A compiled selection of tag names; a clone costs a pointer.
#[derive(Clone)]
pub struct Selector(Arc<Compiled>);

struct Compiled {
    pattern: Pattern,
    expression: Hir,
    matcher: Regex,
    /// Built when it is first asked for, since few patterns are ever compared; none if it is too large.
    automaton: OnceLock<Option<Automaton>>,
}

impl Selector {
    /// Compiles a pattern. What the `regex` crate takes is valid, nothing else is.
    pub fn new(pattern: &Pattern) -> Result<Self, PatternError> {
        let text = pattern.regex.as_str();
        let chars = text.chars().count();
        if text.trim().is_empty() {
            return Err(PatternError::Empty);
        }
        if chars > PATTERN_CHARS {
            return Err(PatternError::TooLong { chars });
        }
        let parsed = Parser::new().parse(text).map_err(|error| syntax_error(text, &error))?;
        let written =
            NFA::compiler().configure(NFA::config().nfa_size_limit(Some(WRITTEN_BYTES))).build_from_hir(&parsed);
        written.map_err(|_| PatternError::TooLarge { limit: WRITTEN_BYTES })?;
        let expression = full_match(parsed);
        let too_large = |_| PatternError::TooLarge { limit: PATTERN_BYTES };
        let matcher = compile(&[&expression], PATTERN_BYTES).map_err(too_large)?;
        let automaton = OnceLock::new();
        Ok(Self(Arc::new(Compiled { pattern: pattern.clone(), expression, matcher, automaton })))
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &Pattern {
        &self.0.pattern
    }

    /// Whether the pattern selects the tag: a full match of the name, inverted where `matches` is false. The answer
    /// means nothing for a text that is no tag.
    pub fn selects(&self, tag: &str) -> bool {
        self.0.matcher.is_match(tag) == self.0.pattern.matches
    }

    /// The expression, as a full match over the names of tags.
    pub(super) fn expression(&self) -> &Hir {
        &self.0.expression
    }

    /// The selector as an automaton; none if that would be too large.
    pub(super) fn automaton(&self) -> Option<&Automaton> {
        let compiled = &*self.0;
        let build = || Automaton::new(&compiled.expression, compiled.pattern.matches);
        compiled.automaton.get_or_init(build).as_ref()
    }

    /// What matches the expression, whether or not that selects.
    pub(super) fn matcher(&self) -> &Regex {
        &self.0.matcher
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selector").field(self.pattern()).finish()
    }
}

fn syntax_error(text: &str, error: &regex_syntax::Error) -> PatternError {
    let (what, at) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
        // The library may add kinds of errors; one of which it does not say where it lies concerns the whole.
        _ => (error.to_string(), 0),
    };
    PatternError::Syntax { what, character: text.char_indices().take_while(|(offset, _)| *offset < at).count() + 1 }
}
