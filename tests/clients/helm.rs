//! helm: a chart is an artifact of types of its own.

use std::fs;

use crate::support::client::Client;
use crate::support::registry::Registry;
use crate::support::tool::tool;

#[test]
fn a_chart_comes_back_as_it_was_pushed() {
    let Some(helm) = tool("helm") else { return };
    let registry = Registry::start();
    let charts = format!("oci://{}/acme/charts", registry.host());
    helm.run_at_home(&["create", "compass"]).succeeded();
    helm.run_at_home(&["package", "compass"]).succeeded();
    let package = fs::read(helm.home().join("compass-0.1.0.tgz")).expect("a packaged chart");

    let push = helm.run_at_home(&["push", "compass-0.1.0.tgz", &charts, "--plain-http"]).succeeded();
    let served =
        Client::new(registry.url()).get_manifest("acme/charts/compass", "0.1.0").expect("an answer").expecting(200);
    let digest = served.header("Docker-Content-Digest").unwrap_or_else(|| panic!("no digest: {served}"));
    assert!(format!("{}{}", push.text(), push.stderr()).contains(digest), "helm does not name {digest}: {push}");
    assert_eq!(served.json()["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json", "{served}");

    fs::create_dir(helm.home().join("pulled")).expect("create a directory");
    let chart = format!("{charts}/compass");
    let pull = ["pull", &chart, "--version", "0.1.0", "--plain-http", "--destination", "pulled"];
    let pull = helm.run_at_home(&pull).succeeded();
    assert!(format!("{}{}", pull.text(), pull.stderr()).contains(digest), "helm does not name {digest}: {pull}");
    let pulled = fs::read(helm.home().join("pulled/compass-0.1.0.tgz")).expect("a pulled chart");
    assert!(pulled == package, "the pulled chart differs from the pushed one");
    // Without a version helm asks for the tags and takes the newest.
    let shown = helm.run_at_home(&["show", "chart", &chart, "--plain-http"]).succeeded();
    assert!(shown.text().contains("name: compass") && shown.text().contains("version: 0.1.0"), "{shown}");
}
