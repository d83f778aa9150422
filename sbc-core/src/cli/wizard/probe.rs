//! Probes of a first boot: what was answered comes in, what the network says
//! goes out, a line each. None of them takes long, and none of them decides.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::session::Session;
use super::questions::{Answers, Link};

/// Ports that are shown.
const LINKS_MAX: usize = 32;

/// A time server answers within this, or is said not to.
const CLOCK: Duration = Duration::from_secs(2);

/// Neighbours have this long to answer the first OPTIONS.
const OPTIONS: Duration = Duration::from_secs(8);

/// Seconds between 1900 and 1970 (RFC 5905 §6).
const ERA: u64 = 2_208_988_800;

/// Returns the ports of this machine, without what the kernel made itself.
pub fn links() -> Vec<Link> {
    let mut found: Vec<Link> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.path();
            // A port of the machine has a device behind it.
            fs::metadata(folder.join("device")).ok()?;
            Some(Link {
                device: entry.file_name().into_string().ok()?,
                mac: read(&folder.join("address")),
                carrier: read(&folder.join("carrier")) == "1",
            })
        })
        .take(LINKS_MAX)
        .collect();
    found.sort_by(|one, other| one.device.cmp(&other.device));
    found
}

fn read(path: &std::path::Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    super::super::clean(text.trim())
}

/// Says what the network says.
pub fn all(session: &mut Session, answers: &Answers) {
    for key in ["management", "trunk-port", "server-port"] {
        if let Some(device) = answers.get(key).filter(|device| *device != "none") {
            let up = read(
                &std::path::Path::new("/sys/class/net")
                    .join(device)
                    .join("carrier"),
            );
            let said = if up == "1" { "carrier" } else { "no carrier" };
            tell("link", device, said);
        }
    }
    for key in ["management-gateway", "trunk-gateway", "server"] {
        if let Some(address) = answers.get(key).filter(|text| *text != "none") {
            tell("arp", address, &neighbour(address));
        }
    }
    let servers = answers.get("ntp").map_or("", String::as_str);
    for server in servers.split_whitespace().filter(|text| *text != "none") {
        let said = match server.parse() {
            Ok(address) => clock(SocketAddr::new(address, 123)),
            Err(_) => "no address".to_owned(),
        };
        tell("ntp", server, &said);
    }
    options(session);
}

fn tell(what: &str, whom: &str, said: &str) {
    println!("probe {what:<8} {:<24} {said}", super::super::clean(whom));
}

fn neighbour(address: &str) -> String {
    let table = fs::read_to_string("/proc/net/arp").unwrap_or_default();
    let row = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.first() == Some(&address));
    match row.as_deref() {
        // The kernel has no address for it while the flags are 0x0.
        Some([_, _, flags, mac, ..]) if *flags != "0x0" => format!("at {mac}"),
        _ => "not seen yet".to_owned(),
    }
}

/// Asks a time server once (RFC 4330 §5).
fn clock(server: SocketAddr) -> String {
    let asked = || -> std::io::Result<Option<u64>> {
        let any = if server.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(CLOCK))?;
        socket.connect(server)?;
        let mut packet = [0; 48];
        // No warning, version 4, client.
        packet[0] = 0x23;
        socket.send(&packet)?;
        let length = socket.recv(&mut packet)?;
        let secs = packet.get(40..44).and_then(|four| four.try_into().ok());
        Ok(secs
            .filter(|_| length == packet.len())
            .map(|four| u64::from(u32::from_be_bytes(four))))
    };
    let ours = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match asked() {
        Ok(Some(theirs)) => {
            let off = theirs.abs_diff(ours + ERA);
            format!("answers, {off} s from our clock")
        }
        Ok(None) => "answers something else".to_owned(),
        Err(_) => "no answer".to_owned(),
    }
}

/// Waits until every neighbour has answered OPTIONS, but not for long.
fn options(session: &mut Session) {
    let until = Instant::now() + OPTIONS;
    loop {
        let peers = session.client.ask("peers.list", &Value::Null);
        let peers = peers.unwrap_or_default();
        let all = peers.as_array().map_or(&[][..], Vec::as_slice);
        let answered = |peer: &Value| peer.get("options_ms").and_then(Value::as_u64);
        if all.iter().all(|peer| answered(peer).is_some()) || Instant::now() >= until {
            for peer in all {
                let name = peer.get("name").and_then(Value::as_str).unwrap_or_default();
                let said = match answered(peer) {
                    Some(ms) => format!("answered in {ms} ms"),
                    None => {
                        "no answer yet; 'show trunks' and 'show mediation' tell more".to_owned()
                    }
                };
                tell("options", name, &said);
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request is that of RFC 4330 §5; the answer counts from 1900 (RFC 5905 §6).
    #[test]
    fn a_time_server_says_how_far_our_clock_is_off() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let answers = std::thread::spawn(move || {
            let mut packet = [0; 48];
            let (length, from) = server.recv_from(&mut packet).unwrap();
            assert_eq!((length, packet[0]), (48, 0x23));
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let theirs = since.unwrap().as_secs() + ERA + 100;
            packet[40..44].copy_from_slice(&u32::try_from(theirs).unwrap().to_be_bytes());
            server.send_to(&packet, from).unwrap();
            server.recv_from(&mut packet).unwrap();
            server.send_to(b"no", from).unwrap();
        });
        let said = clock(at);
        let off: u64 = said.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((99..=101).contains(&off), "{said}");
        // Nothing sensible comes from the next one, who asks from another port.
        assert_eq!(clock(at), "no answer");
        answers.join().unwrap();
    }
}
