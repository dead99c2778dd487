//! What a client would like to be answered (RFC 9110, section 12.5.1).

use actix_web::http::header::{self, HeaderMap};

/// How gladly a client takes a media type that it names, from 0 (not at all) to 1. What it does not name has 0: a wildcard
/// takes what the registry answers by itself.
pub(super) fn quality(headers: &HeaderMap, media_type: &str) -> f32 {
    let values = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|range| quality_of(range, media_type)).fold(0.0, f32::max)
}

/// The quality of one range, if it names the media type. One that is not readable counts as none that was given.
fn quality_of(range: &str, media_type: &str) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    parts.next().filter(|named| named.eq_ignore_ascii_case(media_type))?;
    let mut given = parts.filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = given.find_map(|text| text.parse().ok()).filter(|quality| (0.0..=1.0).contains(quality));
    Some(quality.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn what_is_named_has_the_quality_that_is_given() {
        for (accept, found) in [
            (&[][..], 0.0),
            (&["*/*, application/*"], 0.0),
            (&["a/b"], 1.0),
            (&["A/B ; q=0.1"], 0.1),
            (&["a/b;charset=utf-8;Q=0.25"], 0.25),
            (&["a/b;q=0"], 0.0),
            (&["a/b;q=nan", "a/b;q=2", "a/b;q="], 1.0),
            (&["a/b;q=0.5, c/d", "a/b;q=0.75"], 0.75),
            (&["a/bc, xa/b, c/d;a/b"], 0.0),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(quality(&headers, "a/b"), found, "{accept:?}");
        }
    }
}
