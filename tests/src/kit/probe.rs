//! Somebody inside the node who tries to get out: each line `USER udp|tcp FROM TO
//! MARK` is one packet from that user's socket; whether it leaves is seen on the
//! wire. It runs as root in a guest.

use std::io::{BufRead, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// The first segment of a connection has left by then.
const PAUSE: Duration = Duration::from_millis(150);

/// Runs it: `probe` is root and starts one `probe as` for each user, which becomes
/// that user.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    let is_user = arguments == ["as"];
    let mut users: Vec<(String, Child)> = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Some((user, rest)) = line.split_once(' ') else {
            continue;
        };
        if is_user {
            let said = probe(rest).err();
            println!("{line}: {}", said.unwrap_or_else(|| "went".to_owned()));
            continue;
        }
        if !users.iter().any(|(known, _)| known == user) {
            match start(user) {
                Ok(child) => users.push((user.to_owned(), child)),
                Err(error) => println!("{line}: {error}"),
            }
        }
        let child = users.iter_mut().find(|(known, _)| known == user);
        if let Some(input) = child.and_then(|(_, child)| child.stdin.as_mut()) {
            // One that ended says so by the lines it does not answer.
            let _ended = writeln!(input, "{line}");
        }
    }
    for (_, mut child) in users {
        drop(child.stdin.take());
        let _ended = child.wait();
    }
    ExitCode::SUCCESS
}

fn start(user: &str) -> Result<Child, String> {
    let user: u32 = user.parse().map_err(|_| "no user".to_owned())?;
    let mut command = Command::new("/init");
    command.args(["probe", "as"]).uid(user).gid(user);
    let child = command.stdin(Stdio::piped()).spawn();
    child.map_err(|error| error.to_string())
}

fn probe(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, from, to, mark] = words.as_slice() else {
        return Err("usage: USER udp|tcp FROM TO MARK".to_owned());
    };
    let bad = |what: &str| format!("{what} makes no sense");
    let from: SocketAddr = from.parse().map_err(|_| bad(from))?;
    let to: SocketAddr = to.parse().map_err(|_| bad(to))?;
    if *kind == "tcp" {
        return connect(from, to);
    }
    let socket = UdpSocket::bind(from).map_err(|error| error.to_string())?;
    let sent = socket.send_to(mark.as_bytes(), to);
    sent.map(drop).map_err(|error| error.to_string())
}

/// The library has no way to bind a socket before it connects; the guest's `nc` has.
fn connect(from: SocketAddr, to: SocketAddr) -> Result<(), String> {
    let (ip, port) = (from.ip().to_string(), from.port().to_string());
    let (to_ip, to_port) = (to.ip().to_string(), to.port().to_string());
    let mut command = Command::new("nc");
    command.args(["-s", &ip, "-p", &port, &to_ip, &to_port]);
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = silent.stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    std::thread::sleep(PAUSE);
    let _ended = child.kill();
    let _ended = child.wait();
    Ok(())
}
