//! Settings from a TOML file.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::given::Given;
use super::nearest;
use super::problem::{Problem, Source};
use super::reader::{Entry, Place, unknown_key};

/// Bytes of the largest file that is read as settings; more is some other file.
const FILE_BYTES: u64 = 1 << 20;

/// A file that is well-formed TOML.
pub(super) struct File {
    path: PathBuf,
    values: Vec<Value>,
}

/// A value where it stands in the file.
struct Value {
    name: String,
    /// Counted from 1.
    line: usize,
    given: Given,
    /// The values of a section; `None` for anything else.
    members: Option<Vec<Value>>,
    /// The sections of a list of sections.
    tables: Vec<Value>,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = read(path).map_err(|what| {
            let what = format!("cannot read {}: {what}", path.display());
            vec![Problem::new(Source::Default, what)]
        })?;
        let lines = Lines::of(&text);
        let (table, errors) = DeTable::parse_recoverable(&text);
        if errors.is_empty() {
            return Ok(Self { path: path.to_owned(), values: values(&lines, table.get_ref()) });
        }
        let problem = |error: toml::de::Error| {
            let line = lines.at(error.span().map_or(0, |span| span.start));
            let what = format!("not valid TOML: {}", error.message().replace('\n', "; "));
            Problem::new(Source::File(path.to_owned(), line), what)
        };
        Err(errors.into_iter().map(problem).collect())
    }

    pub(super) fn find(&self, section: &str, name: &str) -> Option<(Given, Source)> {
        let values = match section {
            "" => &self.values,
            section => self.section(section)?.members.as_ref()?,
        };
        let value = named(values, name)?;
        Some((value.given.clone(), self.source(value)))
    }

    /// Where a section stands.
    pub(super) fn place_of(&self, section: &str) -> Option<Source> {
        self.section(section).map(|value| self.source(value))
    }

    /// A section, which may lie in another one: `auth.bearer`.
    fn section(&self, name: &str) -> Option<&Value> {
        match name.split_once('.') {
            Some((outer, inner)) => named(named(&self.values, outer)?.members.as_ref()?, inner),
            None => named(&self.values, name),
        }
    }

    /// Where the sections of a list stand.
    pub(super) fn tables(&self, list: &str) -> Vec<Source> {
        let tables = named(&self.values, list).map(|value| value.tables.as_slice()).unwrap_or_default();
        tables.iter().map(|table| self.source(table)).collect()
    }

    /// A value in one section of a list.
    pub(super) fn find_in(&self, list: &str, place: usize, name: &str) -> Option<(Given, Source)> {
        let table = named(&self.values, list)?.tables.get(place)?;
        let value = named(table.members.as_ref()?, name)?;
        Some((value.given.clone(), self.source(value)))
    }

    /// A problem for each key and section that is not declared.
    pub(super) fn unknown(&self, entries: &[Entry]) -> Vec<Problem> {
        let is_section = |name: &str| entries.iter().any(|entry| entry.section == name);
        let is_list = |name: &str| entries.iter().any(|entry| entry.section == name && entry.place == Place::Pattern);
        let mut problems = Vec::new();
        for value in &self.values {
            if is_list(&value.name) {
                problems.extend(self.unknown_in_list(entries, value));
            } else if is_section(&value.name) {
                problems.extend(self.unknown_in(entries, &value.name, value));
            } else if let Some(what) = unknown(entries, value) {
                problems.push(Problem::new(self.source(value), what));
            }
        }
        problems
    }

    /// A problem for each key of a known section that is not declared, and of the sections in it.
    fn unknown_in(&self, entries: &[Entry], name: &str, section: &Value) -> Vec<Problem> {
        let Some(members) = &section.members else {
            let given = &section.given;
            let what = format!("{name} is {given}, but it is a section: write [{name}] once, and its keys below it");
            return vec![Problem::new(self.source(section), what)];
        };
        let mut problems = Vec::new();
        for member in members {
            let inner = format!("{name}.{}", member.name);
            if entries.iter().any(|entry| entry.section == inner) {
                problems.extend(self.unknown_in(entries, &inner, member));
            } else if !entries.iter().any(|entry| entry.section == name && entry.name == member.name) {
                problems.push(Problem::new(self.source(member), unknown_key(entries, name, &member.name)));
            }
        }
        problems
    }

    /// A problem for each key that is not declared, in all sections of a list.
    fn unknown_in_list(&self, entries: &[Entry], list: &Value) -> Vec<Problem> {
        if list.tables.is_empty() && list.given != Given::List(Vec::new()) {
            let (name, given) = (&list.name, &list.given);
            let what = format!("{name} is {given}, but it is a list of sections: write [[{name}]] above each");
            return vec![Problem::new(self.source(list), what)];
        }
        let strange = |table: &Value| self.unknown_in(entries, &list.name, table);
        list.tables.iter().flat_map(strange).collect()
    }

    fn source(&self, value: &Value) -> Source {
        Source::File(self.path.clone(), value.line)
    }
}

fn named<'a>(values: &'a [Value], name: &str) -> Option<&'a Value> {
    values.iter().find(|value| value.name == name)
}

/// What is wrong with a value at the top of the file that is no known section, if anything is.
fn unknown(entries: &[Entry], value: &Value) -> Option<String> {
    let name = &value.name;
    if entries.iter().any(|entry| entry.section.is_empty() && entry.name == name) {
        return None;
    }
    Some(match value.members {
        Some(_) => unknown_section(entries, name),
        None => unknown_key(entries, "", name),
    })
}

fn values(lines: &Lines, table: &DeTable<'_>) -> Vec<Value> {
    let value = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let line = lines.at(name.span().start);
        valued(lines, name.get_ref(), line, value)
    };
    table.iter().map(value).collect()
}

fn valued(lines: &Lines, name: &str, line: usize, value: &Spanned<DeValue<'_>>) -> Value {
    let table = |element: &Spanned<DeValue<'_>>| Value {
        // Whether it is a section is known from its members.
        tables: Vec::new(),
        ..valued(lines, name, lines.at(element.span().start), element)
    };
    let is_list = |array: &&DeArray<'_>| array.iter().any(|element| element.get_ref().is_table());
    let tables = value.get_ref().as_array().filter(is_list);
    Value {
        name: name.to_owned(),
        line,
        given: Given::from(value.get_ref()),
        members: value.get_ref().as_table().map(|members| values(lines, members)),
        tables: tables.map(|array| array.iter().map(table).collect()).unwrap_or_default(),
    }
}

/// The positions of the line ends, by which a byte's line is found.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, counted from 1.
    fn at(&self, byte: usize) -> usize {
        1 + self.0.partition_point(|end| *end < byte)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("it is larger than {FILE_BYTES} bytes, so it cannot be a settings file"));
    }
    String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 after byte {}", error.utf8_error().valid_up_to()))
}

fn unknown_section(entries: &[Entry], name: &str) -> String {
    let known = entries.iter().map(|entry| entry.section).filter(|section| !section.is_empty());
    let nearest = nearest::word(known, name).unwrap_or_default();
    format!("unknown section [{name}]; the nearest known section is [{nearest}]")
}
