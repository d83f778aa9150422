//! The rule for collectors of the log in a kernel: who gets through the fence, and
//! where to.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::fs::Uid;
use rustix::thread::set_thread_res_uid;
use sbc_netcfg::apply::Hands;
use sbc_plan::desired::Way;
use sbc_plan::{Desired, Ports, Users, desired};

use crate::space::{Space, run};

/// Management on the cable of the space; whoever else is named lies elsewhere.
const FILE: &str = r#"
config-version = 1

[system]
hostname = "lab"
country  = "DE"

[management]
interface = "mgmt"

[interface.mgmt]
zone    = "management"
device  = "port"
address = ["10.9.9.1/24"]

[interface.carrier]
zone    = "private"
device  = "elsewhere0"
address = ["172.20.31.2/29"]

[interface.voice]
zone    = "mediation"
device  = "elsewhere1"
address = ["10.20.120.1/29"]

[trunk.itsp]
via = "interface:carrier"
remote = ["172.20.31.1:5060/tcp"]
max-simultaneous-calls = 50

[mediation.med]
interface = "voice"
address = "10.20.120.2"
port = "5068/tcp"

[log.syslog.noc]
target = "10.9.9.2:5514"

[[route]]
name = "outbound"
from = "mediation:*"
match = '\+.*'
to = ["trunk:itsp"]

[[route]]
name = "inbound"
from = "trunk:*"
match = '\+4969123.*'
to = ["mediation:med"]
"#;

/// What of it this machine has the links for.
fn on_the_cable() -> Desired {
    let node = sbc_config::check(FILE).node.unwrap();
    let mut whole = desired(&node, &Ports::new(), &Users::default());
    whole.links.retain(|link| link.name == "port");
    whole.addresses.retain(|one| one.link == "port");
    whole.neighbours.retain(|one| one.link == "port");
    whole.routes.retain(|route| match &route.way {
        Way::Link { link, .. } => link == "port",
        Way::Blackhole => true,
    });
    let tables = &mut whole.firewall.tables;
    tables.retain(|table| table.link.as_deref().is_none_or(|link| link == "port"));
    whole
}

/// Sends a datagram as `user` from our address of management.
fn says(user: u32, to: SocketAddr) -> Result<(), ErrorKind> {
    // The kernel keeps users by thread.
    let sent = std::thread::spawn(move || {
        let user = Uid::from_raw(user);
        set_thread_res_uid(user, user, user)?;
        let socket = UdpSocket::bind(("10.9.9.1", 0))?;
        socket.send_to(b"<28>1 - - - - - - x", to).map(|_| ())
    });
    sent.join().unwrap().map_err(|error| error.kind())
}

#[test]
fn only_the_consoles_user_reaches_a_collector_through_the_fence() {
    let name = "only_the_consoles_user_reaches_a_collector_through_the_fence";
    let Some(space) = Space::enter(name) else {
        return;
    };
    let users = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if !users.trim_end().ends_with("4294967295") {
        sbc_tests::skip(name, "only root can have users of its own");
        return;
    }
    let collector = space.far_socket("10.9.9.2:5514");
    let other = space.far_socket("10.9.9.2:5515");
    let wanted = on_the_cable();
    let _fence = run(async { Hands::open().unwrap().raise(&wanted).await }).unwrap();
    let users = Users::default();
    let there: SocketAddr = "10.9.9.2:5514".parse().unwrap();
    for stranger in [
        0,
        users.signal,
        users.relay,
        users.netcfg,
        users.charon,
        1000,
    ] {
        assert_eq!(
            says(stranger, there),
            Err(ErrorKind::PermissionDenied),
            "{stranger}"
        );
    }
    for elsewhere in ["10.9.9.2:5515", "10.9.9.3:5514", "192.0.2.1:5514"] {
        let sent = says(users.console, elsewhere.parse().unwrap());
        assert!(sent.is_err(), "{elsewhere}");
    }
    assert_eq!(says(users.console, there), Ok(()));
    let mut page = [0; 64];
    let (_, from) = collector.recv_from(&mut page).unwrap();
    assert_eq!(from.ip().to_string(), "10.9.9.1");
    other
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!(other.recv_from(&mut page).is_err());
}
