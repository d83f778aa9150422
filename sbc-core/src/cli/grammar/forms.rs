//! What rows of the tree are made of: the forms of the longer answers, in the notation
//! of [`crate::cli::form`], and the row itself.

use super::{Act, Mode, Role, Row};

pub(super) const CALLS: &str =
    "[{call:n id:s direction:s from:s to:s peer_a:s peer_b:s state:s secs:n emergency:b silent:s}]";
pub(super) const CERTIFICATES: &str = "[{name:s kind:s file:s state:s waits:b tunnels:[s] certificates:[{subject:s issuer:s names:[s] until:n sha256:s}]}]";
pub(super) const PEERS: &str = "[{name:s kind:s target:s state:s since_secs:n active:n limit:n attempts:n answered:n options_ms:n? asking:b drained:b}]";
pub(super) const LADDER: &str = "{call:n id:s peers:[{name:s place:s}] rungs:[{at:{secs:n nanos:n} side:s ours:b what:s sdp:b note:s message:s}] more:n end:s diagnosis:s}";
pub(super) const TUNNELS: &str = "[{name:s state:s why:s local:s remote:s auth:s suite:s since_secs:n? rekey_secs:n? downs:n certificate_until:n? packets_in:n octets_in:n packets_out:n octets_out:n}]";
pub(super) const INTERFACES: &str = "[{name:s link:s kind:s zone:s state:s mtu:n addresses:[s] packets_in:n octets_in:n packets_out:n octets_out:n dropped_in:n dropped_out:n errors_in:n errors_out:n}]";
pub(super) const ISOLATION: &str =
    "{fence:s differs:[s] rules:[{table:s chain:s rule:s enforces:s counter:s? packets:n?}]}";
pub(super) const BANDWIDTH: &str = "[{trunk:s via:s calls:n limit:n? call_bits:n call_bits_at_ip:n call_bits_by_formula:n calls_bits:n limit_bits:n? path_bits:n? sent_bits:n? received_bits:n?}]";
pub(super) const DONE: &str = "{done:s}";
pub(super) const REVISIONS: &str =
    "[{revision:n hash:s author:s channel:s time:n comment:s confirmed:b live:b}]";
pub(super) const LIVE: &str = "{revision:n}";

/// Returns a row.
pub(super) const fn row(
    mode: Mode,
    role: Role,
    syntax: &'static str,
    act: Act,
    form: &'static str,
    help: &'static str,
) -> Row {
    Row {
        mode,
        role,
        syntax,
        help,
        act,
        form,
    }
}
