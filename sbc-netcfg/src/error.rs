//! How the kernel and its tools say no. Each way carries what was tried.

use std::io;
use std::time::Duration;

/// Why the kernel did not do, or did not show, what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("cannot reach the kernel's network tables")]
    Unreachable(#[source] io::Error),
    #[error("{what}: refused")]
    Refused {
        what: String,
        #[source]
        why: io::Error,
    },
    #[error("{what}: no answer within {within:?}")]
    Silent { what: String, within: Duration },
    #[error("{what}: the connection to the kernel ended")]
    Ended { what: String },
    #[error("{what}: changed during each of {tries} readings")]
    Unsteady { what: String, tries: u32 },
    #[error("{what}: an answer that makes no sense")]
    Unreadable { what: String },
    #[error("{what}: there is no device of this name")]
    NoDevice { what: String },
    #[error("firewall rules: {0}")]
    Rules(#[from] NftError),
    #[error("{path}: cannot be {verb}")]
    Sysctl {
        path: String,
        verb: &'static str,
        #[source]
        why: io::Error,
    },
}

/// Why a run of `nft` ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    #[error("nft cannot be started")]
    NotStarted(#[source] io::Error),
    #[error("nft did not finish within {0:?}")]
    Late(Duration),
    #[error("nft wrote more than {0} bytes")]
    TooMuch(usize),
    #[error("nft refused: {0}")]
    Refused(String),
    #[error("what nft printed cannot be read")]
    Unreadable(#[source] serde_json::Error),
    #[error("rules cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}
