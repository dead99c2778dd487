//! Extensions: what this registry has beyond the specification, told in the ways that clients ask.

use actix_web::HttpResponse;
use serde_json::{Value, json};
use tagstone_replay::audit::past::Question;

use super::asked::Asked;
use super::exchange::{Answer, Exchange};
use super::manifests::known;

/// GET `/v2/_extensions/list`. Both spellings of the prefix are in use.
pub(super) fn list() -> Answer {
    Ok(HttpResponse::Ok().json(json!({
        "org.opencontainers.distribution-spec/immutable-tags": true,
        "org.opencontainerd.distribution-spec/immutable-tags": true,
    })))
}

/// GET `/v2/_oci/ext/discover` and `/v2/<name>/_oci/ext/discover` (distribution-spec, extensions/_oci.md)
pub(super) async fn discover(exchange: &Exchange<'_>, name: Option<&str>) -> Answer {
    let (about, prefix) = match name {
        None => (registry_wide(), String::new()),
        Some(name) => {
            let asked = Asked::of(exchange, name).await?;
            known(&*asked.state(exchange, || Question::Existence).await?, &asked)?;
            (of_repository(), format!("{name}/"))
        }
    };
    let extensions: Vec<_> = about
        .into_iter()
        .map(|(extension, description, endpoints)| {
            let endpoints: Vec<_> = endpoints.iter().map(|endpoint| format!("/v2/{prefix}{endpoint}")).collect();
            json!({"name": extension, "url": ABOUT, "description": description, "endpoints": endpoints})
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({"extensions": Value::Array(extensions)})))
}

/// Where the extensions are described.
const ABOUT: &str = "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md";

type About = Vec<(&'static str, &'static str, &'static [&'static str])>;

fn registry_wide() -> About {
    vec![
        (
            "_oci",
            "Discovery of extensions, and the history of tags, also of those that are gone",
            &["_oci/ext/discover", "<name>/_oci/tag-history/<tag>"],
        ),
        ("_extensions", "Features of this registry by name", &["_extensions/list"]),
    ]
}

fn of_repository() -> About {
    vec![
        ("_oci", "Discovery of extensions, and the history of tags", &["_oci/ext/discover", "_oci/tag-history/<tag>"]),
        ("_tagstone", "Tags with digest, size, age and protection", &["_tagstone/tags"]),
    ]
}
