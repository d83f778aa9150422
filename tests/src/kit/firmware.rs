//! The product's image: the builder makes it once, a machine boots it by its
//! BIOS or by UEFI, and what it says on its serial console and on its port for
//! programs is waited for.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::guest::machine::{Machine, Plan};
use super::programs::{builder, errand, errand_at, house};

/// A machine that has much else to do boots in this time.
pub const BOOT: Duration = Duration::from_secs(180);
/// Memory of the machines, as the smallest box has it.
const MEGABYTES: u32 = 512;
/// The port for programs.
const PORT: &str = "org.sbc.api.0";
/// UEFI with four megabytes of flash, as Debian 12 and 13 bring it.
const OVMF: [&str; 2] = [
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_VARS_4M.fd",
];
/// The same with Secure Boot on, and a key of nobody enrolled.
const SECURE: [&str; 2] = [
    "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
    "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd",
];
/// That key, its certificate, and the passphrase everybody knows.
pub const SNAKEOIL: [&str; 3] = [
    "/usr/share/ovmf/PkKek-1-snakeoil.key",
    "/usr/share/ovmf/PkKek-1-snakeoil.pem",
    "snakeoil",
];

/// The image, and what made it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The disk.
    pub path: PathBuf,
    /// How long it took to make, or to see that it is made already.
    pub took: Duration,
    builder: PathBuf,
}

/// By what a machine starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loader {
    /// A PC's BIOS.
    Bios,
    /// UEFI.
    Uefi,
    /// UEFI that starts only what [`SNAKEOIL`] signed.
    Secure,
}

impl Image {
    /// Returns the image, built if it is not there. Returns nothing after having
    /// reported `test` as skipped, when the machine cannot have what is needed.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn for_test(test: &str) -> Result<Option<Self>, String> {
        type Made = Result<Result<Image, String>, String>;
        static IMAGE: OnceLock<Made> = OnceLock::new();
        match IMAGE.get_or_init(Self::keyed).clone()? {
            Ok(image) => Ok(Some(image)),
            Err(reason) => {
                crate::skip(test, &reason);
                Ok(None)
            }
        }
    }

    /// Builds the image that takes updates signed by the keys of [`keys`]; what the
    /// machine lacks comes as the inner error.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn keyed() -> Result<Result<Self, String>, String> {
        let keys = keys()?.display().to_string();
        Self::build(&["build", "--keys", &keys])
    }

    /// Builds an image by these words for the builder; what the machine lacks
    /// comes as the inner error.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn build(words: &[&str]) -> Result<Result<Self, String>, String> {
        let builder = builder()?;
        let since = Instant::now();
        Ok(errand(&builder, words)?.map(|text| Self {
            path: PathBuf::from(text.trim()),
            took: since.elapsed(),
            builder,
        }))
    }

    /// Sends the builder on an errand.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn errand(&self, words: &[&str]) -> Result<String, String> {
        self.errand_at(&house(), words)
    }

    /// The same from the top of another checkout.
    ///
    /// # Errors
    /// As [`Image::errand`].
    pub fn errand_at(&self, place: &Path, words: &[&str]) -> Result<String, String> {
        errand_at(&self.builder, place, words)?
    }

    /// Builds another version and lays its signed bundle on a volume that is plugged
    /// into a node to update it; returns the volume.
    ///
    /// # Errors
    /// What did not work.
    pub fn update(&self, version: &str) -> Result<PathBuf, String> {
        let keys = keys()?;
        let out = keys.with_file_name(format!("firmware-{version}"));
        let (place, folder) = (keys.display().to_string(), out.display().to_string());
        let words = [
            "build",
            "--version",
            version,
            "--out",
            &folder,
            "--keys",
            &place,
        ];
        let image = self.errand(&words)?;
        let key = keys.join("test-1.key").display().to_string();
        let bundle = self.errand(&["bundle", image.trim(), &key])?;
        let volume = out.join("volume").display().to_string();
        let volume = self.errand(&["volume", bundle.trim(), &volume])?;
        Ok(PathBuf::from(volume.trim()))
    }

    /// Copies the disk to where it may be written; zeros take no room.
    ///
    /// # Errors
    /// When there is no room.
    pub fn copy(&self, to: &Path) -> Result<(), String> {
        sparse(&self.path, to).map_err(|error| format!("{}: {error}", to.display()))
    }
}

/// Returns the folder of the tests' own pair of keys, `test-1` and `test-2`, made by
/// whoever comes first. Images built with them are kept, so they are too.
///
/// # Errors
/// When they cannot be made.
pub fn keys() -> Result<PathBuf, String> {
    let folder = house().join("target/firmware-keys");
    let place = folder.display().to_string();
    for name in ["test-1", "test-2"] {
        let public = folder.join(format!("{name}.pub"));
        if public.exists() {
            continue;
        }
        // Another process may be at it: a pair is never written over.
        let made = errand(&builder()?, &["key", &place, name])?;
        if !public.exists() {
            made?;
        }
    }
    Ok(folder)
}

