//! A dialog: the facts of the messages that make it come in, the parts of the
//! next request and the verdict on a received one go out (RFC 3261 §12.1,
//! §12.2). It is owned and small, and the journal keeps it as it is.

use alloc::{boxed::Box, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{
    exchange::{self, Open},
    facts::{MOST_OCTETS, MOST_ROUTES, Opening, Reply, Unfit},
    life::{self, Action, Event, State},
};
use crate::message::{
    CSeq, CallId, From, MaxForwards, Method, NameAddr, NameAddrBuf, Params, Route, SipUri, To, Uri,
    UriBuf, UriHeaders, UriParams, Via, Writer,
};

/// The greatest CSeq we send (RFC 3261 §8.1.1.5).
const MOST_CSEQ: u32 = 0x7fff_ffff;

/// The Max-Forwards of a new request (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;

/// Who made the dialog: the caller, who also chose the Call-ID, or the callee.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Role {
    Uac,
    Uas,
}

/// What to do with a request received in a dialog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Proceed,
    /// Answer with 500: an older request, or a second copy (RFC 3261 §12.2.2).
    OutOfOrder,
    /// Answer with 481: the dialog is ending or over.
    Gone,
    /// Answer with 491: our own INVITE is open (RFC 3261 §14.2).
    Glare,
    /// Answer with 500 and Retry-After: theirs is open (RFC 3261 §14.2).
    Busy,
}

/// A dialog, as one of its two ends holds it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Dialog {
    role: Role,
    state: State,
    secure: bool,
    call_id: Box<str>,
    local_tag: Box<str>,
    /// None is the null tag of peers older than RFC 3261 (§12.1.1, §12.1.2).
    remote_tag: Option<Box<str>>,
    local: NameAddrBuf,
    remote: NameAddrBuf,
    target: UriBuf,
    routes: Vec<UriBuf>,
    local_cseq: Option<u32>,
    remote_cseq: Option<u32>,
    /// Transactions do not outlive the process, so the journal leaves it out.
    #[serde(skip)]
    open: Open,
}

