//! Frames in, typed values out, and typed values in, bytes out (RFC 3261 §20, §25).
//!
//! Every type here is a view: its parts are slices of the text it was read from,
//! and reading allocates nothing. A value that is a list is split by [`list`];
//! [`each`] reads a whole list header, [`single`] one that must not repeat.

pub mod address;
pub mod basic;
mod chars;
pub mod content;
pub mod field;
pub mod host;
pub mod method;
pub mod name_addr;
pub mod out;
pub mod owned;
pub mod params;
pub mod rsip;
mod scan;
pub mod status;
pub mod uri;
pub mod validate;
pub mod via;
pub mod writer;

pub use address::{Contact, From, Path, RecordRoute, ReplyTo, Route, ServiceRoute, To};
pub use basic::{CSEQ_MAX, CSeq, CallId, ContentLength, MaxForwards};
pub use content::ContentType;
pub use field::{BadField, Field, Why, each, list, single};
pub use host::Host;
pub use method::Method;
pub use name_addr::{Display, NameAddr};
pub use out::Out;
pub use owned::{NameAddrBuf, UriBuf};
pub use params::{Param, Params};
pub use status::{Status, StatusClass};
pub use uri::{BadUri, SipUri, TelUri, Uri, UriHeaders, UriParams};
pub use validate::{Request, Response};
pub use via::{MAGIC_COOKIE, Transport, Via};
pub use writer::{Echo, Writer};
