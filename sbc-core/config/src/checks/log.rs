//! Collectors of the log (RFC 5424): where they are, and that management leads
//! there.

use alloc::format;

use crate::checks::Check;
use crate::checks::cap;
use crate::codes::{ABOVE_CAP, MISSING_KEY, OUT_OF_RANGE, ZONE};
use crate::draft::Draft;
use crate::file::NamedTable;
use crate::file::tables::SyslogFile;
use crate::file::values::{SyslogTransport, is_host};
use crate::report::{Problem, Report};

/// The checks of collectors.
pub const CHECKS: &[Check] = &[places, ways, trusts, count];

/// A collector is one host with a port.
fn places(draft: &Draft<'_>, report: &mut Report) {
    for collector in draft.collectors() {
        let Some(target) = collector.table.target.get() else {
            continue;
        };
        let at = target.value.0;
        if !is_host(at.ip()) || at.port() == 0 {
            let message = format!("{}: {at} is no place of a collector", title(collector));
            let problem = Problem::new(OUT_OF_RANGE, &target.span, message).label("no host");
            report.add(problem.help("write the address and port of one host"));
        }
    }
}

/// The log leaves by management alone, from an address of the collector's family.
fn ways(draft: &Draft<'_>, report: &mut Report) {
    let management = draft.file.management.value();
    let name = management.and_then(|management| management.interface.get());
    for collector in draft.collectors() {
        let Some(target) = collector.table.target.get() else {
            continue;
        };
        let v4 = target.value.0.is_ipv4();
        let why = match name.map(|name| draft.interfaces.get(&name.value)) {
            None => "no interface is named in [management]",
            // That it is not there is told where it is named.
            Some(None) => continue,
            Some(Some(interface)) => {
                let Some(own) = interface.table.address.value() else {
                    continue;
                };
                if own.iter().any(|own| own.value.0.address().is_ipv4() == v4) {
                    continue;
                }
                "the management interface has no address of its family"
            }
        };
        let message = format!("{}: {why}", title(collector));
        let problem = Problem::new(ZONE, &target.span, message).label("no way there");
        report
            .add(problem.help("the log leaves by management.interface alone; give it an address"));
    }
}

/// TLS without somebody to trust would be TLS with anybody.
fn trusts(draft: &Draft<'_>, report: &mut Report) {
    for collector in draft.collectors() {
        let transport = collector.table.transport.get();
        let tls = transport.filter(|given| given.value == SyslogTransport::Tls);
        let Some(given) = tls.filter(|_| collector.table.trust.is_absent()) else {
            continue;
        };
        let message = format!("{}: TLS needs a trust", title(collector));
        let problem = Problem::new(MISSING_KEY, &given.span, message).label("whom to believe?");
        report.add(problem.help("name the authority of its certificate: trust = \"NAME\""));
    }
}

fn count(draft: &Draft<'_>, report: &mut Report) {
    let most = usize::try_from(cap::COLLECTORS).unwrap_or(usize::MAX);
    for collector in draft.collectors().skip(most) {
        let message = format!("{}: this is above the built-in cap", title(collector));
        let problem = Problem::new(ABOVE_CAP, &collector.span, message).label("too many");
        report.add(problem.help(format!("at most {most} collectors")));
    }
}

fn title(collector: &NamedTable<SyslogFile>) -> alloc::string::String {
    format!("log.syslog {}", collector.name)
}
