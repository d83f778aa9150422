//! The name of a program of the house comes in, where it was built goes out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The environment variable that names the folder of programs that are built
/// already, with the tests: building one by itself takes other features of what
/// it uses, and so a minute.
pub const VARIABLE: &str = "SBC_PROGRAMS";
/// What the builder exits with when the machine or its network lacks something.
const LACKING: i32 = 3;

/// Returns the program that whoever runs the tests has built with them.
fn built(program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(VARIABLE)?).join(program);
    path.exists().then_some(path)
}

/// Returns the top of the repository.
#[must_use]
pub fn house() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Has a checker of other people look at a FAT filesystem; returns what it said.
///
/// # Errors
/// What it found wrong, or that it is not there.
pub fn fsck(volume: &Path) -> Result<String, String> {
    let said = Command::new("fsck.fat")
        // Programs for the machine's keeper lie outside a user's path.
        .env("PATH", "/usr/sbin:/sbin:/usr/bin")
        .args(["-n", "-v"])
        .arg(volume)
        .output()
        .map_err(|why| format!("fsck.fat: {why}"))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    if said.status.success() {
        Ok(text)
    } else {
        Err(text)
    }
}

/// Returns where a program of the house is; cargo builds it if nobody has.
///
/// # Errors
/// What cargo said.
pub fn build(package: &str, program: &str) -> Result<PathBuf, String> {
    match built(program) {
        Some(path) => Ok(path),
        None => build_alone(package, program),
    }
}

/// Builds the program that builds images; returns its path.
///
/// # Errors
/// What cargo said.
pub fn builder() -> Result<PathBuf, String> {
    build("sbc-image", "sbc-image")
}

/// Sends the builder on an errand from the top of the repository; returns what
/// it printed, or, as the inner error, what the machine lacks for it.
///
/// # Errors
/// What it said when it failed otherwise.
pub fn errand(builder: &Path, words: &[&str]) -> Result<Result<String, String>, String> {
    errand_at(builder, &house(), words)
}

/// The same from the top of another checkout.
///
/// # Errors
/// As [`errand`].
pub fn errand_at(
    builder: &Path,
    place: &Path,
    words: &[&str],
) -> Result<Result<String, String>, String> {
    let mut command = Command::new(builder);
    if place != house() {
        // What is built there is to lie there.
        command.env_remove("CARGO_TARGET_DIR");
    }
    let output = command
        .args(words)
        .current_dir(place)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", builder.display()))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.code() == Some(LACKING) {
        return Ok(Err(said));
    }
    if !output.status.success() {
        return Err(said);
    }
    if !said.is_empty() {
        eprintln!("{said}");
    }
    Ok(Ok(String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Returns the node's program as it goes into the image, built if it is not there.
///
/// # Errors
/// What cargo said.
pub fn shipped() -> Result<PathBuf, String> {
    let said = errand(&builder()?, &["binary"])??;
    Ok(PathBuf::from(said.trim()))
}

fn build_alone(package: &str, program: &str) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, "--bin", program])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(house())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    // Cargo names what it made, wherever the target folder is.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let end = format!("/{program}\"");
    let made = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        let (path, _) = rest.split_once('"')?;
        format!("{path}\"")
            .ends_with(&end)
            .then(|| PathBuf::from(path))
    });
    made.ok_or(format!("cargo named no program {program}"))
}
