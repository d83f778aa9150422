//! Values written as a text of a form: names, addresses, numbers, patterns,
//! pairs. Each says its form, an example, and what is wrong with a text.

mod address;
mod number;

use alloc::format;
use alloc::string::{String, ToString};

pub use address::{Host, HostPort, Mac, Own, PortRange, PortSpec, Remote, Spoken, is_host};
pub use number::{Dialled, Dscp, NumberTest, StatusPair, Token};

use crate::codes::{SECRET_IN_CLEAR, UNKNOWN_ZONE};
use crate::file::units::not_a;
use crate::file::{Fault, Field, FromText, Shape, Word, nearest, wrong_type};
use crate::name::{Name, PeerName};
use crate::network::{Via, Zone};
use crate::peer::words;
use crate::report::{Problem, Report};
use crate::route::From;
use crate::tree::{Item, Value};

/// Makes types of a form readable as keys.
macro_rules! text_fields {
    ($($value:ty),+ $(,)?) => {$(
        impl $crate::file::Field for $value {
            const SHAPE: $crate::file::Shape = $crate::file::Shape::Text {
                form: <Self as $crate::file::FromText>::FORM,
                pattern: <Self as $crate::file::FromText>::PATTERN,
                example: <Self as $crate::file::FromText>::EXAMPLE,
            };

            fn read(
                item: &$crate::tree::Item,
                report: &mut $crate::report::Report,
            ) -> Option<Self> {
                $crate::file::read_text(item, report)
            }
        }
    )+};
}
pub(crate) use text_fields;

text_fields!(
    Text, Name, Via, PeerRef, From, HostName, TimeZone, Device, SecretName, FileName, Identity
);

/// Reads one of the words of an enum.
pub fn read_word<W: Word>(item: &Item, report: &mut Report) -> Option<W> {
    let words = || W::WORDS.iter().map(|(word, _)| *word);
    let all: alloc::vec::Vec<&str> = words().collect();
    let all = all.join(", ");
    let Value::Text(text) = &item.value else {
        wrong_type(item, &format!("one of {all}"), "", report);
        return None;
    };
    let found = W::WORDS
        .iter()
        .find(|(word, _)| word == text)
        .map(|(_, value)| *value);
    if found.is_none() {
        let fault = not_a("a word of this key", text);
        let help = match nearest(text, words()) {
            Some(near) => format!("did you mean \"{near}\"? one of {all}"),
            None => format!("one of {all}"),
        };
        report.add(Problem::new(fault.code, &item.span, fault.message).help(help));
    }
    found
}

/// A line of plain text for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text(pub String);

impl FromText for Text {
    const FORM: &'static str = "a line of text";
    const EXAMPLE: &'static str = "Carrier A over MPLS";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let plain = text.len() <= 256 && !text.chars().any(char::is_control);
        if plain {
            Ok(Self(text.to_string()))
        } else {
            Err(not_a("one line of at most 256 octets", text))
        }
    }
}

/// Returns the fault of a text that is no name.
pub fn not_a_name(text: &str) -> Fault {
    let help = "a name is a letter, then letters, digits and '-', all lower case, 31 at most";
    Fault {
        help,
        ..not_a("a name", text)
    }
}

impl FromText for Name {
    const FORM: &'static str = "a name";
    const PATTERN: &'static str = "^[a-z][a-z0-9-]{0,30}$";
    const EXAMPLE: &'static str = "itsp-a";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::new(text).ok_or_else(|| not_a_name(text))
    }
}

/// Splits `kind:name`.
fn reference(text: &str) -> Option<(&str, Name)> {
    let (kind, name) = text.split_once(':')?;
    Some((kind, Name::new(name)?))
}

impl FromText for Via {
    const FORM: &'static str = "an interface or tunnel";
    const PATTERN: &'static str = "^(interface|tunnel):[a-z][a-z0-9-]{0,30}$";
    const EXAMPLE: &'static str = "interface:mpls";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match reference(text) {
            Some(("interface", name)) => Ok(Self::Interface(name)),
            Some(("tunnel", name)) => Ok(Self::Tunnel(name)),
            _ => Err(not_a(Self::FORM, text)),
        }
    }
}

/// A trunk or mediation server by name.
pub type PeerRef = PeerName;

