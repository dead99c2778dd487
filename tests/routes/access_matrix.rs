//! Every route times every kind of caller, as `docs/access.md` has it. That the document has every route, and what the program
//! demands of each, is a test beside the table itself (`src/http/demand_tests.rs`).

use actix_web::http::Method;
use tagstone_schema::event::Action;

use crate::guarded::{USERS, authorization, guarded, login};
use crate::methods::METHODS;
use crate::registry::{Registry, run};
use crate::reply::Reply;
use crate::request::Request;
use crate::samples::{push_named, unknown_digest};

/// One request of the matrix, and what it demands.
struct Line {
    method: &'static str,
    path: String,
    demands: String,
}

/// The matrix of the document, with a line for each method.
fn lines() -> Vec<Line> {
    let document = include_str!("../../docs/access.md");
    let table = document.split("| route | path | methods | demands |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<[String; 4]> = rows
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', ""));
            cells.collect::<Vec<_>>().try_into().unwrap()
        })
        .collect();
    let is_listed = |path: &str, method: &str| {
        rows.iter().any(|[_, own, methods, _]| own == path && methods.split(", ").any(|one| one == method))
    };
    let mut lines = Vec::new();
    for [_, path, methods, demands] in &rows {
        for method in METHODS {
            let is_rest = ["any", "others"].contains(&methods.as_str()) && !is_listed(path, method);
            if is_rest || methods.split(", ").any(|one| one == method) {
                lines.push(Line { method, path: path.clone(), demands: demands.clone() });
            }
        }
    }
    lines
}

impl Line {
    /// The request, in a repository. Its headers keep a stream from going on for ever.
    fn request(&self, repository: &str) -> Request {
        let path = [
            ("<scope>", "organization/acme"),
            ("<name>", repository),
            ("<namespace>", "acme"),
            ("<reference>", "v1"),
            ("<tag>", "v1"),
            ("<digest>", &unknown_digest()),
            ("<id>", "0d8ab3ce-0b0c-4b4e-9d0a-3a4b1c2d3e4f"),
            ("<type>", "not_found"),
        ]
        .iter()
        .fold(self.path.clone(), |path, (place, with)| path.replace(place, with));
        Request::new(Method::from_bytes(self.method.as_bytes()).unwrap(), path).with("last-event-id", "none")
    }

    /// Whether a user has what the request demands.
    fn admits(&self, user: &str, actions: &[Action]) -> bool {
        let is_administrator = user == "root";
        match self.demands.as_str() {
            "nothing" | "entry" => true,
            "pull" => is_administrator || actions.contains(&Action::Pull),
            "push" => is_administrator || actions.contains(&Action::Push),
            "delete" => is_administrator || actions.contains(&Action::Delete),
            "administrator" => is_administrator,
            other => panic!("{other} is no demand"),
        }
    }
}

/// A registry with a tag in `acme/app`.
async fn filled() -> Registry {
    let registry = guarded(|_| {}).await;
    registry.log_in("root");
    push_named(&registry, "acme/app", "v1", "one").await;
    registry
}

const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

#[test]
fn every_route_times_every_caller() {
    run(async {
        let registry = filled().await;
        let lines = lines();
        assert!(lines.len() > 400, "{}", lines.len());
        for line in &lines {
            let request = || line.request("acme/app");
            for (user, actions) in USERS {
                let shown = format!("{user}: {}", request());
                let reply = registry.send(request().with("authorization", authorization(user))).await;
                let expected = line.admits(user, actions);
                assert_ne!(reply.status, 401, "{shown}");
                assert_eq!(reply.status != 403, expected, "{shown}: {}", reply.status);
                // What was done to the tag is undone for the next one.
                if expected && actions.contains(&Action::Delete) || user == "root" {
                    push_named(&registry, "acme/app", "v1", "one").await;
                }
            }
            let shown = request().to_string();
            let nobody = registry.send(request().with("authorization", "Basic Og==")).await;
            assert_eq!(nobody.status != 401, line.demands == "nothing", "nobody: {shown}: {}", nobody.status);
            assert_ne!(nobody.status, 403, "nobody: {shown}");
            for wrong in [login("root", "wrong"), login("nobody", "root"), "Bearer x".to_owned(), "Basic x".to_owned()]
            {
                let reply = registry.send(request().with("authorization", wrong)).await;
                assert_eq!(
                    reply.status != 401,
                    PROBES.contains(&line.path.as_str()),
                    "wrong: {shown}: {}",
                    reply.status
                );
            }
        }
    });
}

/// An answer without what belongs to one request alone, and without the names that the request had.
fn comparable(reply: &Reply, repository: &str) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| name != "x-request-id").cloned().collect();
    (reply.status, headers, String::from_utf8_lossy(&reply.body).replace(repository, "<name>"))
}

#[test]
fn a_forbidden_repository_and_an_unknown_one_are_the_same() {
    run(async {
        let registry = filled().await;
        // Both have it in common that the caller may not pull there.
        for line in lines().iter().filter(|line| line.path.contains("<name>")) {
            for prefix in ["", "as-of/seq-3/"] {
                for caller in [authorization("stranger"), "Basic Og==".to_owned()] {
                    let mut answers = Vec::new();
                    for repository in ["acme/app", "acme/zzz"] {
                        let request = line.request(&format!("{prefix}{repository}")).with("authorization", &caller);
                        let reply = registry.send(request).await;
                        assert!([401, 403].contains(&reply.status), "{} {}: {}", line.method, line.path, reply.status);
                        answers.push(comparable(&reply, repository));
                    }
                    assert_eq!(answers[0], answers[1], "{} {prefix}{}", line.method, line.path);
                }
            }
        }
    });
}
