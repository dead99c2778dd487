//! Ranges of blobs (RFC 9110, section 14) and of uploads (distribution-spec, "Pushing a blob in chunks").

/// What part of a blob of `length` bytes a `Range` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, one in other units, or several.
    Whole,
    /// The bytes from `first` to `last`, both included.
    Part { first: u64, last: u64 },
    /// Nothing that exists.
    Unsatisfiable,
}

/// Reads a `Range` header. A range whose end lies before its start is answered like one that lies outside; the
/// conformance suite of the specification asks for that.
pub(super) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(range) = header.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Wanted::Whole };
    if range.contains(',') {
        return Wanted::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::Whole };
    let part = match (number(first), number(last)) {
        (Some(Ok(first)), Some(Ok(last))) => (first <= last).then(|| (first, last.min(length.saturating_sub(1)))),
        (Some(Ok(first)), None) => Some((first, length.saturating_sub(1))),
        (None, Some(Ok(suffix))) if suffix > 0 => Some((length.saturating_sub(suffix), length.saturating_sub(1))),
        (None, Some(Ok(_))) => None,
        _ => return Wanted::Whole,
    };
    match part {
        Some((first, last)) if first < length => Wanted::Part { first, last },
        _ => Wanted::Unsatisfiable,
    }
}

/// `None` for no text, an error for what is no number. A number too large for 64 bits lies behind every blob.
fn number(text: &str) -> Option<Result<u64, ()>> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    Some(if digits { Ok(text.parse().unwrap_or(u64::MAX)) } else { Err(()) })
}

/// Reads the `Content-Range` of a chunk: `a-b`, inclusive. Clients that write `bytes a-b/n` or `bytes=a-b` are
/// understood as well. The length of what is returned fits into 64 bits.
pub(super) fn chunk(text: &str) -> Option<(u64, u64)> {
    let range = text.trim().trim_start_matches("bytes").trim_start_matches(['=', ' ']);
    let range = range.split_once('/').map_or(range, |(range, _)| range);
    let (first, last) = range.split_once('-')?;
    let (first, last) = (byte(first)?, byte(last)?);
    (first <= last && last < u64::MAX).then_some((first, last))
}

/// `None` for anything but digits, such as a sign, and for what does not fit.
fn byte(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The `Range` of an upload that holds `offset` bytes. Zero bytes are `0-0` as well: there is no other way to say it.
pub(super) fn progress(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_blob_of_1000_bytes() {
        let cases = [
            (None, Wanted::Whole),
            (Some("bytes=0-0"), Wanted::Part { first: 0, last: 0 }),
            (Some("bytes=10-19"), Wanted::Part { first: 10, last: 19 }),
            (Some("bytes=990-"), Wanted::Part { first: 990, last: 999 }),
            (Some("bytes=990-5000"), Wanted::Part { first: 990, last: 999 }),
            (Some("bytes=-10"), Wanted::Part { first: 990, last: 999 }),
            (Some("bytes=-5000"), Wanted::Part { first: 0, last: 999 }),
            (Some("bytes=0-99999999999999999999999"), Wanted::Part { first: 0, last: 999 }),
            (Some("bytes=1000-"), Wanted::Unsatisfiable),
            (Some("bytes=500-0"), Wanted::Unsatisfiable),
            (Some("bytes=-0"), Wanted::Unsatisfiable),
            (Some("bytes=99999999999999999999999-"), Wanted::Unsatisfiable),
            (Some("bytes=0-1,3-4"), Wanted::Whole),
            (Some("bytes=a-b"), Wanted::Whole),
            (Some("bytes="), Wanted::Whole),
            (Some("bytes=-"), Wanted::Whole),
            (Some("lines=0-1"), Wanted::Whole),
            (Some("nonsense"), Wanted::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(wanted(header, 1000), expected, "{header:?}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable, "an empty blob has no bytes");
    }

    #[test]
    fn ranges_of_chunks() {
        for (text, expected) in [
            ("0-9", Some((0, 9))),
            ("5-5", Some((5, 5))),
            ("bytes 0-9/10", Some((0, 9))),
            ("bytes=0-9", Some((0, 9))),
            ("9-0", None),
            ("-9", None),
            ("9-", None),
            ("+0-9", None),
            ("0-+9", None),
            ("0-18446744073709551614", Some((0, u64::MAX - 1))),
            ("0-18446744073709551615", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(chunk(text), expected, "{text:?}");
        }
        assert_eq!((progress(0), progress(1), progress(10)), ("0-0".into(), "0-0".into(), "0-9".into()));
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_answered_within_the_blob(text in "[ -~]{0,40}", length in 0u64..2000) {
            for text in [text.clone(), format!("bytes={text}")] {
                if let Wanted::Part { first, last } = wanted(Some(&text), length) {
                    proptest::prop_assert!(first <= last && last < length);
                }
                let _ = chunk(&text);
            }
        }
    }
}
