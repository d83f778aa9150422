//! The far end of the tunnel: a guest configured by hand with strongSwan's own
//! tools, as its documentation would, and a router to the providers behind it.

use std::time::Duration;

use sbc_tests::kit::guest::Guest;

use crate::stage::{Stage, folder};

/// The VLAN of the Internet, and that of the providers.
pub const INTERNET: u16 = 10;
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

const CONNECTIONS: &str = "connections {
  sbc {
    version = 2
    local_addrs = 203.0.113.12
    remote_addrs = 203.0.113.10
    proposals = aes256gcm16-prfsha256-x25519
    dpd_delay = 5s
    local {
      auth = psk
      id = 203.0.113.12
    }
    remote {
      auth = psk
      id = 203.0.113.10
    }
    children {
      gre {
        mode = transport
        local_ts = dynamic[47]
        remote_ts = dynamic[47]
        esp_proposals = aes256gcm16-x25519
        start_action = trap
        dpd_action = trap
      }
    }
  }
}
secrets {
  ike-sbc {
    id-1 = 203.0.113.10
    id-2 = 203.0.113.12
    secret = \"correct horse battery staple\"
  }
}
";

/// The router of the provider.
pub struct Peer {
    pub guest: Guest,
    charon: u32,
}

impl Peer {
    /// Boots the guest, and sets its addresses; it has no association yet.
    pub fn boot(stage: &mut Stage, test: &str) -> Self {
        let outer = stage.switch.access("peer", INTERNET).expect("a cable");
        let inner = stage.switch.access("router", PROVIDERS).expect("a cable");
        let mut planned = Guest::plan(&stage.tools, "peer", &folder(test)).expect("a guest");
        planned.card(&outer.socket);
        planned.card(&inner.socket);
        let mut guest = planned.boot().expect("a guest that boots");
        guest.load(&["ip_gre", "esp4"]).expect("modules");
        guest
            .put("/etc/strongswan.conf", 0o600, SETTINGS)
            .expect("a file");
        let file = "/etc/swanctl/swanctl.conf";
        guest.put(file, 0o600, CONNECTIONS).expect("a file");
        let script = "
            for dev in eth0 eth1; do ip link set $dev addrgenmode none; ip link set $dev up; done
            ip addr add 203.0.113.12/29 dev eth0
            ip addr add 10.30.0.1/24 dev eth1
            echo 1 > /proc/sys/net/ipv4/ip_forward";
        guest.shell(script).expect("addresses");
        let mut peer = Self { guest, charon: 0 };
        peer.start();
        // Only behind the trap of an association, so that nothing leaves in clear.
        let script = "
            ip link add gre1 type gre local 203.0.113.12 remote 203.0.113.10 ttl 64
            ip link set gre1 addrgenmode none
            ip link set gre1 mtu 1400 up
            ip addr add 192.0.2.2/30 dev gre1";
        peer.guest.shell(script).expect("a tunnel");
        peer
    }

    /// Starts its charon and loads what is in its file.
    pub fn start(&mut self) {
        let started = self.guest.spawn("charon.log", &["/usr/lib/ipsec/charon"]);
        self.charon = started.expect("a charon");
        let loaded = self
            .guest
            .until(Duration::from_secs(60), "swanctl --load-all", |text| {
                text.contains("successfully loaded 1 connections")
            });
        loaded.expect("connections");
    }

    /// Ends its charon without a word to anybody.
    pub fn kill(&mut self) {
        self.guest.signal(self.charon, 9).expect("a charon");
        let ended = self.guest.wait(self.charon, Duration::from_secs(20));
        ended.expect("its end");
    }

    /// Returns what its charon wrote.
    pub fn log(&mut self) -> String {
        let log = self.guest.get("/var/log/charon.log").unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}
