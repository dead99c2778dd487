//! The `tagstone` command.

fn main() {}
