//! Globs over names of repositories.

use globset::{GlobBuilder, GlobMatcher};
use tagstone_schema::name::AS_OF;

/// Which repositories something is about: `*` stands for any part of one component of a name, `**` for components, `?` for one
/// character, `[ab]` and `{a,b}` for alternatives. `acme/**` is everything below `acme`, `**` is everything.
#[derive(Clone, Debug)]
pub struct RepositoryGlob {
    text: String,
    matcher: GlobMatcher,
}

/// A text is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no glob of repository names: {why}")]
pub struct GlobError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

/// Bytes of a glob. What is longer names no repository that there can be, and takes memory when it is compiled.
const MOST_BYTES: usize = 512;

impl RepositoryGlob {
    /// Reads a glob.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let wrong = |why: String| GlobError { text: text.chars().take(80).collect(), why };
        if text.is_empty() || text.len() > MOST_BYTES {
            return Err(wrong(format!("it has to have 1 to {MOST_BYTES} bytes")));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        let matcher = glob.map_err(|error| wrong(error.kind().to_string()))?.compile_matcher();
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// Whether a repository is meant.
    pub fn matches(&self, repository: &str) -> bool {
        self.matcher.is_match(repository)
    }

    /// Why no repository that there can be is meant; none where one may be. What stands in braces or brackets is not looked at, so this
    /// finds what is commonly written wrong, and not everything.
    pub fn why_nothing(&self) -> Option<&'static str> {
        let text = plain(&self.text);
        let is_end = |char: Option<char>| char.is_some_and(|char| matches!(char, '.' | '_' | '-'));
        let is_bad = |char: char| !matches!(char, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/' | '*' | '?' | ANYTHING);
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            return Some("names have no `/` at their ends and no two in a row");
        }
        if text.chars().any(is_bad) {
            return Some("names are of lower-case letters, digits, `.`, `_`, `-` and `/`");
        }
        if text.split('/').any(|component| is_end(component.chars().next()) || is_end(component.chars().last())) {
            return Some("a component of a name begins and ends with a letter or a digit");
        }
        if text == AS_OF || text.split_once('/').is_some_and(|(first, _)| first == AS_OF) {
            return Some("`as-of` is for the past, which is asked for by the rules about the repository itself");
        }
        None
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Stands for what braces or brackets stand for.
const ANYTHING: char = '\u{0}';

/// The text of a glob with [`ANYTHING`] for each pair of braces or brackets.
fn plain(text: &str) -> String {
    let (mut plain, mut braces, mut in_class) = (String::new(), 0_usize, false);
    for char in text.chars() {
        match char {
            ']' if in_class => in_class = false,
            _ if in_class => {}
            '[' => {
                in_class = true;
                plain.push(ANYTHING);
            }
            '{' => {
                braces += 1;
                plain.push(ANYTHING);
            }
            '}' => braces = braces.saturating_sub(1),
            _ if braces > 0 => {}
            _ => plain.push(char),
        }
    }
    plain
}

impl PartialEq for RepositoryGlob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RepositoryGlob {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_globs_mean() {
        for (glob, matched, others) in [
            ("acme/**", &["acme/app", "acme/a/b/c"][..], &["acme", "acmes/app", "other/acme/app"][..]),
            ("**", &["a", "a/b", "a/b/c"], &[]),
            ("*", &["a", "a-b"], &["a/b"]),
            ("acme/*", &["acme/app"], &["acme/a/b", "acme"]),
            ("acme/app", &["acme/app"], &["acme/apps", "x/acme/app"]),
            ("acme/app-?", &["acme/app-1"], &["acme/app-12", "acme/app-/"]),
            ("{acme,labs}/**", &["acme/a", "labs/b"], &["other/c"]),
            ("**/cache", &["cache", "a/cache", "a/b/cache"], &["a/cached"]),
        ] {
            let glob = RepositoryGlob::parse(glob).unwrap();
            matched.iter().for_each(|name| assert!(glob.matches(name), "{} {name}", glob.as_str()));
            others.iter().for_each(|name| assert!(!glob.matches(name), "{} {name}", glob.as_str()));
        }
        for useful in [
            "acme/**",
            "**",
            "*",
            "{Acme,acme}/**",
            "acme/[Aa]pp",
            "as-of*",
            "as-of-x/**",
            "a?c",
            "*-x",
            "**/cache",
            "{a/,b/}c",
        ] {
            assert_eq!(RepositoryGlob::parse(useful).unwrap().why_nothing(), None, "{useful}");
        }
        for useless in
            ["/acme/**", "acme/", "a//b", "Acme/**", "acme app", "as-of/**", "as-of", "a/-b", "a:b", "ä", "x{a,b}Y"]
        {
            assert!(RepositoryGlob::parse(useless).unwrap().why_nothing().is_some(), "{useless}");
        }
        for wrong in ["", "[", "{a", "a**[z-a]", &"a".repeat(513)] {
            let error = RepositoryGlob::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("no glob of repository names"), "{error}");
        }
    }
}
