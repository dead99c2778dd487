//! The index against a list of all events.
