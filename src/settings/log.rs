//! `[log]`: what the server says on stderr. (The log of events is another thing, and no setting turns it off.)

use super::form::{Filter, OneOf};
use super::reader::Section;

/// What is written to stderr, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Lines for people or for machines.
    pub format: LogFormat,
    /// Which messages, in the syntax of `RUST_LOG`.
    pub filter: String,
}

/// The form of a message on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line for each message.
    Text,
    /// One JSON object a line for each message.
    Json,
}

impl Log {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        let formats = OneOf(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        Self {
            format: section.take("format", LogFormat::Text, &formats),
            filter: section.take("filter", "info".to_owned(), &Filter),
        }
    }
}
