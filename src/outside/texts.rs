//! Texts: what names and settings, manifests and credentials are written in.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use tagstone_replay::audit::Filter;
use tagstone_replay::pattern::{Selector, SelectorSet, language};
use tagstone_schema::policy::{Age, Pattern};
use tagstone_schema::{Algorithm, Digest, Id, MediaType, Namespace, Position, RepositoryName, Tag, Timestamp};

use crate::access::{RepositoryGlob, Users, outside as access};
use crate::content::UploadId;
use crate::manifest::Document;
use crate::settings::Settings;

/// The bytes as text, whatever they are.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is accepted is written as something that is accepted as the same.
fn comes_back<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert_eq!(written.parse::<T>().ok().as_ref(), Some(&value), "{text:?} is written {written:?}");
    }
}

/// The same, in one spelling only.
fn is_itself<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// Names, digests, media types, points in time and in the log.
pub(super) fn names(bytes: &[u8]) {
    let text = &text(bytes);
    is_itself::<RepositoryName>(text);
    is_itself::<Namespace>(text);
    is_itself::<Tag>(text);
    is_itself::<Digest>(text);
    is_itself::<MediaType>(text);
    is_itself::<Id>(text);
    is_itself::<UploadId>(text);
    comes_back::<Timestamp>(text);
    comes_back::<tagstone_replay::audit::Place>(text);
    let _ = text.parse::<Algorithm>();
    let _ = text.parse::<Age>();
    let _ = text.parse::<Position>();
    let _ = text.parse::<tagstone_replay::source::Point>();
    let _ = Timestamp::parse_up(text);
}

/// A manifest; the first line is its media type.
pub(super) fn manifest(bytes: &[u8]) {
    let (media_type, bytes) = split_line(bytes);
    let Ok(media_type) = text(media_type).parse::<MediaType>() else { return };
    if let Ok(document) = Document::parse(bytes, &media_type) {
        let value: serde_json::Value = serde_json::from_slice(bytes).expect("an accepted manifest is JSON");
        assert!(value.is_object());
        assert_eq!(Document::parse(bytes, &media_type).ok().map(|again| again.references), Some(document.references));
    }
}

/// Patterns of policies, a line each but for the last, which is a tag.
pub(super) fn pattern(bytes: &[u8]) {
    let (first, rest) = split_line(bytes);
    let (second, tag) = split_line(rest);
    let compiled = |regex: &[u8], matches| Selector::new(&Pattern { regex: text(regex), matches }).ok();
    let selectors: Vec<_> = [(first, true), (second, false), (second, true)]
        .into_iter()
        .filter_map(|(regex, matches)| compiled(regex, matches))
        .collect();
    let Some(selected) = selectors.first() else { return };
    let others: Vec<_> = selectors[1..].iter().collect();
    if let Ok(tag) = text(tag).parse::<Tag>() {
        let alone: Vec<_> = (0..selectors.len()).filter(|at| selectors[*at].selects(tag.as_str())).collect();
        let set = SelectorSet::new(selectors.clone());
        assert_eq!(set.selecting(tag.as_str()), alone, "together they select otherwise than alone");
        assert_eq!(set.any(tag.as_str()), !alone.is_empty());
    }
    if let language::Cover::Misses(tag) = language::cover(Some(selected), &others) {
        assert!(selected.selects(tag.as_str()) && !others.iter().any(|other| other.selects(tag.as_str())), "{tag}");
    }
}

/// A glob over repositories, and a name.
pub(super) fn glob(bytes: &[u8]) {
    let (glob, name) = split_line(bytes);
    if let Ok(glob) = RepositoryGlob::parse(&text(glob)) {
        let _ = glob.matches(&text(name));
        assert_eq!(RepositoryGlob::parse(glob.as_str()).ok().as_ref(), Some(&glob));
    }
}

/// A settings file.
pub(super) fn settings(bytes: &[u8]) {
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if std::fs::write(file.path(), bytes).is_ok()
        && let Err(problems) = Settings::check(file.path())
    {
        assert!(!problems.is_empty(), "it is refused and nobody says why");
    }
}

/// A file of users.
pub(super) fn htpasswd(bytes: &[u8]) {
    if let Ok(users) = Users::parse(bytes) {
        assert!(users.count() <= bytes.len());
    }
}

/// The value of an `Authorization` header.
pub(super) fn credentials(bytes: &[u8]) {
    access::credentials(bytes);
}

/// A token of an issuer, and behind the first line the file of his keys.
pub(super) fn bearer(bytes: &[u8]) {
    let (token, keys) = split_line(bytes);
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if std::fs::write(file.path(), keys).is_ok() {
        access::bearer(file.path(), &text(token));
    }
}

/// A filter of the command line and of `/api/v1/events`: a name and a value a line.
pub(super) fn audit_filter(bytes: &[u8]) {
    let mut filter = Filter::default();
    for line in text(bytes).lines() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let _ = filter.add(name, value);
    }
    let _ = filter.check();
    let _ = filter.terms();
}

/// The first line, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}
