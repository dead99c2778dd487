//! Tags: where each points, and the tags on one manifest.

use std::sync::Arc;

use imbl::OrdSet;
use tagstone_schema::{Digest, Tag, Timestamp};

use super::effect::Stood;
use super::manifest::Manifest;
use super::state::Moment;

/// A live tag. A registry holds millions of them, so what few tags have is boxed.
#[derive(Clone, Debug)]
pub struct TagState {
    pub(super) manifest: Arc<Manifest>,
    pub(super) since: Moment,
    pub(super) marks: Option<Box<Marks>>,
}

/// What few tags have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) locked: Option<Moment>,
    pub(super) expires: Option<Timestamp>,
    /// The digest that it was last protected at, where the rules and the lock of today cannot tell: it was moved away
    /// from there, or its lock was lifted.
    pub(super) protected_before: Option<Digest>,
}

impl TagState {
    /// The manifest it points to.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The digest it points to.
    pub fn digest(&self) -> &Digest {
        &self.manifest.digest
    }

    /// When it began to point there.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// Where it points, and since when.
    pub(super) fn stood(&self) -> Stood<'_> {
        Stood { digest: self.digest(), since: self.since }
    }

    /// When it was locked by hand, if it is.
    pub fn locked(&self) -> Option<Moment> {
        self.marks.as_ref()?.locked
    }

    /// When it expires, if it does.
    pub fn expires(&self) -> Option<Timestamp> {
        self.marks.as_ref()?.expires
    }

    /// The digest that it was last protected at, where that is over and had to be kept.
    pub fn protected_before(&self) -> Option<&Digest> {
        self.marks.as_ref()?.protected_before.as_ref()
    }

    pub(super) fn mark(&mut self, change: impl FnOnce(&mut Marks)) {
        let mut marks = self.marks.take().map(|marks| *marks).unwrap_or_default();
        change(&mut marks);
        self.marks = (marks != Marks::default()).then(|| Box::new(marks));
    }
}

/// The tags on one manifest: mostly none or one, now and then thousands.
#[derive(Clone, Debug, Default)]
pub enum TagSet {
    /// None.
    #[default]
    Empty,
    /// Exactly one.
    One(Tag),
    /// Two or more.
    Many(OrdSet<Tag>),
}

impl TagSet {
    /// The tags in byte order.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        let (one, many) = match self {
            Self::Empty => (None, None),
            Self::One(tag) => (Some(tag), None),
            Self::Many(tags) => (None, Some(tags)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::Many(tags) => tags.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn insert(&mut self, tag: Tag) {
        match self {
            Self::Empty => *self = Self::One(tag),
            Self::One(only) if *only == tag => {}
            Self::One(only) => *self = Self::Many([only.clone(), tag].into_iter().collect()),
            Self::Many(tags) => {
                tags.insert(tag);
            }
        }
    }

    pub(super) fn remove(&mut self, tag: &Tag) {
        match self {
            Self::Empty => {}
            Self::One(only) => {
                if only == tag {
                    *self = Self::Empty;
                }
            }
            Self::Many(tags) => {
                tags.remove(tag);
                if tags.len() == 1
                    && let Some(last) = tags.get_min().cloned()
                {
                    *self = Self::One(last);
                }
            }
        }
    }
}
