//! `capture start`: the addresses of a peer or of a call's peers, or a link, come in,
//! a file of the packets to and from them, or over it, goes out (pcapng), until the
//! time is over or Ctrl-C. Packets are heard below the firewall, each once.

use std::ffi::{c_int, c_void};
use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use socket2::{Domain, SockAddr, Socket, Type};

use super::pager::{self, INTERRUPTED};
use super::sieve;

/// Octets of one file; more than a minute of a hundred calls with their media.
const FILE_MAX: usize = 64 * 1024 * 1024;

/// Seconds if nobody says how many.
pub const SECONDS: u64 = 30;
/// Seconds at most.
pub const SECONDS_MAX: u64 = 600;

/// How often Ctrl-C is looked for.
const TICK: Duration = Duration::from_millis(50);

/// A VLAN and the port below it show a packet twice, a moment apart.
const TWICE_WITHIN: Duration = Duration::from_millis(5);

/// Packets among which a second sight is looked for.
const SEEN: usize = 32;

/// Octets of packets that wait in the kernel, which may allow fewer.
const WAITING_OCTETS: usize = 4 * 1024 * 1024;

/// Packets that are read once the end has come: more than could wait by then, and an
/// end while packets go on coming.
const WAITING_MAX: usize = 65_536;

/// All protocols, in the order of the wire (`ETH_P_ALL` of packet(7)).
const ALL: u16 = 0x0003_u16.to_be();

/// Kinds of links whose packets begin as Ethernet's do: itself, and the loopback
/// (`ARPHRD_ETHER`, `ARPHRD_LOOPBACK`).
const ETHERNET: [u32; 2] = [1, 772];

/// What came of a capture.
#[derive(Debug, Default)]
pub struct Caught {
    pub packets: u64,
    pub octets: usize,
    /// The file was full before the time was over.
    pub full: bool,
    /// Packets that came faster than they were written.
    pub lost: u32,
}

/// What is heard.
#[derive(Clone, Debug)]
pub enum Heard {
    /// Packets to and from these, on any link.
    Addresses(Vec<IpAddr>),
    /// Everything on the link of this name.
    Link(String),
}

/// Writes what is `heard` to the file at `path`, which must not be there yet.
///
/// # Errors
/// When the socket is refused, the link is not there, or the file cannot be written.
pub fn record(path: &Path, heard: &Heard, time: Duration) -> io::Result<Caught> {
    let (socket, linktype) = listen(heard)?;
    let mut recording = Recording::begin(path, heard, linktype)?;
    let until = Instant::now() + time;
    socket.set_read_timeout(Some(TICK))?;
    while Instant::now() < until && !INTERRUPTED.load(Ordering::Relaxed) && !recording.caught.full {
        recording.hear(&socket)?;
        // Whoever waits for a capture is there, however long it takes.
        pager::pressed();
    }
    recording.hear_what_waits(&socket)?;
    recording.end(&socket)
}

/// A capture that goes on.
struct Recording<'a> {
    heard: &'a Heard,
    linktype: DataLink,
    writer: PcapNgWriter<io::BufWriter<std::fs::File>>,
    seen: Seen,
    caught: Caught,
    page: Vec<MaybeUninit<u8>>,
}

impl<'a> Recording<'a> {
    fn begin(path: &Path, heard: &'a Heard, linktype: DataLink) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = io::BufWriter::new(options.open(path)?);
        let mut writer = PcapNgWriter::new(file).map_err(io::Error::other)?;
        let link = InterfaceDescriptionBlock {
            linktype,
            snaplen: 0xffff,
            options: Vec::new(),
        };
        writer.write_pcapng_block(link).map_err(io::Error::other)?;
        Ok(Self {
            heard,
            linktype,
            writer,
            seen: Seen::default(),
            caught: Caught::default(),
            page: vec![MaybeUninit::uninit(); 0xffff],
        })
    }

