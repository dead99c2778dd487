//! Tags that exist for referrers.

/// Whether the tag has the form under which clients store what belongs to an image where a registry has no referrers
/// (distribution-spec, "Referrers Tag Schema"; cosign): `sha256-` and 64 digits of lower-case hex, alone or followed by
/// `.sig`, `.att` or `.sbom`.
pub fn is_referrer_tag(tag: &str) -> bool {
    let Some((digits, ending)) = tag.strip_prefix("sha256-").and_then(|rest| rest.split_at_checked(64)) else {
        return false;
    };
    digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && matches!(ending, "" | ".sig" | ".att" | ".sbom")
}
