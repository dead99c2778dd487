//! Lists of tags and repositories.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::{Map, json};
use tagstone_replay::audit::past::Question;
use tagstone_schema::event::Action;

use super::asked::Asked;
use super::exchange::{Answer, Exchange};
use super::manifests::live;
use super::page::{Page, link_next};

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

#[derive(Serialize)]
struct Catalog<'a> {
    repositories: Vec<&'a str>,
}

/// GET `/v2/<name>/tags/list`: tags in byte order.
pub(super) async fn tags(exchange: &Exchange<'_>, name: &str) -> Answer {
    let asked = Asked::of(exchange, name).await?;
    let page = Page::of(&exchange.query(), exchange.site.limits.page_entries)?;
    let state = asked.state(exchange, || Question::Tags).await?;
    let live = live(&state, &asked)?;
    let entries = live.tags_after(page.last.as_deref()).map(|(tag, _)| tag.as_str());
    let (tags, more) = page.take(entries);
    let mut response = HttpResponse::Ok();
    if let (true, Some(last)) = (more, tags.last()) {
        link_next(&mut response, &format!("/v2/{name}/tags/list"), page.size, last, &[]);
    }
    Ok(response.json(TagList { name, tags }))
}

/// GET `/v2/_catalog`: repositories in byte order.
pub(super) fn catalog(exchange: &Exchange<'_>) -> Answer {
    let page = Page::of(&exchange.query(), exchange.site.limits.page_entries)?;
    let snapshot = exchange.site.published.load();
    let names = snapshot.state.repositories_after(page.last.as_deref()).map(|(name, _)| name.as_str());
    let caller = &exchange.caller;
    let entries = names.filter(|name| caller.sees_catalog() || caller.may(Action::Pull, name));
    let (repositories, more) = page.take(entries);
    let mut response = HttpResponse::Ok();
    if let (true, Some(last)) = (more, repositories.last()) {
        link_next(&mut response, "/v2/_catalog", page.size, last, &[]);
    }
    Ok(response.json(Catalog { repositories }))
}

/// GET `/v2/<name>/_tagstone/tags`: tags with what each points at and how it is protected.
pub(super) async fn table(exchange: &Exchange<'_>, name: &str) -> Answer {
    let asked = Asked::of(exchange, name).await?;
    let page = Page::of(&exchange.query(), exchange.site.limits.page_entries)?;
    let state = asked.state(exchange, || Question::Tags).await?;
    let live = live(&state, &asked)?;
    let (entries, more) = page.take(live.tags_after(page.last.as_deref()));
    let mut tags = Map::new();
    for &(tag, standing) in &entries {
        let manifest = standing.manifest();
        let mut entry = json!({
            "mediaType": manifest.media_type(),
            "digest": manifest.digest,
            "size": manifest.size,
            "immutable": live.protection.protects(tag, standing),
            "locked": standing.locked().is_some(),
            "since": standing.since().time.to_string(),
        });
        if let Some(expires) = standing.expires() {
            entry["expires"] = json!(expires.to_string());
            entry["outlivesExpiry"] = json!(live.outlives_expiry(standing));
        }
        tags.insert(tag.as_str().to_owned(), entry);
    }
    let mut response = HttpResponse::Ok();
    if let (true, Some((last, _))) = (more, entries.last()) {
        link_next(&mut response, &format!("/v2/{name}/_tagstone/tags"), page.size, last.as_str(), &[]);
    }
    Ok(response.json(json!({"name": name, "tags": tags})))
}
