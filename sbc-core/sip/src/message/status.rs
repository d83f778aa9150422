//! Response codes: a number comes in, a [`Status`] with its class and reason
//! phrase goes out (RFC 3261 §7.2, §21, and the extensions beside each row).

/// A status code between 100 and 699.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Status(u16);

/// What the first digit of a status code says (RFC 3261 §7.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StatusClass {
    Provisional,
    Success,
    Redirection,
    RequestFailure,
    ServerFailure,
    GlobalFailure,
}

macro_rules! statuses {
    ($($name:ident $code:literal $phrase:literal,)+) => {
        impl Status {
            $(#[doc = $phrase] pub const $name: Self = Self($code);)+

            /// Returns the reason phrase its standard gives the code, or that of
            /// its class for a code without one.
            pub const fn phrase(self) -> &'static str {
                match self.0 {
                    $($code => $phrase,)+
                    _ => self.class().phrase(),
                }
            }
        }

        #[cfg(test)]
        const ALL: &[u16] = &[$($code,)+];
    };
}

statuses! {
    TRYING 100 "Trying",
    RINGING 180 "Ringing",
    CALL_IS_BEING_FORWARDED 181 "Call Is Being Forwarded",
    QUEUED 182 "Queued",
    SESSION_PROGRESS 183 "Session Progress",
    EARLY_DIALOG_TERMINATED 199 "Early Dialog Terminated",
    OK 200 "OK",
    ACCEPTED 202 "Accepted",
    NO_NOTIFICATION 204 "No Notification",
    MULTIPLE_CHOICES 300 "Multiple Choices",
    MOVED_PERMANENTLY 301 "Moved Permanently",
    MOVED_TEMPORARILY 302 "Moved Temporarily",
    USE_PROXY 305 "Use Proxy",
    ALTERNATIVE_SERVICE 380 "Alternative Service",
    BAD_REQUEST 400 "Bad Request",
    UNAUTHORIZED 401 "Unauthorized",
    PAYMENT_REQUIRED 402 "Payment Required",
    FORBIDDEN 403 "Forbidden",
    NOT_FOUND 404 "Not Found",
    METHOD_NOT_ALLOWED 405 "Method Not Allowed",
    NOT_ACCEPTABLE 406 "Not Acceptable",
    PROXY_AUTHENTICATION_REQUIRED 407 "Proxy Authentication Required",
    REQUEST_TIMEOUT 408 "Request Timeout",
    GONE 410 "Gone",
    CONDITIONAL_REQUEST_FAILED 412 "Conditional Request Failed",
    REQUEST_ENTITY_TOO_LARGE 413 "Request Entity Too Large",
    REQUEST_URI_TOO_LONG 414 "Request-URI Too Long",
    UNSUPPORTED_MEDIA_TYPE 415 "Unsupported Media Type",
    UNSUPPORTED_URI_SCHEME 416 "Unsupported URI Scheme",
    UNKNOWN_RESOURCE_PRIORITY 417 "Unknown Resource-Priority",
    BAD_EXTENSION 420 "Bad Extension",
    EXTENSION_REQUIRED 421 "Extension Required",
    SESSION_INTERVAL_TOO_SMALL 422 "Session Interval Too Small",
    INTERVAL_TOO_BRIEF 423 "Interval Too Brief",
    BAD_LOCATION_INFORMATION 424 "Bad Location Information",
    USE_IDENTITY_HEADER 428 "Use Identity Header",
    PROVIDE_REFERRER_IDENTITY 429 "Provide Referrer Identity",
    FLOW_FAILED 430 "Flow Failed",
    ANONYMITY_DISALLOWED 433 "Anonymity Disallowed",
    BAD_IDENTITY_INFO 436 "Bad Identity Info",
    UNSUPPORTED_CREDENTIAL 437 "Unsupported Credential",
    INVALID_IDENTITY_HEADER 438 "Invalid Identity Header",
    FIRST_HOP_LACKS_OUTBOUND_SUPPORT 439 "First Hop Lacks Outbound Support",
    MAX_BREADTH_EXCEEDED 440 "Max-Breadth Exceeded",
    BAD_INFO_PACKAGE 469 "Bad Info Package",
    CONSENT_NEEDED 470 "Consent Needed",
    TEMPORARILY_UNAVAILABLE 480 "Temporarily Unavailable",
    CALL_OR_TRANSACTION_DOES_NOT_EXIST 481 "Call/Transaction Does Not Exist",
    LOOP_DETECTED 482 "Loop Detected",
    TOO_MANY_HOPS 483 "Too Many Hops",
    ADDRESS_INCOMPLETE 484 "Address Incomplete",
    AMBIGUOUS 485 "Ambiguous",
    BUSY_HERE 486 "Busy Here",
    REQUEST_TERMINATED 487 "Request Terminated",
    NOT_ACCEPTABLE_HERE 488 "Not Acceptable Here",
    BAD_EVENT 489 "Bad Event",
    REQUEST_PENDING 491 "Request Pending",
    UNDECIPHERABLE 493 "Undecipherable",
    SECURITY_AGREEMENT_REQUIRED 494 "Security Agreement Required",
    SERVER_INTERNAL_ERROR 500 "Server Internal Error",
    NOT_IMPLEMENTED 501 "Not Implemented",
    BAD_GATEWAY 502 "Bad Gateway",
    SERVICE_UNAVAILABLE 503 "Service Unavailable",
    SERVER_TIME_OUT 504 "Server Time-out",
    VERSION_NOT_SUPPORTED 505 "Version Not Supported",
    MESSAGE_TOO_LARGE 513 "Message Too Large",
    PRECONDITION_FAILURE 580 "Precondition Failure",
    BUSY_EVERYWHERE 600 "Busy Everywhere",
    DECLINE 603 "Decline",
    DOES_NOT_EXIST_ANYWHERE 604 "Does Not Exist Anywhere",
    NOT_ACCEPTABLE_ANYWHERE 606 "Not Acceptable",
    UNWANTED 607 "Unwanted",
    REJECTED 608 "Rejected",
}

