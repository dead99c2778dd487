//! The OpenAPI document, made from the handlers themselves.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, ResponseBuilder};

use super::error::{ApiRefusal, ErrorType};
use super::error_type::{ErrorForm, Meaning};
use super::events;
use super::policies::{immutability, preview, prune};
use super::templates::{Templates, operations};
use super::{
    ApiAnswer, collection, erase, error_type, expire, log_head, log_records, logs, prune_run, purge, refusals,
    repository, restore, tag, tag_list, tags_deletion, tokens, whoami, why,
};

/// Every operation below `/api/v1`.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tagstone",
        description = "The REST API of a Tagstone registry. Every error has the form of the schema `Error`. HEAD is \
                       answered wherever GET is. Names of repositories and namespaces stand in paths as they are, with \
                       their slashes. The slash at the end of a path may be left out.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        immutability::list, immutability::create, immutability::get, immutability::change, immutability::delete,
        immutability::activate, preview::preview, prune::list, prune::create, prune::get, prune::change, prune::delete,
        prune::activate, prune_run::run, purge::post, collection::get, collection::post, events::list::get, events::stream::get, logs::of_repository, logs::of_organization, refusals::list,
        tokens::list, tokens::issue, tokens::get, tokens::revoke,
        tag_list::get, tag::put, tag::delete, restore::post, expire::post, erase::post, why::get, tags_deletion::post,
        repository::delete, log_head::get, log_records::get, whoami::get, error_type::get, get,
    ),
    components(schemas(ErrorForm, Meaning)),
    modifiers(&Templates, &Admission, &ErrorResponses),
)]
struct Document;

/// Says how clients show who they are, and what every operation answers to those whom it does not let in.
struct Admission;

/// What every operation may answer before it is looked at.
const NOT_LET_IN: [(&str, &str); 3] = [
    ("401", "`invalid_token`: credentials are needed, or those that were shown are not right"),
    ("403", "`insufficient_scope`: the rules of access do not allow it, or a page of another site has sent it"),
    ("429", "`too_many_requests`: too many failed logins, or requests under way; `Retry-After` says when to try again"),
];

impl utoipa::Modify for Admission {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let scheme = |scheme, description: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(description)).build())
        };
        let password = "A user of the file of users with the password; or with an access token in its place";
        components.add_security_scheme("basic", scheme(HttpAuthScheme::Basic, password));
        let token = "An access token, or a token of the outside issuer";
        components.add_security_scheme("bearer", scheme(HttpAuthScheme::Bearer, token));
        // Without credentials that is answered which the rules give to everybody.
        let requirement = |name: &str| SecurityRequirement::new(name, [""; 0]);
        document.security = Some(vec![SecurityRequirement::default(), requirement("basic"), requirement("bearer")]);
        for operation in document.paths.paths.values_mut().flat_map(operations) {
            for (status, description) in NOT_LET_IN {
                let response = || ResponseBuilder::new().description(description).build().into();
                operation.responses.responses.entry(status.to_owned()).or_insert_with(response);
            }
        }
    }
}

/// Gives every error the form of errors.
struct ErrorResponses;

impl utoipa::Modify for ErrorResponses {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for path in document.paths.paths.values_mut() {
            for operation in operations(path) {
                for (status, response) in &mut operation.responses.responses {
                    if let RefOr::T(response) = response
                        && status.starts_with(['4', '5'])
                    {
                        response.content.insert(JSON.to_owned(), error_content());
                    }
                }
                let any = ResponseBuilder::new().description("Any other error").content(JSON, error_content());
                operation.responses.responses.insert("default".to_owned(), any.build().into());
            }
        }
    }
}

const JSON: &str = "application/json";

fn error_content() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build()
}

/// GET `/api/v1/openapi.json`
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "get_openapi",
    tag = "registry",
    summary = "This document",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = Object)),
)]
pub(super) fn get() -> ApiAnswer {
    static TEXT: LazyLock<Result<Bytes, String>> =
        LazyLock::new(|| Document::openapi().to_json().map(Bytes::from).map_err(|error| error.to_string()));
    match &*TEXT {
        Ok(text) => Ok(HttpResponse::Ok().content_type(JSON).body(text.clone())),
        Err(error) => {
            tracing::error!(error, "the OpenAPI document cannot be written");
            Err(ApiRefusal::new(ErrorType::InternalError, "the document cannot be written"))
        }
    }
}
