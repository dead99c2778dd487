//! Heads of requests: how much of them is too much.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::error::{Code, Refusal};
use super::site::Limits;
use crate::limit::Limit;

/// What a field takes beside its name and value: a colon, a space, and the end of the line.
const FIELD_OVERHEAD: usize = 4;

/// Refuses a request whose target or header is larger than allowed. What the HTTP library does not hold at all it has
/// refused before.
pub(super) fn check(request: &HttpRequest, limits: &Limits) -> Result<(), Refusal> {
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > limits.uri_bytes) {
        let message = format!("the path and query have more than the {} bytes that are allowed", limits.uri_bytes);
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, Code::SizeInvalid, message).by(Limit::UriBytes));
    }
    let too_large = |message, limit| {
        Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::SizeInvalid, message).by(limit))
    };
    let (fields, bytes) = request.headers().iter().fold((0, 0), |(fields, bytes), (name, value)| {
        (fields + 1, bytes + name.as_str().len() + value.len() + FIELD_OVERHEAD)
    });
    if fields > limits.header_fields {
        let message = format!("the header has more than the {} fields that are allowed", limits.header_fields);
        return too_large(message, Limit::HeaderFields);
    }
    if bytes > limits.header_bytes {
        let message = format!("the header has more than the {} bytes that are allowed", limits.header_bytes);
        return too_large(message, Limit::HeaderBytes);
    }
    Ok(())
}
