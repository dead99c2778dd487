#[test]
fn look() {
    let directory = crate::incident::incident();
    std::process::Command::new("cp")
        .args(["-r", directory.path().to_str().unwrap(), "/tmp/wt/q-incident"])
        .status()
        .unwrap();
}
