//! A bundle (`.sbcfw`) comes in; what it is goes out, once its signature
//! (Ed25519, RFC 8032 §5.1.7) and every octet of it were looked at. Nothing
//! that is not signed is read any further than its length.
//!
//! | octets | what |
//! |---|---|
//! | 8 | `SBCFW`, two zeros, 1 |
//! | 4 | length of the manifest, the low octet first |
//! | 64 | the signature over [`CONTEXT`] and the manifest |
//! | … | the manifest: lines `key=value`, then each part's length and sum |
//! | … | the parts, one behind the other, nothing between or behind them |

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::version::Version;

/// What a bundle begins with.
const HEAD: &[u8; 8] = b"SBCFW\0\0\x01";
/// A signature is one of a bundle and of nothing else.
const CONTEXT: &[u8] = b"sbc firmware manifest 1\n";
/// A manifest has eight lines of about a hundred letters.
const MANIFEST_MAX: u32 = 4096;
const SIGNATURE: usize = 64;
/// Names of the parts in their order, and octets each may have at most: what
/// their places on the disk hold.
pub const PARTS: [(&str, u64); 3] = [("uki", 40 << 20), ("root", 64 << 20), ("tree", 2 << 20)];
/// What is read at once.
const PIECE: usize = 1 << 18;

/// Why a bundle is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("no volume {0} with a file update.sbcfw is there")]
    Absent(&'static str),
    #[error("the bundle cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("this is no bundle: {0}")]
    Malformed(&'static str),
    #[error("no key of this image has signed the bundle")]
    Unsigned,
    #[error("the bundle is for {wanted}, and this is {here}")]
    Hardware { wanted: String, here: String },
    #[error("version {version} is below the floor {floor}: it is known to be unsafe")]
    Floor { version: Version, floor: Version },
    #[error("version {0} runs already")]
    Runs(Version),
    #[error("part {0} is not what was signed")]
    Changed(&'static str),
    #[error("the boot partition: {0}")]
    Boot(#[source] io::Error),
    #[error("slot {slot} cannot be written: {source}")]
    Slot { slot: char, source: io::Error },
    #[error("slot {0} holds nothing that came up before")]
    NothingThere(char),
    #[error("type the version to be installed, {0}")]
    OtherWord(Version),
    #[error("type the serial number of this machine, {0}")]
    OtherSerial(String),
    #[error("there is no such operation")]
    NoOperation,
    #[error("slot {0} runs on trial, or another update is on its way")]
    Busy(char),
}

impl Refusal {
    /// Returns the code of the register.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Absent(_) => "SBC-2110",
            Self::Unreadable(_) | Self::Malformed(_) => "SBC-2111",
            Self::Unsigned => "SBC-2112",
            Self::Hardware { .. } => "SBC-2113",
            Self::Floor { .. } | Self::Runs(_) => "SBC-2114",
            Self::Changed(_) => "SBC-2115",
            Self::Boot(_) | Self::Slot { .. } => "SBC-2116",
            Self::NothingThere(_) => "SBC-2117",
            Self::OtherSerial(_) | Self::OtherWord(_) => "SBC-3002",
            Self::NoOperation => "SBC-3001",
            Self::Busy(_) => "SBC-2119",
        }
    }
}

/// One part: its length and its sum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    pub name: &'static str,
    pub length: u64,
    sum: [u8; 32],
}

/// What was signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    pub version: Version,
    /// Once this version has come up, nothing below this one is taken.
    pub floor: Version,
    pub hardware: String,
    pub parts: [Part; 3],
}

/// Who may sign: a name and a public key.
pub type Key = (String, VerifyingKey);

/// A bundle whose manifest somebody we know has signed.
#[derive(Debug)]
pub struct Bundle<F> {
    pub manifest: Manifest,
    /// The name of the key that signed it.
    pub key: String,
    file: F,
    /// Where the parts begin.
    from: u64,
}

impl Bundle<File> {
    /// Opens a bundle. Whoever changes the file afterwards is found out by the
    /// sums.
    pub fn open(file: File, keys: &[Key]) -> Result<Self, Refusal> {
        let length = file.metadata()?.len();
        Self::read(file, length, keys)
    }
}

