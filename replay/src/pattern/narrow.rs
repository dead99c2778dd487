//! Expressions, cut to what the name of a tag can hold.
//!
//! Over the names of tags the cut expression matches exactly what the whole one does, and it is far smaller: `.` stands
//! for 65 characters instead of a million, in one byte each, and no repetition counts further than a tag is long.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};
use tagstone_schema::limits::TAG_BYTES;

/// The characters of a tag, in the order of their bytes; `.` and `-` cannot stand first.
const ALPHABET: [(u8, u8); 5] = [(b'-', b'.'), (b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];

/// How often a repetition is told apart. At most 128 of its turns in a tag take up characters, so a longer run holds
/// empty turns, and an empty turn can be dropped or taken twice without changing what is matched. From here on, then,
/// `{n}`, `{n,}` and `{n,m}` are all the same.
const TURNS: u32 = 129;

/// The expression as a full match over the names of tags: one that matches a name from its first to its last
/// character where `expression` does.
pub(super) fn full_match(expression: Hir) -> Hir {
    match narrowed(expression) {
        Some(cut) => Hir::concat(vec![Hir::look(Look::Start), cut, Hir::look(Look::End)]),
        None => Hir::fail(),
    }
}

/// What is left of an expression; none where it matches no part of a tag. The recursion is as deep as the expression
/// is nested, which the parser has bounded.
fn narrowed(expression: Hir) -> Option<Hir> {
    let cut = match expression.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => {
            let possible = literal.0.iter().all(|byte| ALPHABET.iter().any(|(from, to)| (from..=to).contains(&byte)));
            possible.then(|| Hir::literal(literal.0))?
        }
        HirKind::Class(class) => narrowed_class(&class)?,
        HirKind::Look(look) => Hir::look(narrowed_look(look)),
        HirKind::Capture(capture) => narrowed(*capture.sub)?,
        HirKind::Repetition(repetition) => narrowed_repetition(repetition)?,
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(narrowed).collect::<Option<_>>()?),
        HirKind::Alternation(branches) => {
            let left: Vec<Hir> = branches.into_iter().filter_map(narrowed).collect();
            (!left.is_empty()).then(|| Hir::alternation(left))?
        }
    };
    let shortest = cut.properties().minimum_len().unwrap_or(0);
    (shortest <= TAG_BYTES).then_some(cut)
}

fn narrowed_class(class: &Class) -> Option<Hir> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    };
    let ascii = ranges.iter().filter_map(|(from, to)| {
        // A range that begins behind ASCII holds no character of a tag; of one that ends there, the rest may.
        let from = u8::try_from(*from).ok()?;
        Some(ClassBytesRange::new(from, u8::try_from(*to).unwrap_or(u8::MAX)))
    });
    let mut cut = ClassBytes::new(ascii);
    cut.intersect(&ClassBytes::new(ALPHABET.map(|(from, to)| ClassBytesRange::new(from, to))));
    (!cut.ranges().is_empty()).then(|| Hir::class(Class::Bytes(cut)))
}

/// A tag is one line of ASCII, so lines begin and end where the name does, and every word is one in ASCII.
fn narrowed_look(look: Look) -> Look {
    match look {
        Look::Start | Look::StartLF | Look::StartCRLF => Look::Start,
        Look::End | Look::EndLF | Look::EndCRLF => Look::End,
        Look::WordAscii | Look::WordUnicode => Look::WordAscii,
        Look::WordAsciiNegate | Look::WordUnicodeNegate => Look::WordAsciiNegate,
        Look::WordStartAscii | Look::WordStartUnicode => Look::WordStartAscii,
        Look::WordEndAscii | Look::WordEndUnicode => Look::WordEndAscii,
        Look::WordStartHalfAscii | Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
        Look::WordEndHalfAscii | Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
    }
}

fn narrowed_repetition(repetition: Repetition) -> Option<Hir> {
    let Repetition { min, max, greedy, sub } = repetition;
    match narrowed(*sub) {
        Some(sub) => Some(Hir::repetition(Repetition {
            min: min.min(TURNS),
            max: max.filter(|max| *max < TURNS),
            greedy,
            sub: Box::new(sub),
        })),
        None => (min == 0).then(Hir::empty),
    }
}