impl Dialog {
    /// Makes the dialog of a request of ours from a response of 101 to 299, and
    /// its Record-Route URIs as they stand (RFC 3261 §12.1.2).
    pub fn as_uac<'a>(
        request: &Opening<'_>,
        reply: &Reply<'_>,
        record_route: impl IntoIterator<Item = Uri<'a>>,
    ) -> Result<Self, Unfit> {
        let tag = request.from.params.get("tag").ok_or(Unfit::NoLocalTag)?;
        let mut dialog = Self {
            role: Role::Uac,
            state: State::Early,
            secure: request.secure,
            call_id: request.call_id.into(),
            local_tag: tag.into(),
            remote_tag: reply.tag.map(Into::into),
            local: untagged(&request.from)?,
            remote: untagged(&request.to)?,
            target: bare(&request.target)?,
            routes: Vec::new(),
            local_cseq: Some(request.cseq),
            remote_cseq: None,
            open: Open::Ours,
        };
        dialog.learn(reply.contact, reversed(record_route)?)?;
        if reply.is_success() {
            dialog.apply(Event::Success);
        }
        Ok(dialog)
    }

    /// Makes the dialog of a request of theirs, our To tag, and its
    /// Record-Route URIs as they stand (RFC 3261 §12.1.1). It is early until
    /// [`Dialog::apply`] hears of a 2xx.
    pub fn as_uas<'a>(
        request: &Opening<'_>,
        our_tag: &str,
        record_route: impl IntoIterator<Item = Uri<'a>>,
    ) -> Result<Self, Unfit> {
        let mut dialog = Self {
            role: Role::Uas,
            state: State::Early,
            secure: request.secure,
            call_id: request.call_id.into(),
            local_tag: our_tag.into(),
            remote_tag: request.from.params.get("tag").map(Into::into),
            local: untagged(&request.to)?,
            remote: untagged(&request.from)?,
            target: bare(&request.target)?,
            routes: Vec::new(),
            local_cseq: None,
            remote_cseq: Some(request.cseq),
            open: Open::Theirs,
        };
        let routes = collect(record_route)?;
        dialog.learn(Some(request.target), routes)?;
        Ok(dialog)
    }

    /// Takes a 2xx to the INVITE: target and route set are taken from it anew,
    /// and the dialog is confirmed (RFC 3261 §13.2.2.4). A copy, or the 2xx of
    /// a re-INVITE, leaves the route set as it is.
    pub fn succeed<'a>(
        &mut self,
        reply: &Reply<'_>,
        record_route: impl IntoIterator<Item = Uri<'a>>,
    ) -> Result<(), Unfit> {
        let routes = match self.state {
            State::Early => reversed(record_route)?,
            _ => self.routes.clone(),
        };
        self.learn(reply.contact, routes)?;
        self.apply(Event::Success);
        Ok(())
    }

    /// Takes the Contact of a target refresh: of a request of theirs, once its
    /// 2xx or reliable provisional response is sent, or of such a response to a
    /// request of ours (RFC 3261 §12.2.1.2, §12.2.2; RFC 6141 §4). Methods
    /// that do not refresh change nothing.
    pub fn refresh(&mut self, method: Method<'_>, contact: Uri<'_>) -> Result<(), Unfit> {
        if !matches!(method, Method::Invite | Method::Update) {
            return Ok(());
        }
        let routes = self.routes.clone();
        self.learn(Some(contact), routes)
    }

    /// Takes target and route set, all of it or none.
    fn learn(&mut self, target: Option<Uri<'_>>, routes: Vec<UriBuf>) -> Result<(), Unfit> {
        let target = match target {
            Some(uri) if uri.sip().is_none() => return Err(Unfit::Scheme),
            Some(uri) => bare(&uri)?,
            None => self.target.clone(),
        };
        let octets = self.call_id.len()
            + self.local_tag.len()
            + self.remote_tag.as_deref().map_or(0, str::len)
            + self.local.as_str().len()
            + self.remote.as_str().len()
            + target.as_str().len()
            + routes.iter().map(|uri| uri.as_str().len()).sum::<usize>();
        if octets > MOST_OCTETS {
            return Err(Unfit::TooLong { octets });
        }
        (self.target, self.routes) = (target, routes);
        Ok(())
    }

    /// Takes a request received in this dialog, by method and CSeq; returns
    /// what to do with it. ACK and CANCEL carry the number of their INVITE, and
    /// are matched to it elsewhere.
    pub fn receive(&mut self, method: Method<'_>, cseq: u32) -> Verdict {
        if matches!(method, Method::Ack | Method::Cancel) {
            return Verdict::Proceed;
        }
        // Gaps are legal: a proxy may have challenged what is missing.
        if self.remote_cseq.is_some_and(|latest| cseq <= latest) {
            return Verdict::OutOfOrder;
        }
        self.remote_cseq = Some(cseq);
        match (self.state, method) {
            (_, Method::Bye) => Verdict::Proceed,
            (State::Ending | State::Terminated, _) => Verdict::Gone,
            (_, Method::Invite) => match self.exchange(exchange::Event::Receive) {
                [exchange::Action::Glare, ..] => Verdict::Glare,
                [exchange::Action::Busy, ..] => Verdict::Busy,
                _ => Verdict::Proceed,
            },
            (State::Early | State::Confirmed, _) => Verdict::Proceed,
        }
    }

    /// Returns whether an INVITE of ours may go, and takes note of it (RFC 3261
    /// §14.1).
    pub fn may_invite(&mut self) -> bool {
        self.state == State::Confirmed
            && self.exchange(exchange::Event::Send) == [exchange::Action::Proceed]
    }

    /// Returns how long to wait after a 491 to an INVITE of ours (RFC 3261 §14.1).
    pub fn after_glare(&self, random: u32) -> core::time::Duration {
        exchange::after_glare(self.role == Role::Uac, random)
    }

    /// Takes what became of the open INVITE of either side. The first one's 2xx
    /// is known here already, but not its ACK.
    pub fn exchange(&mut self, event: exchange::Event) -> &'static [exchange::Action] {
        let (open, actions) = exchange::next(self.open, event);
        self.open = open;
        actions
    }

    /// Takes an event of the dialog's life; returns what to do.
    pub fn apply(&mut self, event: Event) -> &'static [Action] {
        let (state, actions) = life::next(self.state, event);
        let before = core::mem::replace(&mut self.state, state);
        if (before, state) == (State::Early, State::Confirmed) {
            self.exchange(match self.role {
                Role::Uac => exchange::Event::Done,
                Role::Uas => exchange::Event::Answered,
            });
        }
        actions
    }

    /// Returns the CSeq of the next request of ours, other than ACK and CANCEL,
    /// which carry their INVITE's. `random` starts the count where we have not
    /// sent yet (RFC 3261 §12.2.1.1). None: the numbers ran out.
    pub fn next_cseq(&mut self, random: u32) -> Option<u32> {
        let next = match self.local_cseq {
            Some(latest) if latest >= MOST_CSEQ => return None,
            Some(latest) => latest + 1,
            // Half of the numbers stay for counting.
            None => 1 + random % (MOST_CSEQ / 2),
        };
        self.local_cseq = Some(next);
        Some(next)
    }

    /// Returns the Request-URI of a request in this dialog: the target, or the
    /// first route if that is a strict router (RFC 3261 §12.2.1.1).
    pub fn request_uri(&self) -> Uri<'_> {
        self.strict_route().unwrap_or(&self.target).view()
    }

    /// Returns the Route values of a request in this dialog, first hop first. A
    /// strict router moves to the Request-URI, and the target to the end.
    pub fn routes(&self) -> impl Iterator<Item = Uri<'_>> {
        let strict = self.strict_route().is_some();
        let last = strict.then_some(&self.target);
        self.routes
            .iter()
            .skip(usize::from(strict))
            .chain(last)
            .map(UriBuf::view)
    }

    /// Returns where a request in this dialog goes first (RFC 3261 §8.1.2).
    pub fn next_hop(&self) -> Uri<'_> {
        self.routes.first().unwrap_or(&self.target).view()
    }

    fn strict_route(&self) -> Option<&UriBuf> {
        let loose = |uri: Uri<'_>| uri.sip().is_some_and(SipUri::is_loose);
        self.routes.first().filter(|first| !loose(first.view()))
    }

    /// Starts a request of ours in this dialog, with what every one has: `cseq`
    /// is from [`Dialog::next_cseq`], or their INVITE's for ACK and CANCEL.
    pub fn request<'b>(
        &self,
        bytes: &'b mut Vec<u8>,
        method: Method<'_>,
        cseq: u32,
        via: &Via<'_>,
    ) -> Writer<'b> {
        let ours = [("tag", Some(self.local_tag()))];
        let theirs = [("tag", self.remote_tag())];
        let theirs = self.remote_tag().map_or(&[][..], |_| &theirs[..]);
        let number = cseq;
        let mut writer = Writer::request(bytes, method, &self.request_uri());
        writer.field(via).field(&MaxForwards(HOPS));
        for route in self.routes() {
            writer.field(&Route(NameAddr::new(route)));
        }
        writer
            .field(&From(self.local().with(&ours)))
            .field(&To(self.remote().with(theirs)))
            .field(&CallId(&self.call_id))
            .field(&CSeq { number, method });
        writer
    }

    /// Returns whether a request received belongs here, by its Call-ID and the
    /// tags of its To and From. A missing tag is the null tag, which equals
    /// only itself (RFC 3261 §12.2.2).
    pub fn matches(&self, call_id: &str, to_tag: Option<&str>, from_tag: Option<&str>) -> bool {
        *self.call_id == *call_id
            && to_tag == Some(&*self.local_tag)
            && from_tag == self.remote_tag()
    }

    /// Returns the Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Returns our tag.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// Returns their tag, unless they are older than tags.
    pub fn remote_tag(&self) -> Option<&str> {
        self.remote_tag.as_deref()
    }

    /// Returns our address, without its tag.
    pub fn local(&self) -> NameAddr<'_> {
        self.local.view()
    }

    /// Returns their address, without its tag.
    pub fn remote(&self) -> NameAddr<'_> {
        self.remote.view()
    }

    /// Returns the remote target: their Contact.
    pub fn target(&self) -> Uri<'_> {
        self.target.view()
    }

    /// Returns which end of it we are.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Returns where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Returns whether it began with a `sips` Request-URI.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the CSeq of our latest request, if there was one.
    pub const fn local_cseq(&self) -> Option<u32> {
        self.local_cseq
    }

    /// Returns the CSeq of their latest request, if there was one.
    pub const fn remote_cseq(&self) -> Option<u32> {
        self.remote_cseq
    }
}

