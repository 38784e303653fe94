//! Failpoints are in no build but this crate's.

use std::process::Command;

/// The features with which Cargo builds madang when it builds this package.
fn features_of_madang(package: &str) -> String {
    let arguments = ["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p} [{f}]"];
    let output = Command::new(env!("CARGO")).args(arguments).args(["--package", package]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let line = tree.lines().find(|line| line.starts_with("madang v")).unwrap_or_else(|| panic!("no madang in {tree}"));
    line.rsplit_once('[').unwrap().1.trim_end_matches([']', ' ', '(', '*', ')']).to_owned()
}

#[test]
fn f01_what_is_released_has_no_failpoints() {
    assert_eq!(features_of_madang("faults"), "faults");
    assert_eq!(features_of_madang("madang"), "");
}

#[test]
fn f01_a_release_with_failpoints_does_not_compile() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../madang/src/fault.rs");
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let mut rustc = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()));
        rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", source]);
        rustc.arg("--out-dir").arg(folder.path());
        let output = rustc.args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("a release must not have it")
    };
    let (feature, release) = (["--cfg", "feature=\"faults\""], ["-C", "debug-assertions=off"]);
    assert!(refused(&[feature, release].concat()));
    assert!(!refused(&[&feature[..], &["-C", "debug-assertions=on"]].concat()));
    assert!(!refused(&release));
}
