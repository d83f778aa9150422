//! The way to a collector in TLS (RFC 5425): a connection and the authority that the
//! configuration names come in, a stream that only this collector reads goes out, or
//! why it is not the one.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use sbc_config::network::Authority;
use sbc_netcfg::secrets::Store;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A handshake has two turns; a collector that needs longer is away.
const SHAKES_WITHIN: Duration = Duration::from_secs(10);

/// Certificates of one trust file: a root for each site and its successor.
const AUTHORITIES_MAX: usize = 16;

/// Who a collector must be.
#[derive(Debug)]
pub struct Identity<'a> {
    pub authority: &'a Authority,
    /// The folder that `pki/` lies in.
    pub state: Option<&'a Path>,
    /// A name or address that its certificate must have (RFC 5425 §5.2).
    pub name: &'a str,
}

/// Shakes hands. TLS 1.2 and 1.3 are spoken (RFC 5425 §4.2), and a
/// certificate is asked for every time.
///
/// # Errors
/// Why the collector is not who it must be, with its code.
pub async fn secured(stream: TcpStream, who: &Identity<'_>) -> io::Result<TlsStream<TcpStream>> {
    let settings = settings(who).map_err(|why| io::Error::other(format!("SBC-2222: {why}")))?;
    let name = ServerName::try_from(who.name.to_owned());
    let name = name.map_err(|_| io::Error::other("SBC-2221: its name can be no name in TLS"))?;
    let connector = TlsConnector::from(Arc::new(settings));
    match timeout(SHAKES_WITHIN, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) => Err(told(&why, who)),
        Err(_) => Err(io::Error::other("SBC-2220: it does not shake hands")),
    }
}

fn settings(who: &Identity<'_>) -> Result<ClientConfig, String> {
    let trust = &who.authority.name;
    let state = who.state.ok_or("this node keeps no state, and no trust")?;
    let file = Store::at(state).get(&who.authority.pem);
    let file = file.map_err(|why| {
        let source = std::error::Error::source(&why);
        let source = source.map_or_else(String::new, |source| format!(": {source}"));
        format!("trust {trust}: {why}{source}")
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(file.reveal()).take(AUTHORITIES_MAX) {
        let certificate = certificate.map_err(|_| format!("trust {trust}: it is no PEM"))?;
        let added = roots.add(certificate);
        added.map_err(|_| format!("trust {trust}: a certificate of it cannot be read"))?;
    }
    if roots.is_empty() {
        return Err(format!("trust {trust}: it holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| "this image has no suites of TLS".to_owned())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Returns the failure in words of ours where it is one of who the far end is.
fn told(why: &io::Error, who: &Identity<'_>) -> io::Error {
    let inner = why
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let (name, trust) = (who.name, &who.authority.name);
    let said = match inner {
        Some(Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "SBC-2221: its certificate has ended".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "SBC-2221: its certificate is not valid yet: is the clock right?".to_owned()
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("SBC-2221: no authority of trust {trust} signed its certificate")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("SBC-2221: its certificate is not for {name}")
            }
            other => format!("SBC-2221: its certificate is refused: {other}"),
        },
        Some(other) => format!("SBC-2220: no TLS with it: {other}"),
        None => format!("SBC-2220: no TLS with it: {why}"),
    };
    io::Error::new(why.kind(), said)
}
