//! The image with a tunnel: what `cargo demo` shows of it.

use std::path::Path;

use sbc_tests::kit::programs;
use sbc_tests::lab::demo;

use super::folder;

/// Calls both ways through GRE in ESP (RFC 4303) and over VLANs, a flood, a full
/// trunk, an emergency call, a dead server, a cut cable; from power-on on nothing is
/// seen outside but ARP, IKE and ESP.
#[test]
fn every_scene_of_the_flashed_image_passes_and_nothing_is_in_clear_from_power_on() {
    let name = "every_scene_of_the_flashed_image_passes_and_nothing_is_in_clear_from_power_on";
    if !sbc_tests::is_full(name) {
        return;
    }
    if !demo::may_make_namespaces() {
        sbc_tests::skip(name, "this machine lets us make no network namespaces");
        return;
    }
    let sbc = programs::shipped().expect("a node that builds");
    let lab = Path::new(env!("CARGO_BIN_EXE_lab"));
    let mut report = demo::Report::default();
    let played = demo::play_image(&sbc, lab, &folder(name), &mut report);
    let (passed, failed) = played.expect("a stage");
    assert_eq!(failed, 0, "of {passed} scenes; the log above says which");
}
