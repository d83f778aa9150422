//! The one writer: typed values come in, a message goes out (RFC 3261 §7).
//!
//! Text of a peer gets in as a slice of a typed value or as an [`Echo`] of a
//! header we must return unchanged, and by no other way.

use alloc::vec::Vec;

use super::content::ContentType;
use super::field::Field;
use super::method::Method;
use super::out::Out;
use super::status::Status;
use super::uri::Uri;
use crate::wire::{Frame, Name};

/// Writes one message behind what the buffer already holds.
#[derive(Debug)]
#[must_use = "a message ends with `finish`"]
pub struct Writer<'b> {
    bytes: &'b mut Vec<u8>,
}

/// The value of a header a response or an ACK returns byte for byte: Via, From,
/// To, Call-ID, CSeq, Record-Route or Timestamp (RFC 3261 §8.2.6.2, §17.1.1.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Echo<'a> {
    value: &'a str,
    tag: Option<&'a str>,
}

impl<'a> Echo<'a> {
    /// Returns an echo of `value`, a header value out of a framed message.
    pub const fn of(value: &'a str) -> Self {
        Self { value, tag: None }
    }

    /// Returns this echo with a tag of ours behind it, for a To that has none.
    pub const fn with_tag(self, tag: &'a str) -> Self {
        Self {
            tag: Some(tag),
            ..self
        }
    }

    /// Returns an echo of the first line `name` of a message.
    pub fn first(frame: &'a Frame, name: Name) -> Option<Self> {
        frame.first(name).map(Self::of)
    }

    fn emit(&self, out: &mut Vec<u8>) {
        // A frame's value has no line end in it; other controls can stand in a
        // quoted pair, and go back as they came.
        let safe = |byte| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                byte
            }
        };
        out.extend(self.value.bytes().map(safe));
        if let Some(tag) = self.tag {
            Out::new(out).text(";tag=").token(tag);
        }
    }
}

impl<'b> Writer<'b> {
    /// Starts a request to `uri`, which is written without URI headers: a
    /// Request-URI must not have them (RFC 3261 §19.1.1).
    pub fn request(bytes: &'b mut Vec<u8>, method: Method<'_>, uri: &Uri<'_>) -> Self {
        let mut out = Out::new(bytes);
        out.token(method.as_str()).text(" ");
        uri.bare().emit(&mut out);
        out.text(" SIP/2.0");
        Self { bytes }.line_end()
    }

    /// Starts a response; without `reason` it says what the standard says.
    pub fn response(bytes: &'b mut Vec<u8>, status: Status, reason: Option<&str>) -> Self {
        let mut out = Out::new(bytes);
        out.text("SIP/2.0 ").number(status.code()).text(" ");
        out.text(reason.unwrap_or(status.phrase()));
        Self { bytes }.line_end()
    }

