//! Access tokens: issued, listed, revoked. What a robot uses as a password.
//!
//! Only a user who gives a password gets here, never a token: who has stolen one cannot make himself others that live longer.

mod issue;

use actix_web::HttpResponse;
use serde::Serialize;
use tagstone_replay::fold::Token;
use tagstone_schema::event::{Action, TokenScope};
use tagstone_schema::{Id, Seq};
use utoipa::{IntoParams, ToSchema};

use super::ApiAnswer;
use super::error::ApiRefusal;
use super::page::ApiPage;
use crate::http::exchange::Exchange;
use crate::registry::Command;

pub(super) use issue::{__path_issue, Wanted, issue};

/// Bytes of the tokens of a page, beyond which it ends early.
const PAGE_BYTES: usize = 512 * 1024;

/// An access token. Its secret was shown when it was issued, and never again.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub(super) struct TokenForm {
    /// Its id.
    #[schema(example = "7f0c1d6e-4b2a-4c57-9d1e-0a4b8c2f6e91")]
    id: String,
    /// The user on whose behalf it acts.
    subject: String,
    /// What it is for.
    label: String,
    scopes: Vec<ScopeForm>,
    /// When it was issued (RFC 3339, microseconds, UTC).
    #[schema(format = DateTime)]
    issued: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    expires: Option<String>,
    /// When it was revoked; absent for one that was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    revoked: Option<String>,
    /// Whether it can be used: it has not expired, it was not revoked, and there is its user.
    valid: bool,
    /// The record that issued it.
    seq: u64,
}

/// What a token may do, within what its user may.
#[derive(Serialize, serde::Deserialize, ToSchema)]
#[schema(as = AccessTokenScope)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeForm {
    /// A glob over names of repositories, as rules of access have it: 1 to 512 bytes.
    #[schema(example = "acme/**")]
    repositories: String,
    actions: Vec<ActionForm>,
}

/// Something that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccessAction)]
pub(super) enum ActionForm {
    Pull,
    Push,
    Delete,
}

/// A page of access tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessTokenList)]
pub(super) struct TokenList {
    /// The oldest first.
    tokens: Vec<TokenForm>,
    /// To be given back as `?next=` for the page behind this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The parameters of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "they are documented here, and read one by one")]
struct Parameters {
    /// The most entries of the answer. A page of large tokens ends earlier.
    #[param(minimum = 1)]
    n: Option<u64>,
    /// `next` of the page before.
    next: Option<String>,
    /// `true` for those too that have expired or were revoked.
    ended: Option<bool>,
    /// Those of this user only; another user than oneself only for administrators.
    subject: Option<String>,
}

/// GET `/api/v1/tokens`
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "list_access_tokens",
    tag = "access",
    summary = "One's access tokens that are valid; administrators see those of everybody",
    params(Parameters),
    responses(
        (status = 200, description = "A page of tokens", body = TokenList),
        (status = 400, description = "`invalid_request`: a parameter is not what it has to be"),
        (status = 403, description = "`insufficient_scope`: for users who give their password only"),
    ),
)]
pub(super) fn list(exchange: &Exchange<'_>) -> ApiAnswer {
    let query = exchange.query();
    let page = ApiPage::of(&query, exchange.site.limits.page_entries)?;
    let after = page.after().map(place).transpose()?;
    let with_ended = match query.one("ended")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let message =
                format!("`ended={}` is neither `true` nor `false`", other.chars().take(80).collect::<String>());
            return Err(ApiRefusal::invalid_request(message));
        }
    };
    let subject = query.one("subject")?;
    let snapshot = exchange.site.published.snapshot();
    let now = exchange.now();
    let mut found: Vec<_> = snapshot
        .state
        .tokens()
        .filter(|(_, token)| is_visible(exchange, token) && (with_ended || token.is_valid_at(now)))
        .filter(|(_, token)| subject.as_deref().is_none_or(|subject| subject == token.subject))
        .map(|(id, token)| ((token.issued.seq, *id), token))
        .filter(|(place, _)| after.is_none_or(|after| *place > after))
        .collect();
    found.sort_unstable_by_key(|(place, _)| *place);
    let forms = found.into_iter().map(|((seq, id), token)| {
        let form = TokenForm::of(exchange, id, token);
        let bytes = form.bytes();
        ((seq, id, form), bytes)
    });
    let (entries, next) = page.take_within(PAGE_BYTES, forms, |(seq, id, _)| format!("{seq}.{id}"));
    let tokens = entries.into_iter().map(|(_, _, form)| form).collect();
    Ok(HttpResponse::Ok().json(TokenList { tokens, next }))
}

