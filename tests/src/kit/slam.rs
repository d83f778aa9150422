//! A server that slams the door: it takes each connection, waits for the first
//! octets, and resets it (RFC 9293 §3.10.7).

use std::io::Read;
use std::net::TcpListener;
use std::process::ExitCode;

/// Runs it at an address.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    let [at] = arguments else {
        println!("error usage: slam ADDRESS:PORT");
        return ExitCode::from(1);
    };
    let listener = match TcpListener::bind(at) {
        Ok(listener) => listener,
        Err(error) => {
            println!("error {at}: {error}");
            return ExitCode::from(1);
        }
    };
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // Octets left unread turn the end of a connection into a reset.
                let _first = stream.read(&mut [0; 1]);
                println!("slammed");
            });
        }
    });
    println!("ready");
    // It ends with whoever started it.
    let _over = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ExitCode::SUCCESS
}
