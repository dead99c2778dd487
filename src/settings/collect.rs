//! `[collect]`: when bytes go that nothing refers to.

use std::time::Duration;

use super::duration;
use super::form::{Form, Span, quoted};
use super::given::Given;
use super::reader::Section;

/// Collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// How often it is run.
    pub interval: Duration,
    /// How long content stays after nothing refers to it any more.
    pub grace: Duration,
    /// How long manifests stay that have no tag and that nothing holds; none is for ever.
    pub untagged: Option<Duration>,
}

const DAY: u64 = 24 * 3600;

impl Collect {
    pub(super) fn gather(section: &mut Section<'_>) -> Self {
        Self {
            interval: section.take("interval", Duration::from_secs(3600), &Span::seconds(1, 7 * DAY)),
            grace: section.take("grace", Duration::from_secs(DAY), &Span::seconds(0, 365 * DAY)),
            untagged: section.take("untagged", None, &Untagged),
        }
    }
}

/// `keep`, or an age.
struct Untagged;

impl Untagged {
    const MOST: u64 = 3650 * DAY;
}

impl Form for Untagged {
    type Value = Option<Duration>;

    fn read(&self, given: &Given) -> Option<Option<Duration>> {
        match given.text()? {
            "keep" => Some(None),
            age => duration::parse(age).filter(|age| age.as_secs() <= Self::MOST).map(Some),
        }
    }

    fn write(&self, value: &Option<Duration>) -> String {
        quoted(&value.map_or("keep".to_owned(), duration::write))
    }

    fn takes(&self) -> String {
        let most = duration::write(Duration::from_secs(Self::MOST));
        format!("`keep` or a duration in ms, s, m, h or d, 0s to {most}")
    }
}
