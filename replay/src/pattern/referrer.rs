//! Tags that exist for referrers.

use tagstone_schema::{Algorithm, Digest};

/// What follows the digits in such a tag.
const ENDINGS: [&str; 4] = ["", ".sig", ".att", ".sbom"];

/// Whether the tag has the form under which clients store what belongs to an image where a registry has no referrers
/// (distribution-spec, "Referrers Tag Schema"; cosign): `sha256-` and 64 digits of lower-case hex, alone or followed by
/// `.sig`, `.att` or `.sbom`.
pub fn is_referrer_tag(tag: &str) -> bool {
    let Some((digits, ending)) = tag.strip_prefix("sha256-").and_then(|rest| rest.split_at_checked(64)) else {
        return false;
    };
    digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && ENDINGS.contains(&ending)
}

/// The tags that may exist for the referrers of a manifest; none for a digest that the form has no place for.
pub fn referrer_tags(subject: &Digest) -> Vec<String> {
    if subject.algorithm() != Algorithm::Sha256 {
        return Vec::new();
    }
    let stem = subject.to_string().replacen(':', "-", 1);
    ENDINGS.iter().map(|ending| format!("{stem}{ending}")).collect()
}