    fn line_end(self) -> Self {
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    fn line(&mut self, name: Name, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.bytes.extend_from_slice(name.canonical().as_bytes());
        self.bytes.extend_from_slice(b": ");
        write(self.bytes);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Writes one header. Content-Type and Content-Length belong to the body and
    /// are left to [`finish`](Self::finish).
    pub fn field<'a, F: Field<'a>>(&mut self, field: &F) -> &mut Self {
        if matches!(
            F::NAME,
            Name::ContentType | Name::ContentLength | Name::Other
        ) {
            return self;
        }
        self.line(F::NAME, |bytes| field.emit(&mut Out::new(bytes)))
    }

    /// Writes one header, if there is one.
    pub fn maybe<'a, F: Field<'a>>(&mut self, field: Option<&F>) -> &mut Self {
        match field {
            Some(field) => self.field(field),
            None => self,
        }
    }

    /// Writes a header as it was received. Names outside those of [`Echo`] are
    /// not written: nothing else crosses unread.
    pub fn raw_echo(&mut self, name: Name, echo: Echo<'_>) -> &mut Self {
        use Name::{CSeq, CallId, From, RecordRoute, Timestamp, To, Via};
        if !matches!(
            name,
            Via | From | To | CallId | CSeq | RecordRoute | Timestamp
        ) {
            return self;
        }
        self.line(name, |bytes| echo.emit(bytes))
    }

    /// Writes a header that the operator lets cross by the name that stands in the
    /// file. Headers that say where a message goes, whose it is or how long it is are
    /// not written: they cross by no list.
    pub fn pass(&mut self, name: &str, value: &str) -> &mut Self {
        use Name::{
            CSeq, CallId, Contact, ContentEncoding, ContentLength, ContentType, From, MaxForwards,
            RecordRoute, Route, To, Via,
        };
        if matches!(
            Name::of(name),
            CSeq | CallId
                | Contact
                | ContentEncoding
                | ContentLength
                | ContentType
                | From
                | MaxForwards
                | RecordRoute
                | Route
                | To
                | Via
        ) {
            return self;
        }
        Out::new(self.bytes).token(name).text(": ").text(value);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Writes every line `name` of a message as it was received, in order; see
    /// [`raw_echo`](Self::raw_echo).
    pub fn echo_lines(&mut self, frame: &Frame, name: Name) -> &mut Self {
        for line in frame.all(name) {
            self.raw_echo(name, Echo::of(line));
        }
        self
    }

    /// Ends the message with its body, Content-Type and Content-Length.
    pub fn finish(self, body: Option<(&ContentType<'_>, &[u8])>) {
        let (kind, body) = match body {
            Some((kind, body)) => (Some(kind), body),
            None => (None, &[][..]),
        };
        let mut out = Out::new(self.bytes);
        if let Some(kind) = kind {
            out.text("Content-Type: ");
            kind.emit(&mut out);
            out.bytes().extend_from_slice(b"\r\n");
        }
        // A length beyond 64 bits is beyond memory.
        out.text("Content-Length: ")
            .number(u64::try_from(body.len()).unwrap_or(u64::MAX));
        self.bytes.extend_from_slice(b"\r\n\r\n");
        self.bytes.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::super::{CSeq, CallId, ContentLength, From, MaxForwards, To, Via};
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3261 §7.3
    #[test]
    fn a_header_of_the_operator_s_list_cannot_end_its_line_or_move_a_message() {
        let mut bytes = Vec::new();
        let mut writer = Writer { bytes: &mut bytes };
        writer
            .pass("X-Carrier-Id", "7\r\nVia: x")
            .pass("X Y", "1")
            .pass("Contact", "<sip:a@b>")
            .pass("l", "9");
        assert_eq!(text(bytes), "X-Carrier-Id: 7  Via: x\r\nX_Y: 1\r\n");
    }

    /// RFC 3261 §7.1, §19.1.1
    #[test]
    fn a_request_is_written_from_typed_values() {
        let mut bytes = Vec::new();
        let uri = Uri::parse("sip:bob@biloxi.com?Route=x").unwrap();
        let mut writer = Writer::request(&mut bytes, Method::Invite, &uri);
        writer
            .field(&Via::parse("SIP/2.0/TCP pc33;branch=z9hG4bK7").unwrap())
            .field(&MaxForwards(70))
            .field(&From::parse("Alice<sip:alice@a.com>;tag=1").unwrap())
            .field(&To::parse("sip:bob@biloxi.com").unwrap())
            .field(&CallId("a84b4c76e66710"))
            .field(&CSeq {
                number: 1,
                method: Method::Invite,
            })
            .field(&ContentLength(7))
            .maybe(None::<&MaxForwards>);
        writer.finish(Some((&ContentType::SDP, b"v=0\r\n")));
        assert_eq!(
            text(bytes),
            "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
             Via: SIP/2.0/TCP pc33;branch=z9hG4bK7\r\n\
             Max-Forwards: 70\r\n\
             From: Alice <sip:alice@a.com>;tag=1\r\n\
             To: <sip:bob@biloxi.com>\r\n\
             Call-ID: a84b4c76e66710\r\n\
             CSeq: 1 INVITE\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: 5\r\n\r\nv=0\r\n"
        );
    }

    /// RFC 3261 §7.2, §8.2.6.2, §17.1.1.3
    #[test]
    fn a_response_echoes_byte_for_byte_and_adds_our_tag() {
        let mut bytes = Vec::new();
        let mut writer = Writer::response(&mut bytes, Status::BUSY_HERE, None);
        writer
            .raw_echo(Name::From, Echo::of("<sip:a@b> ;  EPID=1;tag = 2"))
            .raw_echo(Name::To, Echo::of("Bob <sip:b@c>").with_tag("x\r\ny"))
            .raw_echo(Name::Subject, Echo::of("not this"));
        writer.finish(None);
        assert_eq!(
            text(bytes),
            "SIP/2.0 486 Busy Here\r\nFrom: <sip:a@b> ;  EPID=1;tag = 2\r\n\
             To: Bob <sip:b@c>;tag=x__y\r\nContent-Length: 0\r\n\r\n"
        );
    }

    /// RFC 3261 §25.1
    #[test]
    fn no_text_starts_a_line_of_its_own() {
        let mut bytes = Vec::new();
        let mut writer = Writer::response(&mut bytes, Status::OK, Some("fine\r\nEvil: 1"));
        writer
            .field(&CallId("a\r\nEvil: 2"))
            .raw_echo(Name::CSeq, Echo::of("1\r\nEvil: 3"));
        writer.finish(None);
        assert_eq!(
            text(bytes)
                .lines()
                .filter(|line| line.starts_with("Evil"))
                .count(),
            0
        );
    }
}
