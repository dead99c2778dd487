//! Globs over names of repositories.

use globset::{GlobBuilder, GlobMatcher};

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

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
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
        for wrong in ["", "[", "{a", "a**[z-a]", &"a".repeat(513)] {
            let error = RepositoryGlob::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("no glob of repository names"), "{error}");
        }
    }
}
