//! Questions, each with the answer that the account knows.

mod door;
mod events;
mod filter;
mod logs;
mod now;
mod past;
mod same;
mod state;
mod tags;
mod why;

pub(crate) use door::Door;
pub(crate) use events::{assert_events, stream};
pub(crate) use filter::Filter;
pub(crate) use now::{head, of_now};
pub(crate) use same::{assert_same, assert_same_set, assert_within};
pub(crate) use state::state;
pub(crate) use why::{sorted, why};
