//! Charon, strongSwan's own program, as a child of `init`: it is started in a jail
//! of its own once the fence stands, watched, and started again (RFC 7296 is its
//! work). What it is to do it hears from `netcfg`.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use sbc_netcfg::vpn::charon::{Folder, PROGRAM, SETTINGS};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use crate::jail;

/// Its settings and its control socket.
pub const FOLDER: &str = "/run/sbc/charon";

/// Between an end and the next start: what it held in the kernel carries on.
const PAUSE: Duration = Duration::from_millis(100);

/// It says goodbye to its peers within this time, or is ended.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// The task that keeps it running, and the bell that ends both.
#[derive(Debug, Default)]
pub struct Charon(Option<(JoinHandle<()>, Rc<Notify>)>);

impl Charon {
    /// Starts it if there are tunnels, and ends it if there are none.
    pub fn fit(&mut self, has_tunnels: bool) {
        if has_tunnels && self.0.is_none() {
            let bell = Rc::new(Notify::new());
            let task = tokio::task::spawn_local(keep(Rc::clone(&bell)));
            self.0 = Some((task, bell));
        } else if !has_tunnels && let Some((_, bell)) = self.0.take() {
            bell.notify_one();
        }
    }

    /// Ends it, and waits until it has ended.
    pub async fn stop(&mut self) {
        if let Some((task, bell)) = self.0.take() {
            bell.notify_one();
            let _late = timeout(STOPS_WITHIN * 2, task).await;
        }
    }
}

/// Starts it, and starts it again whenever it ends, until the bell rings.
async fn keep(bell: Rc<Notify>) {
    let since = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        let why = match start() {
            Ok(mut child) => {
                tracing::info!(pid = child.id(), "started charon");
                tokio::select! {
                    ended = child.wait() => ended.map_or_else(|e| e.to_string(), |s| s.to_string()),
                    () = bell.notified() => return goodbye(child).await,
                }
            }
            Err(error) => error.to_string(),
        };
        let pause = backoff.pause_after_death(since.elapsed()).max(PAUSE);
        tracing::warn!(why, ?pause, "charon ended");
        tokio::select! {
            () = sleep(pause) => {}
            () = bell.notified() => return,
        }
    }
}

/// Lets it tell its peers, and ends it if it takes too long.
async fn goodbye(mut child: Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if timeout(STOPS_WITHIN, child.wait()).await.is_err() {
        let _gone = child.kill().await;
    }
}

fn start() -> io::Result<Child> {
    let folder = Folder::make(Path::new(FOLDER))?;
    let user = jail::of_charon().user;
    std::os::unix::fs::chown(FOLDER, Some(user), Some(user))?;
    std::fs::set_permissions(FOLDER, std::fs::Permissions::from_mode(0o750))?;
    Command::new("/proc/self/exe")
        .arg0("sbc-charon")
        .args(["role", "charon"])
        .env_clear()
        .env(SETTINGS, folder.settings())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// Enters charon's jail and becomes charon. It comes back only if it could not.
pub fn become_it() -> ExitCode {
    let jailed = jail::of_charon().enter().and_then(|()| {
        let signal = rustix::process::Signal::KILL;
        // After the change of users, which forgets it.
        rustix::process::set_parent_process_death_signal(Some(signal)).map_err(io::Error::from)
    });
    let error = match jailed {
        Ok(()) => std::process::Command::new(PROGRAM).exec(),
        Err(error) => error,
    };
    eprintln!("charon: {error}");
    ExitCode::FAILURE
}
