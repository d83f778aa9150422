//! Frames in, typed values out, and typed values in, bytes out (RFC 3261 §20, §25).
//!
//! Every type here is a view: its parts are slices of the text it was read from,
//! and reading allocates nothing. A value that is a list is split by [`list`];
//! [`each`] reads a whole list header, [`single`] one that must not repeat.

pub mod address;
pub mod auth;
pub mod basic;
mod chars;
pub mod content;
pub mod field;
pub mod history;
pub mod host;
pub mod identity;
pub mod location;
pub mod method;
pub mod multipart;
pub mod name_addr;
pub mod out;
pub mod owned;
pub mod params;
pub mod reason;
pub mod rsip;
mod scan;
pub mod session;
pub mod status;
pub mod tagged;
pub mod text;
pub mod time;
pub mod tokens;
pub mod transfer;
pub mod uri;
pub mod validate;
pub mod via;
pub mod writer;

pub use address::{Contact, From, Path, RecordRoute, ReplyTo, Route, ServiceRoute, To};
pub use auth::{Auth, Authorization, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
pub use basic::{CSEQ_MAX, CSeq, CallId, ContentLength, MaxForwards};
pub use content::{Accept, ContentId, ContentType};
pub use field::{BadField, Field, Why, each, list, single};
pub use history::{Diversion, DiversionPrivacy, DiversionReason, HistoryInfo};
pub use host::Host;
pub use identity::{
    Identity, PAssertedIdentity, PPreferredIdentity, Privacy, RemotePartyId, SessionId,
};
pub use location::{Geolocation, GeolocationRouting};
pub use method::Method;
pub use name_addr::NameAddr;
pub use out::Out;
pub use owned::{NameAddrBuf, UriBuf};
pub use params::{Param, Params};
pub use reason::{GeolocationError, Protocol, Reason, Warning};
pub use session::{MinSe, RAck, RSeq, Refresher, SessionExpires};
pub use status::{Status, StatusClass};
pub use tagged::{
    AcceptEncoding, AcceptLanguage, ContentDisposition, Event, MsDiagnostics, SubscriptionState,
};
pub use text::{MimeVersion, Organization, Priority, Server, Subject, Text, UserAgent};
pub use time::{Date, Expires, MinExpires, RetryAfter};
pub use tokens::{
    Allow, AllowEvents, PEarlyMedia, ProxyRequire, Require, Supported, Tokens, Unsupported,
};
pub use transfer::{ReferTo, ReferredBy, Replaces};
pub use uri::{BadUri, SipUri, TelUri, Uri, UriHeaders, UriParams};
pub use validate::{Request, Response};
pub use via::{MAGIC_COOKIE, Transport, Via};
pub use writer::{Echo, Writer};

#[cfg(test)]
mod tests;
