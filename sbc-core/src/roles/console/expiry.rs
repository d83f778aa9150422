//! Certificates that end soon: tunnels come in, facts for alarms go out.

use std::time::Duration;

use super::alarms::Fact;
use crate::ipc::Tunnel;

const DAY: u64 = 24 * 3600;

/// The last days, in which it is more than a warning.
const LAST_DAYS: u64 = 7;

/// Returns a fact for each tunnel whose first certificate ends within `warning` of
/// `now`, in seconds since 1970, or has ended.
pub fn facts(tunnels: &[Tunnel], now: u64, warning: Duration) -> Vec<Fact> {
    let dated = tunnels.iter().filter(|tunnel| tunnel.until != 0);
    let soon = dated.filter(|tunnel| tunnel.until <= now.saturating_add(warning.as_secs()));
    let fact = |tunnel: &Tunnel| {
        let (name, day) = (&tunnel.name, day(tunnel.until));
        if tunnel.until <= now {
            let text = format!("a certificate of the tunnel ended on {day}");
            Fact::new("cert-expiry", name, text).with_severity("critical")
        } else {
            let days = (tunnel.until - now) / DAY;
            let text = format!("a certificate of the tunnel ends on {day}, in {days} days");
            let fact = Fact::new("cert-expiry", name, text);
            match days {
                0..LAST_DAYS => fact.with_severity("major"),
                _ => fact,
            }
        }
    };
    soon.map(fact).collect()
}

fn day(since: u64) -> String {
    sbc_netcfg::vpn::pki::date(Duration::from_secs(since))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DAY, facts};
    use crate::ipc::Tunnel;

    #[test]
    fn a_certificate_that_ends_soon_is_told_with_its_day_and_worse_when_it_has_ended() {
        let ends = 20_000 * DAY;
        let tunnel = |until| Tunnel {
            name: "itsp-a".to_owned(),
            until,
            ..Tunnel::default()
        };
        let look = |now| {
            facts(
                &[tunnel(ends), tunnel(0)],
                now,
                Duration::from_secs(30 * DAY),
            )
        };
        assert!(look(ends - 31 * DAY).is_empty());
        assert_eq!(look(ends - 8 * DAY)[0].severity, None);
        let soon = look(ends - 3 * DAY);
        let text = "a certificate of the tunnel ends on 2024-10-04, in 3 days";
        assert_eq!((soon.len(), soon[0].text.as_str()), (1, text));
        assert_eq!(soon[0].severity, Some("major"));
        let late = look(ends + DAY);
        assert_eq!(late[0].severity, Some("critical"));
        assert_eq!(
            late[0].text,
            "a certificate of the tunnel ended on 2024-10-04"
        );
    }
}
