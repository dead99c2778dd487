//! Every limit on what can be recorded, each with its reason. Limits on requests are settings of the server.

/// Characters of a repository name. Clients and file systems assume 255 (distribution-spec: "registry hostname and
/// name together" below 256); longer names are refused before anything is stored.
pub const REPOSITORY_NAME_BYTES: usize = 255;

/// Characters of a tag (distribution-spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
pub const TAG_BYTES: usize = 128;

/// Characters of a media type (RFC 6838 allows 127 on each side of the slash).
pub const MEDIA_TYPE_BYTES: usize = 255;

/// Bytes of an encoded record.
///
/// Large enough for one manifest with 1,000 distinct SHA-512 references (64,000 bytes) pushed under ten tags of
/// full length in a repository of full length. Small enough that a reader can hold any record on its stack or in one
/// network read, and that more than 50 of them fit into an answer of the raw log.
pub const RECORD_BYTES: usize = 72 * 1024;

/// Distinct references of one manifest that always fit into a record, whatever their algorithm.
pub const MANIFEST_REFERENCES: usize = 1_000;

/// Tags that one push of a manifest may name: the specification asks for at least 10; more than this is a mistake
/// of a script, and would let one request lock the writer for long.
pub const TAGS_PER_PUSH: usize = 64;

/// Characters of an immutability or prune pattern (the limit of Quay, whose scripts are to work).
pub const PATTERN_CHARS: usize = 256;

/// Bytes of a reason given for an erasure or a purge: a sentence with a ticket number, not a document.
pub const REASON_BYTES: usize = 1_024;

/// Bytes of the user agent kept with a record; the rest is cut off. It is a hint, chosen by the client.
pub const USER_AGENT_BYTES: usize = 256;

/// Bytes of an actor's name; longer ones are refused where users are read.
pub const ACTOR_NAME_BYTES: usize = 255;

/// Scopes of an access token: a token is for one task, and all scopes together have to fit into a record.
pub const TOKEN_SCOPES: usize = 50;

/// Bytes of the glob of one scope; no name of a repository needs more.
pub const TOKEN_GLOB_BYTES: usize = 512;

/// Bytes of the label of an access token: what it is for, in a line.
pub const TOKEN_LABEL_BYTES: usize = 256;

/// Bytes of the globs of one access token together. The state keeps the scopes of every token that was ever issued.
pub const TOKEN_GLOBS_BYTES: usize = 4 * 1_024;

/// Access tokens of one user that count at once: those that are valid, and those of the last [`TOKEN_COUNTS_MICROS`]. One for each
/// job of a busy CI is possible; beyond this a script has run away.
pub const TOKENS_PER_USER: usize = 1_000;

/// How long an access token counts from its issue on, in microseconds, although it has expired or was revoked: 24 hours. What is
/// recorded stays, so a loop that issues and revokes, or issues what ends at once, would grow the log and the state for ever.
pub const TOKEN_COUNTS_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// Entries of one record of refused attempts; the rest is counted (an attack must not flood the log).
pub const REFUSAL_ENTRIES: usize = 100;

/// Policies that are active or drafts. All that hold for a tag are judged in one pass, and each is a decision that
/// somebody has to understand; beyond this a script has run away.
pub const POLICIES: usize = 10_000;