impl FromText for PeerName {
    const FORM: &'static str = "a trunk or mediation server";
    const PATTERN: &'static str = "^(trunk|mediation):[a-z][a-z0-9-]{0,30}$";
    const EXAMPLE: &'static str = "trunk:itsp-a";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match reference(text) {
            Some(("trunk", name)) => Ok(Self::Trunk(name)),
            Some(("mediation", name)) => Ok(Self::Mediation(name)),
            _ => Err(not_a(Self::FORM, text)),
        }
    }
}

impl FromText for From {
    const FORM: &'static str = "a peer, or \"trunk:*\" or \"mediation:*\"";
    const PATTERN: &'static str = "^(trunk|mediation):(\\*|[a-z][a-z0-9-]{0,30})$";
    const EXAMPLE: &'static str = "mediation:*";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "trunk:*" => Ok(Self::AnyTrunk),
            "mediation:*" => Ok(Self::AnyMediation),
            one => {
                let peer = PeerName::from_text(one).map_err(|_| not_a(Self::FORM, text))?;
                Ok(Self::One(peer))
            }
        }
    }
}

/// A host or domain name (RFC 1123 §2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostName(pub String);

/// Returns true for labels of letters, digits and inner hyphens.
pub fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|o| o.is_ascii_alphanumeric() || o == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

impl FromText for HostName {
    const FORM: &'static str = "a host name";
    const EXAMPLE: &'static str = "sbc-fra-01";

    fn from_text(text: &str) -> Result<Self, Fault> {
        if is_host_name(text) {
            Ok(Self(text.to_string()))
        } else {
            Err(not_a(Self::FORM, text))
        }
    }
}

/// A zone of the time zone database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimeZone(pub String);

/// Names of the time zone database, sorted, one a line.
const ZONES: &str = include_str!("../timezones.txt");

impl FromText for TimeZone {
    const FORM: &'static str = "a time zone";
    const EXAMPLE: &'static str = "Europe/Berlin";

    fn from_text(text: &str) -> Result<Self, Fault> {
        if ZONES.lines().any(|zone| zone == text) {
            return Ok(Self(text.to_string()));
        }
        let fault = not_a("a time zone", text);
        let help = "a name of the time zone database, as in \"Europe/Berlin\" or \"UTC\"";
        Err(Fault {
            code: UNKNOWN_ZONE,
            help,
            ..fault
        })
    }
}

/// A network device: a kernel name, a MAC address, a bus path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Device(pub String);

impl FromText for Device {
    const FORM: &'static str = "a network device";
    const EXAMPLE: &'static str = "enp1s0";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let bus = text.strip_prefix("pci-").is_some_and(|path| {
            !path.is_empty()
                && path
                    .bytes()
                    .all(|o| o.is_ascii_hexdigit() || b":.".contains(&o))
        });
        // Linux IFNAMSIZ: fifteen octets.
        let kernel = (1..=15).contains(&text.len())
            && text
                .bytes()
                .all(|o| o.is_ascii_alphanumeric() || b"-_.".contains(&o))
            && !matches!(text, "." | "..");
        if bus || kernel || Mac::from_text(text).is_ok() {
            return Ok(Self(text.to_string()));
        }
        let help = "a kernel name, a MAC address, or a bus path as in \"pci-0000:02:00.0\"";
        Err(Fault {
            help,
            ..not_a(Self::FORM, text)
        })
    }
}

/// A name in the secret store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretName(pub String);

impl FromText for SecretName {
    const FORM: &'static str = "the name of a secret";
    const PATTERN: &'static str = "^[a-z][a-z0-9-]*(/[a-z0-9-]+)*$";
    const EXAMPLE: &'static str = "vpn/itsp-a";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|o| o.is_ascii_lowercase() || o.is_ascii_digit() || o == b'-')
        };
        if text.len() <= 64 && text.split('/').all(part) {
            return Ok(Self(text.to_string()));
        }
        Err(Fault {
            message: "this is not the name of a secret".into(),
            ..not_a(Self::FORM, "")
        })
    }
}

/// A file of certificates in the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileName(pub String);

