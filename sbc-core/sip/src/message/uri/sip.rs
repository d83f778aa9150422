//! SIP and SIPS URIs: what follows the scheme comes in, user, host, port,
//! parameters and headers go out (RFC 3261 §19.1.1).

use super::super::chars::{PASSWORD, USER};
use super::super::host::{Host, host_port};
use super::super::out::Out;
use super::super::scan::Cursor;
use super::parts::{Unescaped, UriHeaders, UriParams};
use super::{BadUri, TelUri};

/// A `sip` or `sips` URI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SipUri<'a> {
    /// Whether the scheme is `sips`.
    pub secure: bool,
    /// Escaped as written.
    pub user: Option<&'a str>,
    /// Escaped as written.
    pub password: Option<&'a str>,
    pub host: Host<'a>,
    pub port: Option<u16>,
    pub params: UriParams<'a>,
    pub headers: UriHeaders<'a>,
}

impl<'a> SipUri<'a> {
    /// Returns `sip:host` with nothing else.
    pub const fn new(host: Host<'a>) -> Self {
        Self {
            secure: false,
            user: None,
            password: None,
            host,
            port: None,
            params: UriParams::NONE,
            headers: UriHeaders::NONE,
        }
    }

    pub(super) fn parse(secure: bool, rest: &'a str) -> Result<Self, BadUri> {
        // No part but the user info may hold an at sign that is not escaped.
        let (user_info, place) = match rest.split_once('@') {
            Some((user_info, place)) => (Some(user_info), place),
            None => (None, rest),
        };
        let (user, password) = match user_info {
            Some(info) => user_info_parts(info)?,
            None => (None, None),
        };
        let mut cursor = Cursor::new(place);
        let (host, port) = host_port(&mut cursor, |byte| matches!(byte, b';' | b'?'))?;
        let params = UriParams::parse(cursor.until(|byte| byte == b'?'))?;
        let headers = match cursor.eat(b'?') {
            true => UriHeaders::parse(cursor.rest())?,
            false => UriHeaders::NONE,
        };
        Ok(Self {
            secure,
            user,
            password,
            host,
            port,
            params,
            headers,
        })
    }

    /// Returns the bytes of the user part with escapes undone; none if there is
    /// no user part.
    pub fn user_bytes(&self) -> Unescaped<'a> {
        Unescaped::new(self.user.unwrap_or_default())
    }

    /// Returns the telephone number the user part is, if `user=phone` says so
    /// (RFC 3261 §19.1.6). A local number needs no context here: the host is it.
    pub fn telephone(&self) -> Option<TelUri<'a>> {
        let phone = self.params.get("user")?.eq_ignore_ascii_case("phone");
        if phone {
            TelUri::parse_user(self.user?).ok()
        } else {
            None
        }
    }

    /// Returns the `transport` parameter.
    pub fn transport(&self) -> Option<&'a str> {
        self.params.get("transport")
    }

    /// Returns the `maddr` parameter.
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.get("maddr")
    }

    /// Returns whether the URI is that of a loose router (RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }

    pub(super) fn emit(&self, out: &mut Out<'_>) {
        out.text(if self.secure { "sips:" } else { "sip:" });
        if let Some(user) = self.user {
            out.escaped(user, USER);
            if let Some(password) = self.password {
                out.text(":").escaped(password, PASSWORD);
            }
            out.text("@");
        }
        self.host.emit(out);
        if let Some(port) = self.port {
            out.text(":").number(port);
        }
        self.params.emit(out);
        self.headers.emit(out);
    }
}

type UserInfo<'a> = (Option<&'a str>, Option<&'a str>);

fn user_info_parts(info: &str) -> Result<UserInfo<'_>, BadUri> {
    let (user, password) = match info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (info, None),
    };
    let password_fits = password.is_none_or(|password| PASSWORD.fills_escaped(password));
    if user.is_empty() || !USER.fills_escaped(user) || !password_fits {
        return Err(BadUri::User);
    }
    Ok((Some(user), password))
}
