//! Targets (see [`crate::outside`]) for credentials.

use std::collections::BTreeSet;
use std::path::Path;

use tagstone_schema::Timestamp;

use super::basic::Given;
use super::issuer::{Issuer, Keys};
use super::login_tokens::LoginTokens;
use super::secret::ShownSecret;

/// The value of an `Authorization` header, and what may be in it.
pub(crate) fn credentials(authorization: &[u8]) {
    match Given::read(authorization) {
        Ok(Given::Password(given)) => {
            assert!(!given.user.contains(':'), "a name may not have a colon");
            assert!(!given.user.is_empty() || !given.password.is_empty(), "nobody has given something");
            let _ = ShownSecret::read(&given.password);
        }
        Ok(Given::Bearer(token)) => {
            let _ = ShownSecret::read(token);
            let tokens = LoginTokens::new().ok();
            assert!(tokens.is_none_or(|tokens| tokens.read(token, Timestamp(0)).is_none()), "a forged token is taken");
        }
        Ok(Given::Nothing) | Err(_) => {}
    }
}

/// A file of the keys of an issuer, and a token of his. Nobody can know a key that signs for one of the seeds.
pub(crate) fn bearer(keys: &Path, token: &str) {
    let Ok(keys) = Keys::read(keys) else { return };
    let (realm, service, name) = ("https://issuer.example/token", "tagstone", "issuer.example");
    let issuer = Issuer::new(realm.to_owned(), service.to_owned(), name.to_owned(), BTreeSet::new(), keys);
    let _ = issuer.admit(token);
}
