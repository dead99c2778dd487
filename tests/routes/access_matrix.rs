//! Every route times every kind of caller, as `docs/access.md` has it. That the document has every route, and what the program
//! demands of each, is a test beside the table itself (`src/http/demand_tests.rs`).

use std::time::Duration;

use actix_web::http::Method;
use serde_json::{Value, json};
use tagstone_schema::Timestamp;
use tagstone_schema::event::Action;

use crate::case::ok;
use crate::guarded::{USERS, authorization, login, with_issuer};
use crate::issuer::{Issuer, claims};
use crate::methods::METHODS;
use crate::registry::{Registry, run};
use crate::reply::Reply;
use crate::request::{Request, delete, post};
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
                let paths = scopes(path).iter().map(|scope| path.replace("<scope>", scope));
                lines.extend(paths.map(|path| Line { method, path, demands: demands.clone() }));
            }
        }
    }
    lines
}

/// The scopes that policies can have at a path; one that stands for nothing where it has none.
fn scopes(path: &str) -> &'static [&'static str] {
    match path {
        _ if !path.contains("<scope>") => &[""],
        // None of them prunes the whole registry.
        _ if path.contains("autoprunepolicy") => &["organization/<namespace>", "repository/<name>"],
        _ => &["registry", "organization/<namespace>", "repository/<name>"],
    }
}