impl FromText for FileName {
    const FORM: &'static str = "a file of certificates";
    const PATTERN: &'static str = "^pki(/[a-z0-9-][a-z0-9.-]*)+\\.pem$";
    const EXAMPLE: &'static str = "pki/node.pem";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let fits = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        let part = |part: &str| !part.starts_with('.') && part.bytes().all(fits);
        let bare = text
            .strip_prefix("pki/")
            .and_then(|text| text.strip_suffix(".pem"));
        let inside =
            bare.is_some_and(|bare| bare.split('/').all(|one| !one.is_empty() && part(one)));
        if inside && text.len() <= 64 {
            return Ok(Self(text.to_string()));
        }
        Err(not_a(
            "a file below pki/ of a-z, 0-9 and - that ends in .pem",
            text,
        ))
    }
}

/// What the far end of a tunnel calls itself (RFC 7296 §3.5): a name, an address,
/// or the subject of its certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity(pub String);

impl FromText for Identity {
    const FORM: &'static str = "an identity";
    const EXAMPLE: &'static str = "vpn.carrier.example";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        let open = text.contains(['%', '*']);
        if plain && !open && !text.trim().is_empty() && text.len() <= 128 {
            return Ok(Self(text.to_string()));
        }
        Err(not_a(
            "an identity: a name, an address or a subject, never a pattern",
            text,
        ))
    }
}

/// `{ secret = "vpn/itsp-a" }`: a secret by name. The value itself in its
/// place is refused, and never shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secret(pub String);

impl Field for Secret {
    const SHAPE: Shape = Shape::Table(&crate::file::Schema {
        about: "A secret, by its name in the secret store.\n",
        keys: &[crate::file::Key {
            name: "secret",
            about: "Name in the secret store.\n",
            shape: <SecretName as Field>::SHAPE,
            default: "",
            need: crate::file::Need::Required,
        }],
    });

    fn read(item: &Item, report: &mut Report) -> Option<Self> {
        let table = match &item.value {
            Value::Table(table) => table,
            Value::Text(_) => {
                let mut problem = Problem::new(
                    SECRET_IN_CLEAR,
                    &item.span,
                    "this secret stands in clear in the file",
                );
                problem.conceal = true;
                let help = "put the value in the secret store and write { secret = \"NAME\" } here";
                report.add(problem.label("secret").help(help));
                return None;
            }
            _ => {
                wrong_type(
                    item,
                    "a secret by name",
                    "{ secret = \"vpn/itsp-a\" }",
                    report,
                );
                return None;
            }
        };
        let Shape::Table(schema) = Self::SHAPE else {
            return None;
        };
        for entry in &table.entries {
            if entry.key != "secret" {
                crate::file::unknown(entry, schema, false, report);
            }
        }
        crate::file::missing(schema, table, &item.span, report);
        SecretName::read(table.get("secret")?, report).map(|name| Self(name.0))
    }
}

words! {
    /// How the SDP of a secured stream is asked for.
    SrtpWord { Required = "required", Optional = "optional", Off = "off" }
    /// How an optional offer is answered.
    OptionalAnswer { Savp = "savp", AsOffered = "as-offered" }
    /// How targets of a name are tried.
    Failover { Ordered = "ordered", Weighted = "weighted" }
    /// How a trunk registers.
    RegistrationMode { Pilot = "pilot", Gin = "gin" }
    /// Which targets are registered with.
    RegistrationTargets { First = "first", All = "all" }
    /// How much a user may do.
    Role { Monitor = "monitor", Operator = "operator", Admin = "admin" }
    /// The least TLS version.
    TlsVersion { V12 = "1.2", V13 = "1.3" }
    /// Whether a translator lies on the way.
    NatTraversal { Off = "off", Auto = "auto" }
    /// Who opens a tunnel.
    Initiate { Node = "node", Peer = "peer" }
    /// What lines are drawn with.
    Charset { Ascii = "ascii", Utf8 = "utf-8" }
    /// How records are written.
    CdrFormat { Jsonl = "jsonl" }
    /// How a collector is reached.
    SyslogTransport { Udp = "udp", Tcp = "tcp", Tls = "tls" }
}

impl Word for Zone {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("management", Self::Management),
        ("internet", Self::Internet),
        ("private", Self::Private),
        ("mediation", Self::Mediation),
    ];
}
crate::peer::word_fields!(Zone);
