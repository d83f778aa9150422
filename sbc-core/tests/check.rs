//! `sbc check`, `sbc schema` and `sbc explain` as a shell sees them.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const SMALL: &str = include_str!("../config/tests/small.toml");
const WARNED: &str = include_str!("../config/golden/0407-no-guard.toml");
const BROKEN: &str = include_str!("../config/golden/0105-off-vlan.toml");
const SECRET: &str = include_str!("../config/golden/0307-short-psk.toml");

fn sbc(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sbc"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that is used wrongly reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn status(args: &[&str], input: &str) -> Option<i32> {
    sbc(args, input).status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_exit_status_says_good_errors_or_warnings_under_strict() {
    assert_eq!(status(&["check", "-"], SMALL), Some(0));
    assert_eq!(status(&["check", "-", "--strict"], SMALL), Some(0));
    assert_eq!(status(&["check", "-"], WARNED), Some(0));
    assert_eq!(status(&["check", "--strict", "-"], WARNED), Some(2));
    assert_eq!(
        status(&["check", "-", "--offline", "--strict"], BROKEN),
        Some(1)
    );
}

#[test]
fn wrong_usage_is_told_apart_from_a_wrong_file() {
    for args in [
        &["check"][..],
        &["check", "-", "-"],
        &["check", "--wibble", "-"],
        &["schema", "x"],
    ] {
        let output = sbc(args, "");
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: sbc check FILE"));
    }
    let absent = sbc(&["check", "/nonexistent/sbc.toml"], "");
    assert_eq!(absent.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("cannot read"));
}

#[test]
fn a_problem_is_shown_with_its_place_and_as_json() {
    let text = said(&sbc(&["check", "-"], BROKEN));
    assert!(
        text.contains("error[SBC-0105]: mediation med-1: 10.20.122.2"),
        "{text}"
    );
    assert!(text.ends_with("-: 1 error, 0 warnings\n"), "{text}");
    let json = said(&sbc(&["check", "-", "--json"], BROKEN));
    for part in [
        "\"code\": \"SBC-0105\"",
        "\"path\": \"mediation.med-1.address\"",
        "\"line\": 26",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
}

#[test]
fn a_file_that_is_no_text_is_refused_by_line() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("latin.toml");
    fs::write(&path, b"config-version = 1\n# \xe4\n").unwrap();
    let output = sbc(&["check", path.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2 is not UTF-8"));
}

#[test]
fn a_secret_store_is_asked_for_names_and_lengths_only() {
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("secrets");
    // What a run that was cut short left behind.
    let _ = fs::remove_dir_all(&store);
    fs::create_dir_all(store.join("vpn")).unwrap();
    let directory = store.to_str().unwrap();
    let missing = said(&sbc(&["check", "-", "--secrets", directory], SECRET));
    assert!(missing.contains("SBC-0601"), "{missing}");
    fs::write(store.join("vpn/itsp-a"), "planted").unwrap();
    let short = said(&sbc(&["check", "-", "--secrets", directory], SECRET));
    assert!(
        short.contains("SBC-0307") && !short.contains("planted"),
        "{short}"
    );
    assert_eq!(
        status(&["check", "-", "--secrets", directory, "--offline"], SECRET),
        Some(0)
    );
    fs::remove_dir_all(&store).unwrap();
}

#[test]
fn every_code_can_be_explained() {
    let list = said(&sbc(&["explain"], ""));
    assert!(list.lines().count() >= 60, "{list}");
    let text = said(&sbc(&["explain", "sbc-0105"], ""));
    assert!(
        text.starts_with("SBC-0105  mediation server off its VLAN (error)\n\nWhat  "),
        "{text}"
    );
    assert_eq!(status(&["explain", "SBC-9999"], ""), Some(1));
}

/// The pages of the operator are what the program prints, word for word.
#[test]
fn the_pages_of_keys_and_codes_say_what_the_program_says() {
    for (page, words) in [
        ("config.md", ["schema", "--markdown"]),
        ("codes.md", ["explain", "--markdown"]),
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(page);
        let written = fs::read_to_string(path).unwrap();
        let printed = said(&sbc(&words, ""));
        assert!(
            written == printed,
            "write it again: sbc {} > docs/{page}",
            words.join(" ")
        );
    }
}

/// Every code that the program can say is in the register, and so has its text.
#[test]
fn every_code_in_the_sources_is_in_the_register() {
    let mut looked = 0;
    for folder in ["src", "call/src", "../sbc-netcfg/src"] {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap_or_default();
                for at in text.match_indices("SBC-").map(|(at, _)| at + 4) {
                    let Some(Ok(number)) = text.get(at..at + 4).map(str::parse::<u16>) else {
                        continue;
                    };
                    looked += 1;
                    let known = sbc_config::Code::new(number).is_some();
                    assert!(
                        known,
                        "{}: SBC-{number:04} is in no register",
                        path.display()
                    );
                }
            }
        }
    }
    assert!(looked > 50, "{looked}");
    for number in 1001..=1018 {
        assert!(
            sbc_config::Code::new(number).is_some(),
            "SBC-{number} has no text"
        );
    }
}

#[test]
fn the_schema_is_printed() {
    let schema = said(&sbc(&["schema"], ""));
    assert!(schema.starts_with("{\n") && schema.contains("\"$schema\""));
    assert!(schema.contains("\"hold-format\""));
}
