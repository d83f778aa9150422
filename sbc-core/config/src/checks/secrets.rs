//! Secrets the file names: they are in the store, and long enough. Silent where
//! the store is not at hand.

use alloc::format;

use crate::checks::Check;
use crate::codes::{SECRET_MISSING, SHORT_PSK};
use crate::draft::Draft;
use crate::report::{Problem, Report};

/// The checks of secrets.
pub const CHECKS: &[Check] = &[missing, short_psk];

/// RFC 7296 §2.15 asks for as much randomness as the strongest key: what
/// people choose needs about this many characters to come near.
const SHORT: usize = 20;

/// Calls `each` with the name, place and length of every shared secret; no
/// length means that the store does not have it.
fn shared_secrets(
    draft: &Draft<'_>,
    mut each: impl FnMut(&str, &crate::report::Span, Option<usize>),
) {
    let Some(store) = draft.secrets else { return };
    for tunnel in draft.tunnels.active() {
        let psk = tunnel.table.auth.value().and_then(|auth| auth.psk.get());
        if let Some(psk) = psk {
            each(
                &psk.value.0,
                &psk.span,
                store.get(psk.value.0.as_str()).copied(),
            );
        }
    }
}

/// Does the same for the keys of certificates that a tunnel names, too.
fn named_secrets(
    draft: &Draft<'_>,
    mut each: impl FnMut(&str, &crate::report::Span, Option<usize>),
) {
    shared_secrets(draft, &mut each);
    let Some(store) = draft.secrets else { return };
    for own in draft.certificates.active() {
        let named = |tunnel: &crate::file::tables::TunnelFile| {
            let auth = tunnel.auth.value();
            auth.and_then(|auth| auth.certificate.value()) == Some(&own.name)
        };
        let mut tunnels = draft.tunnels.active();
        if let Some(key) = own.table.key.get()
            && tunnels.any(|tunnel| named(&tunnel.table))
        {
            let name = key.value.0.as_str();
            each(name, &key.span, store.get(name).copied());
        }
    }
}

fn missing(draft: &Draft<'_>, report: &mut Report) {
    named_secrets(draft, |name, span, length| {
        if length.is_none() {
            let problem = Problem::new(
                SECRET_MISSING,
                span,
                format!("the secret store has no {name}"),
            );
            report.add(
                problem
                    .label("not in the store")
                    .help("put the value into the store under this name"),
            );
        }
    });
}

fn short_psk(draft: &Draft<'_>, report: &mut Report) {
    shared_secrets(draft, |name, span, length| {
        if length.is_some_and(|length| length < SHORT) {
            let problem = Problem::new(
                SHORT_PSK,
                span,
                format!("{name} is short enough to be guessed"),
            );
            report.add(
                problem
                    .label("short")
                    .help(format!("use at least {SHORT} random characters")),
            );
        }
    });
}
