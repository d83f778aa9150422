//! A new call: an INVITE of a peer comes in, a call with its first attempt goes
//! out, or a refusal with its status (RFC 3261 §8.2, §13.3.1).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sbc_config::{Peer, PeerName, Socket};
use sbc_media::sdp::{Own, Refusal, RemoteOffer};
use sbc_sip::message::identity::{PAssertedIdentity, Privacy};
use sbc_sip::message::validate::Request;
use sbc_sip::message::{ContentType, Field, NameAddr, Status, each, multipart, single};
use sbc_sip::transaction::destination::Source;
use sbc_sip::transaction::layer::ServerId;
use sbc_sip::wire::Name;

use super::desk::Desk;
use crate::across::history::{FORWARDED_MAX, forwarded};
use crate::call::caller::early_dialog;
use crate::call::{Call, Hunt};
use crate::leg::media::Half;
use crate::leg::session::Session;
use crate::leg::{Asked, Leg, Opening};
use crate::parties::{self, Caller};
use crate::policy::admission::Full;
use crate::policy::responses::q850;
use crate::random::Hex;
use crate::route::{self, NoWay, Way};
use crate::story::{Record, Story, Why};

/// Why a call was turned away before it began. Each is one answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Declined {
    #[error("the request came back to us")]
    Loop,
    #[error("the called number is missing or no number")]
    Number,
    #[error("no route for the number")]
    NoRoute,
    #[error("the route leads out of the country")]
    Border,
    #[error("no peer of the route is up")]
    AllDown,
    #[error("the caller's peer is full: {0}")]
    Full(Full),
    #[error("the node is full")]
    NodeFull,
    #[error("no media port is free")]
    NoPort,
    #[error("{0}")]
    Media(Refusal),
    #[error("the peer is drained")]
    Drained,
    #[error("the isolation rules of the node are not known to be whole")]
    Closed,
    #[error("the request makes no dialog")]
    Unfit,
}

impl Declined {
    /// Returns the status the caller hears.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Loop => Status::LOOP_DETECTED,
            Self::Number => Status::ADDRESS_INCOMPLETE,
            Self::NoRoute => Status::NOT_FOUND,
            Self::Border => Status::FORBIDDEN,
            Self::AllDown
            | Self::Full(_)
            | Self::NodeFull
            | Self::NoPort
            | Self::Drained
            | Self::Closed => Status::SERVICE_UNAVAILABLE,
            Self::Media(refusal) => match refusal.status() {
                403 => Status::FORBIDDEN,
                _ => Status::NOT_ACCEPTABLE_HERE,
            },
            Self::Unfit => Status::BAD_REQUEST,
        }
    }

    /// Returns the reason as the register has it.
    #[must_use]
    pub const fn why(&self) -> Why {
        match self {
            Self::Loop => Why::Loop,
            Self::Number | Self::NoRoute => Why::NoRoute,
            Self::Border => Why::Border,
            Self::AllDown | Self::Drained | Self::Closed => Why::AllDown,
            Self::Full(_) => Why::FullHere,
            Self::NodeFull => Why::NodeFull,
            Self::NoPort => Why::NoPort,
            Self::Media(_) | Self::Unfit => Why::Media,
        }
    }
}

/// An INVITE outside a dialog, with all that was found out about it.
#[derive(Debug)]
pub struct Invitation<'a> {
    pub request: &'a Request<'a>,
    pub id: ServerId,
    pub source: Source,
    pub at: Socket,
    pub peer: &'a Peer,
    pub place: usize,
}

/// What the caller dialled.
struct Dialled {
    raw: String,
    number: String,
    emergency: bool,
}

