//! Servers of the time (RFC 4330): not too many, and management leads to them.

use alloc::format;

use crate::checks::Check;
use crate::checks::cap;
use crate::codes::{ABOVE_CAP, ZONE};
use crate::draft::Draft;
use crate::report::{Problem, Report};

/// The checks of time servers.
pub const CHECKS: &[Check] = &[servers];

/// Each is a host, and is asked from an address of management of its family.
fn servers(draft: &Draft<'_>, report: &mut Report) {
    let system = draft.file.system.value();
    let servers = system.and_then(|system| system.ntp.get());
    let most = usize::try_from(cap::TIME_SERVERS).unwrap_or(usize::MAX);
    let all = servers.map(|servers| servers.value.iter());
    for (at, server) in all.into_iter().flatten().enumerate() {
        let address = server.value;
        let problem = if at >= most {
            let message = format!("system.ntp: {address} is above the built-in cap");
            let problem = Problem::new(ABOVE_CAP, &server.span, message).label("too many");
            problem.help(format!("at most {most} time servers"))
        } else if let Some(why) = no_way(draft, address.is_ipv4()) {
            let message = format!("system.ntp: {why}");
            let problem = Problem::new(ZONE, &server.span, message).label("no way there");
            problem.help("the time is asked by management.interface alone; give it an address")
        } else {
            continue;
        };
        report.add(problem);
    }
}

/// Returns why management leads to no address of that family.
fn no_way(draft: &Draft<'_>, v4: bool) -> Option<&'static str> {
    let management = draft.file.management.value();
    let name = management.and_then(|management| management.interface.get());
    let Some(name) = name else {
        return Some("no interface is named in [management]");
    };
    // That it is not there, or has no address, is told where it is named.
    let interface = draft.interfaces.get(&name.value)?;
    let own = interface.table.address.value()?;
    let has = own.iter().any(|own| own.value.0.address().is_ipv4() == v4);
    (!has).then_some("the management interface has no address of its family")
}
