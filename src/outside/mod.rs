//! Every parser of bytes that come from outside: from the network, from files that anybody may have written, from settings.
//!
//! Each has a target, which feeds it bytes and checks what has to hold of whatever they are: that it returns, and that what it
//! accepts is what it writes again. The fuzzer in `fuzz/` and the test in `tests/outside` run the same targets. The server never
//! does.
//!
//! **Invariant**: a new parser of bytes from outside gets a target here, and seeds in `fuzz/corpus`.

mod formats;
mod log_file;
mod texts;

use crate::http::outside as http;

/// A parser, by the name of its target.
pub struct Target {
    /// Also the name of its directory of seeds.
    pub name: &'static str,
    /// Feeds it some bytes. It panics where the parser does not do what it should.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "record", run: formats::record },
    Target { name: "fragment", run: formats::fragment },
    Target { name: "export", run: formats::export },
    Target { name: "snapshot", run: formats::snapshot },
    Target { name: "index_run", run: formats::index_run },
    Target { name: "segment", run: formats::segment },
    Target { name: "sidecar", run: formats::sidecar },
    Target { name: "anchor", run: formats::anchor },
    Target { name: "log_file", run: log_file::log_file },
    Target { name: "manifest", run: texts::manifest },
    Target { name: "names", run: texts::names },
    Target { name: "pattern", run: texts::pattern },
    Target { name: "glob", run: texts::glob },
    Target { name: "settings", run: texts::settings },
    Target { name: "htpasswd", run: texts::htpasswd },
    Target { name: "credentials", run: texts::credentials },
    Target { name: "bearer", run: texts::bearer },
    Target { name: "audit_filter", run: texts::audit_filter },
    Target { name: "path", run: http::path },
    Target { name: "range", run: http::range },
    Target { name: "query", run: http::query },
    Target { name: "forwarded", run: http::forwarded },
    Target { name: "headers", run: http::headers },
    Target { name: "json_body", run: http::json_body },
];

/// Feeds bytes to the target of this name.
///
/// # Panics
/// Where there is no such target, and where the parser does not do what it should.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).run)(bytes);
}
