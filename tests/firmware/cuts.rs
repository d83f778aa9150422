//! The power goes at random moments of a commit and of an update: every boot that
//! follows has the old state or the new one, whole.

use std::fs;
use std::time::{Duration, Instant};

use sbc_tests::is_full;
use sbc_tests::kit::firmware::{Image, Loader};
use sbc_tests::kit::vswitch::Switch;
use serde_json::{Value, json};

use super::data::{file_of, live, start};
use super::update::{Node, ask, next};

/// How many cuts of each kind; `SBC_CUTS` says another number.
const CUTS: u32 = 10;
/// A cut comes before, in or after a commit: within so many times what one takes.
const COMMITS: u32 = 2;
/// An update takes seven seconds until it restarts, and ten more to be ready.
const UPDATE: Duration = Duration::from_secs(30);

/// Numbers that look random and come again with the same `SBC_SEED` (SplitMix64).
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("SBC_SEED").ok();
        let seed = given
            .and_then(|text| text.parse().ok())
            .unwrap_or(20_261_125);
        println!("SBC_SEED={seed}");
        Self(seed)
    }

    /// Returns a moment within a span.
    fn within(&mut self, span: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        span.mul_f64((mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

fn cuts() -> u32 {
    let given = std::env::var("SBC_CUTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(CUTS)
}

#[test]
fn a_power_cut_during_a_commit_leaves_the_old_configuration_or_the_new_one() {
    let name = "a_power_cut_during_a_commit_leaves_the_old_configuration_or_the_new_one";
    let Some(node) = Node::for_long_test(name) else {
        return;
    };
    let mut moments = Moments::new();
    let (mut old, mut new) = (0, 0);
    // What the last cut left: the limit before, the one asked for, whether it was
    // answered before the cut.
    let mut last: Option<(u32, u32, bool)> = None;
    let mut span = Duration::ZERO;
    for cut in 0..=cuts() {
        let mut switch = Switch::new(&node.folder).unwrap();
        let booted = start(&node, &mut switch, "node");
        let mut port = booted.port().unwrap();
        booted.says("calls=accepting").unwrap();
        let (limit, base) = live(&mut port);
        if let Some((before, asked, answered)) = last {
            let is_new = limit == asked;
            assert!(
                is_new || limit == before,
                "{limit} is neither {before} nor {asked}"
            );
            assert!(is_new || !answered, "what was answered is not there");
            (old, new) = (old + u32::from(!is_new), new + u32::from(is_new));
        }
        let text = booted.machine.console();
        assert!(!text.contains("SBC-FAILED"), "cut {cut}: {text}");
        let asked = 100 + cut;
        let (limit, base) = if span.is_zero() {
            // How long one takes here, uncut.
            let since = Instant::now();
            let put = json!({"toml": file_of(99), "base": base, "comment": "uncut"});
            assert!(ask(&mut port, "config.put", &put).get("ok").is_some());
            span = since.elapsed() * COMMITS;
            println!("cuts come within {span:?}");
            live(&mut port)
        } else {
            (limit, base)
        };
        let put = json!({"id": "cut", "op": "config.put",
            "args": {"toml": file_of(asked), "base": base, "comment": "cut"}});
        port.say(&put.to_string()).unwrap();
        let until = Instant::now() + moments.within(span);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        booted.machine.cut_power();
        // What it had answered lies in the socket.
        let mut answered = false;
        while let Ok(line) = port.line() {
            let read: Value = serde_json::from_str(&line).unwrap_or_default();
            answered |= read["id"] == "cut" && read.get("ok").is_some();
        }
        last = Some((limit, asked, answered));
    }
    println!("power cuts during a commit: {old} left the old state, {new} the new one");
    assert_eq!(old + new, cuts());
    fs::remove_dir_all(&node.folder).unwrap();
}

#[test]
fn a_power_cut_during_an_update_leaves_the_old_version_or_the_new_one() {
    let name = "a_power_cut_during_an_update_leaves_the_old_version_or_the_new_one";
    if !is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let bundle = next(&image, "0.2.0", None, "test-1");
    let mut moments = Moments::new();
    let (mut old, mut new) = (0, 0);
    let mut node: Option<Node> = None;
    for cut in 0..cuts() {
        let loader = if cut % 2 == 0 {
            Loader::Bios
        } else {
            Loader::Uefi
        };
        let here = node.take().unwrap_or_else(|| {
            let node = Node::new(name, &image);
            node.bring(&bundle);
            node
        });
        let booted = here.start(loader);
        let mut port = booted.port().unwrap();
        booted.says("SBC-READY version=0.1.0 slot=A").unwrap();
        // The slot that runs is proven a moment after READY.
        let since = Instant::now();
        loop {
            let told = ask(&mut port, "image.list", &Value::Null);
            if told["ok"]["slots"][0]["state"] == "good" {
                break;
            }
            assert!(since.elapsed() < UPDATE, "{told}");
        }
        let order = json!({"id": 1, "op": "image.activate", "args": {"version": "0.2.0"}});
        port.say(&order.to_string()).unwrap();
        let moment = moments.within(UPDATE);
        std::thread::sleep(moment);
        booted.machine.cut_power();
        drop(booted);

        let booted = here.start(loader);
        let mut port = booted.port().unwrap();
        booted.says("SBC-READY ").unwrap();
        booted.says("calls=none").unwrap();
        let text = booted.machine.console();
        let is_new = text.contains("SBC-READY version=0.2.0 slot=B");
        let is_old = text.contains("SBC-READY version=0.1.0 slot=A");
        assert!(is_new != is_old, "cut {cut} after {moment:?}: {text}");
        assert!(
            !text.contains("SBC-FAILED"),
            "cut {cut} after {moment:?}: {text}"
        );
        let told = ask(&mut port, "image.list", &Value::Null);
        println!(
            "cut {cut} by {loader:?} after {moment:?}: new {is_new}; {}",
            told["ok"]["slots"]
        );
        (old, new) = (old + u32::from(is_old), new + u32::from(is_new));
        drop(booted);
        if is_old {
            // It must still be able to take the update.
            node = Some(here);
        }
    }
    println!("power cuts during an update: {old} left the old version, {new} the new one");
}
