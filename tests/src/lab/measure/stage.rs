//! An element between two neighbours, in namespaces of its own: our node, or
//! Debian's kamailio with or without rtpengine. What it has used comes out.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::usage::{self, Process};
use crate::kit::net::{Cable, Net};

const NODE: &str = include_str!("node.toml");
const KAMAILIO: &str = include_str!("kamailio.cfg");

/// Both neighbours live in one namespace, so that one process can time what
/// passes from one side to the other.
const CABLES: [Cable; 3] = [
    Cable {
        neighbour: "peers",
        device: "a0",
        ours: "172.20.31.2/29",
        theirs: "172.20.31.1/29",
    },
    Cable {
        neighbour: "peers",
        device: "b0",
        ours: "172.20.32.2/29",
        theirs: "172.20.32.1/29",
    },
    Cable {
        neighbour: "peers",
        device: "m1",
        ours: "10.20.120.1/29",
        theirs: "10.20.120.2/29",
    },
];

/// What stands between the neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Element {
    Ours,
    Kamailio,
    /// With rtpengine, over its ng protocol.
    Anchored,
    /// With rtpengine and the `dialog` module, which holds calls.
    Holding,
}

/// An element that runs.
#[derive(Debug)]
pub struct Stage {
    pub net: Net,
    pub folder: PathBuf,
    children: Vec<Child>,
}

impl Stage {
    /// Starts an element; returns when it takes calls. `binary` is our node,
    /// `folder` holds what everybody writes.
    ///
    /// # Errors
    /// What is missing or did not start.
    pub fn start(element: Element, binary: &Path, folder: &Path) -> Result<Self, String> {
        let folder = folder.join(format!("{element:?}").to_lowercase());
        let say = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(say)?;
        let folder = folder.canonicalize().map_err(say)?;
        let mut stage = Self {
            net: Net::make(&CABLES)?,
            folder,
            children: Vec::new(),
        };
        match element {
            Element::Ours => stage.ours(binary)?,
            Element::Kamailio => stage.kamailio(&[])?,
            Element::Anchored => {
                stage.rtpengine()?;
                stage.kamailio(&["WITH_MEDIA"])?;
            }
            Element::Holding => {
                stage.rtpengine()?;
                stage.kamailio(&["WITH_MEDIA", "WITH_DIALOG"])?;
            }
        }
        Ok(stage)
    }

    /// Returns every process of the element.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let roots = self.children.iter().map(Child::id);
        roots.flat_map(usage::tree).collect()
    }

    /// Returns the processor time of the element's processes whose name `counts`.
    #[must_use]
    pub fn nanoseconds(&self, counts: impl Fn(&str) -> bool) -> u64 {
        let all = self.processes().into_iter();
        let counted = all.filter(|process| counts(&process.name));
        counted.map(|process| usage::nanoseconds(&process)).sum()
    }

    /// Returns the memory of the element's processes whose name `counts`, in KiB.
    #[must_use]
    pub fn kibibytes(&self, counts: impl Fn(&str) -> bool) -> u64 {
        let all = self.processes().into_iter();
        let counted = all.filter(|process| counts(&process.name));
        counted.map(|process| usage::kibibytes(&process)).sum()
    }

    fn ours(&mut self, binary: &Path) -> Result<(), String> {
        let file = self.folder.join("node.toml");
        std::fs::write(&file, NODE).map_err(|error| error.to_string())?;
        let program = binary.to_str().ok_or("a path that is no text")?;
        let mut command = self.net.command("node", program);
        command.arg("run").arg(&file);
        command.arg("--api").arg(self.folder.join("api.sock"));
        command.arg("--cdr").arg(self.folder.join("cdr.jsonl"));
        self.spawn(command, "node.log")?;
        self.until("the node", |stage| {
            let log = stage.said("node.log");
            let ready = ["signal", "relay", "console"];
            ready
                .iter()
                .all(|role| log.contains(&format!("ready role=\"{role}\"")))
        })
    }

    /// Two workers for datagrams and two for streams: with one of each it costs
    /// as much, and it is the least that a busy proxy is given.
    fn kamailio(&mut self, defines: &[&str]) -> Result<(), String> {
        let file = self.folder.join("kamailio.cfg");
        let defines: String = defines.iter().map(|d| format!("#!define {d}\n")).collect();
        std::fs::write(&file, defines + KAMAILIO).map_err(|error| error.to_string())?;
        let mut command = self.net.command("node", "kamailio");
        command.args([
            "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "1024", "-M", "32",
        ]);
        command.arg("-Y").arg(&self.folder).arg("-f").arg(&file);
        self.spawn(command, "kamailio.log")?;
        self.listens("kamailio", "tcp", 5066)?;
        self.listens("kamailio", "udp", 5060)
    }

    fn rtpengine(&mut self) -> Result<(), String> {
        let mut command = self.net.command("node", "rtpengine");
        command.args(["--foreground", "--log-stderr", "--log-level=2"]);
        command.args(["--interface=ext/172.20.31.2", "--interface=int/10.20.120.1"]);
        command.args([
            "--listen-ng=127.0.0.1:2223",
            "--table=-1",
            "--delete-delay=0",
        ]);
        command.args(["--port-min=10000", "--port-max=59999", "--num-threads=2"]);
        command.args(["--timeout=600", "--silent-timeout=3600"]);
        self.spawn(command, "rtpengine.log")?;
        self.listens("rtpengine", "udp", 2223)
    }

    fn spawn(&mut self, mut command: Command, log: &str) -> Result<(), String> {
        let log =
            std::fs::File::create(self.folder.join(log)).map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        self.children.push(child);
        Ok(())
    }

    fn listens(&self, who: &str, table: &str, port: u16) -> Result<(), String> {
        self.until(who, |stage| {
            let Some(child) = stage.children.last() else {
                return false;
            };
            let path = format!("/proc/{}/net/{table}", child.id());
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.contains(&format!(":{port:04X} 00000000:0000"))
        })
    }

    fn until(&self, who: &str, holds: impl Fn(&Self) -> bool) -> Result<(), String> {
        let since = Instant::now();
        while !holds(self) {
            if since.elapsed() > Duration::from_secs(15) {
                let log = |name| self.said(name);
                let logs = [log("node.log"), log("kamailio.log"), log("rtpengine.log")];
                return Err(format!("{who} did not start:\n{}", logs.concat()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn said(&self, log: &str) -> String {
        std::fs::read_to_string(self.folder.join(log)).unwrap_or_default()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &self.children {
            // `ip netns exec` becomes the program, so this is its own pid.
            crate::kit::node::terminate(child.id());
        }
        let until = Instant::now() + Duration::from_secs(8);
        for child in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}
