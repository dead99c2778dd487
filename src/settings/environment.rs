//! Settings from the environment: `TAGSTONE_<SECTION>_<KEY>`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::given::Given;
use super::nearest;
use super::problem::{Problem, Source};
use super::reader::{Entry, Place};

const PREFIX: &str = "TAGSTONE_";

/// Variables with the prefix that are read by another program: the password of `tagstone-replay --user`.
const OTHERS: [&str; 1] = ["TAGSTONE_PASSWORD"];

/// The variable that sets a key.
pub(super) fn variable(section: &str, name: &str) -> String {
    let path = if section.is_empty() { name.to_owned() } else { format!("{section}_{name}") };
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// A variable of wider use that is asked last, when neither flag, environment nor file set the key.
pub(super) fn fallback(section: &str, name: &str) -> Option<&'static str> {
    (section == "log" && name == "filter").then_some("RUST_LOG")
}

/// The variables that may concern us.
#[derive(Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    pub(super) fn new(variables: Vec<(OsString, OsString)>) -> Self {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.to_string_lossy().into_owned();
            // An empty RUST_LOG is how shells write "not set".
            (name.starts_with(PREFIX) || (name == "RUST_LOG" && !value.is_empty())).then_some((name, value))
        };
        Self { variables: variables.into_iter().filter_map(ours).collect() }
    }

    /// The value of a variable; a problem if it is not UTF-8.
    pub(super) fn find(&self, variable: &str) -> Option<(Result<Given, Problem>, Source)> {
        let value = self.variables.get(variable)?;
        let source = Source::Environment(variable.to_owned());
        let given = match value.to_str() {
            Some(text) => Ok(Given::Plain(text.to_owned())),
            None => Err(Problem::new(source.clone(), format!("the value {value:?} is not UTF-8"))),
        };
        Some((given, source))
    }

    /// A problem for each variable with the prefix that sets nothing.
    pub(super) fn unknown(&self, entries: &[Entry]) -> Vec<Problem> {
        let once = entries.iter().filter(|entry| entry.place == Place::Once);
        let known: Vec<String> = once.map(Entry::variable).collect();
        let strangers = self.variables.keys().filter(|name| {
            name.starts_with(PREFIX)
                && !known.contains(name)
                && !OTHERS.contains(&name.as_str())
                && !is_set_by_kubernetes(name)
        });
        strangers.map(|name| Problem::new(Source::Environment(name.clone()), describe(name, &known))).collect()
    }
}

fn describe(name: &str, known: &[String]) -> String {
    let nearest = nearest::word(known.iter().map(String::as_str), name).unwrap_or_default();
    format!("unknown variable; the nearest known is {nearest}")
}

/// Whether Kubernetes puts this variable into every container beside a service named `tagstone` or `tagstone-…`:
/// `…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_SERVICE_PORT_<NAME>`, `…_PORT`, `…_PORT_<number>_<protocol>` and what follows.
fn is_set_by_kubernetes(name: &str) -> bool {
    let numbered_port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.split("_PORT_").skip(1).any(numbered_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_section_and_key() {
        assert_eq!(variable("", "listen"), "TAGSTONE_LISTEN");
        assert_eq!(variable("limits", "manifest_bytes"), "TAGSTONE_LIMITS_MANIFEST_BYTES");
    }

    #[test]
    fn service_variables_are_told_from_mistakes() {
        for name in [
            "TAGSTONE_SERVICE_HOST",
            "TAGSTONE_SERVICE_PORT",
            "TAGSTONE_SERVICE_PORT_HTTP",
            "TAGSTONE_PORT",
            "TAGSTONE_PORT_5000_TCP",
            "TAGSTONE_PORT_5000_TCP_ADDR",
            "TAGSTONE_REGISTRY_PORT_5000_TCP_PROTO",
        ] {
            assert!(is_set_by_kubernetes(name), "{name}");
        }
        for name in ["TAGSTONE_LISTN", "TAGSTONE_PORTS", "TAGSTONE_LIMITS_PORT_RANGE", "TAGSTONE_SERVICE"] {
            assert!(!is_set_by_kubernetes(name), "{name}");
        }
    }
}
