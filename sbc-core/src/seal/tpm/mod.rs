//! A TPM 2: a key comes in, octets go out that only this TPM turns into the key
//! again. Commands are those of the TCG's "TPM 2.0 Part 3": a storage key is made
//! from a fixed template in the owner's hierarchy each time (the TPM makes the same
//! one until its owner is cleared), and the value is an object below it. No PCR
//! holds it: an update must not lock the node out.

mod words;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use zeroize::Zeroizing;

use words::{Command, Response};

/// The kernel's TPM: it keeps those who ask apart, and forgets what they leave.
pub const DEVICE: &str = "/dev/tpmrm0";

/// A TPM makes a key in less; one that takes longer is broken.
const ANSWERS_WITHIN: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

/// How often a TPM that is busy is asked again, and after what pause.
const RETRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Why a TPM did not seal or unseal.
#[derive(Debug, thiserror::Error)]
pub enum NoSeal {
    #[error("the TPM cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("the TPM refuses {what}: response {code:#05x}")]
    Refused { what: &'static str, code: u32 },
    #[error("what it sealed is damaged, or its answer is")]
    Malformed,
}

impl From<io::Error> for NoSeal {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error)
    }
}

/// Where a TPM listens: the kernel's device, or the socket of an emulated one.
#[derive(Debug)]
enum Way {
    Device(File),
    Socket(UnixStream),
}

/// An open TPM.
#[derive(Debug)]
pub struct Tpm(Way);

impl Tpm {
    /// Opens the TPM at a path.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path)?.file_type().is_socket() {
            return Ok(Self(Way::Socket(UnixStream::connect(path)?)));
        }
        let file = File::options().read(true).write(true).open(path)?;
        Ok(Self(Way::Device(file)))
    }

    /// Returns the value, sealed.
    ///
    /// # Errors
    /// What the TPM says.
    pub fn seal(&mut self, value: &[u8]) -> Result<Vec<u8>, NoSeal> {
        let parent = self.storage_key()?;
        let sealed = self.ask(&words::create(parent, value));
        self.forget(parent);
        let sealed = sealed?;
        let mut body = sealed.body()?;
        let (private, public) = (body.sized()?, body.sized()?);
        Ok(words::pair(private, public))
    }

    /// Returns the value that this TPM sealed.
    ///
    /// # Errors
    /// When another one sealed it, it is damaged, or what the TPM says.
    pub fn unseal(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NoSeal> {
        let parent = self.storage_key()?;
        let loaded = self.ask(&words::load(parent, sealed));
        self.forget(parent);
        let object = loaded?.handle()?;
        let value = self.ask(&words::unseal(object));
        self.forget(object);
        let value = value?;
        let mut body = value.body()?;
        Ok(Zeroizing::new(body.sized()?.to_vec()))
    }

    fn storage_key(&mut self) -> Result<u32, NoSeal> {
        self.ask(&words::create_primary())?.handle()
    }

    /// Gives the room of an object free.
    fn forget(&mut self, object: u32) {
        // Whoever is behind the kernel's device forgets it at the end anyway.
        let _kept = self.ask(&words::flush(object));
    }

    fn ask(&mut self, command: &Command) -> Result<Response, NoSeal> {
        for _ in 0..RETRIES {
            let response = self.once(command)?;
            if !response.is_busy() {
                return response.checked(command.what);
            }
            std::thread::sleep(PAUSE);
        }
        let code = words::RETRY;
        Err(NoSeal::Refused {
            what: command.what,
            code,
        })
    }

    fn once(&mut self, command: &Command) -> Result<Response, NoSeal> {
        self.write(&command.octets)?;
        // The kernel's device gives its answer in one piece, a socket in any.
        let mut octets = Zeroizing::new(vec![0; words::LENGTH_MAX]);
        let mut length = 0;
        loop {
            let rest = octets.get_mut(length..).unwrap_or_default();
            let got = self.read(rest)?;
            length += got;
            let have = octets.get(..length).unwrap_or_default();
            match words::length(have) {
                Some(whole) if whole == length => return Response::read(octets, length),
                Some(whole) if whole < length || whole > words::LENGTH_MAX => {
                    return Err(NoSeal::Malformed);
                }
                _ if got == 0 => return Err(NoSeal::Malformed),
                _ => {}
            }
        }
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Way::Device(file) => file.write_all(octets),
            Way::Socket(stream) => stream.write_all(octets),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let way = match &self.0 {
            Way::Device(file) => file.as_fd(),
            Way::Socket(stream) => stream.as_fd(),
        };
        if poll(
            &mut [PollFd::new(&way, PollFlags::IN)],
            Some(&ANSWERS_WITHIN),
        )? == 0
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match &mut self.0 {
            Way::Device(file) => file.read(into),
            Way::Socket(stream) => stream.read(into),
        }
    }
}
