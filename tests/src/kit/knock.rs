//! Somebody who knocks: one OPTIONS over UDP, or one connection over TCP; says
//! whether anything came back (RFC 3261 §11).

use std::io::{BufRead, ErrorKind};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

/// How long silence has to last: a first SYN and one repetition fit.
const SILENCE: Duration = Duration::from_millis(1_500);

/// Runs it towards an address. Each line on its input, `udp` or `tcp`, is one
/// knock.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    let [to] = arguments else {
        println!("error usage: knock ADDRESS:PORT");
        return ExitCode::from(1);
    };
    let Ok(to) = to.parse() else {
        println!("error {to} makes no sense");
        return ExitCode::from(1);
    };
    println!("ready");
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let knocked = match line.as_str() {
            "udp" => datagram(to),
            _ => TcpStream::connect_timeout(&to, SILENCE).map(drop),
        };
        match knocked {
            Ok(()) => println!("knocked answered"),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => println!("knocked silence"),
                _ => println!("knocked refused {error}"),
            },
        }
    }
    ExitCode::SUCCESS
}

fn datagram(to: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // A connected socket hears of "port unreachable".
    socket.connect(to)?;
    socket.set_read_timeout(Some(SILENCE))?;
    let here = socket.local_addr()?;
    let text = format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bKknock{port}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:knock@{here}>;tag=k{port}\r\nTo: <sip:{to}>\r\n\
         Call-ID: knock{port}@{here}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        port = here.port()
    );
    socket.send(text.as_bytes())?;
    socket.recv(&mut [0; 2048]).map(drop)
}
