//! The far end of a tunnel: a guest configured by hand with strongSwan's own tools,
//! as its documentation would, and a router to the providers behind it.

use std::path::Path;
use std::time::Duration;

use super::guest::{Guest, Tools};
use super::vswitch::Switch;

/// The VLAN of the Internet.
pub const INTERNET: u16 = 10;
/// The VLAN of the providers.
pub const PROVIDERS: u16 = 30;

/// The secret both ends hold.
pub const SECRET: &str = "correct horse battery staple";

const SETTINGS: &str = "charon {
  install_routes = no
  filelog {
    stderr {
      default = 1
    }
  }
}
";

const SECRETS: &str = "secrets {
  ike-sbc {
    id-1 = 203.0.113.10
    id-2 = 203.0.113.12
    secret = \"correct horse battery staple\"
  }
}
";

/// Returns the file of a far end that knows itself and the node by these lines.
#[must_use]
pub fn connections(local: &str, remote: &str) -> String {
    format!(
        "connections {{
  sbc {{
    version = 2
    local_addrs = 203.0.113.12
    remote_addrs = 203.0.113.10
    proposals = aes256gcm16-prfsha256-x25519
    dpd_delay = 5s
    local {{
      {local}
    }}
    remote {{
      {remote}
    }}
    children {{
      gre {{
        mode = transport
        local_ts = dynamic[47]
        remote_ts = dynamic[47]
        esp_proposals = aes256gcm16-x25519
        start_action = trap
        dpd_action = trap
      }}
    }}
  }}
}}
"
    )
}

/// The router of the provider.
#[derive(Debug)]
pub struct Router {
    /// The guest it is.
    pub guest: Guest,
    charon: u32,
}

impl Router {
    /// Boots the guest, and sets its addresses; it has no association yet. Its log
    /// goes to `folder`.
    ///
    /// # Errors
    /// What did not work.
    pub fn boot(switch: &mut Switch, tools: &Tools, folder: &Path) -> Result<Self, String> {
        let outer = switch.access("peer", INTERNET)?;
        let inner = switch.access("router", PROVIDERS)?;
        let mut planned = Guest::plan(tools, "peer", folder)?;
        planned.card(&outer.socket);
        planned.card(&inner.socket);
        let mut guest = planned.boot()?;
        guest.load(&["ip_gre", "esp4"])?;
        guest.put("/etc/strongswan.conf", 0o600, SETTINGS)?;
        let (local, remote) = (
            "auth = psk\nid = 203.0.113.12",
            "auth = psk\nid = 203.0.113.10",
        );
        let file = connections(local, remote) + SECRETS;
        guest.put("/etc/swanctl/swanctl.conf", 0o600, file)?;
        guest.shell(
            "
            for dev in eth0 eth1; do ip link set $dev addrgenmode none; ip link set $dev up; done
            ip addr add 203.0.113.12/29 dev eth0
            ip addr add 10.30.0.1/24 dev eth1
            echo 1 > /proc/sys/net/ipv4/ip_forward",
        )?;
        let mut router = Self { guest, charon: 0 };
        router.start()?;
        // Only behind the trap of an association, so that nothing leaves in clear.
        router.guest.shell(
            "
            ip link add gre1 type gre local 203.0.113.12 remote 203.0.113.10 ttl 64
            ip link set gre1 addrgenmode none
            ip link set gre1 mtu 1400 up
            ip addr add 192.0.2.2/30 dev gre1",
        )?;
        Ok(router)
    }

    /// Starts its charon and loads what is in its file.
    ///
    /// # Errors
    /// What charon said instead.
    pub fn start(&mut self) -> Result<(), String> {
        self.charon = self.guest.spawn("charon.log", &["/usr/lib/ipsec/charon"])?;
        let loaded = |text: &str| text.contains("successfully loaded 1 connections");
        let within = Duration::from_secs(60);
        self.guest
            .until(within, "swanctl --load-all", loaded)
            .map(drop)
    }

    /// Ends its charon without a word to anybody.
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(&mut self) -> Result<(), String> {
        self.guest.signal(self.charon, 9)?;
        let ended = self.guest.wait(self.charon, Duration::from_secs(20))?;
        ended.map(drop).ok_or("charon does not end".to_owned())
    }

    /// Returns what its charon wrote.
    pub fn log(&mut self) -> String {
        let log = self.guest.get("/var/log/charon.log").unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}