impl Status {
    /// Returns the status `code` stands for, if it is between 100 and 699.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            100..=699 => Some(Self(code)),
            _ => None,
        }
    }

    /// Returns the number.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Returns what the first digit says.
    pub const fn class(self) -> StatusClass {
        match self.0 {
            ..=199 => StatusClass::Provisional,
            200..=299 => StatusClass::Success,
            300..=399 => StatusClass::Redirection,
            400..=499 => StatusClass::RequestFailure,
            500..=599 => StatusClass::ServerFailure,
            600.. => StatusClass::GlobalFailure,
        }
    }

    /// Returns whether no final response has been given yet.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// Returns whether this is a 2xx.
    pub const fn is_success(self) -> bool {
        matches!(self.class(), StatusClass::Success)
    }

    /// Returns whether this ends the transaction.
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }
}

impl StatusClass {
    const fn phrase(self) -> &'static str {
        match self {
            Self::Provisional => "Session Progress",
            Self::Success => "OK",
            Self::Redirection => "Redirection",
            Self::RequestFailure => "Request Failure",
            Self::ServerFailure => "Server Failure",
            Self::GlobalFailure => "Global Failure",
        }
    }
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §7.2
    #[test]
    fn codes_outside_the_six_classes_do_not_exist() {
        for code in [0, 99, 700, 4_294] {
            assert_eq!(Status::new(code), None);
        }
        assert_eq!(
            Status::new(699).map(Status::class),
            Some(StatusClass::GlobalFailure)
        );
    }

    /// RFC 3261 §21
    #[test]
    fn the_table_is_in_order_and_every_code_is_in_its_class() {
        assert!(ALL.is_sorted());
        assert!(ALL.iter().all(|code| Status::new(*code).is_some()));
        assert_eq!(Status::BUSY_HERE.phrase(), "Busy Here");
        assert_eq!(
            Status::new(499).map(Status::phrase),
            Some("Request Failure")
        );
    }
}
