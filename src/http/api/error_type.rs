//! What an error's `type` refers to.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiAnswer;
use super::error::{ApiRefusal, ErrorType};

/// The form of every error below `/api/v1`. Fields for programs, such as the `tags` or `manifests` that stand in the
/// way, stand beside these.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "it is only described; errors are written with the fields that stand beside these")]
pub(super) struct ErrorForm {
    /// What is wrong, for people.
    detail: String,
    /// The same as `detail`.
    error_message: String,
    /// What kind of error it is, for programs.
    #[schema(example = "not_found")]
    error_type: String,
    /// The same as `error_type`.
    #[schema(example = "not_found")]
    title: String,
    /// Where the kind of error is described.
    #[schema(example = "/api/v1/error/not_found")]
    r#type: String,
    /// The status of the answer.
    #[schema(example = 404)]
    status: u16,
}

/// What a kind of error means.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorType)]
pub(super) struct Meaning {
    /// The reference by which errors name it.
    r#type: String,
    /// Its name, the `error_type` of errors.
    title: &'static str,
    /// What it means.
    description: &'static str,
}

/// GET `/api/v1/error/<type>`
#[utoipa::path(
    get,
    path = "/api/v1/error/{error_type}",
    operation_id = "get_error_type",
    tag = "errors",
    summary = "What a kind of error means",
    params(("error_type" = String, Path, description = "The `error_type` of an error")),
    responses(
        (status = 200, description = "What it means", body = Meaning),
        (status = 404, description = "`not_found`: there is no such kind of error"),
    ),
)]
pub(super) fn get(name: &str) -> ApiAnswer {
    let error_type = ErrorType::ALL.into_iter().find(|error_type| error_type.name() == name).ok_or_else(|| {
        let known: Vec<_> = ErrorType::ALL.map(ErrorType::name).into();
        ApiRefusal::not_found(format!("there is no such kind of error; there are {}", known.join(", ")))
    })?;
    let (title, _, description) = error_type.meaning();
    Ok(HttpResponse::Ok().json(Meaning { r#type: error_type.reference(), title, description }))
}