    /// Writes the next packet if it is wanted. Returns whether there was one.
    fn hear(&mut self, socket: &Socket) -> io::Result<bool> {
        let length = match socket.recv(&mut self.page) {
            Ok(length) => length,
            Err(error) if is_pause(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let packet = written(&self.page, length);
        if self.wants(&packet) {
            self.write(packet)?;
        }
        Ok(true)
    }

    /// Writes what came before the end and still waits in the kernel.
    fn hear_what_waits(&mut self, socket: &Socket) -> io::Result<()> {
        socket.set_nonblocking(true)?;
        for _ in 0..WAITING_MAX {
            if self.caught.full || !self.hear(socket)? {
                break;
            }
        }
        Ok(())
    }

    fn wants(&mut self, packet: &[u8]) -> bool {
        match self.heard {
            Heard::Addresses(addresses) => {
                let both = ends(packet);
                both.is_some_and(|ends| ends.iter().any(|end| addresses.contains(end)))
                    && !self.seen.again(Instant::now(), packet)
            }
            // A file of bare packets has no place for anything else.
            Heard::Link(_) => self.linktype == DataLink::ETHERNET || ends(packet).is_some(),
        }
    }

    fn write(&mut self, packet: Vec<u8>) -> io::Result<()> {
        self.caught.packets += 1;
        self.caught.octets += packet.len();
        self.caught.full = self.caught.octets >= FILE_MAX;
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            original_len: u32::try_from(packet.len()).unwrap_or(u32::MAX),
            data: packet.into(),
            options: Vec::new(),
        };
        let written = self.writer.write_pcapng_block(block);
        written.map(|_octets| ()).map_err(io::Error::other)
    }

    fn end(mut self, socket: &Socket) -> io::Result<Caught> {
        io::Write::flush(self.writer.get_mut())?;
        self.caught.lost = lost(socket)?;
        Ok(self.caught)
    }
}

/// Returns a socket, and what its packets begin with. It hears nothing before it is
/// bound: no packet of another link, none that the sieve would not let through.
fn listen(heard: &Heard) -> io::Result<(Socket, DataLink)> {
    let open = |kind| Socket::new(Domain::PACKET, kind, None);
    let Heard::Link(name) = heard else {
        // Without the header of the link, so that a tunnel's packets read as a port's.
        let socket = open(Type::DGRAM)?;
        if let Heard::Addresses(addresses) = heard {
            socket.attach_filter(&sieve::of(addresses))?;
        }
        return bound(socket, 0, DataLink::RAW);
    };
    let fact = |what: &str| -> io::Result<u32> {
        let text = std::fs::read_to_string(format!("/sys/class/net/{name}/{what}"))?;
        text.trim().parse().map_err(io::Error::other)
    };
    let framed = ETHERNET.contains(&fact("type")?);
    let (kind, linktype) = if framed {
        (Type::RAW, DataLink::ETHERNET)
    } else {
        (Type::DGRAM, DataLink::RAW)
    };
    bound(open(kind)?, fact("ifindex")?, linktype)
}

/// Begins to hear the link of that index; 0 is every link.
fn bound(socket: Socket, index: u32, linktype: DataLink) -> io::Result<(Socket, DataLink)> {
    socket.set_recv_buffer_size(WAITING_OCTETS)?;
    socket.bind(&place(index)?)?;
    Ok((socket, linktype))
}

/// Returns how many packets found no room in the kernel's queue (`PACKET_STATISTICS`
/// of packet(7)).
fn lost(socket: &Socket) -> io::Result<u32> {
    const SOL_PACKET: c_int = 263;
    const PACKET_STATISTICS: c_int = 6;
    // Packets, then those of them that were dropped.
    let mut counts = [0_u32; 2];
    let mut length = 8_u32;
    let told = (&raw mut counts).cast();
    #[expect(unsafe_code, reason = "no safe crate of ours asks for these counts")]
    // SAFETY: the kernel writes at most `length` octets to `counts`, which has them.
    let failed = unsafe {
        getsockopt(
            socket.as_raw_fd(),
            SOL_PACKET,
            PACKET_STATISTICS,
            told,
            &raw mut length,
        )
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    let [_packets, dropped] = counts;
    Ok(dropped)
}

#[expect(unsafe_code, reason = "see `lost`")]
// SAFETY: the signature is that of getsockopt(2).
unsafe extern "C" {
    fn getsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        length: *mut u32,
    ) -> c_int;
}

/// `struct sockaddr_ll` of packet(7).
#[repr(C)]
struct Place {
    family: u16,
    protocol: u16,
    index: u32,
    kind: u16,
    packet: u8,
    length: u8,
    address: [u8; 8],
}

/// Returns the address of a link for a packet socket.
fn place(index: u32) -> io::Result<SockAddr> {
    let whole = Place {
        family: u16::try_from(i32::from(Domain::PACKET)).unwrap_or_default(),
        protocol: ALL,
        index,
        kind: 0,
        packet: 0,
        length: 0,
        address: [0; 8],
    };
    #[expect(
        unsafe_code,
        reason = "no safe crate of ours names the address of a link"
    )]
    // SAFETY: the storage is aligned for every address and longer than this one,
    // which is written whole, and its length is told.
    let made = unsafe {
        SockAddr::try_init(|storage, length| {
            storage.cast::<Place>().write(whole);
            length.write(size_of::<Place>() as _);
            Ok(())
        })
    };
    made.map(|((), address)| address)
}