/// Copies a disk, all but its blocks of zeros.
///
/// # Errors
/// When either file cannot be read or written.
pub fn sparse(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut file) = (File::open(from)?, File::create(to)?);
    let length = from.metadata()?.len();
    file.set_len(length)?;
    let mut block = vec![0; 1 << 16];
    let mut at = 0;
    while at < length {
        let room = usize::try_from(length - at).map_or(block.len(), |left| left.min(block.len()));
        let piece = block.get_mut(..room).unwrap_or_default();
        from.read_exact(piece)?;
        if piece.iter().any(|octet| *octet != 0) {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(piece)?;
        }
        at += room as u64;
    }
    Ok(())
}

/// A machine to be that boots a disk.
#[derive(Debug)]
pub struct Box {
    /// What else it is to have.
    pub plan: Plan,
    port: PathBuf,
}

/// A machine that was switched on.
#[derive(Debug)]
pub struct Booted {
    /// Its console, its monitor, its power.
    pub machine: Machine,
    /// When it was switched on.
    pub since: Instant,
    port: PathBuf,
}

impl Box {
    /// Takes a disk, and what it is booted by. What is written to the disk is
    /// forgotten with the machine if `forgets`.
    ///
    /// # Errors
    /// When QEMU or its UEFI is not there.
    pub fn new(
        name: &str,
        folder: &Path,
        disk: &Path,
        loader: Loader,
        forgets: bool,
    ) -> Result<Self, String> {
        let disk = disk.display();
        let snapshot = if forgets { "on" } else { "off" };
        let drive = format!("format=raw,file={disk},snapshot={snapshot}");
        Self::with(name, folder, &drive, loader)
    }

    /// The same, and every write and flush is written down in `log`, a file that is
    /// there: QEMU's `blklogwrites`.
    ///
    /// # Errors
    /// When QEMU or its UEFI is not there.
    pub fn logging(
        name: &str,
        folder: &Path,
        (disk, log): (&Path, &Path),
        loader: Loader,
    ) -> Result<Self, String> {
        let (disk, log) = (disk.display(), log.display());
        let drive = format!(
            "driver=blklogwrites,file.driver=file,file.filename={disk},\
             log.driver=file,log.filename={log}"
        );
        Self::with(name, folder, &drive, loader)
    }

    fn with(name: &str, folder: &Path, drive: &str, loader: Loader) -> Result<Self, String> {
        let mut plan = Plan::new(name, folder, MEGABYTES)?;
        plan.words(["-drive".to_owned(), format!("if=none,id=disk,{drive}")]);
        plan.words(["-device", "virtio-blk-pci,drive=disk,bootindex=0"]);
        // The emulated processor has no random numbers of its own.
        plan.words(["-device", "virtio-rng-pci"]);
        let flash = match loader {
            Loader::Bios => None,
            Loader::Uefi => Some((OVMF, "q35")),
            Loader::Secure => Some((SECURE, "q35,smm=on")),
        };
        if let Some(([code, variables], board)) = flash {
            let own = folder.join(format!("{name}.vars"));
            if !own.exists() {
                fs::copy(variables, &own).map_err(|error| format!("{variables}: {error}"))?;
            }
            plan.words(["-machine", board]);
            if loader == Loader::Secure {
                let guarded = "driver=cfi.pflash01,property=secure,value=on";
                plan.words(["-global", guarded]);
            }
            for (file, only) in [(Path::new(code), "on"), (&own, "off")] {
                let file = file.display();
                plan.words([
                    "-drive".to_owned(),
                    format!(
                        "if=pflash,unit={},format=raw,readonly={only},file={file}",
                        u8::from(only == "off")
                    ),
                ]);
            }
        }
        let port = plan.port(PORT);
        Ok(Self { plan, port })
    }

    /// Switches it on; it is off again after `limit` at the latest.
    ///
    /// # Errors
    /// When QEMU does not start.
    pub fn start(self, limit: Duration) -> Result<Booted, String> {
        let since = Instant::now();
        Ok(Booted {
            machine: self.plan.start(limit)?,
            since,
            port: self.port,
        })
    }
}

impl Booted {
    /// Waits for words on the console; returns how long after the switch they
    /// came.
    ///
    /// # Errors
    /// What the console wrote last.
    pub fn says(&self, words: &str) -> Result<Duration, String> {
        self.machine.wait_for(words, BOOT)?;
        Ok(self.since.elapsed())
    }

