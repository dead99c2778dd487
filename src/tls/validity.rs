//! From when to when a certificate is valid.
//!
//! The server shows a certificate that has expired all the same: that clients refuse it is for them to say, and to stop
//! serving would help nobody. But it says so.

use rustls::pki_types::CertificateDer;
use tagstone_schema::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

/// How long before its end a certificate should have been replaced, in seconds.
const SOON: i64 = 14 * 24 * 3600;

/// What a certificate says about itself, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// From when on.
    pub(super) from: i64,
    /// Until when.
    pub(super) until: i64,
    /// Whether it is of the first version of X.509, which TLS does not take.
    pub(super) is_ancient: bool,
}

impl Validity {
    /// Reads it; nothing where the bytes are none that can be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(certificate).ok()?;
        let validity = read.validity();
        Some(Self {
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
            is_ancient: read.version() == X509Version::V1,
        })
    }

    /// What somebody should look at, at the moment `now`.
    pub(super) fn worry(&self, now: i64) -> Option<String> {
        let moment = |seconds: i64| Timestamp(seconds.saturating_mul(1_000_000));
        let (from, until) = (moment(self.from), moment(self.until));
        if now < self.from {
            Some(format!("it is not valid before {from}, and clients refuse it until then"))
        } else if now > self.until {
            Some(format!("it has expired at {until}, and clients refuse it"))
        } else if self.until.saturating_sub(now) < SOON {
            Some(format!("it expires at {until}"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_should_look_at() {
        let validity = Validity { from: 1_000, until: 10_000_000, is_ancient: false };
        for (now, said) in [
            (999, Some("it is not valid before 1970-01-01T00:16:40.000000Z")),
            (1_000, None),
            (10_000_000 - SOON, None),
            (10_000_001 - SOON, Some("it expires at 1970-04-26T17:46:40.000000Z")),
            (10_000_000, Some("it expires at")),
            (10_000_001, Some("it has expired at 1970-04-26T17:46:40.000000Z")),
        ] {
            let worry = validity.worry(now);
            assert_eq!(worry.is_some(), said.is_some(), "{now}: {worry:?}");
            assert!(worry.unwrap_or_default().starts_with(said.unwrap_or_default()), "{now}");
        }
        assert_eq!(Validity::of(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
