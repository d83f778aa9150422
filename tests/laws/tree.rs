//! The repository's folder comes in, the list of its files and their text goes out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::scan::Source;

/// Every Rust file of the repository, scanned once for all laws.
pub static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources: Vec<Source> = files()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| {
            let text = read(&path);
            Source::new(path, text)
        })
        .collect();
    mark_test_modules(&mut sources);
    sources
});

/// Returns the top folder of the repository.
pub fn root() -> PathBuf {
    let tests = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the laws");
    PathBuf::from(tests)
        .parent()
        .expect("tests/ has a parent")
        .to_path_buf()
}

/// Returns the text of a file, with what is not UTF-8 replaced.
pub fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns all files of the repository, sorted: what git tracks or would
/// track, or, without git, what lies in the folder.
pub fn files() -> Vec<String> {
    let mut files = from_git().unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(&root(), "", &mut found);
        found
    });
    files.sort();
    files
}

/// Returns `None` when there is no git, or it will not speak about this folder.
fn from_git() -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let files: Vec<String> = listed
        .split('\0')
        .filter(|path| !path.is_empty() && root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    (output.status.success() && !files.is_empty()).then_some(files)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    const SKIPPED: [&str; 5] = [".git", "target", "artifacts", "demo-out", "docs"];
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let entry = entry.expect("the entry can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), found);
            }
        } else {
            found.push(path);
        }
    }
}

/// Marks the files that a `#[cfg(test)] mod name;` elsewhere makes tests.
fn mark_test_modules(sources: &mut [Source]) {
    let mut stems: Vec<String> = Vec::new();
    for source in sources.iter() {
        stems.extend(source.test_modules());
    }
    for source in sources.iter_mut() {
        let is_test = stems.iter().any(|stem| {
            source.path == format!("{stem}.rs") || source.path.starts_with(&format!("{stem}/"))
        });
        if is_test {
            source.mark_all_test();
        }
    }
}

#[test]
fn a_walk_of_the_folder_sees_the_rust_files_git_lists() {
    let mut walked = Vec::new();
    walk(&root(), "", &mut walked);
    walked.retain(|path| path.ends_with(".rs"));
    for path in files().iter().filter(|path| path.ends_with(".rs")) {
        assert!(walked.contains(path), "{path} is missed without git");
    }
}

#[test]
fn a_module_declared_for_tests_makes_its_file_a_test() {
    let mut sources = vec![
        Source::new("a/b.rs".into(), "//! B.\n#[cfg(test)]\nmod tests;\n".into()),
        Source::new("a/b/tests.rs".into(), "fn f() {}\n".into()),
        Source::new("a/c.rs".into(), "fn f() {}\n".into()),
    ];
    mark_test_modules(&mut sources);
    assert!(sources[1].is_test(1));
    assert!(!sources[2].is_test(1));
}