/// What a request is to the dialogs of this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// No To tag: it may make a dialog.
    Outside,
    Inside,
    /// Answer with 481.
    Unknown,
    /// An ACK for nothing: drop it.
    Stray,
}

/// Returns what a request is, by its method, whether its To has a tag, and
/// whether a dialog [matches](Dialog::matches) it (RFC 3261 §12.2.2).
pub const fn place(method: Method<'_>, has_to_tag: bool, found: bool) -> Place {
    match (has_to_tag, found, method) {
        (_, true, _) => Place::Inside,
        (_, false, Method::Ack) => Place::Stray,
        (false, false, _) => Place::Outside,
        (true, false, _) => Place::Unknown,
    }
}

/// Returns an address without header parameters: the tag is kept apart.
fn untagged(address: &NameAddr<'_>) -> Result<NameAddrBuf, Unfit> {
    let params = Params::NONE;
    Ok(NameAddrBuf::of(&NameAddr { params, ..*address })?)
}

/// Returns a URI as a Request-URI, Route or Contact of a dialog may have it:
/// without headers and without `method` (RFC 3261 §19.1.1, Table 1).
fn bare(uri: &Uri<'_>) -> Result<UriBuf, Unfit> {
    let Uri::Sip(sip) = uri else {
        return Ok(UriBuf::of(uri)?);
    };
    let params = sip.params.iter();
    let params: Vec<_> = params
        .filter(|(name, _)| !name.eq_ignore_ascii_case("method"))
        .collect();
    Ok(UriBuf::of(&Uri::Sip(SipUri {
        params: UriParams::of(&params),
        headers: UriHeaders::NONE,
        ..*sip
    }))?)
}

fn collect<'a>(uris: impl IntoIterator<Item = Uri<'a>>) -> Result<Vec<UriBuf>, Unfit> {
    let mut routes = Vec::new();
    for uri in uris {
        if routes.len() >= MOST_ROUTES {
            return Err(Unfit::TooManyRoutes);
        }
        if uri.sip().is_none() {
            return Err(Unfit::Scheme);
        }
        routes.push(bare(&uri)?);
    }
    Ok(routes)
}

fn reversed<'a>(uris: impl IntoIterator<Item = Uri<'a>>) -> Result<Vec<UriBuf>, Unfit> {
    let mut routes = collect(uris)?;
    routes.reverse();
    Ok(routes)
}

#[cfg(test)]
mod tests;
