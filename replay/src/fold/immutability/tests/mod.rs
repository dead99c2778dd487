//! The rules of immutability: told one by one, and compared with a model that only scans history.

mod naive;
mod property;
mod rules;
