//! What a question is about: a repository, or one tag of it.

use std::str::FromStr;

use tagstone_schema::{Event, RepositoryName, Tag};

use crate::audit::{AuditEvent, What};

/// A repository, or one of its tags: `REPOSITORY[:TAG]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag; none for all of them.
    pub tag: Option<Tag>,
}

/// One tag: `REPOSITORY:TAG`. It need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSubject {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
}

/// The text names neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// One of its parts is no name.
    #[error("{0}")]
    Name(String),
    /// An image as clients name it, with its registry.
    #[error("a repository of this log is named without the host of the registry: {0}")]
    Host(String),
    /// There is no tag in it.
    #[error("a tag is named as REPOSITORY:TAG, such as acme/app:v1")]
    NoTag,
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let bad = |error: &dyn std::fmt::Display| SubjectError::Name(error.to_string());
        // No name of a repository or a tag has a colon before a slash; the port of a host has.
        if let Some((_, rest)) = text.split_once('/').filter(|(host, _)| host.contains(':')) {
            return Err(SubjectError::Host(rest.to_owned()));
        }
        // No name of a repository holds a colon.
        let (repository, tag) = match text.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse().map_err(|error| bad(&error))?)),
            None => (text, None),
        };
        Ok(Self { repository: repository.parse().map_err(|error| bad(&error))?, tag })
    }
}

impl FromStr for TagSubject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let Subject { repository, tag } = text.parse()?;
        Ok(Self { repository, tag: tag.ok_or(SubjectError::NoTag)? })
    }
}

impl Subject {
    /// Whether an event is a turn in the life of what is asked for.
    pub fn turned_by(&self, event: &AuditEvent<'_>) -> bool {
        event.turned().is_some_and(|turned| {
            *turned.repository == self.repository && self.tag.as_ref().is_none_or(|tag| tag == turned.tag)
        })
    }

    /// Whether an event shows that it exists: whatever is put into a repository creates it.
    pub fn shown_by(&self, event: &AuditEvent<'_>) -> bool {
        match (&event.what, &self.tag) {
            (
                What::Written {
                    event: Event::BlobLinked { repository, .. } | Event::ManifestPushed { repository, .. },
                    ..
                },
                None,
            ) => *repository == self.repository,
            _ => self.turned_by(event),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.tag {
            Some(tag) => write!(f, "{}:{tag}", self.repository),
            None => self.repository.fmt(f),
        }
    }
}

impl std::fmt::Display for TagSubject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}
