//! The canonical text of the model, written from the format's document.

use std::fmt::{Display, Write};

use tagstone_schema::policy::Pattern;
use tagstone_schema::{Digest, Id};

use super::{Model, Shelf};

impl Model {
    /// BLAKE3 over the canonical text, as the format's document has it.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = format!("tagstone state 2\nlog {}\n", Id([1; 16]));
        for (name, shelf) in &self.world.shelves {
            writeln!(text, "repository {name}").unwrap();
            shelf.write(&mut text);
        }
        for (id, policy) in &self.world.policies {
            let (status, created, activated) = (policy.status(), policy.created, or_dash(policy.activated));
            let (in_force, retired) = (or_dash(policy.in_force), or_dash(policy.retired));
            let definition = serde_json::to_string(&(&policy.scope, &policy.rule)).unwrap();
            writeln!(text, "policy {id} {status} {created} {activated} {in_force} {retired} {definition}").unwrap();
        }
        for ((scope, regex, matches, include_referrer_tags), until) in &self.world.ended {
            let pattern = Pattern { regex: regex.clone(), matches: *matches };
            let definition = serde_json::to_string(&(scope, pattern, include_referrer_tags)).unwrap();
            writeln!(text, "ended {until} {definition}").unwrap();
        }
        for ((repository, tag), (only, removed)) in &self.world.spent {
            writeln!(text, "spent {repository} {tag} {only} {removed}").unwrap();
        }
        blake3::hash(text.as_bytes()).to_string()
    }
}

impl Shelf {
    fn write(&self, text: &mut String) {
        for (digest, size) in &self.blobs {
            writeln!(text, "blob {digest} {size}").unwrap();
        }
        for (digest, (image, pushed)) in &self.manifests {
            writeln!(text, "manifest {digest} {} {} - - {pushed}", image.size, image.media_type).unwrap();
            let mut references: Vec<_> = image.references.iter().map(Digest::to_string).collect();
            references.sort();
            for reference in references {
                writeln!(text, "reference {reference}").unwrap();
            }
        }
        for (tag, sign) in &self.tags {
            let (locked, expires, before) = (or_dash(sign.locked), or_dash(sign.expires), or_dash(sign.before.clone()));
            writeln!(text, "tag {tag} {} {} {locked} {expires} {before}", sign.digest, sign.since).unwrap();
        }
    }
}

fn or_dash(field: Option<impl Display>) -> String {
    field.map_or_else(|| "-".to_owned(), |field| field.to_string())
}
