//! The parameters of the listing of tags, which are Quay's.

use tagstone_schema::Tag;

use super::error::ApiRefusal;
use crate::http::query::Query;

/// Entries that a request looks at, on the blocking pool: a tenth of a second or so.
pub(super) const MOST_LOOKED_AT: usize = 100_000;

/// Entries of a page, at most and where no number is given.
const MOST_ENTRIES: usize = 100;
const ENTRIES: usize = 50;

/// What is to be listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// The only tag, if there is one.
    pub(super) only: Option<Tag>,
    /// The names.
    pub(super) filter: Filter,
    /// Whether only tags that are live are wanted.
    pub(super) only_active: bool,
    /// The number of the page, from 1.
    pub(super) page: u64,
    limit: usize,
}

/// Which names are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// All.
    Any,
    /// This one.
    Equals(Tag),
    /// Those that contain this, in lower or upper case; it is in lower case here.
    Contains(String),
}

impl Filter {
    pub(super) fn selects(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::Equals(only) => tag == only,
            Self::Contains(part) => tag.as_str().to_ascii_lowercase().contains(part),
        }
    }
}

impl ListQuery {
    pub(super) fn of(query: &Query<'_>) -> Result<Self, ApiRefusal> {
        let specific = query.one("specificTag")?.filter(|tag| !tag.is_empty());
        let mut only = specific.map(|tag| tag.parse::<Tag>()).transpose()?;
        let filter = query.one("filter_tag_name")?.map_or(Ok(Filter::Any), |text| filter(&text))?;
        if let (None, Filter::Equals(tag)) = (&only, &filter) {
            only = Some(tag.clone());
        }
        let only_active = match query.one("onlyActiveTags")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return Err(ApiRefusal::invalid_request("`onlyActiveTags` is `true` or `false`")),
        };
        let limit = number(query, "limit")?.map_or(ENTRIES, |limit| usize::try_from(limit).unwrap_or(MOST_ENTRIES));
        let page = number(query, "page")?.unwrap_or(1);
        let wanted = Self { only, filter, only_active, page, limit: limit.min(MOST_ENTRIES) };
        let (skip, take) = wanted.part();
        if skip.saturating_add(take) > MOST_LOOKED_AT {
            return Err(ApiRefusal::invalid_request(format!(
                "`page={page}` lies behind the newest {MOST_LOOKED_AT} entries, and a request looks at no more; ask for a tag \
                 by `specificTag`"
            )));
        }
        Ok(wanted)
    }

    /// How many entries are skipped, and how many are taken.
    pub(super) fn part(&self) -> (usize, usize) {
        let pages = usize::try_from(self.page.saturating_sub(1)).unwrap_or(usize::MAX);
        (pages.saturating_mul(self.limit), self.limit)
    }
}

fn filter(text: &str) -> Result<Filter, ApiRefusal> {
    match text.split_once(':') {
        Some(("eq", tag)) => Ok(Filter::Equals(tag.parse()?)),
        Some(("like", part)) if !part.is_empty() => Ok(Filter::Contains(part.to_ascii_lowercase())),
        _ => Err(ApiRefusal::invalid_request(format!(
            "`filter_tag_name={text}` is no filter; write `like:` with a part of the name, or `eq:` with all of it"
        ))),
    }
}

/// A number from 1.
fn number(query: &Query<'_>, name: &str) -> Result<Option<u64>, ApiRefusal> {
    let Some(text) = query.one(name)? else { return Ok(None) };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // One that is too large for this machine is larger than any limit.
    let number = if is_number { text.parse().unwrap_or(u64::MAX) } else { 0 };
    if number == 0 {
        return Err(ApiRefusal::invalid_request(format!("`{name}={text}` is not right; give an integer from 1")));
    }
    Ok(Some(number))
}