impl<F: Read + Seek> Bundle<F> {
    fn read(mut file: F, length: u64, keys: &[Key]) -> Result<Self, Refusal> {
        let mut head = [0; 12 + SIGNATURE];
        file.read_exact(&mut head).map_err(short)?;
        let (head, signature) = head.split_at(12);
        let size = head
            .strip_prefix(HEAD)
            .and_then(|rest| rest.try_into().ok());
        let size = size
            .map(u32::from_le_bytes)
            .filter(|size| *size <= MANIFEST_MAX);
        let size = size.ok_or(Refusal::Malformed("its head"))?;
        let mut signed = CONTEXT.to_vec();
        signed.resize(CONTEXT.len() + size as usize, 0);
        let text = signed.get_mut(CONTEXT.len()..).unwrap_or_default();
        file.read_exact(text).map_err(short)?;
        let signature = Signature::from_slice(signature).map_err(|_| Refusal::Unsigned)?;
        let mut keys = keys.iter();
        let signer = keys.find(|(_, key)| key.verify_strict(&signed, &signature).is_ok());
        let (key, _) = signer.ok_or(Refusal::Unsigned)?;
        let text = signed.get(CONTEXT.len()..).unwrap_or_default();
        let manifest = Manifest::parse(text).ok_or(Refusal::Malformed("its manifest"))?;
        let from = (12 + SIGNATURE) as u64 + u64::from(size);
        let parts: u64 = manifest.parts.iter().map(|part| part.length).sum();
        if length != from + parts {
            return Err(Refusal::Malformed("it is longer or shorter than its parts"));
        }
        Ok(Self {
            manifest,
            key: key.clone(),
            file,
            from,
        })
    }

    /// Hands a part over piece by piece; whoever takes it learns at the end
    /// whether it was the signed one.
    pub fn part(
        &mut self,
        name: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let before = self
            .manifest
            .parts
            .iter()
            .take_while(|part| part.name != name);
        let at = self.from + before.map(|part| part.length).sum::<u64>();
        let mut parts = self.manifest.parts.iter();
        let part = parts.find(|part| part.name == name);
        let part = *part.ok_or(Refusal::Malformed("a part is missing"))?;
        self.file.seek(SeekFrom::Start(at))?;
        let mut source = Read::take(&mut self.file, part.length);
        part.pass(&mut source, take)
    }
}

/// A file that ends early is no bundle; another fault is the volume's.
fn short(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Refusal::Malformed("it ends early"),
        _ => Refusal::Unreadable(error),
    }
}

impl Part {
    /// Reads the part to its end, passing each piece on.
    pub fn pass(
        &self,
        from: &mut dyn Read,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut piece = vec![0; PIECE];
        let mut left = self.length;
        let mut sum = Sha256::new();
        while left > 0 {
            let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let room = piece.get_mut(..wanted).unwrap_or_default();
            from.read_exact(room).map_err(short)?;
            sum.update(&*room);
            take(room)?;
            left -= wanted as u64;
        }
        if sum.finalize().as_slice() == self.sum {
            return Ok(());
        }
        Err(Refusal::Changed(self.name))
    }
}

impl Manifest {
    /// Every line must be one we know, each once, the parts in their order.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let mut lines = text.split('\n');
        let mut next = |key: &str| lines.next()?.strip_prefix(key)?.strip_prefix('=');
        let version = Version::parse(next("version")?)?;
        let floor = Version::parse(next("floor")?)?;
        let hardware = next("hardware")?.to_owned();
        let mut part = |(name, most): (&'static str, u64)| {
            let (length, sum) = next(name)?.split_once(' ')?;
            let length = length
                .parse()
                .ok()
                .filter(|length| (1..=most).contains(length))?;
            let sum = unhex(sum)?;
            Some(Part { name, length, sum })
        };
        let [uki, root, tree] = PARTS;
        let parts = [part(uki)?, part(root)?, part(tree)?];
        let sound = lines.next().is_none() && floor <= version;
        sound.then_some(Self {
            version,
            floor,
            hardware,
            parts,
        })
    }

    /// Returns whether this machine may take the version.
    pub fn fits(&self, here: &str, floor: Version, running: Version) -> Result<(), Refusal> {
        let version = self.version;
        if self.hardware != here {
            let (wanted, here) = (self.hardware.clone(), here.to_owned());
            return Err(Refusal::Hardware { wanted, here });
        }
        if version < floor {
            return Err(Refusal::Floor { version, floor });
        }
        if version == running {
            return Err(Refusal::Runs(version));
        }
        Ok(())
    }
}

/// Reads 32 octets of lower-case digits.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let plain = |octet: &u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(octet);
    let pairs = text.as_bytes().chunks(2);
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = pairs.map(octet).collect();
    octets?
        .try_into()
        .ok()
        .filter(|_| text.bytes().all(|octet| plain(&octet)))
}

/// Takes a public key as its file has it: 64 digits.
pub fn key(text: &str) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&unhex(text.trim_end())?).ok()
}

#[cfg(test)]
mod tests;
