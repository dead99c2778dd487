//! Small blobs that arrive whole: the request that opens the upload closes it too, and no file is written.

use tagstone_replay::content::hash_of;
use tagstone_schema::Digest;

use super::session::FinishError;

/// Checks that `bytes` hash to the digest that the client named. The caller then gives them to the writer.
pub fn verify(bytes: &[u8], expected: &Digest) -> Result<(), FinishError> {
    let actual = hash_of(expected.algorithm(), bytes);
    if actual == *expected { Ok(()) } else { Err(FinishError::DigestMismatch { expected: expected.clone(), actual }) }
}

#[cfg(test)]
mod tests {
    use tagstone_schema::Algorithm;

    use super::*;

    #[test]
    fn bytes_are_compared_in_the_algorithm_of_the_digest() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = hash_of(algorithm, b"small");
            verify(b"small", &digest).unwrap();
            let error = verify(b"other", &digest).unwrap_err();
            assert!(matches!(&error, FinishError::DigestMismatch { expected, .. } if *expected == digest));
            assert!(error.to_string().contains(&digest.to_string()));
        }
    }
}
