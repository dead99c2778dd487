//! Panics: sled's, which are expected on damaged files, and our own, which are bugs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs the program. sled panics on damaged files; each such panic is caught where sled is called and becomes part of
/// the report, so nothing is printed when it happens. A panic that nobody caught is a bug, and is reported as one.
pub(super) fn reported(program: impl FnOnce() -> ExitCode) -> ExitCode {
    let last = Arc::new(Mutex::new(String::new()));
    let heard = last.clone();
    std::panic::set_hook(Box::new(move |panic| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    catch_unwind(AssertUnwindSafe(program)).unwrap_or_else(|_| {
        let what = last.lock().unwrap_or_else(PoisonError::into_inner);
        eprintln!("tagstone-replay: this is a bug in tagstone-replay, please report it: {what}");
        ExitCode::from(2)
    })
}
