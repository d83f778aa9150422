//! Our methods, status codes and transports come in, those of the `rsip` crate
//! go out, and back (RFC 3261 §7.1, §7.2). Nothing else of that crate is used.

use super::method::Method;
use super::status::Status;
use super::via::Transport;

/// Each method both sides know.
const METHODS: [(Method<'static>, rsip::Method); 14] = [
    (Method::Ack, rsip::Method::Ack),
    (Method::Bye, rsip::Method::Bye),
    (Method::Cancel, rsip::Method::Cancel),
    (Method::Info, rsip::Method::Info),
    (Method::Invite, rsip::Method::Invite),
    (Method::Message, rsip::Method::Message),
    (Method::Notify, rsip::Method::Notify),
    (Method::Options, rsip::Method::Options),
    (Method::Prack, rsip::Method::PRack),
    (Method::Publish, rsip::Method::Publish),
    (Method::Refer, rsip::Method::Refer),
    (Method::Register, rsip::Method::Register),
    (Method::Subscribe, rsip::Method::Subscribe),
    (Method::Update, rsip::Method::Update),
];

impl From<rsip::Method> for Method<'static> {
    fn from(method: rsip::Method) -> Self {
        let row = METHODS.iter().find(|row| row.1 == method);
        row.map_or(Self::Other(""), |row| row.0)
    }
}

/// The crate has no room for a method without a name of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the token has no counterpart")]
pub struct NoCounterpart;

impl TryFrom<Method<'_>> for rsip::Method {
    type Error = NoCounterpart;

    fn try_from(method: Method<'_>) -> Result<Self, NoCounterpart> {
        let row = METHODS.iter().find(|row| row.0 == method);
        row.map(|row| row.1).ok_or(NoCounterpart)
    }
}

impl From<Status> for rsip::StatusCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

impl TryFrom<&rsip::StatusCode> for Status {
    type Error = NoCounterpart;

    fn try_from(status: &rsip::StatusCode) -> Result<Self, NoCounterpart> {
        Self::new(status.code()).ok_or(NoCounterpart)
    }
}

/// Each transport both sides know.
const TRANSPORTS: [(Transport<'static>, rsip::Transport); 7] = [
    (Transport::Sctp, rsip::Transport::Sctp),
    (Transport::Tcp, rsip::Transport::Tcp),
    (Transport::Tls, rsip::Transport::Tls),
    (Transport::TlsSctp, rsip::Transport::TlsSctp),
    (Transport::Udp, rsip::Transport::Udp),
    (Transport::Ws, rsip::Transport::Ws),
    (Transport::Wss, rsip::Transport::Wss),
];

impl From<rsip::Transport> for Transport<'static> {
    fn from(transport: rsip::Transport) -> Self {
        let row = TRANSPORTS.iter().find(|row| row.1 == transport);
        row.map_or(Self::Other(""), |row| row.0)
    }
}

impl TryFrom<Transport<'_>> for rsip::Transport {
    type Error = NoCounterpart;

    fn try_from(transport: Transport<'_>) -> Result<Self, NoCounterpart> {
        let row = TRANSPORTS.iter().find(|row| row.0 == transport);
        row.map(|row| row.1).ok_or(NoCounterpart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §7.1, §7.2
    #[test]
    fn what_both_sides_know_goes_there_and_back() {
        for method in rsip::Method::all() {
            assert_eq!(rsip::Method::try_from(Method::from(method)), Ok(method));
        }
        for transport in rsip::Transport::all() {
            assert_eq!(
                rsip::Transport::try_from(Transport::from(transport)),
                Ok(transport)
            );
        }
        for code in 100..700 {
            let status = Status::new(code).unwrap();
            assert_eq!(
                Status::try_from(&rsip::StatusCode::from(status)),
                Ok(status)
            );
        }
    }

    #[test]
    fn what_only_one_side_knows_has_no_counterpart() {
        assert_eq!(
            rsip::Method::try_from(Method::Other("X")),
            Err(NoCounterpart)
        );
        assert_eq!(
            rsip::Transport::try_from(Transport::Other("X")),
            Err(NoCounterpart)
        );
        assert_eq!(
            Status::try_from(&rsip::StatusCode::from(700)),
            Err(NoCounterpart)
        );
    }
}
