//! Paging as the distribution specification has it: `n`, `last` and a `Link` to the next page (RFC 8288).

use std::borrow::Cow;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{self, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{Code, Refusal};
use super::query::Query;

/// What stands unescaped in a query value: the unreserved characters of RFC 3986, and those of names and digests.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Which part of a list is wanted.
pub(super) struct Page<'a> {
    /// The most entries.
    pub(super) size: usize,
    /// The entry behind which it begins.
    pub(super) last: Option<Cow<'a, str>>,
}

impl<'a> Page<'a> {
    /// Reads `n` and `last`. Without `n`, and for a larger one, a page has `most` entries.
    pub(super) fn of(query: &Query<'a>, most: usize) -> Result<Self, Refusal> {
        let size = match query.one("n")? {
            None => most,
            // A number too large for this machine is larger than any limit.
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().unwrap_or(usize::MAX).min(most)
            }
            Some(text) => {
                let message = format!("`n={text}` is not a number of entries; give an integer from 0");
                return Err(Refusal::bad_request(Code::Unsupported, message));
            }
        };
        Ok(Self { size, last: query.one("last")? })
    }

    /// Takes a page of entries, and whether more remain behind it. A page of no entries has none behind it.
    pub(super) fn take<T>(&self, entries: impl Iterator<Item = T>) -> (Vec<T>, bool) {
        if self.size == 0 {
            return (Vec::new(), false);
        }
        let mut entries = entries;
        let page: Vec<_> = entries.by_ref().take(self.size).collect();
        let more = entries.next().is_some();
        (page, more)
    }
}

/// Adds the link to the page behind `last`. `also` are parameters that the next request has to repeat.
pub(super) fn link_next(
    response: &mut HttpResponseBuilder,
    path: &str,
    size: usize,
    last: &str,
    also: &[(&str, &str)],
) {
    let size = size.to_string();
    let mut parameters = vec![("n", &*size), ("last", last)];
    parameters.extend(also);
    link(response, path, &parameters);
}

/// Adds the link to a next page, which is asked for by these parameters.
pub(super) fn link(response: &mut HttpResponseBuilder, path: &str, parameters: &[(&str, &str)]) {
    let mut target = format!("<{path}");
    for (at, (name, value)) in parameters.iter().enumerate() {
        let before = if at == 0 { '?' } else { '&' };
        target.push_str(&format!("{before}{name}={}", utf8_percent_encode(value, QUERY_VALUE)));
    }
    target.push_str(">; rel=\"next\"");
    if let Ok(value) = HeaderValue::try_from(target) {
        response.insert_header((header::LINK, value));
    }
}
