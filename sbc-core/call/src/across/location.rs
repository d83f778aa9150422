//! Where an emergency caller is: location bodies and what refers to them cross byte
//! for byte, of no other call (RFC 6442 §4.1, RFC 5621 §3.1, RFC 4119).

use alloc::vec::Vec;

use sbc_config::peer::EmergencyLocation;
use sbc_config::{Node, PeerName};
use sbc_sip::message::multipart::{self, Boundary, Part, Parts};
use sbc_sip::message::{
    ContentType, Field, Geolocation, GeolocationRouting, Param, Params, Priority, Writer, each,
    single,
};
use sbc_sip::wire::{Frame, Name};

/// References that are looked at; RFC 6442 §4.1 advises one.
const REFERENCES: usize = 4;

/// Returns whether the location of an emergency caller goes to this peer.
#[must_use]
pub fn goes_to(node: &Node, peer: &PeerName) -> bool {
    match peer {
        PeerName::Trunk(name) => node
            .trunks
            .get(name)
            .is_some_and(|trunk| trunk.emergency_location == EmergencyLocation::Pass),
        PeerName::Mediation(_) => false,
    }
}

/// Returns the location bodies of `frame`: the parts that are one, or its only body.
#[must_use]
pub fn bodies(frame: &Frame) -> Parts<'_> {
    let mut found = Parts::new();
    let kind = frame.first(Name::ContentType).map(ContentType::parse);
    let Some(Ok(kind)) = kind else {
        return found;
    };
    if is_location(&kind) {
        let id = frame.first(Name::ContentId);
        let part = Part {
            id: id.and_then(|id| Field::parse(id).ok()),
            ..Part::new(kind, frame.body())
        };
        // An empty list has room for one.
        let _ = found.push(part);
    } else if kind.is_multipart() {
        let parts = multipart::parse(&kind, frame.body()).unwrap_or_default();
        found = parts
            .into_iter()
            .filter(|part| is_location(&part.kind))
            .collect();
    }
    found
}

fn is_location(kind: &ContentType<'_>) -> bool {
    kind.is("application", "pidf+xml")
}

/// Writes what says that the call is urgent, and what refers to its location. A
/// reference into the body crosses only with that body.
pub fn refer(writer: &mut Writer<'_>, frame: &Frame, bodies: &Parts<'_>) {
    let references = each::<Geolocation<'_>>(frame.all(Name::Geolocation)).flatten();
    let mut any = false;
    for reference in references.take(REFERENCES) {
        let here = |id: sbc_sip::message::uri::parts::Unescaped<'_>| {
            bodies
                .iter()
                .filter_map(|part| part.id)
                .any(|known| id.eq(known.0.bytes()))
        };
        if reference.content_id().is_none_or(here) {
            writer.field(&reference);
            any = true;
        }
    }
    let routing = single::<GeolocationRouting>(frame.all(Name::GeolocationRouting));
    if let (true, Ok(Some(routing))) = (any, routing) {
        writer.field(&routing);
    }
}

/// Writes the priority of a call for help.
pub fn urgent(writer: &mut Writer<'_>) {
    if let Ok(priority) = Priority::parse("emergency") {
        writer.field(&priority);
    }
}

/// Ends a message with a description and the bodies behind it, with a boundary that
/// comes of `random` (RFC 2046 §5.1.1). Without bodies it is the description alone.
pub fn finish(writer: Writer<'_>, sdp: &str, bodies: &Parts<'_>, random: u64) {
    let mut parts: Vec<Part<'_>> = Vec::with_capacity(bodies.len() + 1);
    parts.push(Part::new(ContentType::SDP, sdp.as_bytes()));
    parts.extend_from_slice(bodies);
    let boundary = Boundary::choose(random, &parts);
    let (false, Some(boundary)) = (bodies.is_empty(), boundary) else {
        writer.finish(Some((&ContentType::SDP, sdp.as_bytes())));
        return;
    };
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.body.len() + 256).sum());
    multipart::write(&parts, &boundary, &mut body);
    let params: [Param<'_>; 1] = [("boundary", Some(boundary.as_str()))];
    let kind = ContentType {
        params: Params::of(&params),
        ..ContentType::new("multipart", "mixed")
    };
    writer.finish(Some((&kind, &body)));
}
