//! How signatures of tokens are verified: by ring, which TLS uses as well, so that the program has one library for cryptography.
//!
//! jsonwebtoken leaves this to whoever uses it. Nothing is ever signed here.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unsupported()),
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

/// Makes signatures verifiable, before the first one is.
pub(super) fn install() {
    // A second call finds the same provider in its place.
    let _ = PROVIDER.install_default();
}

/// What verifies the signatures of one key.
struct OfKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(OfKey { algorithm: *algorithm, key: key.clone() }))
}

impl JwtVerifier for OfKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for OfKey {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> Result<(), signature::Error> {
        let wrong = |_| signature::Error::new();
        let curve: &'static dyn VerificationAlgorithm = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                let key = RsaPublicKeyComponents { n, e };
                return key.verify(&RSA_PKCS1_2048_8192_SHA256, message, given).map_err(wrong);
            }
            (Algorithm::ES256, _) => &ECDSA_P256_SHA256_FIXED,
            (Algorithm::ES384, _) => &ECDSA_P384_SHA384_FIXED,
            (Algorithm::EdDSA, _) => &ED25519,
            // No key is ever read for another one.
            _ => return Err(signature::Error::new()),
        };
        let DecodingKeyKind::SecretOrDer(key) = self.key.kind() else { return Err(signature::Error::new()) };
        UnparsedPublicKey::new(curve, key).verify(message, given).map_err(wrong)
    }
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    /// Made by openssl: a modulus, and the signature of `a message` (RSASSA-PKCS1-v1_5, SHA-256).
    const MODULUS: &str = "n8Oy-DMGG1MafskEu8Oyv0g9_7iM_QKuPF6MAof3f0oRlf9k-0rFhOniJ4u6uXtEwU6Oncdak-xo18ivLwVsatJJaH6Uxm9_YBw2ffJNSldpKlMdR1W6NJ98tKE-4NOmj81Fbj3UhvxogFTcLvs_fJgEIRb8MN3dpIT-zF_xhCDaR8Dt0bxhXdQU0DVS7vuAJUo9h2BrGw9eaX5PGHVIH5XaC22TlBSwfywdG_l8IzuPYlqG1bvtZqvj_rW2o_fjPQwwX7qwIsEUGS1oUKfjLAg3qvcSoEy6quk-kVBNLsNHfrgyD8xUZASKNi6Yy7rhgF-owMC--GJmBYaU9OgDsQ";
    const SIGNATURE: &str = "a-3cKYe6UoaO2FkNRVGbfxlkUaGBZJuo30y_e7WskpoDOe2wld8vzNneQYF-sPZdJ9Yzx0s_aIgVJgmvWU9GKb4PM6JcGBMupDI4KIQtvIvo5I5kDRFwH1LnBJvJzLffzyieEks8HDQwr6_oQOPaWCTGpLbBcabs5FXND27uo_qaS2zCPXlP6PpUAPA8Kw1UvbC1TqNim4xNp_SSny2xELvboiq6BD82wi1bRRcynTvHmzbakIWwqWZcbTAd-tMhno-UX8WjWHUlLiB5vGrK0-Sow3FXUh9WZPtfPFaZZIr42t-WqQ7LSs-oiEz9qPBtaXyaKG5uTS2oilnGWXAL7w";

    fn decoded(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn verifies(algorithm: Algorithm, key: &DecodingKey, message: &[u8], signature: &[u8]) -> bool {
        verifier(&algorithm, key).is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }

    #[test]
    fn rsa_as_openssl_signs() {
        let (key, signature) = (DecodingKey::from_rsa_components(MODULUS, "AQAB").unwrap(), decoded(SIGNATURE));
        assert!(verifies(Algorithm::RS256, &key, b"a message", &signature));
        let mut other = signature.clone();
        other[100] ^= 1;
        assert!(!verifies(Algorithm::RS256, &key, b"a message", &other));
        assert!(!verifies(Algorithm::RS256, &key, b"another message", &signature));
        assert!(!verifies(Algorithm::RS256, &key, b"a message", &[]));
        // A key verifies nothing but what it is for, though the library knows more.
        for algorithm in [Algorithm::RS512, Algorithm::PS256, Algorithm::HS256, Algorithm::ES256] {
            assert!(!verifies(algorithm, &key, b"a message", &signature), "{algorithm:?}");
        }
    }

    #[test]
    fn the_larger_curve() {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pair.as_ref(), &random).unwrap();
        let key = DecodingKey::from_ec_der(pair.public_key().as_ref());
        let signature = pair.sign(&random, b"a message").unwrap();
        assert!(verifies(Algorithm::ES384, &key, b"a message", signature.as_ref()));
        assert!(!verifies(Algorithm::ES384, &key, b"another message", signature.as_ref()));
        assert!(!verifies(Algorithm::ES256, &key, b"a message", signature.as_ref()));
    }
}
