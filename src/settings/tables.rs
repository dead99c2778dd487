//! Lists of sections: `[[access]]` and what may come like it. They are set in the file only.

use super::form::Form;
use super::problem::{Problem, Source};
use super::reader::{Entry, Place, Reader};

/// One section of a list while its keys are read.
pub(super) struct Table<'r> {
    reader: &'r mut Reader,
    list: &'static str,
    /// Its place in the list and where it stands; `None` while the keys are only declared.
    at: Option<(usize, Source)>,
}

impl Reader {
    /// Reads every section of a list. `gather` says what the keys are, and gives nothing where one of them is wrong.
    pub(super) fn tables<T>(&mut self, list: &'static str, gather: impl Fn(&mut Table<'_>) -> Option<T>) -> Vec<T> {
        gather(&mut Table { reader: self, list, at: None });
        let found = self.file.as_ref().map(|file| file.tables(list)).unwrap_or_default();
        let gathered =
            found.into_iter().enumerate().filter_map(|at| gather(&mut Table { reader: self, list, at: Some(at) }));
        gathered.collect()
    }

    /// Where the first section of a list stands.
    pub(super) fn first_table(&self, list: &str) -> Option<Source> {
        self.file.as_ref()?.tables(list).into_iter().next()
    }
}

impl Table<'_> {
    /// Declares a key that every section of the list has, and reads it.
    pub(super) fn require<F: Form>(&mut self, name: &'static str, form: &F) -> Option<F::Value> {
        let (list, takes) = (self.list, form.takes());
        let entry = |value: String, source: Source, place: Place| Entry {
            section: list,
            name,
            takes: takes.clone(),
            default: String::new(),
            value,
            source,
            place,
        };
        let Some((place, header)) = self.at.clone() else {
            self.reader.entries.push(entry(String::new(), Source::Default, Place::Pattern));
            return None;
        };
        let given = self.reader.file.as_ref().and_then(|file| file.find_in(list, place, name));
        let Some((given, source)) = given else {
            let what = format!("[[{list}]] has no `{name}`, which takes {takes}");
            self.reader.problems.push(Problem::new(header, what));
            return None;
        };
        let Some(value) = form.read(&given) else {
            let fault = form.fault(&given).map(|fault| format!("; {fault}")).unwrap_or_default();
            let what = format!("{list}.{name} is {given}, but takes {takes}{fault}");
            self.reader.problems.push(Problem::new(source, what));
            return None;
        };
        self.reader.entries.push(entry(form.write(&value), source, Place::Table(place)));
        Some(value)
    }

    /// Refuses what a key of the section says, although it is of the right form.
    pub(super) fn refuse(&mut self, name: &str, what: &str) {
        let Some((place, header)) = self.at.clone() else { return };
        let given = self.reader.file.as_ref().and_then(|file| file.find_in(self.list, place, name));
        let source = given.map_or(header, |(_, source)| source);
        self.reader.problems.push(Problem::new(source, what));
    }
}