    /// Returns where the port for programs is on this machine.
    #[must_use]
    pub fn port_path(&self) -> &Path {
        &self.port
    }

    /// Connects to the port for programs.
    ///
    /// # Errors
    /// When it is taken.
    pub fn port(&self) -> Result<Port, String> {
        let stream = super::guest::machine::connect(&self.port)?;
        let set = stream.set_read_timeout(Some(BOOT));
        set.map_err(|error| error.to_string())?;
        Ok(Port(BufReader::new(stream)))
    }
}

/// The far end of the port for programs.
#[derive(Debug)]
pub struct Port(BufReader<UnixStream>);

impl Port {
    /// Returns the next line the node says.
    ///
    /// # Errors
    /// When none comes in time.
    pub fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => Err("the port is closed".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(format!("no line on the port: {error}")),
        }
    }

    /// Sends a line.
    ///
    /// # Errors
    /// When it is not taken.
    pub fn say(&mut self, line: &str) -> Result<(), String> {
        let sent = writeln!(self.0.get_mut(), "{line}");
        sent.map_err(|error| error.to_string())
    }
}

/// The far end of the serial port: keys go in at the speed of a line, what the
/// machine writes is read along. It answers no question a terminal is asked.
#[derive(Debug)]
pub struct Line<'a> {
    machine: &'a Machine,
    keyboard: UnixStream,
    /// What was written until somebody read along, and all that was read since. QEMU's
    /// log is not read for that: it has an octet twice where the socket was full.
    heard: Vec<u8>,
    /// What was read up to here belongs to an earlier question.
    seen: usize,
}

impl Booted {
    /// Returns the serial port's far end.
    ///
    /// # Errors
    /// When it is taken.
    pub fn line(&self) -> Result<Line<'_>, String> {
        Ok(Line {
            machine: &self.machine,
            keyboard: self.machine.keyboard()?,
            heard: self.machine.console().into_bytes(),
            seen: 0,
        })
    }
}

impl Line<'_> {
    /// Octets a second at 115,200 baud, 8N1.
    pub const RATE: u64 = 11_520;

    /// Waits for words behind what was waited for before; returns what came with
    /// them and how long it took.
    ///
    /// # Errors
    /// What was written instead.
    pub fn waits(&mut self, words: &str) -> Result<(String, Duration), String> {
        let since = Instant::now();
        loop {
            self.drain();
            let rest = self.heard.get(self.seen..).unwrap_or_default();
            let mut parts = rest.windows(words.len().max(1));
            if let Some(at) = parts.position(|part| part == words.as_bytes()) {
                let said = rest.get(..at + words.len()).unwrap_or_default();
                let said = String::from_utf8_lossy(said).into_owned();
                self.seen += at + words.len();
                return Ok((said, since.elapsed()));
            }
            if since.elapsed() > BOOT || !self.machine.runs() {
                let last = rest.get(rest.len().saturating_sub(3000)..).unwrap_or(rest);
                let last = String::from_utf8_lossy(last);
                return Err(format!("no {words:?} behind:\n{last}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types octets, no faster than the line.
    ///
    /// # Errors
    /// When the machine is gone.
    pub fn types(&mut self, octets: &[u8]) -> Result<(), String> {
        const PIECE: usize = 64;
        let since = Instant::now();
        let mut sent = 0;
        for piece in octets.chunks(PIECE) {
            self.keyboard
                .write_all(piece)
                .map_err(|error| error.to_string())?;
            sent += piece.len() as u64;
            self.drain();
            let due = Duration::from_micros(sent * 1_000_000 / Self::RATE);
            std::thread::sleep(due.saturating_sub(since.elapsed()));
        }
        Ok(())
    }

    /// Waits for a question and types the answer; returns what came before it.
    ///
    /// # Errors
    /// When the question is not asked.
    pub fn answers(&mut self, question: &str, answer: &str) -> Result<String, String> {
        let (text, _) = self.waits(question)?;
        self.types(format!("{answer}\r").as_bytes())?;
        Ok(text)
    }

    /// Takes what the machine wrote off the socket.
    fn drain(&mut self) {
        let mut page = [0; 4096];
        let _is_set = self.keyboard.set_nonblocking(true);
        while let Ok(length @ 1..) = self.keyboard.read(&mut page) {
            self.heard
                .extend_from_slice(page.get(..length).unwrap_or_default());
        }
        let _is_set = self.keyboard.set_nonblocking(false);
    }
}

/// Claims the node with a password, at its first question.
///
/// # Errors
/// When it does not ask for one.
pub fn claim(line: &mut Line<'_>, password: &str) -> Result<(), String> {
    line.answers("New password: ", password)?;
    line.answers("Again: ", password)?;
    Ok(())
}
