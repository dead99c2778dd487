//! Which of the settings of `[limits]` has refused something; metrics count by it.

/// A limit that refuses requests. Limits that only make clients wait, or cut connections in which no request is under
/// way, are not here: nobody is refused by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `limits.manifest_bytes`
    ManifestBytes,
    /// `limits.blob_bytes`
    BlobBytes,
    /// `limits.body_idle`
    BodyIdle,
    /// `limits.body_minimum_rate`
    BodyMinimumRate,
    /// `limits.open_uploads`
    OpenUploads,
    /// `limits.client_uploads`
    ClientUploads,
    /// `limits.client_requests`
    ClientRequests,
    /// `limits.event_streams`
    EventStreams,
    /// `limits.uri_bytes`
    UriBytes,
    /// `limits.header_bytes`
    HeaderBytes,
    /// `limits.header_fields`
    HeaderFields,
    /// `limits.failed_logins`
    FailedLogins,
    /// `limits.free_disk_bytes` and `limits.free_disk_percent`
    FreeDisk,
}

impl Limit {
    /// Every limit, in the order of the declaration.
    pub const ALL: [Self; 13] = [
        Self::ManifestBytes,
        Self::BlobBytes,
        Self::BodyIdle,
        Self::BodyMinimumRate,
        Self::OpenUploads,
        Self::ClientUploads,
        Self::ClientRequests,
        Self::EventStreams,
        Self::UriBytes,
        Self::HeaderBytes,
        Self::HeaderFields,
        Self::FailedLogins,
        Self::FreeDisk,
    ];

    /// Its key in the settings.
    pub fn key(self) -> &'static str {
        match self {
            Self::ManifestBytes => "manifest_bytes",
            Self::BlobBytes => "blob_bytes",
            Self::BodyIdle => "body_idle",
            Self::BodyMinimumRate => "body_minimum_rate",
            Self::OpenUploads => "open_uploads",
            Self::ClientUploads => "client_uploads",
            Self::ClientRequests => "client_requests",
            Self::EventStreams => "event_streams",
            Self::UriBytes => "uri_bytes",
            Self::HeaderBytes => "header_bytes",
            Self::HeaderFields => "header_fields",
            Self::FailedLogins => "failed_logins",
            Self::FreeDisk => "free_disk_bytes",
        }
    }
}

impl Limit {
    /// What a client is told of a refusal, with the setting that an operator would look at.
    pub fn named_in(self, message: String) -> String {
        let key = self.key();
        if message.contains(key) { message } else { format!("{message} (`limits.{key}`)") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_limit_is_a_setting() {
        let declared = Settings::declared();
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place, "{limit:?}");
            let is_declared = declared.iter().any(|entry| entry.section == "limits" && entry.name == limit.key());
            assert!(is_declared, "there is no setting limits.{}", limit.key());
        }
    }

    #[test]
    fn a_refusal_names_its_setting_once() {
        for limit in Limit::ALL {
            let named = limit.named_in("too much".to_owned());
            assert_eq!(named, format!("too much (`limits.{}`)", limit.key()));
            assert_eq!(limit.named_in(named.clone()), named);
        }
    }
}
