//! A network namespace for one test: the test's thread moves in, and it is removed
//! when the test ends, whatever happened.

use std::future::Future;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use sbc_tests::kit::net::{Cable, Net, ip};

/// The namespace the test's thread is in, with a cable to another.
#[derive(Debug)]
pub struct Space {
    net: Net,
}

/// The cable of every space: our end is `port`, without an address.
const CABLE: Cable = Cable {
    neighbour: "far",
    device: "port",
    ours: "10.9.9.1/24",
    theirs: "10.9.9.2/24",
};

impl Space {
    /// Makes a namespace and moves the calling thread into it. Returns nothing,
    /// and reports `test` as skipped, where namespaces cannot be made.
    pub fn enter(test: &str) -> Option<Self> {
        let Ok(net) = Net::make(&[CABLE]) else {
            sbc_tests::skip(test, "this machine lets us make no network namespaces");
            return None;
        };
        let name = net.name("node");
        ip(&["-n", &name, "addr", "flush", "dev", "port"]).unwrap();
        let file = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Some(Self { net })
    }

    /// Runs `ip` with these words in the namespace, as an operator would.
    pub fn ip(&self, words: &str) {
        let name = self.net.name("node");
        let mut all = vec!["-n", &name];
        all.extend(words.split_whitespace());
        ip(&all).unwrap();
    }

    /// Returns a socket at the other end of the cable.
    pub fn far_socket(&self, at: &'static str) -> UdpSocket {
        const WITHIN: Duration = Duration::from_secs(20);
        let name = self.net.name("far");
        let file = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
        let opened = std::thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            UdpSocket::bind(at).unwrap()
        });
        let socket = opened.join().unwrap();
        socket.set_read_timeout(Some(WITHIN)).unwrap();
        socket
    }

    /// Gives `nft` these words in the namespace, as an operator would.
    pub fn nft(&self, words: &str) {
        let mut command = self.net.command("node", "/usr/sbin/nft");
        let output = command.arg(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nft {words}: {said}");
    }
}

/// Runs asynchronous work on the test's own thread: the namespace is the thread's.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work)
}
