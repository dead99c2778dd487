//! Issuing an access token.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Payload;
use serde::{Deserialize, Serialize};
use tagstone_schema::event::{Action, TokenScope};
use tagstone_schema::limits::{ACTOR_NAME_BYTES, TOKEN_GLOBS_BYTES, TOKEN_LABEL_BYTES, TOKEN_SCOPES};
use tagstone_schema::{Id, Timestamp};
use utoipa::ToSchema;

use super::{ActionForm, ScopeForm, TokenForm};
use crate::access::{RepositoryGlob, Secret};
use crate::http::api::error::{ApiRefusal, ErrorType};
use crate::http::api::{ApiAnswer, json};
use crate::http::demand::Demand;
use crate::http::door::forbidden;
use crate::http::exchange::Exchange;
use crate::random_id::random_id;
use crate::registry::{Command, IssueToken};

/// How long a token is valid where nothing is said.
const COMMONLY: Duration = Duration::from_secs(90 * 86_400);

/// Bytes of an actor's name that are the token's id and the slash before it.
const ID_BYTES: usize = 37;

/// An access token that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessTokenRequest)]
pub(in crate::http::api) struct Wanted {
    /// What it is for, such as `CI of acme/app`: a line of at most 256 bytes. It is for whoever reads the list of tokens later.
    #[schema(max_length = 256)]
    #[serde(default)]
    label: String,
    /// What it may do, within what its user may: 1 to 50 scopes, whose globs have at most 4096 bytes together.
    scopes: Vec<ScopeForm>,
    /// When it ends (RFC 3339), at most `limits.token_lifetime` from now; 90 days from now if nothing is said.
    #[schema(format = DateTime)]
    expires: Option<String>,
    /// The user on whose behalf it acts; the caller if nothing is said. Somebody else only for administrators.
    subject: Option<String>,
}

/// An access token that was issued.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessTokenIssued)]
pub(super) struct Issued {
    /// What its holder is to keep. It is shown this once, and stored nowhere.
    #[schema(example = "tagstone_BwcHBwcHBwcHBwcHBwcHB6WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU0E1z2")]
    secret: String,
    #[serde(flatten)]
    token: TokenForm,
}

/// POST `/api/v1/tokens`
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "issue_access_token",
    tag = "access",
    summary = "Issue an access token, whose secret robots use as a password",
    description = "The secret is the password of its user, or of the user `$token`, with any client, and a bearer token with curl. It \
                   does what its scopes name, and of that only what its user may by the rules in force; it is never an \
                   administrator's. A user issues tokens for himself, an administrator for any user; a token issues none.",
    request_body = Wanted,
    responses(
        (status = 201, description = "The token, and its secret", body = Issued),
        (status = 400, description = "`invalid_request`: a field is not what it has to be, there is no such user, or the user has \
                                      too many tokens"),
        (status = 403, description = "`insufficient_scope`: for users who give their password only, whom some rule allows \
                                      something, and for other users only by administrators"),
        (status = 507, description = "`insufficient_storage`: the disk has no more space than is kept free"),
    ),
)]
pub(in crate::http::api) async fn issue(exchange: &Exchange<'_>, payload: Payload) -> ApiAnswer {
    let wanted: Wanted = json::read(exchange, payload).await?;
    let subject = subject(exchange, wanted.subject)?;
    let label = label(&wanted.label)?;
    let scopes = scopes(&wanted.scopes)?;
    let now = exchange.now();
    let expires = expires(wanted.expires.as_deref(), now, exchange.site.limits.token_lifetime)?;
    let (token, secret) = draw().map_err(|error| {
        tracing::error!(%error, "no secret can be drawn for an access token");
        ApiRefusal::new(ErrorType::InternalError, "no secret can be drawn for the token; nothing was issued")
    })?;
    let secret_hash = secret.hash();
    let issue = IssueToken { token, subject, scopes, secret_hash, expires, label, now };
    exchange.commit(Command::IssueToken(Box::new(issue))).await?;
    let snapshot = exchange.site.published.snapshot();
    let issued = snapshot.state.token(&token);
    let issued = issued.ok_or_else(|| ApiRefusal::new(ErrorType::InternalError, "the token left no event"))?;
    let token = TokenForm::of(exchange, token, issued);
    // Nobody on the way is to keep the secret.
    Ok(HttpResponse::Created()
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(Issued { secret: secret.text().to_owned(), token }))
}

fn draw() -> Result<(Id, Secret), getrandom::Error> {
    let id = random_id()?;
    Ok((id, Secret::draw(id)?))
}

