//! The node as its users meet it: processes, sockets and media in namespaces of
//! their own, played by the scenes of `cargo demo` and by SIPp.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what goes wrong in a lab fails its test"
)]

mod confirmed;
mod failing;
mod foreign;
mod hiding;
mod jailed;
mod killed;
mod stage;
mod strangers;
mod volume;

use std::path::{Path, PathBuf};
use std::process::Command;

use sbc_tests::kit::programs::build;
use sbc_tests::lab::demo;

/// The lab's own program, which plays the telephones; `cargo test` builds it.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_lab"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Calls both ways over UDP and TCP with a tone measured in both directions
/// (RFC 3550), hold and resume (RFC 3264 §8.4), admission, an emergency call at
/// a full trunk, failover, and a signal role that dies in the middle of a call.
#[test]
fn every_scene_of_the_demo_passes() {
    let name = "every_scene_of_the_demo_passes";
    if !demo::may_make_namespaces() {
        sbc_tests::skip(name, "this machine lets us make no network namespaces");
        return;
    }
    let node = build("sbc-core", "sbc").expect("a node that builds");
    let mut report = demo::Report::default();
    let played = demo::play(&node, &program(), &folder(name), &mut report);
    let (_, failed) = played.expect("a stage");
    assert_eq!(failed, 0, "scenes failed; the log above says which");
    let drawings = std::fs::read_dir(folder(name)).unwrap().flatten();
    let images = drawings.filter(|file| file.path().extension().is_some_and(|e| e == "svg"));
    assert!(images.count() > 5, "ladders are drawn for the calls");
}

/// Nothing is left of a scene: no namespace of ours outlives its test.
#[test]
fn no_namespace_is_left_behind() {
    if !demo::may_make_namespaces() {
        sbc_tests::skip("no_namespace_is_left_behind", "no network namespaces here");
        return;
    }
    let net = sbc_tests::kit::net::Net::make(&[]).expect("a namespace");
    let name = net.name("node");
    let listed = || {
        let output = Command::new(sbc_tests::kit::net::ip_program())
            .args(["netns", "list"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).contains(&name)
    };
    assert!(listed());
    drop(net);
    assert!(!listed());
}
