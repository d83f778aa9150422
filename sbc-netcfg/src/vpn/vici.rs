//! The way to charon: connections, secrets and keys go in over its control socket
//! (VICI), the state of the associations comes out.
//!
//! `rsvici` never answers a question whose connection ended, and may lose its place
//! in the stream when a question meets an event. So each question has a time limit,
//! an end of the connection ends everything on it, and news have a connection of
//! their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::connection::{Association, Auth, Between, CHILD, Credential, Key, Octets, Shared};
use super::listed::{Listed, Ordered};
use super::words::meaning;

/// Charon answers all but `initiate` within milliseconds.
const WITHIN: Duration = Duration::from_secs(5);

/// Associations that are read at once: a node has one or two for each tunnel.
const ASSOCIATIONS_MAX: usize = 1024;

/// Why charon did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum VpnError {
    #[error("charon's control socket cannot be reached")]
    Unreachable(#[source] std::io::Error),
    #[error("charon does not answer {0} within {WITHIN:?}")]
    Silent(&'static str),
    #[error("charon refused {what}: {why}")]
    Refused { what: &'static str, why: String },
    #[error("{0}: the connection to charon failed")]
    Failed(&'static str, #[source] rsvici::Error),
    #[error("tunnel {0}: its secret is missing")]
    NoCredential(String),
    #[error("the key in the store does not fit our certificate")]
    ForeignKey,
}

/// What charon answers to an order.
#[derive(Deserialize)]
struct Outcome {
    success: Option<bool>,
    errmsg: Option<String>,
}

/// A connection to charon.
pub struct Charon(rsvici::Client);

impl std::fmt::Debug for Charon {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Charon")
    }
}

impl Charon {
    /// Connects to the control socket.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Self, VpnError> {
        let client = timeout(WITHIN, rsvici::unix::connect(socket)).await;
        let client = client.map_err(|_| VpnError::Silent("a connection"))?;
        client.map(Self).map_err(VpnError::Unreachable)
    }

    /// Loads an association with what it proves itself by. One of the same name is
    /// replaced; what is up goes on.
    ///
    /// # Errors
    /// What charon said.
    pub async fn load(
        &mut self,
        association: &Association,
        credential: &Credential,
    ) -> Result<(), VpnError> {
        match (credential, &association.auth) {
            (Credential::Psk(secret), Auth::Psk) => {
                let shared = Shared {
                    id: association.connection_name(),
                    kind: "IKE",
                    data: Octets(secret.reveal()),
                    owners: vec![
                        association.local.to_string(),
                        association.remote.to_string(),
                    ],
                };
                self.order("load-shared", shared).await?;
            }
            (Credential::Key(key), Auth::Certificate { own, .. }) => {
                let key = Key {
                    kind: "any",
                    data: Octets(key.reveal()),
                };
                self.order("load-key", key).await?;
                for pem in own.pem.iter().skip(1) {
                    let between = Between {
                        kind: "X509",
                        flag: "NONE",
                        data: pem,
                    };
                    self.order("load-cert", between).await?;
                }
            }
            _ => return Err(VpnError::NoCredential(association.name.clone())),
        }
        self.order("load-conn", association.to_message()).await?;
        match &association.auth {
            Auth::Certificate { own, .. } if !self.has_key(&own.der).await? => {
                Err(VpnError::ForeignKey)
            }
            _ => Ok(()),
        }
    }

    /// Forgets all secrets, keys and certificates; what is up goes on.
    ///
    /// # Errors
    /// What charon said.
    pub async fn forget(&mut self) -> Result<(), VpnError> {
        self.order("clear-creds", ()).await
    }

    /// Returns whether charon has the key of a certificate.
    async fn has_key(&mut self, der: &[u8]) -> Result<bool, VpnError> {
        let mut found = false;
        let rows = self.rows("list-certs", "list-cert", Ordered::X509, |row: Listed| {
            found |= row.is(der) && row.has_key();
        });
        rows.await?;
        Ok(found)
    }

    /// Forgets an association and ends what is up of it.
    ///
    /// # Errors
    /// What charon said.
    pub async fn unload(&mut self, name: &str) -> Result<(), VpnError> {
        #[derive(Serialize)]
        struct Unload<'a> {
            name: &'a str,
        }
        #[derive(Serialize)]
        struct Terminate<'a> {
            ike: &'a str,
            force: bool,
            timeout: &'a str,
        }
        self.order("unload-conn", Unload { name }).await?;
        let end = Terminate {
            ike: name,
            force: true,
            timeout: "0",
        };
        match self.order("terminate", end).await {
            // Nothing was up.
            Err(VpnError::Refused { .. }) => Ok(()),
            other => other,
        }
    }

    /// Asks for an association to come up, and does not wait until it is.
    ///
    /// # Errors
    /// What charon said.
    pub async fn initiate(&mut self, name: &str) -> Result<(), VpnError> {
        #[derive(Serialize)]
        struct Initiate<'a> {
            child: &'a str,
            ike: &'a str,
            timeout: &'a str,
        }
        // A negative time means: do not wait.
        let order = Initiate {
            child: CHILD,
            ike: name,
            timeout: "-1",
        };
        self.order("initiate", order).await
    }

    /// Returns the names of the loaded connections.
    ///
    /// # Errors
    /// What charon said.
    pub async fn loaded(&mut self) -> Result<Vec<String>, VpnError> {
        #[derive(Deserialize)]
        struct Names {
            #[serde(default)]
            conns: Vec<String>,
        }
        let names: Names = self.ask("get-conns", ()).await?;
        Ok(names.conns)
    }

    /// Returns the state of all associations.
    ///
    /// # Errors
    /// What charon said.
    pub async fn state(&mut self) -> Result<State, VpnError> {
        let mut state = State::default();
        let each = |row: BTreeMap<String, IkeState>| {
            state.associations.extend(row);
            state.associations.truncate(ASSOCIATIONS_MAX);
        };
        self.rows("list-sas", "list-sa", (), each).await?;
        Ok(state)
    }

    /// Asks a question that is answered in rows.
    async fn rows<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        row: &str,
        message: impl Serialize,
        mut each: impl FnMut(T),
    ) -> Result<(), VpnError> {
        let listen = async {
            let rows = self.0.stream_request::<_, T>(what, row, message);
            let mut rows = std::pin::pin!(rows);
            while let Some(row) = rows.next().await {
                each(row.map_err(|why| VpnError::Failed(what, why))?);
            }
            Ok(())
        };
        let heard = timeout(WITHIN, listen).await;
        heard.map_err(|_| VpnError::Silent(what))?
    }

    /// Tells `each` why an association does not come up, whenever charon writes so,
    /// until the connection ends.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn listen(
        mut self,
        each: impl AsyncFn(String, String) -> bool,
    ) -> Result<(), VpnError> {
        const WHAT: &str = "log";
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Line {
            #[serde(default)]
            ikesa_name: String,
            #[serde(default)]
            msg: String,
        }
        let lines = self.0.subscribe::<Line>(WHAT);
        let mut lines = std::pin::pin!(lines);
        while let Some(line) = lines.next().await {
            let line = line.map_err(|why| VpnError::Failed(WHAT, why))?;
            if let Some(why) = meaning(&line.msg)
                && !each(line.ikesa_name, why).await
            {
                return Ok(());
            }
        }
        Err(VpnError::Silent(WHAT))
    }

    /// Waits for the next change of an association or its end.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn changed(&mut self) -> Result<(), VpnError> {
        const WHAT: &str = "child-updown";
        let news = self.0.subscribe::<IgnoredAny>(WHAT);
        let mut news = std::pin::pin!(news);
        match news.next().await {
            Some(Err(why)) => Err(VpnError::Failed(WHAT, why)),
            _ => Ok(()),
        }
    }

    async fn order(&mut self, what: &'static str, message: impl Serialize) -> Result<(), VpnError> {
        let outcome: Outcome = self.ask(what, message).await?;
        if outcome.success == Some(false) {
            let why = outcome.errmsg.unwrap_or_default();
            return Err(VpnError::Refused { what, why });
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        message: impl Serialize,
    ) -> Result<T, VpnError> {
        let answer = timeout(WITHIN, self.0.request(what, message)).await;
        let answer = answer.map_err(|_| VpnError::Silent(what))?;
        answer.map_err(|why| VpnError::Failed(what, why))
    }
}

