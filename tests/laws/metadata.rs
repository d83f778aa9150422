//! Runs `cargo metadata`, and returns packages with what they depend on.

use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::tree;

/// All packages the workspace builds from, asked for once.
pub static WORKSPACE: LazyLock<Vec<Package>> =
    LazyLock::new(|| ask("Cargo.toml").expect("cargo metadata describes the workspace"));

/// One package of the graph.
#[derive(Clone, Debug, Default)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// As its author wrote it, an SPDX expression most of the time.
    pub licence: Option<String>,
    /// Whether it is ours.
    pub member: bool,
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables, of any of the three kinds.
#[derive(Clone, Debug, Default)]
pub struct Dependency {
    pub name: String,
    /// The version asked for, as `=1.2.3`.
    pub requirement: String,
    /// Whether it lies in this repository.
    pub local: bool,
}

/// Returns the packages below a manifest, or what cargo said instead.
pub fn ask(manifest: &str) -> Result<Vec<Package>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
        ])
        .args(["x86_64-unknown-linux-gnu", "--manifest-path", manifest])
        .current_dir(tree::root())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let graph: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let members: Vec<String> = list(&graph["workspace_members"]).iter().map(text).collect();
    Ok(list(&graph["packages"])
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: package["license"].as_str().map(str::to_owned),
            member: members.contains(&text(&package["id"])),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(dependency)
                .collect(),
        })
        .collect())
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: text(&value["name"]),
        requirement: text(&value["req"]),
        local: value["path"].is_string(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
