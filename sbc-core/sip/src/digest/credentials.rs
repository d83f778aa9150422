//! A user and a password for one realm; they come in once and go out only as
//! hashes (RFC 7616 §3.4.2).

use alloc::boxed::Box;
use core::fmt;

/// Octets of a realm, user or password; longer than any provider issues, short
/// enough that one `Authorization` stays small beside a message.
const LONGEST: usize = 256;

/// What a user proves to one realm. Prints without its password.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials {
    realm: Box<str>,
    user: Box<str>,
    password: Box<str>,
}

/// Why a realm, user and password cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadCredentials {
    #[error("the {part} is empty")]
    Empty { part: &'static str },
    #[error("the {part} has {octets} octets, more than {LONGEST}")]
    TooLong { part: &'static str, octets: usize },
    #[error("the {part} holds a control character")]
    Control { part: &'static str },
}

impl Credentials {
    /// Takes the realm these credentials are for, compared octet by octet, the
    /// user and the password. Refuses what no quoted string can carry.
    pub fn new(realm: &str, user: &str, password: &str) -> Result<Self, BadCredentials> {
        check("realm", realm)?;
        check("user", user)?;
        if !password.is_empty() {
            check("password", password)?;
        }
        Ok(Self {
            realm: realm.into(),
            user: user.into(),
            password: password.into(),
        })
    }

    /// Returns the one realm these credentials are shown to.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Returns the user name as configured.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password, to be hashed and nothing else.
    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

fn check(part: &'static str, text: &str) -> Result<(), BadCredentials> {
    if text.is_empty() {
        return Err(BadCredentials::Empty { part });
    }
    if text.len() > LONGEST {
        let octets = text.len();
        return Err(BadCredentials::TooLong { part, octets });
    }
    if text.chars().any(char::is_control) {
        return Err(BadCredentials::Control { part });
    }
    Ok(())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credentials")
            .field("realm", &self.realm)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
