//! Tunnels of a configuration: connections of the plan and the secrets of the store
//! come in, what charon is told goes out; a task keeps charon in step
//! (RFC 7296 for the associations).

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sbc_config::network::TunnelAuth;
use sbc_netcfg::secrets::{self, Secret};
use sbc_netcfg::vpn::charon::Folder;
use sbc_netcfg::vpn::pki::{Chain, Unusable};
use sbc_netcfg::vpn::{Association, Auth, Credential, Event, keep};
use sbc_plan::Desired;
use sbc_plan::desired::Connection;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::standing::cut;
use crate::ipc::Tunnel;
use crate::roles::init::charon::FOLDER;

/// News of charon that wait: a handful a second for each tunnel.
const EVENTS_MAX: usize = 64;

/// The task that keeps charon in step.
#[derive(Debug)]
pub struct Tunnels {
    keeper: Option<AbortHandle>,
    events: mpsc::Receiver<Event>,
    tell: mpsc::Sender<Event>,
}

impl Default for Tunnels {
    fn default() -> Self {
        let (tell, events) = mpsc::channel(EVENTS_MAX);
        Self {
            keeper: None,
            events,
            tell,
        }
    }
}

impl Tunnels {
    /// Returns the next news of charon.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Keeps charon in step with `desired` from here on. Returns every tunnel; one
    /// whose secret cannot be had says why, and stays down.
    pub fn keep(&mut self, desired: &Desired, files: &[(String, File)]) -> Vec<Tunnel> {
        if let Some(before) = self.keeper.take() {
            before.abort();
        }
        let mut wanted = Vec::new();
        let mut tunnels = Vec::new();
        for connection in &desired.connections {
            let mut tunnel = Tunnel {
                name: connection.name.clone(),
                ..Tunnel::default()
            };
            match told(connection, files) {
                Ok((association, credential)) => {
                    tunnel.until = until(&association.auth);
                    wanted.push((association, credential));
                }
                Err(why) => tunnel.why = cut(&why),
            }
            tunnels.push(tunnel);
        }
        if !wanted.is_empty() {
            let tell = self.tell.clone();
            let task = async move {
                let folder = Folder::at(Path::new(FOLDER));
                keep(&folder.socket(), &wanted, tell).await;
            };
            self.keeper = Some(tokio::task::spawn_local(task).abort_handle());
        }
        tunnels
    }
}

/// Returns what charon is told of a tunnel; or the code and the words of why it
/// cannot be.
fn told(
    connection: &Connection,
    files: &[(String, File)],
) -> Result<(Association, Credential), String> {
    let (auth, credential) = match &connection.auth {
        TunnelAuth::Psk { secret } => (Auth::Psk, Credential::Psk(value(secret, files)?)),
        TunnelAuth::Certificate {
            own,
            authority,
            remote_id,
        } => {
            let key = value(&own.key, files)?;
            let auth = Auth::Certificate {
                own: chain(&own.chain, files, Chain::own)?,
                authority: chain(&authority.pem, files, Chain::authority)?,
                remote_id: remote_id.clone(),
            };
            (auth, Credential::Key(key))
        }
    };
    Ok((association(connection, auth), credential))
}

fn open<'a>(name: &str, files: &'a [(String, File)]) -> Option<&'a File> {
    let known = files.iter().find(|(known, _)| known == name);
    known.map(|(_, file)| file)
}

fn value(name: &str, files: &[(String, File)]) -> Result<Secret, String> {
    let file = open(name, files);
    let file = file.ok_or_else(|| format!("SBC-2205: secret {name} cannot be had"))?;
    secrets::read(name, file).map_err(|error| format!("SBC-2205: {error}"))
}

fn chain(
    name: &str,
    files: &[(String, File)],
    read: impl Fn(&str, &[u8], Duration) -> Result<Chain, Unusable>,
) -> Result<Chain, String> {
    let file = open(name, files);
    let file = file.ok_or_else(|| format!("SBC-2202: {name} cannot be had"))?;
    let octets = secrets::read(name, file);
    let octets = octets.map_err(|error| format!("SBC-2202: {error}"))?;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let chain = read(name, octets.reveal(), now);
    chain.map_err(|unusable| format!("{}: {unusable}", unusable.code()))
}

/// Returns when the first certificate of a tunnel ends, in seconds since 1970; 0
/// where there is none.
fn until(auth: &Auth) -> u64 {
    match auth {
        Auth::Psk => 0,
        Auth::Certificate { own, authority, .. } => own.until.min(authority.until).as_secs(),
    }
}

fn association(connection: &Connection, auth: Auth) -> Association {
    Association {
        name: connection.name.clone(),
        local: connection.local,
        remote: connection.remote,
        auth,
        suite: connection.suite,
        dead_peer: connection.dead_peer,
        nat_traversal: connection.nat_traversal,
        dscp: connection.dscp,
        initiates: connection.initiates,
        rekey_child: None,
    }
}