/// Whose token it is to be.
fn subject(exchange: &Exchange<'_>, wanted: Option<String>) -> Result<String, ApiRefusal> {
    let (caller, own) = (&exchange.caller, &exchange.caller.actor().name);
    if !caller.may_do_something() {
        let what = format!("issue access tokens: no rule of access allows {own} anything that a token could be for");
        return Err(forbidden(exchange, Demand::User, &what).into());
    }
    let subject = wanted.unwrap_or_else(|| own.to_string());
    if subject != *own && !caller.is_administrator() {
        let what = "issue access tokens for others, which is for administrators";
        return Err(forbidden(exchange, Demand::User, what).into());
    }
    if !exchange.site.gate.knows_user(&subject) {
        let shown: String = subject.chars().take(80).collect();
        return Err(ApiRefusal::invalid_request(format!(
            "`subject`: {shown:?} is no user of this registry; a token acts on behalf of one in the file of users"
        )));
    }
    if subject.len() > ACTOR_NAME_BYTES - ID_BYTES {
        let most = ACTOR_NAME_BYTES - ID_BYTES;
        return Err(ApiRefusal::invalid_request(format!(
            "`subject` has more than {most} bytes, so no record could name it together with the token"
        )));
    }
    Ok(subject)
}

fn label(text: &str) -> Result<String, ApiRefusal> {
    let label = text.trim();
    if label.len() > TOKEN_LABEL_BYTES || label.chars().any(char::is_control) {
        return Err(ApiRefusal::invalid_request(format!(
            "`label` says in one line what the token is for, such as `CI of acme/app`, in at most {TOKEN_LABEL_BYTES} bytes"
        )));
    }
    Ok(label.to_owned())
}

fn scopes(wanted: &[ScopeForm]) -> Result<Vec<TokenScope>, ApiRefusal> {
    if wanted.is_empty() || wanted.len() > TOKEN_SCOPES {
        return Err(ApiRefusal::invalid_request(format!(
            "`scopes` has to name what the token may do, in 1 to {TOKEN_SCOPES} scopes, such as \
             {{\"repositories\": \"acme/**\", \"actions\": [\"pull\"]}}"
        )));
    }
    if wanted.iter().map(|scope| scope.repositories.len()).sum::<usize>() > TOKEN_GLOBS_BYTES {
        return Err(ApiRefusal::invalid_request(format!(
            "the globs of `scopes` have more than {TOKEN_GLOBS_BYTES} bytes together; name fewer repositories, or a glob for many"
        )));
    }
    let scope = |(number, scope): (usize, &ScopeForm)| {
        let wrong = |why: String| ApiRefusal::invalid_request(format!("`scopes[{number}].repositories`: {why}"));
        let glob = RepositoryGlob::parse(&scope.repositories).map_err(|error| wrong(error.to_string()))?;
        if let Some(why) = glob.why_nothing() {
            return Err(wrong(format!("no repository can be called {:?}: {why}", glob.as_str())));
        }
        if scope.actions.is_empty() {
            return Err(ApiRefusal::invalid_request(format!(
                "`scopes[{number}].actions` is empty; give some of `pull`, `push`, `delete`"
            )));
        }
        let mut actions: Vec<_> = scope.actions.iter().map(|action| Action::from(*action)).collect();
        actions.sort_unstable();
        actions.dedup();
        Ok(TokenScope { repositories: scope.repositories.clone(), actions })
    };
    wanted.iter().enumerate().map(scope).collect()
}

impl From<ActionForm> for Action {
    fn from(action: ActionForm) -> Self {
        match action {
            ActionForm::Pull => Self::Pull,
            ActionForm::Push => Self::Push,
            ActionForm::Delete => Self::Delete,
        }
    }
}

fn expires(wanted: Option<&str>, now: Timestamp, longest: Duration) -> Result<Timestamp, ApiRefusal> {
    let after = |span: Duration| Timestamp(now.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    let latest = after(longest);
    let Some(text) = wanted else { return Ok(latest.min(after(COMMONLY))) };
    let at: Timestamp = text.parse().map_err(|error| ApiRefusal::invalid_request(format!("`expires`: {error}")))?;
    if at <= now {
        return Err(ApiRefusal::invalid_request(format!("`expires` is {at}, which is over; now it is {now}")));
    }
    if at > latest {
        return Err(ApiRefusal::invalid_request(format!(
            "`expires` is {at}, but a token of this registry is valid until {latest} at most (limits.token_lifetime)"
        )));
    }
    Ok(at)
}