/// All associations that exist, up or on their way.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// By connection; a connection may have two for the moment of a change.
    pub associations: Vec<(String, IkeState)>,
}

/// An IKE association (RFC 7296).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct IkeState {
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub local_host: String,
    #[serde(default)]
    pub remote_host: String,
    /// Seconds since it came up.
    #[serde(default)]
    pub established: Option<u64>,
    #[serde(default)]
    pub child_sas: BTreeMap<String, ChildState>,
}

/// A pair of ESP associations (RFC 4303).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ChildState {
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub mode: String,
    #[serde(default)]
    pub protocol: String,
    #[serde(default)]
    pub spi_in: String,
    #[serde(default)]
    pub spi_out: String,
    #[serde(default)]
    pub encr_alg: String,
    /// Seconds until new keys are agreed.
    #[serde(default)]
    pub rekey_time: Option<u64>,
    #[serde(default)]
    pub bytes_in: u64,
    #[serde(default)]
    pub bytes_out: u64,
    #[serde(default)]
    pub packets_in: u64,
    #[serde(default)]
    pub packets_out: u64,
}

impl State {
    /// Returns whether data can pass through a tunnel.
    #[must_use]
    pub fn is_up(&self, name: &str) -> bool {
        self.children(name).any(|child| child.state == "INSTALLED")
    }

    /// Returns the pairs of a tunnel.
    pub fn children(&self, name: &str) -> impl Iterator<Item = &ChildState> {
        let of = move |(ike, _): &&(String, IkeState)| ike == name;
        let all = self.associations.iter().filter(of);
        all.flat_map(|(_, ike)| ike.child_sas.values())
    }
}
