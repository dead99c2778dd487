//! Who a request comes from.

use actix_web::HttpResponse;
use serde::Serialize;
use tagstone_schema::{Actor, ActorKind};
use utoipa::ToSchema;

use super::tokens::TokenForm;
use crate::http::exchange::Exchange;

/// Who the registry takes a client for.
#[derive(Serialize, ToSchema)]
pub(super) struct WhoAmI {
    actor: ActorForm,
    /// Whether everything is allowed.
    administrator: bool,
    /// The access token that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenForm>,
}

/// Who made a change, or asks.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub(super) struct ActorForm {
    kind: ActorKindForm,
    /// The user's name, the token's id, or the part of the registry that acted.
    name: String,
}

/// What kind of actor it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ActorKind)]
enum ActorKindForm {
    User,
    Anonymous,
    System,
    Token,
}

impl From<Actor> for ActorForm {
    fn from(actor: Actor) -> Self {
        let kind = match actor.kind {
            ActorKind::User => ActorKindForm::User,
            ActorKind::Anonymous => ActorKindForm::Anonymous,
            ActorKind::System => ActorKindForm::System,
            ActorKind::Token => ActorKindForm::Token,
        };
        Self { kind, name: actor.name.to_string() }
    }
}

/// GET `/api/v1/whoami`
#[utoipa::path(
    get,
    path = "/api/v1/whoami",
    operation_id = "get_whoami",
    tag = "registry",
    summary = "Who the registry takes the client for",
    responses((status = 200, description = "The actor of whatever the client changes", body = WhoAmI)),
)]
pub(super) fn get(exchange: &Exchange<'_>) -> HttpResponse {
    let (caller, snapshot) = (&exchange.caller, exchange.site.published.snapshot());
    let token = caller.token_id().and_then(|id| Some(TokenForm::of(exchange, id, snapshot.state.token(&id)?)));
    HttpResponse::Ok().json(WhoAmI { actor: exchange.actor().into(), administrator: caller.is_administrator(), token })
}