fn written(page: &[MaybeUninit<u8>], length: usize) -> Vec<u8> {
    let octets = page.iter().take(length);
    octets
        .map(|octet| {
            // SAFETY: the kernel wrote so many octets of the page.
            #[expect(unsafe_code, reason = "socket2 reads into unwritten memory")]
            unsafe {
                octet.assume_init()
            }
        })
        .collect()
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Returns source and destination of an IP packet (RFC 791 §3.1, RFC 8200 §3).
fn ends(packet: &[u8]) -> Option<[IpAddr; 2]> {
    match packet.first()? >> 4 {
        4 => {
            let address = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(Ipv4Addr::from(octets).into())
            };
            Some([address(12)?, address(16)?])
        }
        6 => {
            let address = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Ipv6Addr::from(octets).into())
            };
            Some([address(8)?, address(24)?])
        }
        _ => None,
    }
}

/// The latest packets.
#[derive(Debug, Default)]
struct Seen(std::collections::VecDeque<(Instant, Vec<u8>)>);

impl Seen {
    /// Returns whether this packet was seen a moment ago.
    fn again(&mut self, now: Instant, packet: &[u8]) -> bool {
        self.0
            .retain(|(at, _)| now.duration_since(*at) < TWICE_WITHIN);
        if let Some(at) = self.0.iter().position(|(_, known)| known == packet) {
            self.0.remove(at);
            return true;
        }
        if self.0.len() >= SEEN {
            self.0.pop_front();
        }
        self.0.push_back((now, packet.to_vec()));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 791 §3.1 and RFC 8200 §3.
    #[test]
    fn the_ends_of_a_packet_are_read_and_nothing_behind_its_end() {
        let mut v4 = vec![0x45; 20];
        v4[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        let [from, to] = ends(&v4).unwrap();
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("10.0.0.1".into(), "10.0.0.2".into())
        );
        let mut v6 = vec![0x60; 40];
        v6[8..24].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
        assert_eq!(ends(&v6).unwrap()[0], IpAddr::from(Ipv6Addr::LOCALHOST));
        for length in 0..20 {
            assert!(ends(&v4[..length]).is_none());
        }
        assert!(ends(&[0x00, 0x01]).is_none());
    }

    #[test]
    fn packets_that_wait_at_the_end_are_in_the_capture() {
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::DGRAM, None).unwrap();
        let packet = |last: u8| [&[0x45; 12][..], &[10, 0, 0, 1, 10, 0, 0, last]].concat();
        for last in 1..=5 {
            theirs.send(&packet(last)).unwrap();
        }
        let path = std::env::temp_dir().join(format!("sbc-waits-{}", std::process::id()));
        let heard = Heard::Addresses(vec![IpAddr::from([10, 0, 0, 1])]);
        let mut recording = Recording::begin(&path, &heard, DataLink::RAW).unwrap();
        recording.hear_what_waits(&ours).unwrap();
        let Caught {
            packets, octets, ..
        } = recording.caught;
        assert_eq!((packets, octets), (5, 100));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_packet_that_two_devices_show_is_written_once_and_a_repeated_one_twice() {
        let mut seen = Seen::default();
        let began = Instant::now();
        assert!(!seen.again(began, b"one"));
        assert!(seen.again(began + Duration::from_millis(1), b"one"));
        // Sent again half a second later, as SIP over UDP is.
        assert!(!seen.again(began + Duration::from_millis(500), b"one"));
        for number in 0..100_u8 {
            seen.again(began, &[number]);
        }
        assert!(seen.0.len() <= SEEN);
    }
}