impl Invitation<'_> {
    /// Makes a call of it, whose first attempt is still to be started.
    ///
    /// # Errors
    /// [`Declined`]; nothing was taken from the desk then.
    pub fn call(&self, desk: &mut Desk, key: u32) -> Result<Call, Declined> {
        let dialled = self.dialled(desk)?;
        if forwarded(self.request.frame) > FORWARDED_MAX && !dialled.emergency {
            return Err(Declined::Loop);
        }
        let offer = self.offer(desk)?;
        let way = self.way(desk, &dialled)?;
        self.admit(desk, dialled.emergency)?;
        let leg = match self.leg(desk) {
            Ok(leg) => leg,
            Err(declined) => {
                self.release(desk, dialled.emergency);
                return Err(declined);
            }
        };
        Ok(self.assemble(desk, key, dialled, offer, way, leg))
    }

    fn assemble(
        &self,
        desk: &mut Desk,
        key: u32,
        dialled: Dialled,
        offer: Option<RemoteOffer>,
        way: Way,
        mut leg: Leg,
    ) -> Call {
        leg.half.theirs = offer.as_ref().map(|offer| offer.audio.clone());
        leg.half.offered = offer;
        let id: Hex<16> = desk.random.tag();
        Call {
            hunt: Box::new(Hunt {
                route: way.route,
                targets: way.targets,
                ..Hunt::default()
            }),
            caller: self.caller(),
            dialled: dialled.raw,
            number: dialled.number,
            emergency: dialled.emergency,
            hops: self.request.max_forwards.map_or(70, |hops| hops.0),
            ..Call::new(key, id, leg, desk.now)
        }
    }

    fn dialled(&self, desk: &Desk) -> Result<Dialled, Declined> {
        if self.request.uri.is_emergency() {
            let number = desk.node.emergency.numbers.first();
            let number = number.map_or("112", |number| number.reveal()).to_string();
            return Ok(Dialled {
                raw: number.clone(),
                number,
                emergency: true,
            });
        }
        let raw = parties::number(&self.request.uri).ok_or(Declined::Number)?;
        let help = parties::help(&desk.node.emergency, self.peer, &raw);
        Ok(Dialled {
            emergency: help.is_some(),
            number: help.unwrap_or_else(|| self.peer.numbers.inward(&raw)),
            raw,
        })
    }

    fn offer(&self, desk: &Desk) -> Result<Option<RemoteOffer>, Declined> {
        let Some(body) = session_description(self.request) else {
            return Ok(None);
        };
        let policy = desk.peers.get(self.place).map(|peer| &peer.media);
        let policy = policy.ok_or(Declined::AllDown)?;
        RemoteOffer::read(body, policy)
            .map(Some)
            .map_err(Declined::Media)
    }

    fn way(&self, desk: &mut Desk, dialled: &Dialled) -> Result<Way, Declined> {
        desk.peers.set_now(desk.now);
        if dialled.emergency {
            let way = route::emergency(&desk.node, &self.peer.name, &desk.peers);
            if !way.targets.is_empty() {
                return Ok(way);
            }
        }
        let found = route::find(
            &desk.node,
            &self.peer.name,
            &dialled.number,
            &mut desk.peers,
        );
        found.map_err(|why| match why {
            NoWay::Unassigned => Declined::NoRoute,
            NoWay::Border => Declined::Border,
            NoWay::AllDown => Declined::AllDown,
        })
    }

    fn admit(&self, desk: &mut Desk, emergency: bool) -> Result<(), Declined> {
        if !emergency && desk.calls >= desk.node.limits.calls {
            desk.counters.node_full += 1;
            return Err(Declined::NodeFull);
        }
        if desk.peers.closed() && !emergency {
            return Err(Declined::Closed);
        }
        let peer = desk.peers.get(self.place).ok_or(Declined::AllDown)?;
        if peer.drained && !emergency {
            return Err(Declined::Drained);
        }
        desk.peers
            .admit(self.place, emergency)
            .map_err(Declined::Full)?;
        // What its peer's limit turns away takes nothing from the other peers.
        if !emergency && !desk.setup_allowed() {
            desk.counters.node_full += 1;
            if let Some(peer) = desk.peers.get_mut(self.place) {
                peer.load.undo();
            }
            return Err(Declined::NodeFull);
        }
        Ok(())
    }

    fn release(&self, desk: &mut Desk, emergency: bool) {
        if let Some(peer) = desk.peers.get_mut(self.place) {
            peer.load.release(emergency);
        }
    }

    fn leg(&self, desk: &mut Desk) -> Result<Leg, Declined> {
        let tag = desk.layer.tag(self.id);
        let mut own_tag = Hex::new();
        let _fits = own_tag.push_str(tag.as_str());
        let address = self.at.address.ip();
        let port = desk.take_port(address).ok_or(Declined::NoPort)?;
        let half =
            Half::new(Own::new(address, port, desk.random.bits()).asking_for(self.peer.ptime));
        let mut session = Session::default();
        session.hear(self.request.frame);
        let asked = Asked {
            id: self.id,
            frame: self.request.frame.clone(),
            source: self.source,
            cseq: self.request.cseq.number,
            session,
        };
        let mut leg = Leg::new(self.peer, self.place, self.at, half, own_tag);
        leg.session = session;
        leg.to = self.source.from;
        leg.allows_update = allows_update(self.request.frame);
        leg.identity = desk.random_identity();
        leg.dialog = early_dialog(&asked, &leg.tag);
        if leg.dialog.is_none() {
            desk.give_port(address, port);
            return Err(Declined::Unfit);
        }
        leg.opening = Opening::Theirs(Box::new(asked));
        Ok(leg)
    }

    fn caller(&self) -> Caller {
        let lines = self.request.frame.all(Name::PAssertedIdentity);
        let asserted: Vec<NameAddr<'_>> = each::<PAssertedIdentity<'_>>(lines)
            .flatten()
            .map(|identity| identity.0)
            .collect();
        let privacy = single::<Privacy>(self.request.frame.all(Privacy::NAME));
        let privacy = privacy.ok().flatten().unwrap_or_default();
        let hides = privacy.has(Privacy::ID) || privacy.has(Privacy::USER);
        Caller::new(self.peer, &self.request.from.0, asserted.first(), hides)
    }
}

