//! Reads the declared keys one after another from wherever they were given.

use std::path::PathBuf;

use super::environment::{self, Environment};
use super::file::File;
use super::form::{Form, OptionalFile};
use super::given::Given;
use super::problem::{Problem, Source};
use super::{Flags, nearest};

/// One declared key and its effective value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The section without brackets; empty at the top of the file.
    pub section: &'static str,
    /// The key.
    pub name: &'static str,
    /// What the key takes, in words.
    pub takes: String,
    /// The default as TOML.
    pub default: String,
    /// The effective value as TOML.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
    /// Whether the key stands once, or in each of several sections of one name.
    pub place: Place,
}

/// How often a key can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Once.
    Once,
    /// In each section of a list of sections, of which this is none: it only tells that there is such a key.
    Pattern,
    /// In the section of a list that has this place, counted from 0.
    Table(usize),
}

impl Entry {
    /// The key with its section: `limits.manifest_bytes`.
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }

    /// The key's name in the environment: `TAGSTONE_LIMITS_MANIFEST_BYTES`.
    pub fn variable(&self) -> String {
        environment::variable(self.section, self.name)
    }
}

/// Gathers entries and problems while the sections ask for their keys.
#[derive(Default)]
pub(super) struct Reader {
    flags: Flags,
    environment: Environment,
    pub(super) file: Option<File>,
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(flags: Flags, environment: Environment, file: Option<File>) -> Self {
        Self { flags, environment, file, entries: Vec::new(), problems: Vec::new() }
    }

    pub(super) fn section(&mut self, name: &'static str) -> Section<'_> {
        Section { reader: self, name }
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Every entry, or every problem: of values, and of keys and variables that nobody asked for.
    pub(super) fn finish(mut self) -> Result<Vec<Entry>, Vec<Problem>> {
        if let Some(file) = &self.file {
            self.problems.extend(file.unknown(&self.entries));
        }
        self.problems.extend(self.environment.unknown(&self.entries));
        if self.problems.is_empty() {
            return Ok(self.entries);
        }
        self.problems.sort_by_key(Problem::line);
        Err(self.problems)
    }

    /// Every value given for a key, the one that wins first.
    fn given(&self, section: &str, name: &str) -> Vec<Candidate> {
        let flag = match (section, name) {
            ("", "listen") => self.flags.listen.as_ref().map(|value| (value, "--listen")),
            ("", "data") => self.flags.data.as_ref().map(|value| (value, "--data")),
            _ => None,
        };
        let flag = flag.map(|(value, flag)| (Ok(Given::Plain(value.clone())), Source::Flag(flag)));
        let variable = self.environment.find(&environment::variable(section, name));
        let filed = self.file.as_ref().and_then(|file| file.find(section, name));
        let filed = filed.map(|(given, source)| (Ok(given), source));
        let candidates: Vec<_> = flag.into_iter().chain(variable).chain(filed).collect();
        if candidates.is_empty() {
            let fallback = environment::fallback(section, name);
            return fallback.and_then(|variable| self.environment.find(variable)).into_iter().collect();
        }
        candidates
    }
}

/// A value, or why it cannot be read, and where it was given.
type Candidate = (Result<Given, Problem>, Source);

/// One section while its keys are read.
pub(super) struct Section<'r> {
    reader: &'r mut Reader,
    name: &'static str,
}

impl Section<'_> {
    /// Declares the key `name` of this section and reads it. Every value that was given is judged, those too that
    /// another one overrides. One that does not suit is noted as a problem and the default stands in for it, so that
    /// the reading goes on and finds the other problems.
    pub(super) fn take<F: Form>(&mut self, name: &'static str, default: F::Value, form: &F) -> F::Value {
        let written = form.write(&default);
        let mut entry = Entry {
            section: self.name,
            name,
            takes: form.takes(),
            value: written.clone(),
            source: Source::Default,
            default: written,
            place: Place::Once,
        };
        let mut winner = None;
        for (given, source) in self.reader.given(self.name, name) {
            match judge(&entry, given, &source, form) {
                Ok(value) if winner.is_none() => {
                    entry.value = form.write(&value);
                    entry.source = source;
                    winner = Some(value);
                }
                Ok(_) => {}
                Err(problem) => self.reader.problems.push(problem),
            }
        }
        self.reader.entries.push(entry);
        winner.unwrap_or(default)
    }

    /// [`Section::take`] of a file that need not be named. A relative path in a settings file is relative to that file.
    pub(super) fn take_path(&mut self, name: &'static str, form: &OptionalFile) -> Option<PathBuf> {
        let path = self.take(name, None, form)?;
        let entry = self.reader.entries.last_mut()?;
        let Source::File(file, _) = &entry.source else { return Some(path) };
        let path = file.parent().map_or(path.clone(), |directory| directory.join(&path));
        entry.value = form.write(&Some(path.clone()));
        Some(path)
    }

    /// Notes that a key, which is right by itself, does not suit others, unless nobody has set it.
    pub(super) fn refuse(&mut self, name: &str, what: &str) {
        let given = self.reader.entries.iter().find(|entry| entry.section == self.name && entry.name == name);
        let source = given.map(|entry| entry.source.clone()).filter(|source| *source != Source::Default);
        if let Some(source) = source {
            self.reader.problems.push(Problem::new(source, what));
        }
    }

    /// Where the section stands in the file, if it is there and does not say anything of a key.
    pub(super) fn without(&self, name: &str) -> Option<Source> {
        if !self.reader.given(self.name, name).is_empty() {
            return None;
        }
        self.reader.file.as_ref()?.place_of(self.name)
    }

    /// Notes a problem.
    pub(super) fn note(&mut self, source: Source, what: &str) {
        self.reader.problems.push(Problem::new(source, what));
    }
}

fn judge<F: Form>(
    entry: &Entry,
    given: Result<Given, Problem>,
    source: &Source,
    form: &F,
) -> Result<F::Value, Problem> {
    let given = given?;
    form.read(&given).ok_or_else(|| {
        let (path, takes) = (entry.path(), &entry.takes);
        let example = match entry.default.as_str() {
            "\"\"" | "[]" => String::new(),
            default => format!(", such as {default}"),
        };
        let fault = form.fault(&given).map(|fault| format!("; {fault}")).unwrap_or_default();
        Problem::new(source.clone(), format!("{path} is {given}, but takes {takes}{example}{fault}"))
    })
}

/// Says which known key is nearest to one that is not known.
pub(super) fn unknown_key(entries: &[Entry], section: &str, name: &str) -> String {
    let is_repeated =
        |section: &str| entries.iter().any(|entry| entry.section == section && entry.place == Place::Pattern);
    let place = |section: &str| match section {
        "" => "at the top of the file".to_owned(),
        section if is_repeated(section) => format!("in [[{section}]]"),
        section => format!("in [{section}]"),
    };
    let mut what = format!("unknown key `{name}` {}", place(section));
    // A section that is repeated has few keys, of which none is meant elsewhere.
    let own = entries.iter().filter(|entry| !is_repeated(section) || entry.section == section);
    if let Some(entry) = nearest::key(own, section, name) {
        what.push_str(&format!("; the nearest known key is `{}`", entry.name));
        if entry.section != section {
            what.push_str(&format!(" {}", place(entry.section)));
        }
    }
    what
}
