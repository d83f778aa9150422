//! Tunnels of a configuration: connections of the plan and the secrets of the store
//! come in, what charon is told goes out; a task keeps charon in step
//! (RFC 7296 for the associations).

use std::fs::File;
use std::path::Path;

use sbc_config::network::TunnelAuth;
use sbc_netcfg::secrets;
use sbc_netcfg::vpn::charon::Folder;
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
            match credential(connection, files) {
                Ok(credential) => wanted.push((association(connection), credential)),
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

fn credential(connection: &Connection, files: &[(String, File)]) -> Result<Credential, String> {
    let TunnelAuth::Psk { secret } = &connection.auth else {
        return Err("certificates of a tunnel are not in this image".to_owned());
    };
    let file = files.iter().find(|(name, _)| name == secret);
    let (_, file) = file.ok_or_else(|| format!("secret {secret} is not in the store"))?;
    let value = secrets::read(secret, file).map_err(|error| error.to_string())?;
    Ok(Credential::Psk(value))
}

fn association(connection: &Connection) -> Association {
    Association {
        name: connection.name.clone(),
        local: connection.local,
        remote: connection.remote,
        auth: Auth::Psk,
        suite: connection.suite,
        dead_peer: connection.dead_peer,
        nat_traversal: connection.nat_traversal,
        initiates: connection.initiates,
        rekey_child: None,
    }
}
