//! Charon, strongSwan's own program, as a child of `init`: it is started in a jail
//! of its own once the fence stands, watched, and started again (RFC 7296 is its
//! work). What it is to do it hears from `netcfg`.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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
use crate::jail::ceilings::{self, Ends};

/// Its settings and its control socket.
pub const FOLDER: &str = "/run/sbc/charon";
/// Charon writes its pid there, and ends if it cannot; no setting names another place.
const PID_FILE: &str = "/var/run/charon.pid";

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
        let ends = Ends::of("charon");
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
        let why = ends.why(why);
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
    give_pid_file(Path::new(PID_FILE), user)?;
    std::os::unix::fs::chown(FOLDER, Some(user), Some(user))?;
    std::fs::set_permissions(FOLDER, std::fs::Permissions::from_mode(0o750))?;
    Command::new("/proc/self/exe")
        .arg0("sbc-charon")
        .args(["role", "charon"])
        .env_clear()
        .env(SETTINGS, folder.settings())
        .envs(std::env::var_os(ceilings::GROUPS).map(|groups| (ceilings::GROUPS, groups)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

/// Lays an empty file there for `user`, who may make none in that folder.
///
/// # Errors
/// When it cannot be made, or is another daemon's.
fn give_pid_file(path: &Path, user: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::File::options();
    let file = options.append(true).create(true).open(path)?;
    let about = file.metadata()?;
    if about.len() > 0 && about.uid() != user {
        let why = format!("{}: another charon runs here", path.display());
        return Err(io::Error::other(why));
    }
    file.set_len(0)?;
    std::os::unix::fs::fchown(&file, Some(user), Some(user))
}

/// Enters charon's jail and becomes charon. It comes back only if it could not.
pub fn become_it() -> ExitCode {
    let error = match jail::enter_charon() {
        Ok(()) => std::process::Command::new(PROGRAM).exec().into(),
        Err(error) => error,
    };
    eprintln!("charon: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_for_its_pid_is_laid_empty_and_another_daemons_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("sbc-pid-{}", std::process::id()));
        let path = folder.join("run/charon.pid");
        let own = rustix::process::geteuid().as_raw();
        give_pid_file(&path, own).unwrap();
        std::fs::write(&path, "4711\n").unwrap();
        give_pid_file(&path, own).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        std::fs::write(&path, "4711\n").unwrap();
        let refused = give_pid_file(&path, own + 1).unwrap_err();
        assert!(refused.to_string().contains("another charon"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "4711\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
