//! The forms that a key's value can have: how each is read, bounded, and written again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::duration;
use super::given::Given;

/// One form of value.
pub(super) trait Form {
    /// The type that the rest of the program sees.
    type Value;

    /// The value, or `None` if it is not of this form or out of its bounds.
    fn read(&self, given: &Given) -> Option<Self::Value>;

    /// The value as TOML.
    fn write(&self, value: &Self::Value) -> String;

    /// What would be right, to follow "takes".
    fn takes(&self) -> String;

    /// What is wrong with a value that cannot be read, where that is more than that it is none; to follow "takes …; ".
    fn fault(&self, _given: &Given) -> Option<String> {
        None
    }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// An address and port.
pub(super) struct Address;

impl Form for Address {
    type Value = SocketAddr;

    fn read(&self, given: &Given) -> Option<SocketAddr> {
        given.text()?.parse().ok()
    }

    fn write(&self, value: &SocketAddr) -> String {
        quoted(&value.to_string())
    }

    fn takes(&self) -> String {
        "an IP address and a port".to_owned()
    }
}

/// A directory. Its name is UTF-8, so that `config show` can write it.
pub(super) struct Directory;

impl Form for Directory {
    type Value = PathBuf;

    fn read(&self, given: &Given) -> Option<PathBuf> {
        let text = given.text()?;
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    }

    fn write(&self, value: &PathBuf) -> String {
        quoted(&value.to_string_lossy())
    }

    fn takes(&self) -> String {
        "a directory".to_owned()
    }
}

/// A file that need not be named; the empty text names none.
pub(super) struct OptionalFile;

impl Form for OptionalFile {
    type Value = Option<PathBuf>;

    fn read(&self, given: &Given) -> Option<Option<PathBuf>> {
        let text = given.text()?;
        (!text.contains('\0')).then(|| (!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn write(&self, value: &Option<PathBuf>) -> String {
        quoted(&value.as_deref().map(std::path::Path::to_string_lossy).unwrap_or_default())
    }

    fn takes(&self) -> String {
        "a file".to_owned()
    }
}

/// A whole number of something, within bounds.
pub(super) struct Number {
    unit: &'static str,
    least: u64,
    most: u64,
}

impl Number {
    pub(super) const fn new(unit: &'static str, least: u64, most: u64) -> Self {
        Self { unit, least, most }
    }

    pub(super) const fn bytes(least: u64, most: u64) -> Self {
        Self::new("bytes", least, most)
    }
}

impl Form for Number {
    type Value = u64;

    fn read(&self, given: &Given) -> Option<u64> {
        given.number().filter(|number| (self.least..=self.most).contains(number))
    }

    fn write(&self, value: &u64) -> String {
        value.to_string()
    }

    fn takes(&self) -> String {
        format!("a whole number of {}, {} to {}", self.unit, self.least, self.most)
    }
}

/// A duration within bounds.
pub(super) struct Span {
    least: Duration,
    most: Duration,
}

impl Span {
    pub(super) const fn seconds(least: u64, most: u64) -> Self {
        Self { least: Duration::from_secs(least), most: Duration::from_secs(most) }
    }

    pub(super) const fn millis(least: u64, most: u64) -> Self {
        Self { least: Duration::from_millis(least), most: Duration::from_millis(most) }
    }
}

impl Form for Span {
    type Value = Duration;

    fn read(&self, given: &Given) -> Option<Duration> {
        duration::parse(given.text()?).filter(|span| (self.least..=self.most).contains(span))
    }

    fn write(&self, value: &Duration) -> String {
        quoted(&duration::write(*value))
    }

    fn takes(&self) -> String {
        format!("a duration in ms, s, m, h or d, {} to {}", duration::write(self.least), duration::write(self.most))
    }
}

/// True or false.
pub(super) struct Switch;

impl Form for Switch {
    type Value = bool;

    fn read(&self, given: &Given) -> Option<bool> {
        given.switch()
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }

    fn takes(&self) -> String {
        "true or false".to_owned()
    }
}

/// One word out of a few.
pub(super) struct OneOf<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Form for OneOf<T> {
    type Value = T;

    fn read(&self, given: &Given) -> Option<T> {
        let text = given.text()?;
        self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    fn write(&self, value: &T) -> String {
        quoted(self.0.iter().find(|(_, other)| other == value).map_or("", |(word, _)| word))
    }

    fn takes(&self) -> String {
        self.0.iter().map(|(word, _)| quoted(word)).collect::<Vec<_>>().join(" or ")
    }
}

/// A filter of messages in the syntax of `RUST_LOG`.
pub(super) struct Filter;

impl Form for Filter {
    type Value = String;

    fn read(&self, given: &Given) -> Option<String> {
        let text = given.text()?;
        EnvFilter::builder().parse(text).ok().map(|_| text.to_owned())
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn takes(&self) -> String {
        "a filter in the syntax of RUST_LOG".to_owned()
    }
}
