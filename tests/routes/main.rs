//! Every route of the registry as tables: request, and the status, headers and body of its answer. All of it in
//! process, against the real store in a temporary directory.
//!
//! Whatever a table says, [`registry::Registry::send`] checks for every answer what holds for all of them: a request
//! id; and for every refusal the form of the error, and that head, fingerprint and open uploads are as before.

mod case;
mod guarded;
mod happenings;
#[path = "../support/issuer.rs"]
mod issuer;
mod live;
mod policy;
#[allow(dead_code, reason = "`tests/history` uses the rest of it")]
mod registry;
mod reply;
mod request;
mod samples;

mod access_bearer;
mod access_blind;
mod access_denials;
mod access_filters;
mod access_login_tokens;
mod access_logins;
mod access_matrix;
mod access_tokens;
mod api_collection;
mod api_collection_races;
mod api_document;
mod api_errors;
mod api_event_catch_up;
mod api_event_stream;
mod api_events;
mod api_log_head;
mod api_log_records;
mod api_logs;
mod api_policies;
mod api_policy_conflicts;
mod api_policy_races;
mod api_preview;
mod api_prune_policies;
mod api_prune_run;
mod api_purge;
mod api_purge_kept;
mod api_purge_left_behind;
mod api_refusals;
mod api_removal_gone_clients;
mod api_removal_promises;
mod api_removal_reservations;
mod api_tag;
mod api_tag_erasure;
mod api_tag_expiry;
mod api_tag_list;
mod api_tag_put;
mod api_tag_why;
mod api_tags_deletion;
mod as_of;
mod as_of_gone;
mod as_of_points;
mod as_of_purged;
mod as_of_random;
mod base;
mod blobs;
mod body_limits;
mod browsers;
mod client_limits;
mod conditions;
mod expiry;
mod full_disk;
mod immutability;
mod lists;
mod manifest_invalid;
mod manifest_push;
mod manifest_size;
mod manifests;
mod methods;
mod mounts;
mod names;
mod origins;
mod read_only;
mod recovery;
mod referrers;
mod sessions;
mod tag_history;
mod uploads;
