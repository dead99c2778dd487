//! What pages of other sites make browsers send, and what clients of registries send.

use crate::case::{Answer, case, ok, refused};
use crate::guarded::guarded;
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, patch, post, put};
use crate::samples::{REPO, push_named};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const DOCKER: &str =
    "docker/28.0 go/go1.24 git-commit/1 kernel/6.1 os/linux arch/amd64 UpstreamClient(Docker-Client/28.0)";

/// A request with these header lines.
fn with(request: Request, lines: &[(&str, &str)]) -> Request {
    lines.iter().fold(request, |request, (name, value)| request.with(name, value))
}

fn start(lines: &[(&str, &str)]) -> Request {
    with(post(format!("/v2/{REPO}/blobs/uploads/")), lines)
}

fn look(lines: &[(&str, &str)]) -> Request {
    with(get("/v2/_catalog"), lines)
}

fn from_elsewhere() -> Answer {
    refused(403, "DENIED", "a browser sends this from another site")
}

fn unknown_name() -> Answer {
    refused(403, "DENIED", "a name that anybody may have made").says("http.hosts")
}

#[test]
fn what_changes_something_is_not_for_other_sites() {
    run(async {
        for registry in [Registry::start().await, guarded(|_| {}).await] {
            registry.log_in("root");
            if registry.check(get("/api/v1/whoami"), ok(200)).await.json()["actor"]["kind"] == "anonymous" {
                registry.log_out();
            }
            let host = ("host", "127.0.0.1:5000");
            registry
                .check_all([
                    // A page elsewhere, with fetch or a form, in browsers new and old.
                    case(
                        start(&[host, ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]),
                        from_elsewhere(),
                    ),
                    case(start(&[host, ("sec-fetch-site", "cross-site")]), from_elsewhere()),
                    case(
                        start(&[host, ("origin", "https://evil.example")]),
                        from_elsewhere().says("https://evil.example"),
                    ),
                    // A page on the same machine, at another port, is another site.
                    case(
                        start(&[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8080")]),
                        from_elsewhere(),
                    ),
                    case(start(&[host, ("origin", "http://127.0.0.1:8080")]), from_elsewhere()),
                    case(start(&[host, ("origin", "http://localhost:5000")]), from_elsewhere()),
                    case(start(&[host, ("origin", "http://127.0.0.1:5000.evil.example")]), from_elsewhere()),
                    // A page in a sandboxed frame, and values that no browser sends.
                    case(start(&[host, ("origin", "null")]), from_elsewhere()),
                    case(start(&[host, ("origin", "")]), from_elsewhere()),
                    case(start(&[host, ("sec-fetch-site", "")]), from_elsewhere()),
                    case(start(&[host, ("sec-fetch-site", "none, cross-site")]), from_elsewhere()),
                    case(
                        start(&[host, ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")]),
                        from_elsewhere(),
                    ),
                    case(
                        start(&[host, ("origin", "http://127.0.0.1:5000"), ("origin", "https://evil.example")]),
                        from_elsewhere(),
                    ),
                    // The registry's own pages, and what a user has asked for.
                    case(
                        start(&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:5000")]),
                        ok(202),
                    ),
                    case(start(&[host, ("sec-fetch-site", "none")]), ok(202)),
                    case(start(&[host, ("origin", "http://127.0.0.1:5000")]), ok(202)),
                    // Clients of registries.
                    case(start(&[host, ("user-agent", DOCKER)]), ok(202)),
                    case(start(&[("host", "registry.example"), ("user-agent", DOCKER)]), ok(202)),
                    case(start(&[]), ok(202)),
                ])
                .await;
        }
    });
}

#[test]
fn every_method_that_changes_something_is_looked_at() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let evil = |request: Request| with(request, &[("host", "localhost:5000"), ("origin", "https://evil.example")]);
        let manifest = || format!("/v2/{REPO}/manifests/v1");
        let of_api = || refused(403, "insufficient_scope", "from another site");
        registry
            .check_all([
                case(evil(put(manifest()).body("{}")), from_elsewhere()),
                case(evil(patch(format!("/v2/{REPO}/blobs/uploads/1"))), from_elsewhere()),
                case(evil(delete(manifest())), from_elsewhere()),
                case(evil(post(format!("/api/v1/repository/{REPO}/tags/delete")).body(r#"{"tags":["v1"]}"#)), of_api()),
                case(evil(post(format!("/api/v1/repository/{REPO}/tag/v1/erase")).body(r#"{"reason":"x"}"#)), of_api()),
                case(evil(post("/api/v1/registry/immutabilitypolicy/").body(r#"{"tagPattern":"x"}"#)), of_api()),
                case(evil(delete(format!("/api/v1/repository/{REPO}"))), of_api()),
                // What only reads can be sent, and not be read there: nothing says that it may be.
                case(evil(get(manifest())), ok(200).without("access-control-allow-origin")),
            ])
            .await;
    });
}

#[test]
fn a_name_that_anybody_may_have_made_is_not_ours() {
    run(async {
        let registry = Registry::with(|settings| settings.http.hosts = vec!["registry.example".to_owned()]).await;
        let rebound = ("host", "evil.example:5000");
        let page = ("user-agent", FIREFOX);
        registry
            .check_all([
                // After the name was pointed here, the page counts as of the same origin.
                case(start(&[rebound, page, ("origin", "http://evil.example:5000")]), unknown_name()),
                case(start(&[rebound, page, ("sec-fetch-site", "same-origin")]), unknown_name()),
                case(look(&[rebound, page]), unknown_name()),
                case(look(&[rebound, ("origin", "http://evil.example:5000")]), unknown_name()),
                case(look(&[rebound, ("sec-fetch-site", "same-origin")]), unknown_name()),
                case(look(&[page]), unknown_name()),
                // Names that nobody else can have made.
                case(look(&[("host", "localhost:5000"), page]), ok(200)),
                case(look(&[("host", "127.0.0.1:5000"), page]), ok(200)),
                case(look(&[("host", "[::1]:5000"), page]), ok(200)),
                case(look(&[("host", "192.0.2.1"), page]), ok(200)),
                case(look(&[("host", "registry.example"), page]), ok(200)),
                case(start(&[("host", "registry.example"), page, ("origin", "http://registry.example")]), ok(202)),
                // Clients of registries use whatever name they were given, such as one of a container.
                case(look(&[("host", "registry:5000"), ("user-agent", DOCKER)]), ok(200)),
                case(start(&[("host", "registry:5000"), ("user-agent", DOCKER)]), ok(202)),
            ])
            .await;
        for probe in ["/healthz", "/readyz", "/metrics"] {
            registry.check(with(get(probe), &[rebound, page]), ok(200)).await;
        }
        // Where one has to log in, a browser keeps the credentials for the name that they were given for.
        let guarded = guarded(|_| {}).await;
        guarded.log_in("root");
        guarded.check(look(&[rebound, page]), ok(200)).await;
    });
}