impl Line {
    /// The request, in a repository. Its headers keep a stream from going on for ever.
    fn request(&self, repository: &str) -> Request {
        let path = [
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

    /// What becomes of a caller who is known.
    fn expected(&self, caller: &Known) -> Met {
        let demanded = match self.demands.as_str() {
            "nothing" | "entry" => return Met::Admitted,
            "user" if caller.kind == Kind::User => return Met::Admitted,
            "user" => return Met::Forbidden,
            "administrator" if caller.is_administrator => return Met::Admitted,
            "administrator" if caller.may_become_administrator => return Met::SentToIssuer,
            "administrator" => return Met::Forbidden,
            "pull" => &[Action::Pull][..],
            "push" => &[Action::Push],
            "pull and push" => &[Action::Pull, Action::Push],
            "pull and delete" => &[Action::Pull, Action::Delete],
            other => panic!("{other} is no demand"),
        };
        match caller.kind {
            _ if caller.is_administrator || demanded.iter().all(|action| caller.actions.contains(action)) => {
                Met::Admitted
            }
            // The issuer may give him a token that is for it.
            Kind::Outside => Met::SentToIssuer,
            _ => Met::Forbidden,
        }
    }
}

/// What becomes of a request at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Admitted,
    Forbidden,
    SentToIssuer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Token,
    Outside,
}

/// Somebody whose credentials are right.
struct Known {
    who: String,
    authorization: String,
    kind: Kind,
    /// What it may do in `acme/app`.
    actions: Vec<Action>,
    is_administrator: bool,
    /// With another token.
    may_become_administrator: bool,
}

/// Issues an access token to a user; its secret and its id.
async fn token(registry: &Registry, user: &str, actions: &[Action], lifetime: &str) -> (String, String) {
    let scopes = json!([{"repositories": "acme/app", "actions": actions}]);
    let body = json!({"label": "a token", "scopes": scopes, "expires": lifetime, "subject": user});
    let request = post("/api/v1/tokens").body(body.to_string()).with("authorization", authorization("root"));
    let issued = registry.check(request, ok(201)).await.json();
    let text = |name: &str| issued[name].as_str().unwrap().to_owned();
    (text("secret"), text("id"))
}

const ALL: [Action; 3] = [Action::Pull, Action::Push, Action::Delete];

/// Everybody whose credentials are right.
async fn known(registry: &Registry, issuer: &Issuer) -> Vec<Known> {
    let later = Timestamp(registry.now().0 + 3_600_000_000).to_string();
    let mut all: Vec<_> = USERS
        .iter()
        .map(|(user, actions)| Known {
            who: (*user).to_owned(),
            authorization: authorization(user),
            kind: Kind::User,
            actions: actions.to_vec(),
            is_administrator: *user == "root",
            may_become_administrator: false,
        })
        .collect();
    for (user, scopes, actions) in [
        ("deleter", &ALL[..1], &ALL[..1]),
        ("deleter", &ALL[1..], &ALL[1..]),
        ("reader", &ALL[..], &ALL[..1]),
        ("stranger", &ALL[..], &[][..]),
        ("root", &ALL[..], &ALL[..]),
    ] {
        let (secret, _) = token(registry, user, scopes, &later).await;
        all.push(Known {
            who: format!("a token of {user} for {scopes:?}"),
            authorization: format!("Bearer {secret}"),
            kind: Kind::Token,
            actions: actions.to_vec(),
            is_administrator: false,
            may_become_administrator: false,
        });
    }
    for (subject, scope, actions) in [
        ("carol", "repository:acme/app:pull", &ALL[..1]),
        ("carol", "repository:acme/app:pull,push", &ALL[..2]),
        ("carol", "repository:acme/app:*", &ALL[..]),
        ("carol", "repository:acme/other:*", &[][..]),
        ("carol", "registry:catalog:*", &[][..]),
        // A name of the file means nothing to the issuer, and the other way round.
        ("root", "registry:catalog:*", &[][..]),
        ("boss", "repository:acme/app:pull", &ALL[..1]),
    ] {
        all.push(Known {
            who: format!("{subject} with {scope}"),
            authorization: format!("Bearer {}", issuer.token(subject, &[scope])),
            kind: Kind::Outside,
            actions: actions.to_vec(),
            is_administrator: false,
            may_become_administrator: subject == "boss",
        });
    }
    all.push(Known {
        who: "boss as administrator".to_owned(),
        authorization: format!("Bearer {}", issuer.token("boss", &["registry:catalog:*"])),
        kind: Kind::Outside,
        actions: Vec::new(),
        is_administrator: true,
        may_become_administrator: true,
    });
    all
}

/// Credentials that are not right.
async fn wrong(registry: &Registry, issuer: &Issuer) -> Vec<String> {
    let now = registry.now();
    let soon = Timestamp(now.0 + 60_000_000).to_string();
    let (expired, _) = token(registry, "writer", &ALL, &soon).await;
    registry.let_pass(Duration::from_secs(120));
    let later = Timestamp(now.0 + 3_600_000_000).to_string();
    let (revoked, id) = token(registry, "writer", &ALL, &later).await;
    let revocation = delete(format!("/api/v1/tokens/{id}")).with("authorization", authorization("writer"));
    registry.check(revocation, ok(204)).await;
    let grants = ["repository:acme/app:pull,push,delete", "registry:catalog:*"];
    let saying = |name: &str, value: Value| {
        let mut claims = claims("boss", &grants);
        claims[name] = value;
        format!("Bearer {}", issuer.signed(&claims))
    };
    vec![
        login("root", "wrong"),
        login("nobody", "root"),
        "Bearer x".to_owned(),
        "Basic x".to_owned(),
        format!("Bearer {expired}"),
        login("writer", &expired),
        format!("Bearer {revoked}"),
        login("$token", &revoked),
        format!("Bearer {}", Issuer::new().token("boss", &grants)),
        saying("iss", json!("another")),
        saying("aud", json!("another")),
        saying("exp", json!(1_000_000_000)),
    ]
}

/// A registry with a tag in `acme/app`.
async fn filled(issuer: &Issuer) -> Registry {
    let registry = with_issuer(issuer, |_| {}).await;
    registry.log_in("root");
    push_named(&registry, "acme/app", "v1", "one").await;
    registry
}

const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

#[test]
fn every_route_times_every_caller() {
    run(async {
        let issuer = Issuer::new();
        let registry = filled(&issuer).await;
        let wrong = wrong(&registry, &issuer).await;
        let known = known(&registry, &issuer).await;
        let lines = lines();
        assert!(lines.len() > 400, "{}", lines.len());
        for line in &lines {
            let request = || line.request("acme/app");
            for caller in &known {
                let shown = format!("{}: {}", caller.who, request());
                let reply = registry.send(request().with("authorization", &caller.authorization)).await;
                let expected = line.expected(caller);
                match expected {
                    Met::Admitted => assert!(![401, 403].contains(&reply.status), "{shown}: {}", reply.status),
                    Met::Forbidden => assert_eq!(reply.status, 403, "{shown}"),
                    Met::SentToIssuer => {
                        assert_eq!(reply.status, 401, "{shown}");
                        let challenge = reply.all("www-authenticate")[0];
                        assert!(challenge.contains("error=\"insufficient_scope\""), "{shown}: {challenge}");
                    }
                }
                // What was done to the tag is undone for the next one.
                if expected == Met::Admitted && (caller.is_administrator || caller.actions.contains(&Action::Delete)) {
                    push_named(&registry, "acme/app", "v1", "one").await;
                }
            }
            let shown = request().to_string();
            let nobody = registry.send(request().with("authorization", "Basic Og==")).await;
            assert_eq!(nobody.status != 401, line.demands == "nothing", "nobody: {shown}: {}", nobody.status);
            assert_ne!(nobody.status, 403, "nobody: {shown}");
            for wrong in &wrong {
                let reply = registry.send(request().with("authorization", wrong)).await;
                let is_probe = PROBES.contains(&line.path.as_str());
                assert_eq!(reply.status != 401, is_probe, "{wrong}: {shown}: {}", reply.status);
            }
        }
    });
}

/// An answer without what belongs to one request alone, and without the names that the request had.
fn comparable(reply: &Reply, repository: &str) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.clone(), value.replace(repository, "<name>"))).collect();
    (reply.status, headers, String::from_utf8_lossy(&reply.body).replace(repository, "<name>"))
}

#[test]
fn a_forbidden_repository_and_an_unknown_one_are_the_same() {
    run(async {
        let issuer = Issuer::new();
        let registry = filled(&issuer).await;
        let outside = format!("Bearer {}", issuer.token("carol", &["repository:acme/other:pull"]));
        let scopes = json!([{"repositories": "acme/**", "actions": ["push", "delete"]}]);
        let blind = post("/api/v1/tokens").body(json!({"scopes": scopes, "subject": "deleter"}).to_string());
        let blind = registry.check(blind, ok(201)).await.json();
        let blind = format!("Bearer {}", blind["secret"].as_str().unwrap());
        let stranger = authorization("stranger");
        // All have it in common that the caller may not pull there.
        for line in lines().iter().filter(|line| line.path.contains("<name>")) {
            for prefix in ["", "as-of/seq-3/"] {
                for caller in [&*stranger, "Basic Og==", &*outside, &*blind] {
                    if caller == blind && line.demands == "push" && prefix.is_empty() {
                        continue;
                    }
                    let mut answers = Vec::new();
                    for repository in ["acme/app", "acme/zzz"] {
                        let request = line.request(&format!("{prefix}{repository}")).with("authorization", caller);
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
