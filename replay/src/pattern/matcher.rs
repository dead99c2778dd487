//! Compiled expressions.

use regex_automata::MatchKind;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::Hir;

/// Bytes that the lazily built automaton of one matcher may take, for each thread that matches at the same time. The
/// states that names walk through with 1,000 ordinary patterns in one matcher need a tenth of it; where an automaton
/// would outgrow it, its states are thrown away and built again, which is slow but right.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Compiles full matches into one matcher whose automaton takes at most `limit` bytes.
pub(super) fn compile(expressions: &[&Hir], limit: usize) -> Result<Regex, BuildError> {
    let config = Config::new()
        // Which of them match is asked, not which is the first to.
        .match_kind(MatchKind::All)
        .which_captures(WhichCaptures::None)
        .utf8_empty(false)
        // Every search begins at the first character, so there is nothing to skip to.
        .auto_prefilter(false)
        .onepass(false)
        .nfa_size_limit(Some(limit))
        .hybrid_cache_capacity(CACHE_BYTES);
    Regex::builder().configure(config).build_many_from_hir(expressions)
}
