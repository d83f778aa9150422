//! QEMU without a screen: what to boot and where its cables end come in; a
//! machine with a serial console and a monitor goes out, ended by its pid when
//! it is dropped, when its time is over, and when the test's process dies.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::kit::sys;

/// The emulator.
pub const QEMU: &str = "qemu-system-x86_64";
/// QEMU before this version crashes new kernels at random (flags after
/// `cmpxchg16b`), unless the processor lacks that instruction.
const SOUND_VERSION: u32 = 8;
/// A loaded machine may take this long to start the emulator.
const START: Duration = Duration::from_secs(60);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A machine to be.
#[derive(Debug)]
pub struct Plan {
    command: Command,
    /// Where sockets lie: a path of theirs may have 107 octets.
    sockets: PathBuf,
    log: PathBuf,
    number: u32,
    nics: u32,
    restarts: bool,
}

/// A running machine.
#[derive(Debug)]
pub struct Machine {
    child: Arc<Mutex<Child>>,
    sockets: PathBuf,
    log: PathBuf,
    /// Dropped to let the one who watches the time go.
    _watch: Sender<()>,
}

impl Plan {
    /// Takes the folder for the console's log, `NAME.console`. The machine has
    /// memory and one processor, and nothing else.
    ///
    /// # Errors
    /// When QEMU is not there.
    pub fn new(name: &str, folder: &Path, megabytes: u32) -> Result<Self, String> {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let sockets = std::env::temp_dir().join(format!("sbc-{}-{number}", std::process::id()));
        let say = |error: std::io::Error| format!("{}: {error}", sockets.display());
        std::fs::create_dir_all(&sockets).map_err(say)?;
        std::fs::create_dir_all(folder).map_err(say)?;
        let log = folder.join(format!("{name}.console"));
        let mut command = Command::new(QEMU);
        command
            .args(["-accel", "tcg", "-cpu", processor()?])
            .args(["-m", &megabytes.to_string(), "-smp", "1"])
            .args(["-nodefaults", "-display", "none"])
            .arg("-chardev")
            .arg(format!(
                "socket,id=console,path={},server=on,wait=off,logfile={}",
                sockets.join("console").display(),
                log.display()
            ))
            .args(["-serial", "chardev:console", "-monitor"])
            .arg(format!(
                "unix:{},server=on,wait=off",
                sockets.join("monitor").display()
            ));
        Ok(Self {
            command,
            sockets,
            log,
            number,
            nics: 0,
            restarts: false,
        })
    }

    /// Lets the machine start again when what runs in it asks for that; else it
    /// ends then.
    pub fn may_restart(&mut self) {
        self.restarts = true;
    }

