//! Network namespaces joined by virtual cables: made on demand under names
//! nobody else has, and removed when they are dropped, whatever happened.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A node's namespace and one more for each of its neighbours.
#[derive(Debug)]
pub struct Net {
    prefix: String,
    made: Vec<String>,
}

/// One cable: the node's device and address, the neighbour's address. Both
/// addresses have the same prefix length.
#[derive(Clone, Copy, Debug)]
pub struct Cable {
    pub neighbour: &'static str,
    pub device: &'static str,
    pub ours: &'static str,
    pub theirs: &'static str,
}

impl Net {
    /// Makes the namespaces and the cables.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn make(cables: &[Cable]) -> Result<Self, String> {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut net = Self {
            prefix: format!("sbc{}x{count}", std::process::id()),
            made: Vec::new(),
        };
        net.add("node")?;
        for cable in cables {
            net.add(cable.neighbour)?;
            net.join(cable)?;
        }
        Ok(net)
    }

    /// Returns the whole name of a namespace.
    #[must_use]
    pub fn name(&self, place: &str) -> String {
        format!("{}-{place}", self.prefix)
    }

    /// Returns a command that runs `program` in a namespace.
    #[must_use]
    pub fn command(&self, place: &str, program: &str) -> Command {
        let mut command = Command::new(ip_program());
        command.args(["netns", "exec", &self.name(place), program]);
        command
    }

    /// Runs `ip` with these words in a namespace.
    ///
    /// # Errors
    /// What it said.
    pub fn ip(&self, place: &str, words: &[&str]) -> Result<(), String> {
        let name = self.name(place);
        ip(&[&["-n", &name], words].concat())
    }

    /// Adds a namespace that has no cable yet, if it is not there.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn add(&mut self, place: &str) -> Result<(), String> {
        let name = self.name(place);
        if self.made.contains(&name) {
            return Ok(());
        }
        ip(&["netns", "add", &name])?;
        self.made.push(name.clone());
        ip(&["-n", &name, "link", "set", "lo", "up"])
    }

    fn join(&self, cable: &Cable) -> Result<(), String> {
        let (node, far) = (self.name("node"), self.name(cable.neighbour));
        ip(&[
            "link",
            "add",
            cable.device,
            "netns",
            &node,
            "type",
            "veth",
            "peer",
            "name",
            cable.device,
            "netns",
            &far,
        ])?;
        for (place, address) in [(&node, cable.ours), (&far, cable.theirs)] {
            ip(&["-n", place, "addr", "add", address, "dev", cable.device])?;
            ip(&["-n", place, "link", "set", cable.device, "up"])?;
        }
        Ok(())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.made {
            // It may have been removed by hand.
            let _gone = ip(&["netns", "del", name]);
        }
    }
}

/// Returns the name of `ip`: Debian keeps it where a user's path does not lead.
#[must_use]
pub fn ip_program() -> &'static str {
    let usual = "/usr/sbin/ip";
    if std::path::Path::new(usual).is_file() {
        usual
    } else {
        "ip"
    }
}

/// Runs `ip` with these words.
///
/// # Errors
/// What it said.
pub fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new(ip_program())
        .args(words)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "ip {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("ip: {error}")),
    }
}
