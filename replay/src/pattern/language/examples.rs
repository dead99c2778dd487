//! Names made up from the spelling of a pattern, for what is too large to be judged by its language.

use regex_syntax::hir::{Class, Hir, HirKind};
use tagstone_schema::Tag;
use tagstone_schema::limits::TAG_BYTES;

use crate::pattern::selector::Selector;

/// How many texts are made up for each part of an expression.
const EACH: usize = 4;

/// A few tags that the expression of a selector matches, probably, and some that begin like these and go on.
pub(super) fn of(selector: &Selector) -> Vec<Tag> {
    let texts = examples(selector.expression());
    let longer = texts.iter().flat_map(|text| ["", "0", "a", "_"].map(|end| format!("{text}{end}")));
    longer.filter_map(|name| name.parse().ok()).collect()
}

fn examples(expression: &Hir) -> Vec<String> {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![String::from_utf8_lossy(&literal.0).into_owned()],
        HirKind::Class(Class::Bytes(class)) => {
            // The last range first: small letters read better than capitals.
            class.ranges().iter().rev().take(EACH).map(|range| char::from(range.start()).to_string()).collect()
        }
        HirKind::Class(Class::Unicode(_)) => Vec::new(),
        HirKind::Capture(capture) => examples(&capture.sub),
        HirKind::Repetition(repetition) => {
            let turns = (repetition.min as usize).max(1);
            let mut texts = examples(&repetition.sub);
            texts.truncate(EACH - 1);
            let mut texts: Vec<String> = texts.iter().map(|text| text.repeat(turns)).collect();
            if repetition.min == 0 {
                texts.push(String::new());
            }
            bounded(texts)
        }
        HirKind::Concat(parts) => {
            let parts: Vec<Vec<String>> = parts.iter().map(examples).collect();
            let most = parts.iter().map(Vec::len).max().unwrap_or(0);
            let joined =
                |at: usize| parts.iter().filter_map(|part| part.get(at % part.len().max(1)).cloned()).collect();
            bounded((0..most).map(joined).collect())
        }
        HirKind::Alternation(branches) => bounded(branches.iter().flat_map(examples).collect()),
    }
}

/// Only what a tag can hold, and few.
fn bounded(mut texts: Vec<String>) -> Vec<String> {
    texts.retain(|text| text.len() <= TAG_BYTES);
    texts.truncate(EACH);
    texts
}
