//! What is answered before the log is verified and folded.

use actix_web::App;
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use tagstone::http::{Entrance, configure};

use crate::registry::run;

#[test]
fn a_registry_that_recovers_lives_but_is_not_ready() {
    run(lives_but_is_not_ready());
}

async fn lives_but_is_not_ready() {
    let service = init_service(App::new().configure(configure(Data::new(Entrance::closed())))).await;
    let cases = [
        (Method::GET, "/healthz", 200, "ok"),
        (Method::GET, "/readyz", 503, "recovering"),
        (Method::GET, "/v2/", 503, "TOOMANYREQUESTS"),
        (Method::GET, "/v2/acme/app/manifests/v1", 503, "try again"),
        (Method::PUT, "/v2/acme/app/manifests/v1", 503, "try again"),
        (Method::HEAD, "/v2/acme/app/manifests/v1", 503, ""),
        (Method::GET, "/api/v1/whoami", 503, "\"error_type\":\"unavailable\""),
        (Method::GET, "/api/v1", 503, "\"error_type\":\"unavailable\""),
    ];
    for (method, path, status, part) in cases {
        let answer = call_service(&service, TestRequest::default().method(method.clone()).uri(path).to_request()).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        assert!(answer.headers().contains_key("x-request-id"), "{method} {path}");
        assert_eq!(answer.headers().contains_key("retry-after"), !path.ends_with('z'), "{method} {path}");
        let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        assert!(body.contains(part), "{method} {path}: {body}");
        assert!(method != Method::HEAD || body.is_empty(), "{body}");
    }
}
