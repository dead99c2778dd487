//! `[auth.bearer]`: tokens of an outside issuer.

use std::path::PathBuf;

use super::form::{Form, OptionalFile, quoted};
use super::given::Given;
use super::lists::{ListOf, UserName};
use super::reader::Section;

/// An outside issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Where clients ask for tokens.
    pub realm: String,
    /// What tokens call this registry.
    pub service: String,
    /// What tokens call the issuer.
    pub issuer: String,
    /// The public keys by which tokens are verified.
    pub jwks: PathBuf,
    /// Subjects of tokens who may do everything.
    pub admins: Vec<String>,
}

impl Bearer {
    pub(super) fn gather(section: &mut Section<'_>) -> Option<Self> {
        let realm = section.take("realm", String::new(), &Address);
        let service = section.take("service", String::new(), &Name);
        let issuer = section.take("issuer", String::new(), &Name);
        let jwks = section.take_path("jwks", &OptionalFile);
        let admins = section.take("admins", Vec::new(), &ListOf(UserName, "names of users"));
        let are_there = [!realm.is_empty(), !service.is_empty(), !issuer.is_empty(), jwks.is_some()];
        // A server without one of them would let in others than its file looks like.
        const ALL: &str = "auth.bearer needs all of `realm`, `service`, `issuer` and `jwks`";
        if let (true, Some(jwks)) = (are_there.iter().all(|there| *there), jwks) {
            return Some(Self { realm, service, issuer, jwks, admins });
        }
        if are_there.contains(&true) {
            let names = ["realm", "service", "issuer", "jwks"];
            let first = names.into_iter().zip(are_there).find(|(_, there)| *there).map_or("realm", |(name, _)| name);
            section.refuse(first, ALL);
        } else if !admins.is_empty() {
            section.refuse("admins", ALL);
        } else if let Some(place) = section.without("realm") {
            section.note(place, ALL);
        }
        None
    }
}

/// The address of a token server. What stands there is sent in a header, between quotes.
struct Address;

impl Form for Address {
    type Value = String;

    fn read(&self, given: &Given) -> Option<String> {
        let text = Name.read(given)?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        // Everybody who asks is told it.
        (text.is_empty() || host.is_some_and(|host| !host.is_empty() && !host.contains('@'))).then_some(text)
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn takes(&self) -> String {
        "a URL that begins with https:// or http:// and has no user name or password in it, since every client is told it".to_owned()
    }
}

/// What issuers and services call each other.
struct Name;

impl Form for Name {
    type Value = String;

    fn read(&self, given: &Given) -> Option<String> {
        let text = given.text()?;
        let is_name =
            text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        is_name.then(|| text.to_owned())
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn takes(&self) -> String {
        "a text of ASCII characters, without spaces and quotes".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names() {
        let text = |text: &str| Given::Text(text.to_owned());
        for address in ["", "https://auth.example/token", "http://127.0.0.1:1/x?y=z"] {
            assert_eq!(Address.read(&text(address)).as_deref(), Some(address));
        }
        for wrong in
            ["auth.example", "ftp://x", "https://", "https:///token", "https://a\"b", "https://a b", "https://ä"]
        {
            assert_eq!(Address.read(&text(wrong)), None, "{wrong}");
        }
        for name in ["", "tagstone", "https://auth.example/", "a:b"] {
            assert_eq!(Name.read(&text(name)).as_deref(), Some(name));
        }
        for wrong in ["a b", "a\"", "a\\", "ä", "a\n", &"a".repeat(1025)] {
            assert_eq!(Name.read(&text(wrong)), None, "{wrong}");
        }
    }
}