/// Returns the session description of a message, if it carries one.
#[must_use]
pub fn session_description<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    description(request.frame)
}

/// Returns the session description in the body of `frame`, alone or as a part.
#[must_use]
pub fn description(frame: &sbc_sip::wire::Frame) -> Option<&[u8]> {
    if frame.body().is_empty() {
        return None;
    }
    let kind = ContentType::parse(frame.first(Name::ContentType)?).ok()?;
    if kind.is("application", "sdp") {
        return Some(frame.body());
    }
    if !kind.is_multipart() {
        return None;
    }
    // RFC 5621 §3.1: the description is one part among others, such as a location.
    let parts = multipart::parse(&kind, frame.body()).ok()?;
    let found = parts
        .into_iter()
        .find(|part| part.kind.is("application", "sdp"))?;
    Some(found.body)
}

/// Returns whether the peer that wrote `frame` takes UPDATE (RFC 3311 §4).
#[must_use]
pub fn allows_update(frame: &sbc_sip::wire::Frame) -> bool {
    use sbc_sip::message::Method;
    use sbc_sip::message::tokens::Allow;
    each::<Allow<'_>>(frame.all(Name::Allow))
        .flatten()
        .any(|allow| allow.has(Method::Update))
}

impl Invitation<'_> {
    /// Returns the story of a call that was turned away before it began.
    #[must_use]
    pub fn story(&self, desk: &Desk, key: u32, declined: &Declined) -> Story {
        let number = parties::number(&self.request.uri).unwrap_or_default();
        let caller = self.caller();
        let trunk = self.peer.name.is_trunk();
        let name = |wanted: bool| {
            if trunk == wanted {
                self.peer.name.name().to_string()
            } else {
                String::new()
            }
        };
        let code = declined.status().code();
        let at = desk.wall_millis(desk.now);
        Story {
            why: declined.why(),
            record: Record {
                call: key,
                node: desk.node.system.hostname.clone(),
                direction: direction(&self.peer.name).to_string(),
                trunk: name(true),
                mediation: name(false),
                from: caller.number.unwrap_or_default(),
                to: number,
                start: at,
                end: at,
                sip_code: code,
                q850: q850(code),
                sbc_code: declined.why().code(),
                ..Record::nothing()
            },
        }
    }
}

/// Returns the name of the trunk and of the Mediation Server of a pair of peers.
#[must_use]
pub fn direction(a: &PeerName) -> &'static str {
    if a.is_trunk() { "in" } else { "out" }
}
