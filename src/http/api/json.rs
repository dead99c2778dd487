//! Bodies in JSON.
//!
//! What a body may hold is a struct that derives `Deserialize` with `#[serde(deny_unknown_fields)]` and `ToSchema`, so
//! that what is read and what is documented are one. The `Content-Type` is not looked at: scripts written for Quay send
//! `application/json`, those written by hand often nothing of use, and a body that is no JSON is refused anyway.

use actix_web::web::Payload;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tagstone_schema::limits;

use super::error::ApiRefusal;
use crate::http::body::Body;
use crate::http::error::Code;
use crate::http::exchange::Exchange;
use crate::strict_json;

/// Bytes of a body. What it asks for has to fit into one record, whose names in JSON take hardly more than twice as
/// much; the rest is for indentation.
const BODY_BYTES: u64 = 4 * limits::RECORD_BYTES as u64;

/// Reads the body of a request. No body at all is an empty object: whether that suffices is for the fields to say.
pub(super) async fn read<T: DeserializeOwned>(exchange: &Exchange<'_>, payload: Payload) -> Result<T, ApiRefusal> {
    // The code is one of the other interface's and does not reach the answer.
    let bytes = Body::new(exchange, payload, Some(BODY_BYTES), Code::Unsupported)?.whole().await?;
    parse(&bytes)
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiRefusal> {
    let value = if bytes.trim_ascii().is_empty() { Value::Object(Map::new()) } else { object(bytes)? };
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.inner());
        // An error about the fields of the body as a whole names its field itself.
        let is_about_fields = ["unknown field", "missing field"].iter().any(|what| why.to_string().starts_with(what));
        if path == "." || (is_about_fields && !path.contains(['.', '['])) {
            ApiRefusal::invalid_request(format!("the body is not right: {why}"))
        } else {
            ApiRefusal::invalid_request(format!("the field `{path}` of the body is not right: {why}"))
        }
    })
}

/// A struct could also be read from an array of its fields, which nobody means.
fn object(bytes: &[u8]) -> Result<Value, ApiRefusal> {
    match strict_json::parse(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(ApiRefusal::invalid_request("the body must be a JSON object")),
        Err(error) => Err(ApiRefusal::invalid_request(format!("the body is no JSON that can be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::http::refused::Refused;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Sample {
        tag_pattern: String,
        #[serde(default)]
        is_active: bool,
        tags: Option<Vec<String>>,
        inner: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Optional {
        dry_run: Option<bool>,
    }

    #[test]
    fn what_is_right_is_read() {
        let sample = parse::<Sample>(br#"{"tagPattern": "v.*", "isActive": true, "tags": ["a"]}"#).unwrap();
        let tags = Some(vec!["a".to_owned()]);
        assert_eq!(sample, Sample { tag_pattern: "v.*".to_owned(), is_active: true, tags, inner: None });
        for empty in ["", " \r\n\t", "{}", r#"{"dry_run": null}"#] {
            assert_eq!(parse::<Optional>(empty.as_bytes()).unwrap(), Optional { dry_run: None }, "{empty:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: &[(&[u8], &str)] = &[
            (b"", "missing field `tagPattern`"),
            (b"{}", "missing field `tagPattern`"),
            (
                br#"{"tagPattern": null}"#,
                "the field `tagPattern` of the body is not right: invalid type: null, expected a string",
            ),
            (
                br#"{"tagPattern": 7}"#,
                "`tagPattern` of the body is not right: invalid type: integer `7`, expected a string",
            ),
            (
                br#"{"tagPattern": "a", "isActive": "yes"}"#,
                "`isActive` of the body is not right: invalid type: string \"yes\", expected a boolean",
            ),
            (
                br#"{"tagPattern": "a", "tags": "b"}"#,
                "`tags` of the body is not right: invalid type: string \"b\", expected a sequence",
            ),
            (
                br#"{"tagPattern": "a", "tags": ["b", 1]}"#,
                "`tags[1]` of the body is not right: invalid type: integer `1`",
            ),
            (
                br#"{"tagPattern": "a", "inner": {"count": -1}}"#,
                "`inner.count` of the body is not right: invalid value: integer `-1`",
            ),
            (
                br#"{"tagPattern": "a", "inner": {"count": 1.5}}"#,
                "`inner.count` of the body is not right: invalid type: floating point",
            ),
            (br#"{"tagPattern": "a", "inner": {"size": 1}}"#, "unknown field `size`, expected `count`"),
            (
                br#"{"tagpattern": "a"}"#,
                "the body is not right: unknown field `tagpattern`, expected one of `tagPattern`, `isActive`, `tags`, `inner`",
            ),
            (br#"{"tagPattern": "a", "tagPattern": "b"}"#, "`tagPattern` stands twice"),
            (br#"["a", true]"#, "must be a JSON object"),
            (b"null", "must be a JSON object"),
            (b"\"a\"", "must be a JSON object"),
            (b"{", "no JSON that can be read: EOF"),
            (b"{} {}", "no JSON that can be read: trailing characters"),
            (b"tagPattern=a", "no JSON that can be read"),
            (b"{\"tagPattern\": \"\xff\"}", "no JSON that can be read"),
            (b"\xef\xbb\xbf{}", "no JSON that can be read"),
        ];
        for (body, says) in cases {
            let shown = String::from_utf8_lossy(body);
            let refused = Refused::from(parse::<Sample>(body).expect_err(&shown));
            assert_eq!(refused.status, 400, "{shown}");
            assert!(refused.message.contains(says), "{shown}: {}", refused.message);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{{\"tags\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse::<Sample>(deep.as_bytes()).is_err());
    }
}
