//! A cable's end: frames of a QEMU socket or of a TAP device go into the switch,
//! and what the switch sends goes out, in order, when it is due.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::kit::net;
use crate::kit::sys;

/// Frames that wait for a guest that does not read: what a small switch holds.
const QUEUE: usize = 4096;
/// More than any frame, tags included.
pub const MAX_FRAME: usize = 65_600;
/// How often a port looks whether the switch is gone.
const LOOK_MILLIS: u32 = 50;

/// A frame on its way out: when it is due, and its octets.
pub type Leaving = (Instant, Vec<u8>);
/// What takes a frame that came in.
pub type Taker = Box<dyn FnMut(Vec<u8>) + Send>;

/// The threads of one port.
#[derive(Debug)]
pub struct Port {
    /// Where frames for this port go.
    pub queue: SyncSender<Leaving>,
    end: End,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
enum End {
    Socket {
        path: PathBuf,
        stream: Arc<Mutex<Option<UnixStream>>>,
    },
    Tap,
}

impl Port {
    /// Listens at `path` for QEMU, which comes again after a restart.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn socket(path: PathBuf, mut take: Taker) -> io::Result<Self> {
        let listener = UnixListener::bind(&path)?;
        let stream = Arc::new(Mutex::new(None));
        let stop = Arc::new(AtomicBool::new(false));
        let (queue, leaving) = sync_channel(QUEUE);
        let (held, stopped) = (Arc::clone(&stream), Arc::clone(&stop));
        let reader = std::thread::spawn(move || {
            for connected in listener.incoming() {
                let Ok(mut connected) = connected else { return };
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                *locked(&held) = connected.try_clone().ok();
                while let Ok(frame) = read_frame(&mut connected) {
                    take(frame);
                }
                *locked(&held) = None;
            }
        });
        let held = Arc::clone(&stream);
        let writer = std::thread::spawn(move || {
            each_when_due(&leaving, |frame| {
                let end = locked(&held).as_ref().and_then(|end| end.try_clone().ok());
                // Without anybody at the far end the frame goes nowhere.
                if let Some(mut end) = end {
                    let _gone = write_frame(&mut end, frame);
                }
            });
        });
        Ok(Self {
            queue,
            end: End::Socket { path, stream },
            stop,
            threads: vec![reader, writer],
        })
    }

    /// Makes the TAP device `device` in the namespace `place`, with `address`
    /// (such as `10.0.0.1/24`) if there is one, and brings it up.
    ///
    /// # Errors
    /// When the kernel says no.
    pub fn tap(
        place: &str,
        device: &str,
        address: Option<&str>,
        mut take: Taker,
    ) -> Result<Self, String> {
        let tap = tap_in(place, device).map_err(|error| format!("{device} in {place}: {error}"))?;
        let mut out = tap.try_clone().map_err(|error| error.to_string())?;
        // Nothing but what a test sends: no router solicitations of its own.
        net::ip(&["-n", place, "link", "set", device, "addrgenmode", "none"])?;
        if let Some(address) = address {
            net::ip(&["-n", place, "addr", "add", address, "dev", device])?;
        }
        net::ip(&["-n", place, "link", "set", device, "up"])?;
        let stop = Arc::new(AtomicBool::new(false));
        let (queue, leaving) = sync_channel(QUEUE);
        let stopped = Arc::clone(&stop);
        let reader = std::thread::spawn(move || {
            let mut tap = tap;
            let mut buffer = vec![0; MAX_FRAME];
            while !stopped.load(Ordering::Relaxed) {
                if !sys::readable(tap.as_raw_fd(), LOOK_MILLIS) {
                    continue;
                }
                let Ok(count) = tap.read(&mut buffer) else {
                    return;
                };
                take(buffer.get(..count).unwrap_or_default().to_vec());
            }
        });
        let writer = std::thread::spawn(move || {
            each_when_due(&leaving, |frame| {
                // A device that is down takes nothing.
                let _down = out.write(frame);
            });
        });
        Ok(Self {
            queue,
            end: End::Tap,
            stop,
            threads: vec![reader, writer],
        })
    }

    /// Returns whether somebody is at the far end.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        match &self.end {
            End::Socket { stream, .. } => locked(stream).is_some(),
            End::Tap => true,
        }
    }

    /// Ends the port's threads; a TAP device goes with them.
    pub fn end(self) {
        let Self {
            queue,
            end,
            stop,
            threads,
        } = self;
        stop.store(true, Ordering::Relaxed);
        drop(queue);
        if let End::Socket { path, stream } = end {
            if let Some(stream) = locked(&stream).take() {
                let _gone = stream.shutdown(Shutdown::Both);
            }
            // One who waits for a caller gets one.
            let _gone = UnixStream::connect(&path);
            let _gone = std::fs::remove_file(&path);
        }
        for thread in threads {
            let _ended = thread.join();
        }
    }
}

fn locked<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread of its own enters the namespace, so that the test stays where it is.
fn tap_in(place: &str, device: &str) -> io::Result<File> {
    let (place, device) = (place.to_owned(), device.to_owned());
    let made = std::thread::spawn(move || {
        sys::enter_namespace(&place)?;
        sys::open_tap(&device)
    });
    made.join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread ended")))
}

fn each_when_due(leaving: &Receiver<Leaving>, mut send: impl FnMut(&[u8])) {
    while let Ok((due, frame)) = leaving.recv() {
        let early = due.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        send(&frame);
    }
}

/// Reads a frame as QEMU writes it: four octets of length, and the octets.
///
/// # Errors
/// When the far end is gone or sends what is no frame.
pub fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {length} octets")));
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

/// Writes a frame as QEMU reads it.
///
/// # Errors
/// When the far end is gone.
pub fn write_frame(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes(), frame].concat())
}

/// Returns a folder for sockets, with a path short enough for them.
#[must_use]
pub fn short_folder(number: u32) -> PathBuf {
    let name = format!("sbc-switch-{}-{number}", std::process::id());
    Path::new(&std::env::temp_dir()).join(name)
}
