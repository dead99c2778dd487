use proptest::prelude::*;
use tagstone_schema::Digest;
use tagstone_schema::limits::{PATTERN_CHARS, TAG_BYTES};
use tagstone_schema::policy::Pattern;

use super::selector::PATTERN_BYTES;
use super::*;

pub(super) fn selector(regex: &str, matches: bool) -> Selector {
    Selector::new(&Pattern { regex: regex.to_owned(), matches }).unwrap_or_else(|error| panic!("{regex}: {error}"))
}

#[test]
fn a_pattern_matches_the_whole_name() {
    let long = "v".repeat(TAG_BYTES);
    let cases = [
        ("v.*", "v1", true),
        ("v.*", "xv1", false),
        ("v", "v1", false),
        ("v|v1", "v1", true),
        ("a|b", "ab", false),
        (r"v1\.2\..*", "v1.2.3", true),
        (r"v1\.2\..*", "v1x2x3", false),
        ("^v.*$", "v1", true),
        ("(?m)^v$", "v", true),
        ("(?i)V.*", "v1", true),
        ("(?i)k", "K", true),
        (r"\pL+", "abC", true),
        (r"\w+", "a_1", true),
        (r"\w+", "a-1", false),
        ("[^a]+", "bcd", true),
        ("[^a]+", "bad", false),
        ("ä*", "a", false),
        ("(?:ä|a)*", "aa", true),
        (r"a\b.*", "a-1", true),
        (r"a\b.*", "a1", false),
        (r"a\B.*", "a1", true),
        (r"\b{start}a.*", "a1", true),
        ("(?x) v # the first letter\n .*", "v1", true),
        (".{128}", &long, true),
        (".{129}", &long, false),
        (".{0,400}", &long, true),
        ("(?:v{0,3}){100}", &long, true),
        ("(?:v?){400}", &long, true),
        ("[a&&b]*a", "a", true),
        ("[a&&b]+a", "a", false),
    ];
    for (regex, tag, matched) in cases {
        assert_eq!(selector(regex, true).selects(tag), matched, "{regex} {tag}");
        assert_eq!(selector(regex, false).selects(tag), !matched, "not {regex} {tag}");
        assert_eq!(by_the_book(regex).unwrap().is_match(tag), matched, "the regex crate: {regex} {tag}");
    }
}

#[test]
fn a_text_that_is_no_pattern_says_why() {
    let (long, longest) = ("ä".repeat(PATTERN_CHARS + 1), "ä".repeat(PATTERN_CHARS));
    let too_large = || PatternError::TooLarge { limit: PATTERN_BYTES };
    let syntax = |what: &str, character| PatternError::Syntax { what: what.to_owned(), character };
    let cases = [
        ("", PatternError::Empty),
        (" \t\n", PatternError::Empty),
        (&long, PatternError::TooLong { chars: PATTERN_CHARS + 1 }),
        ("v(", syntax("unclosed group", 2)),
        ("ää[b", syntax("unclosed character class", 3)),
        ("*", syntax("repetition operator missing expression", 1)),
        (r"v\pX", syntax("Unicode property not found", 2)),
        (r"(?-u)\xFF", syntax("pattern can match invalid UTF-8", 6)),
        (r"(a)\1", syntax("backreferences are not supported", 4)),
        ("(?=v)", syntax("look-around, including look-ahead and look-behind, is not supported", 1)),
        ("((a{0,99}){0,99}){0,99}", PatternError::TooLarge { limit: 10 * 1024 * 1024 }),
        // Also where hardly anything of it concerns tags.
        ("a{1000}{1000}", PatternError::TooLarge { limit: 10 * 1024 * 1024 }),
        ("(?:a?){4000000000}(?:b{0,4000000000})", PatternError::TooLarge { limit: 10 * 1024 * 1024 }),
        ("(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda){0,128}", too_large()),
    ];
    for (regex, wrong) in cases {
        let error = Selector::new(&Pattern { regex: regex.to_owned(), matches: true }).unwrap_err();
        assert_eq!(error, wrong, "{regex}");
    }
    selector(&longest, true);
    selector("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", true);
}

#[test]
fn a_set_selects_what_its_members_select() {
    let set = SelectorSet::new(
        [("v.*", true), ("v1", true), ("[vw].*", false), ("x", true), ("v", false)]
            .map(|(regex, matches)| selector(regex, matches))
            .into(),
    );
    let cases: [(&str, &[usize]); 5] =
        [("v1", &[0, 1, 4]), ("v", &[0]), ("w", &[4]), ("x", &[2, 3, 4]), ("y", &[2, 4])];
    for (tag, places) in cases {
        assert_eq!(set.selecting(tag), places, "{tag}");
        assert!(set.any(tag), "{tag}");
    }
    assert_eq!((set.len(), set.is_empty()), (5, false));
    let none = SelectorSet::new(Vec::new());
    assert!(!none.any("v") && none.selecting("v").is_empty() && none.is_empty());
}