    /// Adds words of QEMU's own.
    pub fn words<W: AsRef<std::ffi::OsStr>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.command.args(words);
    }

    /// Adds a network card of this model whose cable ends at a socket of the
    /// switch; returns its hardware address. Its name for the monitor is `n0`,
    /// `n1` and so on.
    pub fn nic(&mut self, model: &str, socket: &Path) -> [u8; 6] {
        let id = self.nics;
        self.nics += 1;
        // Locally administered; different for each card of each process's machines.
        let [.., high, low] = std::process::id().to_be_bytes();
        let [.., machine] = self.number.to_be_bytes();
        let [.., card] = id.to_be_bytes();
        let address = [0x52, 0x54, high, low, machine, card];
        let text = address.map(|byte| format!("{byte:02x}")).join(":");
        self.command
            .arg("-netdev")
            .arg(format!(
                "stream,id=n{id},server=off,addr.type=unix,addr.path={}",
                socket.display()
            ))
            .arg("-device")
            .arg(format!("{model},netdev=n{id},romfile=,mac={text}"));
        address
    }

    /// Adds a virtio port of this name; returns the socket of its far end.
    pub fn port(&mut self, name: &str) -> PathBuf {
        let socket = self.sockets.join("port");
        self.command
            .args(["-device", "virtio-serial-pci", "-chardev"])
            .arg(format!(
                "socket,id=port,path={},server=on,wait=off",
                socket.display()
            ))
            .arg("-device")
            .arg(format!("virtserialport,chardev=port,name={name}"));
        socket
    }

    /// Starts the machine; it is ended after `limit`, whatever it does.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub fn start(mut self, limit: Duration) -> Result<Machine, String> {
        if !self.restarts {
            self.command.arg("-no-reboot");
        }
        self.command.stdin(Stdio::null()).stdout(Stdio::null());
        let errors = self.log.with_extension("qemu");
        let file = std::fs::File::create(&errors).map_err(|error| error.to_string())?;
        self.command.stderr(file);
        let child = spawn(self.command).map_err(|error| format!("{QEMU}: {error}"))?;
        let child = Arc::new(Mutex::new(child));
        let (watch, over) = channel::<()>();
        let watched = Arc::clone(&child);
        std::thread::spawn(move || {
            if over.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let mut child = watched.lock().unwrap_or_else(PoisonError::into_inner);
                let _gone = child.kill();
            }
        });
        let machine = Machine {
            child,
            sockets: self.sockets,
            log: self.log,
            _watch: watch,
        };
        let until = Instant::now() + START;
        while !machine.sockets.join("monitor").exists() {
            if !machine.runs() || Instant::now() > until {
                let said = std::fs::read_to_string(errors).unwrap_or_default();
                return Err(format!("{QEMU} did not start: {}", said.trim()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(machine)
    }
}

impl Machine {
    /// Returns the pid of the emulator.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.lock().id()
    }

    /// Returns whether the emulator still runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.lock().try_wait(), Ok(None))
    }

    /// Ends the machine as a power cut would.
    pub fn cut_power(&self) {
        let mut child = self.lock();
        let _gone = child.kill();
        let _gone = child.wait();
    }

    /// Returns everything the console has written so far.
    #[must_use]
    pub fn console(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the console has written `words`; returns how long it took.
    ///
    /// # Errors
    /// What it wrote last, when it does not within `within` or the machine ends.
    pub fn wait_for(&self, words: &str, within: Duration) -> Result<Duration, String> {
        let since = Instant::now();
        loop {
            // Whether it runs is asked first: what it wrote before its end is there then.
            let runs = self.runs();
            let text = self.console();
            if text.contains(words) {
                return Ok(since.elapsed());
            }
            if !runs || since.elapsed() > within {
                let lines: Vec<&str> = text.lines().rev().take(20).collect();
                let last: Vec<&str> = lines.into_iter().rev().collect();
                return Err(format!(
                    "no {words:?}; the console's last lines:\n{}",
                    last.join("\n")
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the console's far end, to type into.
    ///
    /// # Errors
    /// When it is taken.
    pub fn keyboard(&self) -> Result<UnixStream, String> {
        connect(&self.sockets.join("console"))
    }

    /// Gives one order to QEMU's monitor, such as `set_link n0 off`; returns
    /// what it answers.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn monitor(&self, order: &str) -> Result<String, String> {
        let say = |error: std::io::Error| format!("monitor: {error}");
        let mut stream = connect(&self.sockets.join("monitor"))?;
        stream.set_read_timeout(Some(START)).map_err(say)?;
        writeln!(stream, "{order}").map_err(say)?;
        // The order is over when the prompt comes a second time.
        let mut reader = BufReader::new(stream);
        let mut text = String::new();
        for _ in 0..2 {
            let mut piece = Vec::new();
            loop {
                let count = reader.read_until(b')', &mut piece).map_err(say)?;
                if count == 0 || piece.ends_with(b"(qemu)") {
                    break;
                }
            }
            text = String::from_utf8_lossy(&piece).into_owned();
        }
        let body = text.trim_end_matches("(qemu)");
        Ok(body
            .split_once('\n')
            .map_or("", |(_, rest)| rest)
            .trim()
            .to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power();
        let _gone = std::fs::remove_dir_all(&self.sockets);
    }
}

/// Connects to a socket of QEMU's, which makes one after the other and listens to each
/// a moment after its name is there: what is not there or refuses is asked again for as
/// long as an emulator may need to start.
///
/// # Errors
/// When nobody listens.
pub fn connect(path: &Path) -> Result<UnixStream, String> {
    let until = Instant::now() + START;
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::NotFound
                ) && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
}

/// Returns the processor under which this version of QEMU is sound.
fn processor() -> Result<&'static str, String> {
    let output = Command::new(QEMU)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{QEMU}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(
        if major(&text).is_some_and(|major| major >= SOUND_VERSION) {
            "Westmere"
        } else {
            "Westmere,-cx16"
        },
    )
}

fn major(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("version ")?;
    rest.split('.').next()?.parse().ok()
}

type Started = std::io::Result<Child>;
type Order = (Command, Sender<Started>);

/// Starts a program that ends with this process. The kernel ties its life to the
/// thread that started it, so one thread that never ends starts them all.
#[expect(
    unsafe_code,
    reason = "only the child itself can ask to end with its parent"
)]
fn spawn(mut command: Command) -> Started {
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    // SAFETY: between fork and exec one system call is made and nothing else.
    unsafe { command.pre_exec(sys::end_with_parent) };
    let starter = STARTER.get_or_init(|| {
        let (ask, asked) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in asked {
                let _nobody = answer.send(command.spawn());
            }
        });
        Mutex::new(ask)
    });
    let (answer, answered) = channel();
    let gone = || std::io::Error::other("the thread that starts programs is gone");
    let ask = starter.lock().unwrap_or_else(PoisonError::into_inner);
    ask.send((command, answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_major_version_of_qemu_is_read() {
        let text = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright";
        assert_eq!(major(text), Some(7));
        assert_eq!(major("QEMU emulator version 10.0.2"), Some(10));
        assert_eq!(major("none"), None);
    }

    /// Listens at `path` in a moment, and waits for one who connects.
    fn listen_late(path: &Path) {
        let late = path.to_owned();
        let listener = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let next = late.with_extension("next");
            let listener = UnixListener::bind(&next).unwrap();
            std::fs::rename(next, late).unwrap();
            listener.accept().map(|_| ())
        });
        connect(path).unwrap();
        listener.join().unwrap().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_socket_that_is_named_but_not_yet_listened_to_is_waited_for() {
        let path = std::env::temp_dir().join(format!("sbc-late-{}", std::process::id()));
        // Bound and closed again: the name stays, and whoever connects is refused.
        drop(UnixListener::bind(&path).unwrap());
        // A program that another test starts at this moment has it until it runs.
        while UnixStream::connect(&path).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
        listen_late(&path);
    }

    #[test]
    fn a_socket_that_is_not_there_yet_is_waited_for() {
        let path = std::env::temp_dir().join(format!("sbc-unmade-{}", std::process::id()));
        listen_late(&path);
    }

    #[test]
    fn a_program_started_here_can_be_ended_and_waited_for() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut child = spawn(command).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
    }
}
