//! Paging as the API has it: `n`, and an opaque `next` that is given back as `?next=`.
//!
//! `next` is the key of the last entry of a page, in hexadecimal. A list goes on behind that key, whether or not the
//! entry is still there, so that what changes meanwhile makes nothing else be left out or stand twice.

use tagstone_schema::digest::hex;

use super::error::ApiRefusal;
use crate::http::query::Query;

/// Which part of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiPage {
    size: usize,
    after: Option<String>,
}

impl ApiPage {
    /// Reads `n` and `next`. Without `n`, and for a larger one, a page has `most` entries.
    pub(super) fn of(query: &Query<'_>, most: usize) -> Result<Self, ApiRefusal> {
        let size = match query.one("n")? {
            None => most,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number too large for this machine is larger than any limit.
                text.parse().unwrap_or(usize::MAX).min(most)
            }
            Some(text) => return Err(no_size(&text)),
        };
        if size == 0 {
            return Err(no_size("0"));
        }
        let after = query.one("next")?.map(|token| key(&token)).transpose()?;
        Ok(Self { size, after })
    }

    /// The most entries of the page.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The key behind which the page begins; whoever made it checks what it means.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// Takes a page of entries that begin behind [`ApiPage::after`], and the `next` of the answer if more remain.
    pub(super) fn take<T>(
        &self,
        mut entries: impl Iterator<Item = T>,
        key: impl FnOnce(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let page: Vec<_> = entries.by_ref().take(self.size).collect();
        let more = entries.next().is_some();
        let next = page.last().filter(|_| more).map(|last| token(&key(last)));
        (page, next)
    }

    /// The same for entries that may be large: as many as have so many bytes together, and one in any case.
    pub(super) fn take_within<T>(
        &self,
        bytes: usize,
        entries: impl Iterator<Item = (T, usize)>,
        key: impl FnOnce(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let (mut entries, mut page, mut taken) = (entries.peekable(), Vec::new(), 0_usize);
        while page.len() < self.size {
            let fits = |(_, size): &(T, usize)| page.is_empty() || taken.saturating_add(*size) <= bytes;
            let Some((entry, size)) = entries.next_if(fits) else { break };
            taken = taken.saturating_add(size);
            page.push(entry);
        }
        let more = entries.peek().is_some();
        let next = page.last().filter(|_| more).map(|last| token(&key(last)));
        (page, next)
    }
}

/// The `next` that stands for a key.
pub(super) fn token(key: &str) -> String {
    hex(key.as_bytes())
}

fn no_size(text: &str) -> ApiRefusal {
    ApiRefusal::invalid_request(format!("`n={text}` is not a number of entries; give an integer from 1"))
}

/// The key that a `next` stands for.
pub(super) fn key(token: &str) -> Result<String, ApiRefusal> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = token.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes
        .filter(|bytes| rest.is_empty() && !bytes.is_empty())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            ApiRefusal::invalid_request(format!("`next={token}` is not from an answer; give back what stood in `next`"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<ApiPage, ApiRefusal> {
        ApiPage::of(&Query::new(query), 3)
    }

    #[test]
    fn following_next_gives_everything_once() {
        let all = ["a", "b/c", "d e", "z", "é"];
        for (query, pages) in [("", 2), ("n=1", 5), ("n=2", 3), ("n=3", 2), ("n=4", 2), ("n=99999999999999999999", 2)] {
            let (mut seen, mut asked, mut next) = (Vec::<&str>::new(), 0, None::<String>);
            loop {
                let also = next.map(|next| format!("&next={next}")).unwrap_or_default();
                let page = page(&format!("{query}{also}")).unwrap();
                let rest = all.iter().filter(|key| page.after().is_none_or(|after| **key > after));
                let (entries, behind) = page.take(rest, |key| (**key).to_owned());
                seen.extend(entries.into_iter().copied());
                asked += 1;
                next = behind;
                if next.is_none() {
                    break;
                }
            }
            assert_eq!(seen, all, "{query}");
            assert_eq!(asked, pages, "{query}");
        }
    }

    #[test]
    fn a_page_of_large_entries_ends_early() {
        let page = page("").unwrap();
        for (sizes, taken) in [(&[9, 1][..], 1), (&[2, 3, 1], 2), (&[1, 1, 1], 3), (&[1, 1, 1, 1], 3), (&[], 0)] {
            let (entries, next) = page.take_within(5, sizes.iter().copied().enumerate(), ToString::to_string);
            assert_eq!(entries.len(), taken, "{sizes:?}");
            assert_eq!(next.is_some(), taken < sizes.len(), "{sizes:?}");
        }
    }

    #[test]
    fn bad_values_are_refused() {
        for n in ["", "0", "00", "-1", "+1", "%2B1", "1.0", "x", "0x10", "1%20", "%D9%A3"] {
            assert!(page(&format!("n={n}")).is_err(), "n={n}");
        }
        for next in ["", "a", "zz", "6", "6G", "ff", "AB", "%00", "616", "../x"] {
            assert!(page(&format!("next={next}")).is_err(), "next={next}");
        }
        for query in ["n=1&n=2", "next=61&next=61", "n=%ff"] {
            assert!(page(query).is_err(), "{query}");
        }
        assert_eq!(page("next=62&n=2").unwrap(), ApiPage { size: 2, after: Some("b".to_owned()) });
    }
}
