//! What is known of one digest, by repository.

use std::sync::Arc;

use imbl::OrdMap;

use super::content::Content;
use super::holders::Loose;
use crate::fold::repository::RepositoryNumber;

/// What is known of a digest.
#[derive(Clone, Debug, Default)]
pub(in crate::fold) enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// One repository knows of it: nearly always.
    One(Content),
    /// Nobody holds it, and its bytes are there.
    Loose(Loose),
    /// Anything else.
    More(Arc<More>),
}

/// What is known of a digest of which several repositories know, or one beside its being loose.
#[derive(Clone, Debug, Default)]
pub(in crate::fold) struct More {
    /// By the number that each content has.
    by: OrdMap<RepositoryNumber, Content>,
    loose: Option<Loose>,
}

impl Known {
    pub(in crate::fold) fn is_vacant(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// What the only repository has that knows of it.
    pub(in crate::fold) fn only(&self) -> Option<&Content> {
        match self {
            Self::One(content) => Some(content),
            Self::Nothing | Self::Loose(_) | Self::More(_) => None,
        }
    }

    pub(in crate::fold) fn content(&self, number: RepositoryNumber) -> Option<&Content> {
        match self {
            Self::One(content) => (content.number == number).then_some(content),
            Self::More(more) => more.by.get(&number),
            Self::Nothing | Self::Loose(_) => None,
        }
    }

    pub(in crate::fold) fn content_mut(&mut self, number: RepositoryNumber) -> Option<&mut Content> {
        match self {
            Self::One(content) => (content.number == number).then_some(content),
            // What is not there must not copy anything.
            Self::More(more) if more.by.contains_key(&number) => Arc::make_mut(more).by.get_mut(&number),
            Self::Nothing | Self::Loose(_) | Self::More(_) => None,
        }
    }

    /// The repositories that hold it, in the order of their numbers.
    pub(in crate::fold) fn holders(&self) -> impl Iterator<Item = &Content> {
        self.contents().filter(|content| content.is_held())
    }

    /// What each repository has, in the order of their numbers.
    pub(in crate::fold) fn contents(&self) -> impl Iterator<Item = &Content> {
        let (one, more) = match self {
            Self::One(content) => (Some(content), None),
            Self::More(more) => (None, Some(more.by.values())),
            Self::Nothing | Self::Loose(_) => (None, None),
        };
        one.into_iter().chain(more.into_iter().flatten())
    }

    /// Changes what each repository has.
    pub(in crate::fold) fn change_all(&mut self, mut change: impl FnMut(&mut Content)) {
        match self {
            Self::One(content) => change(content),
            Self::Nothing | Self::Loose(_) => {}
            Self::More(more) => {
                let more = Arc::make_mut(more);
                let numbers: Vec<_> = more.by.keys().copied().collect();
                for number in numbers {
                    if let Some(content) = more.by.get_mut(&number) {
                        change(content);
                    }
                }
            }
        }
    }

    pub(in crate::fold) fn is_held(&self) -> bool {
        self.holders().next().is_some()
    }

    pub(in crate::fold) fn loose(&self) -> Option<Loose> {
        match self {
            Self::Loose(loose) => Some(*loose),
            Self::More(more) => more.loose,
            Self::Nothing | Self::One(..) => None,
        }
    }

    /// Says whether it is loose, and what was said before.
    pub(in crate::fold) fn set_loose(&mut self, loose: Option<Loose>) -> Option<Loose> {
        let before = self.loose();
        if before != loose {
            self.change(|more| more.loose = loose);
        }
        before
    }

    /// What somebody holds is not loose any more; whether it was.
    #[inline]
    pub(in crate::fold) fn settle(&mut self) -> bool {
        let is_over = self.loose().is_some() && self.is_held();
        if is_over {
            self.set_loose(None);
        }
        is_over
    }

    /// Changes what a repository has, which is made where there is nothing.
    pub(in crate::fold) fn with<T>(
        &mut self,
        number: RepositoryNumber,
        make: impl FnOnce() -> Content,
        change: impl FnOnce(&mut Content) -> T,
    ) -> T {
        match self {
            Self::One(content) if content.number == number => change(content),
            _ => self.change(|more| change(more.by.entry(number).or_insert_with(make))),
        }
    }

    /// A repository no longer knows of it.
    pub(in crate::fold) fn remove(&mut self, number: RepositoryNumber) {
        self.change(|more| drop(more.by.remove(&number)));
    }

    fn change<T>(&mut self, change: impl FnOnce(&mut More) -> T) -> T {
        let mut more = match std::mem::take(self) {
            Self::Nothing => Arc::default(),
            Self::One(content) => Arc::new(More { by: OrdMap::unit(content.number, content), loose: None }),
            Self::Loose(loose) => Arc::new(More { by: OrdMap::new(), loose: Some(loose) }),
            Self::More(more) => more,
        };
        let changed = Arc::make_mut(&mut more);
        let done = change(changed);
        *self = match (changed.by.len(), changed.loose) {
            (0, None) => Self::Nothing,
            (0, Some(loose)) => Self::Loose(loose),
            (1, None) => match changed.by.get_min() {
                Some((_, content)) => Self::One(content.clone()),
                None => Self::Nothing,
            },
            _ => Self::More(more),
        };
        done
    }
}
