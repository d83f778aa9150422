//! Request methods: a token comes in, a [`Method`] goes out (RFC 3261 §7.1,
//! §25.1). Methods are compared with case.

use super::chars::TOKEN;
use super::field::Why;

macro_rules! methods {
    ($($variant:ident $text:literal,)+) => {
        /// A request method.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Method<'a> {
            $($variant,)+
            /// A well-formed token that is none of the above.
            Other(&'a str),
        }

        impl<'a> Method<'a> {
            /// Every method with a name of its own.
            pub const KNOWN: &'static [Method<'static>] = &[$(Method::$variant,)+];

            /// Returns the method `token` names; `Why::Token` if it is no token.
            pub fn parse(token: &'a str) -> Result<Self, Why> {
                match token {
                    $($text => Ok(Self::$variant),)+
                    _ if TOKEN.fills(token) => Ok(Self::Other(token)),
                    _ => Err(Why::Token),
                }
            }

            /// Returns the method as written on the wire.
            pub const fn as_str(self) -> &'a str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(token) => token,
                }
            }

            /// Returns the method without its borrow, if it has a name of its own.
            pub const fn known(self) -> Option<Method<'static>> {
                match self {
                    $(Self::$variant => Some(Method::$variant),)+
                    Self::Other(_) => None,
                }
            }
        }
    };
}

methods! {
    Ack "ACK",
    Bye "BYE",
    Cancel "CANCEL",
    Info "INFO",
    Invite "INVITE",
    Message "MESSAGE",
    Notify "NOTIFY",
    Options "OPTIONS",
    Prack "PRACK",
    Publish "PUBLISH",
    Refer "REFER",
    Register "REGISTER",
    Subscribe "SUBSCRIBE",
    Update "UPDATE",
}

impl core::fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §7.1
    #[test]
    fn methods_are_compared_with_case() {
        assert_eq!(Method::parse("INVITE"), Ok(Method::Invite));
        assert_eq!(Method::parse("invite"), Ok(Method::Other("invite")));
    }

    #[test]
    fn every_known_method_reads_back() {
        for method in Method::KNOWN {
            assert_eq!(Method::parse(method.as_str()), Ok(*method));
            assert_eq!(method.known(), Some(*method));
        }
        assert_eq!(Method::Other("X").known(), None);
    }

    /// RFC 4475 §3.1.1.2 (intmeth) and §3.1.1.5 (esc02)
    #[test]
    fn any_token_is_a_method() {
        for token in [
            "!interesting-Method0123456789_*+`.%indeed'~",
            "RE%47IST%45R",
        ] {
            assert_eq!(Method::parse(token), Ok(Method::Other(token)));
        }
        for text in ["", "IN VITE", "INVITE\"", "INVITE,", "MÉTHODE"] {
            assert_eq!(Method::parse(text), Err(Why::Token));
        }
    }
}
