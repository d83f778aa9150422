//! Why a side refused or ended: the Reason of its message comes in, the Reason of
//! ours goes out (RFC 3326 §2, RFC 6432).

use sbc_sip::message::reason::{Protocol, Reason};
use sbc_sip::message::{Field, Writer, each};
use sbc_sip::wire::Frame;

use crate::policy::responses::q850;

/// Elements of one message that are looked at: a cause of each protocol, and some
/// that nobody knows.
const LOOKED_AT: usize = 8;

/// The causes of the telephone network and of SIP that one message names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cause {
    pub q850: Option<u16>,
    pub sip: Option<u16>,
}

impl Cause {
    /// Returns the causes `frame` names, the first of each kind.
    #[must_use]
    pub fn read(frame: &Frame) -> Option<Self> {
        let mut found = Self::default();
        let reasons = each::<Reason<'_>>(frame.all(Reason::NAME)).take(LOOKED_AT);
        for reason in reasons.flatten() {
            match reason.protocol {
                // RFC 3326 §2: 0 to 127 for the one, a status for the other.
                Protocol::Q850 => found.q850 = found.q850.or(below(reason.cause, 128)),
                Protocol::Sip => found.sip = found.sip.or(below(reason.cause, 700)),
                Protocol::Other(_) => {}
            }
        }
        (found != Self::default()).then_some(found)
    }

    /// Returns the cause that goes with a status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        Self {
            q850: Some(q850(status).into()),
            sip: None,
        }
    }

    /// Returns the one element that a CANCEL carries.
    #[must_use]
    pub fn reason(self) -> Option<Reason<'static>> {
        let sip = || {
            self.sip.map(|cause| Reason {
                protocol: Protocol::Sip,
                cause: Some(cause),
                text: None,
                location: None,
            })
        };
        self.q850.map(Reason::q850).or_else(sip)
    }

    /// Writes both.
    pub fn write(self, writer: &mut Writer<'_>) {
        let sip = Self { q850: None, ..self };
        writer.maybe(self.q850.map(Reason::q850).as_ref());
        writer.maybe(sip.reason().as_ref());
    }
}

fn below(cause: Option<u16>, bound: u16) -> Option<u16> {
    cause.filter(|cause| *cause < bound)
}
