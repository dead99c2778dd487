//! The floor for reads: actix-web with nothing behind it. Every GET and HEAD has the same answer, a manifest's size
//! under a manifest's headers.

use crate::image::{MANIFEST_TYPE, Manifest, digest};
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::Result;

/// As many as the machine that the aims were set on has cores.
const WORKERS: usize = 2;

struct Fixed {
    body: Bytes,
    digest: String,
    tag: String,
}

async fn answer(fixed: web::Data<Fixed>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, MANIFEST_TYPE))
        .insert_header(("docker-content-digest", fixed.digest.as_str()))
        .insert_header(("docker-distribution-api-version", "registry/2.0"))
        .insert_header((header::ETAG, fixed.tag.as_str()))
        .insert_header(("tagstone-tag-immutable", "false"))
        .insert_header(("x-request-id", "0000000000000000"))
        .body(fixed.body.clone())
}

/// Serves until it is told to stop; its address is the first line of standard output.
pub(crate) fn serve() -> Result<()> {
    actix_web::rt::System::new().block_on(async {
        let body = Manifest::default().numbered(0).to_vec();
        let digest = digest(&body);
        let tag = format!("\"{digest}\"");
        let fixed = web::Data::new(Fixed { body: Bytes::from(body), digest, tag });
        let server = HttpServer::new(move || App::new().app_data(fixed.clone()).default_service(web::to(answer)))
            .workers(WORKERS)
            .shutdown_timeout(1)
            .bind("127.0.0.1:0")?;
        for address in server.addrs() {
            println!("{address}");
        }
        server.run().await?;
        Ok(())
    })
}
