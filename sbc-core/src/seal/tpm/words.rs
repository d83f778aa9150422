//! The commands of a TPM 2 as octets, and its responses: "TPM 2.0 Part 2" for the
//! structures, "Part 3" for the commands. A response is read within its own length;
//! whatever does not fit is refused.

use zeroize::Zeroizing;

use super::NoSeal;

/// Octets of a command or a response: the limit of the PC's interface.
pub const LENGTH_MAX: usize = 4096;

/// TPM_RC_RETRY, TPM_RC_YIELDED and TPM_RC_TESTING: ask again.
pub const RETRY: u32 = 0x922;
const BUSY: [u32; 3] = [RETRY, 0x908, 0x90a];

/// TPM_ST_NO_SESSIONS and TPM_ST_SESSIONS.
const PLAIN: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;

/// Octets of a header: tag, length, code.
const HEADER: usize = 10;

/// TPM_RH_OWNER, and the session of an empty password, TPM_RS_PW.
const OWNER: u32 = 0x4000_0001;
const PASSWORD: u32 = 0x4000_0009;

/// TPM_ALG_*.
const KEYED_HASH: u16 = 0x0008;
const SHA256: u16 = 0x000b;
const AES: u16 = 0x0006;
const NULL: u16 = 0x0010;
const ECC: u16 = 0x0023;
const CFB: u16 = 0x0043;

/// TPM_ECC_NIST_P256.
const P256: u16 = 0x0003;

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted,
/// decrypt.
const STORAGE_KEY: u32 = 0x0003_0472;

/// fixedTPM, fixedParent, userWithAuth, noDA.
const SEALED: u32 = 0x0000_0452;

/// One command. It may hold a key, so it is wiped.
#[derive(Debug)]
pub struct Command {
    pub what: &'static str,
    pub octets: Zeroizing<Vec<u8>>,
}

/// Octets in the making. Room for all of it at once: a vector that grows leaves
/// copies behind.
struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(LENGTH_MAX)))
    }

    fn u8(mut self, number: u8) -> Self {
        self.0.push(number);
        self
    }

    fn u16(mut self, number: u16) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn octets(mut self, octets: &[u8]) -> Self {
        self.0.extend_from_slice(octets);
        self
    }

    /// A TPM2B: its length, then its octets.
    fn sized(self, octets: &[u8]) -> Self {
        let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
        self.u16(length).octets(octets)
    }

    fn command(self, what: &'static str, tag: u16, code: u32) -> Command {
        let length = u32::try_from(HEADER + self.0.len()).unwrap_or(u32::MAX);
        let head = Self::new().u16(tag).u32(length).u32(code);
        let octets = head.octets(&self.0).0;
        Command { what, octets }
    }
}

/// A handle and the proof that we may use it: an empty password.
fn with(handle: u32) -> Writer {
    let session = Writer::new().u32(PASSWORD).u16(0).u8(0).u16(0);
    let length = u32::try_from(session.0.len()).unwrap_or_default();
    Writer::new().u32(handle).u32(length).octets(&session.0)
}

/// TPM2_CreatePrimary: the storage key of the owner's hierarchy, on P-256.
pub fn create_primary() -> Command {
    let public = Writer::new()
        .u16(ECC)
        .u16(SHA256)
        .u32(STORAGE_KEY)
        .sized(&[])
        .u16(AES)
        .u16(128)
        .u16(CFB)
        .u16(NULL)
        .u16(P256)
        .u16(NULL)
        .sized(&[])
        .sized(&[]);
    let sensitive = Writer::new().sized(&[]).sized(&[]);
    with(OWNER)
        .sized(&sensitive.0)
        .sized(&public.0)
        .sized(&[])
        .u32(0)
        .command("a storage key", SESSIONS, 0x131)
}

/// TPM2_Create: an object that holds a value.
pub fn create(parent: u32, value: &[u8]) -> Command {
    let public = Writer::new()
        .u16(KEYED_HASH)
        .u16(SHA256)
        .u32(SEALED)
        .sized(&[])
        .u16(NULL)
        .sized(&[]);
    let sensitive = Writer::new().sized(&[]).sized(value);
    with(parent)
        .sized(&sensitive.0)
        .sized(&public.0)
        .sized(&[])
        .u32(0)
        .command("to seal", SESSIONS, 0x153)
}

/// TPM2_Load: an object, as [`pair`] wrote it.
pub fn load(parent: u32, sealed: &[u8]) -> Command {
    with(parent)
        .octets(sealed)
        .command("what was sealed", SESSIONS, 0x157)
}

/// TPM2_Unseal.
pub fn unseal(object: u32) -> Command {
    with(object).command("to unseal", SESSIONS, 0x15e)
}