#[test]
fn a_set_that_is_too_large_for_one_matcher_is_split() {
    let selectors: Vec<Selector> =
        (0..200).map(|n| selector(&format!("[a-z]x{n}-[a-z0-9.]{{0,120}}"), n % 2 == 0)).collect();
    let set = SelectorSet::new(selectors.clone());
    for tag in ["ax0-", "ax2-b", "ax3-b", "ax199-zz", "x"] {
        let alone: Vec<usize> = (0..selectors.len()).filter(|place| selectors[*place].selects(tag)).collect();
        assert_eq!(set.selecting(tag), alone, "{tag}");
        assert_eq!(set.any(tag), !alone.is_empty(), "{tag}");
    }
}

#[test]
fn tags_of_referrers() {
    let hex = "0123456789abcdef".repeat(4);
    let yes = ["", ".sig", ".att", ".sbom"].map(|ending| format!("sha256-{hex}{ending}"));
    for tag in yes {
        assert!(is_referrer_tag(&tag), "{tag}");
    }
    let upper = hex.to_uppercase();
    let no = [
        "sha256".to_owned(),
        "sha256-".to_owned(),
        format!("sha256-{}", &hex[1..]),
        format!("sha256-{hex}0"),
        format!("sha256-{upper}"),
        format!("sha256-{hex}.sigs"),
        format!("sha256-{hex}-sig"),
        format!("sha512-{hex}"),
        format!("xsha256-{hex}"),
        format!("sha256-{}ä", &hex[1..]),
    ];
    for tag in no {
        assert!(!is_referrer_tag(&tag), "{tag}");
    }
}

#[test]
fn tags_for_the_referrers_of_a_manifest() {
    let hex = "ab".repeat(32);
    let tags = referrer_tags(&Digest::sha256([0xab; 32]));
    assert_eq!(tags, ["", ".sig", ".att", ".sbom"].map(|ending| format!("sha256-{hex}{ending}")));
    assert!(tags.iter().all(|tag| is_referrer_tag(tag)));
    let sha512: Digest = format!("sha512:{}", "ab".repeat(64)).parse().unwrap();
    assert!(referrer_tags(&sha512).is_empty());
}

/// What the pattern means, by the crate whose syntax it has.
fn by_the_book(regex: &str) -> Result<regex::Regex, regex::Error> {
    // The line break ends a comment of `(?x)`, within which white space means nothing.
    let end = if regex.contains("(?x)") { "\n" } else { "" };
    regex::RegexBuilder::new(&format!("\\A(?:{regex}{end})\\z")).build()
}

/// Parts of expressions, separated by spaces.
const ATOMS: &str = r"a b v 1 k K é ſ . \. \d \w \W \s \pL \PL [a-c] [^a] [[:alpha:]] (?i:k) (?i:s) (?i:[^k]) ^ $ (?m:^)
    (?m:$) \b \B (?-u:\b) \< \> \b{start-half} \b{end-half} (?-u:[a-k]) (?s:.) (?:) a.* .*b [a&&b] [\w--_]";

const COUNTS: &str = "* + ? *? {2} {0,2} {1,} {129} {0,200} {3,130}";

fn one_of(parts: &'static str) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(parts.split_whitespace().collect::<Vec<_>>())
}

pub(super) fn regexes() -> impl Strategy<Value = String> {
    one_of(ATOMS).prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let (a, b, c) = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            (a.clone(), b.clone()).prop_map(|(a, b)| format!("{a}{b}")),
            (a.clone(), b.clone(), c).prop_map(|(a, b, c)| format!("{a}{b}{c}")),
            (a.clone(), b.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
            (a.clone(), b).prop_map(|(a, b)| format!("{a}|{b}")),
            (a, one_of(COUNTS)).prop_map(|(a, n)| format!("(?:{a}){n}")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[abkKsS1v_][abkKsS1v._-]{0,6}", 24)
}

proptest! {
    #[test]
    fn a_selector_means_what_the_regex_crate_means(regex in regexes(), matches: bool, tags in tags()) {
        let pattern = Pattern { regex: regex.clone(), matches };
        let selector = match Selector::new(&pattern) {
            Ok(selector) => selector,
            Err(PatternError::Empty | PatternError::TooLong { .. } | PatternError::TooLarge { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{regex}: {error}"))),
        };
        let book = match by_the_book(&regex) {
            Err(regex::Error::CompiledTooBig(_)) => return Ok(()),
            book => book.unwrap(),
        };
        for tag in tags {
            prop_assert_eq!(selector.selects(&tag), book.is_match(&tag) == matches, "{} {}", regex, tag);
        }
    }

    #[test]
    fn a_set_means_what_its_members_mean(
        patterns in proptest::collection::vec((regexes(), proptest::bool::weighted(0.7)), 0..8),
        tags in tags(),
    ) {
        let compiled = patterns.into_iter().map(|(regex, matches)| Selector::new(&Pattern { regex, matches }));
        let selectors: Vec<Selector> = compiled.filter_map(Result::ok).collect();
        let set = SelectorSet::new(selectors.clone());
        prop_assert_eq!(set.len(), selectors.len());
        for tag in tags {
            let alone: Vec<usize> = (0..selectors.len()).filter(|place| selectors[*place].selects(&tag)).collect();
            prop_assert_eq!(set.any(&tag), !alone.is_empty(), "{}", tag);
            prop_assert_eq!(set.selecting(&tag), alone, "{}", tag);
        }
    }
}