/// GET `/api/v1/tokens/<id>`
#[utoipa::path(
    get,
    path = "/api/v1/tokens/{id}",
    operation_id = "get_access_token",
    tag = "access",
    summary = "One access token, also when it has expired or was revoked; never its secret",
    responses(
        (status = 200, description = "The token", body = TokenForm),
        (status = 403, description = "`insufficient_scope`: for users who give their password only"),
        (status = 404, description = "`not_found`: there is no such token, or it is another user's"),
    ),
)]
pub(super) fn get(exchange: &Exchange<'_>, id: &str) -> ApiAnswer {
    let snapshot = exchange.site.published.snapshot();
    let (id, token) = find(exchange, &snapshot.state, id)?;
    Ok(HttpResponse::Ok().json(TokenForm::of(exchange, id, token)))
}

/// DELETE `/api/v1/tokens/<id>`
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    operation_id = "revoke_access_token",
    tag = "access",
    summary = "Revoke an access token: the next request with it is refused",
    description = "One's own, and for administrators anybody's. One that is revoked already stays so, and that is no error.",
    responses(
        (status = 204, description = "The token is revoked"),
        (status = 403, description = "`insufficient_scope`: for users who give their password only"),
        (status = 404, description = "`not_found`: there is no such token, or it is another user's"),
    ),
)]
pub(super) async fn revoke(exchange: &Exchange<'_>, id: &str) -> ApiAnswer {
    // Whose it is never changes, so it can be looked at before anything is committed.
    let token = find(exchange, &exchange.site.published.snapshot().state, id)?.0;
    exchange.commit(Command::RevokeToken { token }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A token that the caller may see. Others are as if they were not there.
fn find<'a>(
    exchange: &Exchange<'_>,
    state: &'a tagstone_replay::fold::State,
    text: &str,
) -> Result<(Id, &'a Token), ApiRefusal> {
    let none = || ApiRefusal::not_found("you have no such access token; GET /api/v1/tokens lists them");
    let id: Id = text.parse().map_err(|_| none())?;
    let token = state.token(&id).filter(|token| is_visible(exchange, token));
    token.map(|token| (id, token)).ok_or_else(none)
}

fn is_visible(exchange: &Exchange<'_>, token: &Token) -> bool {
    exchange.caller.is_administrator() || exchange.caller.actor().name == token.subject
}

fn place(text: &str) -> Result<(Seq, Id), ApiRefusal> {
    let read = |text: &str| {
        let (seq, id) = text.split_once('.')?;
        Some((seq.parse().ok()?, id.parse().ok()?))
    };
    read(text).ok_or_else(|| {
        ApiRefusal::invalid_request("`next` is not from a list of access tokens; give back what stood there")
    })
}

impl TokenForm {
    /// A token as answers show it.
    pub(super) fn of(exchange: &Exchange<'_>, id: Id, token: &Token) -> Self {
        Self {
            id: id.to_string(),
            subject: token.subject.clone(),
            label: token.label.clone(),
            scopes: token.scopes.iter().map(ScopeForm::from).collect(),
            issued: token.issued.time.to_string(),
            expires: token.expires.map(|at| at.to_string()),
            revoked: token.revoked.map(|moment| moment.time.to_string()),
            valid: token.is_valid_at(exchange.now()) && exchange.site.gate.knows_user(&token.subject),
            seq: token.issued.seq,
        }
    }

    /// About how many bytes it has in an answer.
    fn bytes(&self) -> usize {
        // What is around the texts: names of fields, times, actions.
        const REST: usize = 400;
        const REST_OF_SCOPE: usize = 70;
        let scopes = self.scopes.iter().map(|scope| scope.repositories.len() + REST_OF_SCOPE);
        self.subject.len() + self.label.len() + REST + scopes.sum::<usize>()
    }
}

impl From<&TokenScope> for ScopeForm {
    fn from(scope: &TokenScope) -> Self {
        let actions = scope.actions.iter().map(|action| match action {
            Action::Pull => ActionForm::Pull,
            Action::Push => ActionForm::Push,
            Action::Delete => ActionForm::Delete,
        });
        Self { repositories: scope.repositories.clone(), actions: actions.collect() }
    }
}
