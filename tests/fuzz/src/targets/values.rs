//! Header values and URIs: any text comes in; what can be read is written in a form
//! that reads to the same value and holds no control octet (RFC 3261 §7.3.1, §19.1, §25.1).

use core::fmt::Debug;

use sbc_sip::message::{
    Accept, AcceptEncoding, AcceptLanguage, Allow, AllowEvents, Authorization, CSeq, CallId,
    Contact, ContentDisposition, ContentId, ContentLength, ContentType, Date, Event, Expires,
    Field, From, Geolocation, GeolocationError, GeolocationRouting, Identity, MaxForwards,
    MimeVersion, MinExpires, MinSe, MsDiagnostics, Organization, Out, PAssertedIdentity,
    PEarlyMedia, PPreferredIdentity, Path, Priority, Privacy, ProxyAuthenticate,
    ProxyAuthorization, ProxyRequire, RAck, RSeq, Reason, RecordRoute, ReferTo, ReferredBy,
    RemotePartyId, Replaces, ReplyTo, Require, RetryAfter, Route, Server, ServiceRoute,
    SessionExpires, SessionId, Subject, SubscriptionState, Supported, To, Unsupported, Uri,
    UserAgent, Via, Warning, WwwAuthenticate, list,
};

/// A URI; the text after a line end is a second one to compare it with.
pub fn uri(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let (text, other) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(uri) = Uri::parse(text) else { return };
    let written = written(|out| uri.emit(out));
    let again = Uri::parse(&written)
        .unwrap_or_else(|wrong| panic!("{text:?} was written {written:?}: {wrong}"));
    assert_eq!(uri, again, "{text:?} was written {written:?}");
    assert!(
        uri.same_as(&again) && again.same_as(&uri),
        "a URI is the same as itself: {text:?}"
    );
    assert!(uri.bare().same_as(&again.bare()));
    if let Some(telephone) = uri.telephone() {
        assert!(telephone.digits().count() <= text.len());
    }
    if let Some(sip) = uri.sip() {
        assert!(sip.user_bytes().count() <= text.len());
        let _ = (sip.transport(), sip.maddr(), sip.is_loose());
    }
    if let Ok(other) = Uri::parse(other) {
        assert_eq!(
            uri.same_as(&other),
            other.same_as(&uri),
            "{text:?} and {other:?}"
        );
    }
}

/// An address with display name and parameters.
pub fn name_addr(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for value in list(&text) {
        identity::<From<'_>>(value, &mut String::new());
        identity::<Contact<'_>>(value, &mut String::new());
        if let Ok(from) = From::parse(value) {
            let shown = from.0.display.map_or(0, |display| display.chars().count());
            assert!(shown <= value.len());
        }
    }
}

/// A Via list.
pub fn via(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for value in list(&text) {
        identity::<Via<'_>>(value, &mut String::new());
        if let Ok(via) = Via::parse(value) {
            let _ = (
                via.received(),
                via.rport(),
                via.maddr(),
                via.ttl(),
                via.has_cookie(),
                via.wants_rport(),
            );
        }
    }
}

/// Every header there is a type for.
pub fn headers(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    every_type(&text);
    for value in list(&text).take(64) {
        every_type(value);
    }
}

/// Reads `value` as each header in turn.
pub fn every_type(value: &str) {
    macro_rules! each {
        ($($header:ty),* $(,)?) => { $(identity::<$header>(value, &mut String::new());)* };
    }
    each!(
        Accept<'_>,
        AcceptEncoding<'_>,
        AcceptLanguage<'_>,
        Allow<'_>,
        AllowEvents<'_>,
        Authorization<'_>,
        CSeq<'_>,
        CallId<'_>,
        Contact<'_>,
        ContentDisposition<'_>,
        ContentId<'_>,
        ContentLength,
        ContentType<'_>,
        Date,
        Event<'_>,
        Expires,
        From<'_>,
        Geolocation<'_>,
        GeolocationError<'_>,
        GeolocationRouting,
        Identity<'_>,
        MaxForwards,
        MimeVersion<'_>,
        MinExpires,
        MinSe,
        MsDiagnostics<'_>,
        Organization<'_>,
        PAssertedIdentity<'_>,
        PEarlyMedia<'_>,
        PPreferredIdentity<'_>,
        Path<'_>,
        Priority<'_>,
        Privacy,
        ProxyAuthenticate<'_>,
        ProxyAuthorization<'_>,
        ProxyRequire<'_>,
        RAck<'_>,
        RSeq,
        Reason<'_>,
        RecordRoute<'_>,
        ReferTo<'_>,
        ReferredBy<'_>,
        RemotePartyId<'_>,
        Replaces<'_>,
        ReplyTo<'_>,
        Require<'_>,
        RetryAfter,
        Route<'_>,
        Server<'_>,
        ServiceRoute<'_>,
        SessionExpires,
        SessionId,
        Subject<'_>,
        SubscriptionState<'_>,
        Supported<'_>,
        To<'_>,
        Unsupported<'_>,
        UserAgent<'_>,
        Via<'_>,
        Warning<'_>,
        WwwAuthenticate<'_>
    );
}

/// What can be read can be written, reads to the same value and is written the same
/// again. A control octet, legal behind a backslash, is a space when it is written.
pub fn identity<'a, F: Field<'a> + Debug + PartialEq>(value: &'a str, room: &'a mut String) {
    let Ok(read) = F::parse(value) else { return };
    *room = written(|out| read.emit(out));
    let room: &'a str = room;
    let again =
        F::parse(room).unwrap_or_else(|wrong| panic!("{value:?} was written {room:?}: {wrong}"));
    if value.contains(is_control) {
        return;
    }
    assert_eq!(read, again, "{value:?} was written {room:?}");
    assert_eq!(written(|out| again.emit(out)), room, "of {value:?}");
}

fn written(emit: impl FnOnce(&mut Out<'_>)) -> String {
    let mut bytes = Vec::new();
    emit(&mut Out::new(&mut bytes));
    let text = String::from_utf8(bytes).expect("text stays text");
    assert!(!text.contains(is_control), "{text:?}");
    text
}

const fn is_control(letter: char) -> bool {
    letter.is_ascii_control() && letter != '\t'
}