/// TPM2_FlushContext.
pub fn flush(object: u32) -> Command {
    Writer::new().u32(object).command("to forget", PLAIN, 0x165)
}

/// Returns both parts of an object, as TPM2_Load takes them.
pub fn pair(private: &[u8], public: &[u8]) -> Vec<u8> {
    Writer::new().sized(private).sized(public).0.to_vec()
}

/// Returns the length that a response says it has, once it has said so.
pub fn length(octets: &[u8]) -> Option<usize> {
    let mut reader = Reader(octets);
    reader.u16().ok()?;
    usize::try_from(reader.u32().ok()?).ok()
}

/// One response, whole.
#[derive(Debug)]
pub struct Response {
    octets: Zeroizing<Vec<u8>>,
    code: u32,
}

impl Response {
    /// Reads the header.
    pub fn read(mut octets: Zeroizing<Vec<u8>>, length: usize) -> Result<Self, NoSeal> {
        octets.truncate(length);
        let mut reader = Reader(&octets);
        reader.u16()?;
        reader.u32()?;
        let code = reader.u32()?;
        Ok(Self { octets, code })
    }

    /// Returns whether the TPM wants to be asked again.
    pub fn is_busy(&self) -> bool {
        BUSY.contains(&self.code)
    }

    /// Returns the response if it is none of refusal.
    pub fn checked(self, what: &'static str) -> Result<Self, NoSeal> {
        match self.code {
            0 => Ok(self),
            code => Err(NoSeal::Refused { what, code }),
        }
    }

    fn after_header(&self) -> Reader<'_> {
        Reader(self.octets.get(HEADER..).unwrap_or_default())
    }

    /// Returns the handle of an object that was made or loaded.
    pub fn handle(&self) -> Result<u32, NoSeal> {
        self.after_header().u32()
    }

    /// Returns the parameters, for a response without a handle.
    pub fn body(&self) -> Result<Reader<'_>, NoSeal> {
        let mut reader = self.after_header();
        let length = usize::try_from(reader.u32()?).map_err(|_| NoSeal::Malformed)?;
        reader.take(length).map(Reader)
    }
}

/// What is left to read.
#[derive(Debug)]
pub struct Reader<'o>(&'o [u8]);

impl<'o> Reader<'o> {
    fn take(&mut self, length: usize) -> Result<&'o [u8], NoSeal> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(NoSeal::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, NoSeal> {
        let taken = self.take(2)?;
        let taken = taken.try_into().map_err(|_| NoSeal::Malformed)?;
        Ok(u16::from_be_bytes(taken))
    }

    fn u32(&mut self) -> Result<u32, NoSeal> {
        let taken = self.take(4)?;
        let taken = taken.try_into().map_err(|_| NoSeal::Malformed)?;
        Ok(u32::from_be_bytes(taken))
    }

    /// Returns the octets of a TPM2B.
    pub fn sized(&mut self) -> Result<&'o [u8], NoSeal> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_part_3_says() {
        let unseal = unseal(0x8000_0001);
        let expected = [
            0x80, 0x02, 0, 0, 0, 27, 0, 0, 0x01, 0x5e, 0x80, 0, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0,
            0, 0, 0, 0,
        ];
        assert_eq!(**unseal.octets, expected);
        let flush = flush(0x8000_0001);
        assert_eq!(
            **flush.octets,
            [0x80, 0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, 0x80, 0, 0, 1]
        );
    }

    #[test]
    fn a_response_cut_anywhere_or_lying_about_a_length_is_refused() {
        let whole = [
            0x80, 0x02, 0, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0xaa, 0, 2, 0xbb, 0xcc, 0,
        ];
        let read = |octets: &[u8]| -> Result<usize, NoSeal> {
            let response = Response::read(Zeroizing::new(octets.to_vec()), octets.len())?;
            let mut body = response.checked("it")?;
            let mut body = body_of(&mut body)?;
            Ok(body.sized()?.len() + body.sized()?.len())
        };
        fn body_of(response: &mut Response) -> Result<Reader<'_>, NoSeal> {
            response.body()
        }
        assert_eq!(read(&whole).unwrap(), 3);
        for cut in 0..21 {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
        for (at, value) in [(13, 0xff), (10, 0xff), (15, 0xff), (18, 0xff), (13, 3)] {
            let mut bad = whole;
            bad[at] = value;
            assert!(read(&bad).is_err(), "{at}");
        }
        let mut refused = whole;
        refused[9] = 0x9a;
        assert!(matches!(
            read(&refused),
            Err(NoSeal::Refused { code: 0x9a, .. })
        ));
    }
}
