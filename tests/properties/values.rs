//! Every typed header: what the grammar makes can be read, and is written as what reads
//! to the same value.

use core::fmt::Debug;

use proptest::prelude::*;
use sbc_sip::message::{
    Allow, CSeq, CallId, Contact, ContentType, Date, Diversion, Event, Field, From, Geolocation,
    HistoryInfo, MinSe, Out, PAssertedIdentity, RAck, RSeq, Reason, RecordRoute, ReferTo,
    ReferredBy, Replaces, RetryAfter, Route, SessionExpires, SessionId, SubscriptionState,
    Supported, To, Uri, Via, Warning,
};

use crate::grammar::{Taste, address, quoted, sip_uri, tel_uri, token, uri_with_headers, via};

fn written(emit: impl FnOnce(&mut Out<'_>)) -> String {
    let mut bytes = Vec::new();
    emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

/// Reads `text`, which must be possible, writes it and reads that.
fn identity<'a, F: Field<'a> + Debug + PartialEq>(text: &'a str, room: &'a mut String) {
    let read = F::parse(text).unwrap_or_else(|wrong| panic!("{text:?}: {wrong}"));
    *room = written(|out| read.emit(out));
    let room: &'a str = room;
    let again =
        F::parse(room).unwrap_or_else(|wrong| panic!("{text:?} was written {room:?}: {wrong}"));
    assert_eq!(read, again, "{text:?} was written {room:?}");
    assert_eq!(written(|out| again.emit(out)), room, "of {text:?}");
}

/// One test for a header: its texts, and that they survive.
macro_rules! survive {
    ($($(#[$doc:meta])* $name:ident: $header:ty, $texts:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]
            $($(#[$doc])* #[test]
            fn $name(text in $texts) {
                identity::<$header>(&text, &mut String::new());
            })*
        }
    };
}

survive! {
    /// RFC 3261 §20.20
    from_is_written_as_it_was_read: From<'_>, address(Taste::Wild);
    /// RFC 3261 §20.39
    to_is_written_as_it_was_read: To<'_>, address(Taste::Wild);
    /// RFC 3261 §20.10
    contact_is_written_as_it_was_read: Contact<'_>,
        (uri_with_headers(), 0_u16..=1_000, any::<u32>()).prop_map(|(uri, q, expires)| {
            format!("<{uri}>;q={}.{:03};expires={expires}", q / 1_000, q % 1_000)
        });
    /// RFC 3261 §20.34
    route_is_written_as_it_was_read: Route<'_>, sip_uri(Taste::Wild).prop_map(|uri| format!("<{uri}>"));
    /// RFC 3261 §20.30
    record_route_is_written_as_it_was_read: RecordRoute<'_>, address(Taste::Wild);
    /// RFC 3261 §20.42
    via_is_written_as_it_was_read: Via<'_>, via(Taste::Wild);
    /// RFC 3261 §20.16
    cseq_is_written_as_it_was_read: CSeq<'_>, (0_u32..1 << 31, token()).prop_map(|(number, method)| format!("{number} {method}"));
    /// RFC 3261 §20.8
    call_id_is_written_as_it_was_read: CallId<'_>, "[a-zA-Z0-9.!%*_+`'~()<>:\\\\\"/\\[\\]?{}-]{1,16}(@[a-zA-Z0-9.!%<>:-]{1,8})?";
    /// RFC 3261 §20.15
    content_type_is_written_as_it_was_read: ContentType<'_>,
        (token(), token(), quoted(Taste::Wild)).prop_map(|(kind, sub, value)| format!("{kind}/{sub};boundary={value}"));
    /// RFC 3261 §20.5
    allow_is_written_as_it_was_read: Allow<'_>, "[A-Z]{3,8}(, ?[A-Z]{3,8}){0,4}";
    /// RFC 3261 §20.37
    supported_is_written_as_it_was_read: Supported<'_>, "([a-z0-9-]{1,8}( ?, ?[a-z0-9-]{1,8}){0,4})?";
    /// RFC 3261 §20.33
    retry_after_is_written_as_it_was_read: RetryAfter, any::<u32>().prop_map(|secs| secs.to_string());
    /// RFC 3261 §20.17
    date_is_written_as_it_was_read: Date, (0_i64..200_000).prop_map(|days| {
        written(|out| Date { unix_secs: days * 86_400 + days % 86_400 }.emit(out))
    });
    /// RFC 3261 §20.43
    warning_is_written_as_it_was_read: Warning<'_>, (300_u16..400, quoted(Taste::Wild)).prop_map(|(code, text)| format!("{code} sbc.example.com {text}"));
    /// RFC 3325 §9.1
    p_asserted_identity_is_written_as_it_was_read: PAssertedIdentity<'_>,
        prop_oneof![sip_uri(Taste::Wild), tel_uri()].prop_map(|uri| format!("<{uri}>"));
    /// RFC 3515 §2.1
    refer_to_is_written_as_it_was_read: ReferTo<'_>, uri_with_headers().prop_map(|uri| format!("<{uri}>"));
    /// RFC 3892 §2.1
    referred_by_is_written_as_it_was_read: ReferredBy<'_>, address(Taste::Wild);
    /// RFC 3891 §6.1
    replaces_is_written_as_it_was_read: Replaces<'_>, "[a-z0-9]{1,8}(@[a-z.]{1,5}[a-z])?;(to-tag=[a-z0-9]{1,6};from-tag=[a-z0-9]{1,6}|from-tag=[a-z]{1,6};to-tag=[a-z]{1,6};early-only)";
    /// RFC 3262 §7.1
    rack_is_written_as_it_was_read: RAck<'_>, (1_u32..1 << 31, 0_u32..1 << 31).prop_map(|(rseq, cseq)| format!("{rseq} {cseq} INVITE"));
    /// RFC 3262 §7.1
    rseq_is_written_as_it_was_read: RSeq, (1_u32..1 << 31).prop_map(|number| number.to_string());
    /// RFC 4028 §4
    session_expires_is_written_as_it_was_read: SessionExpires, "[1-9][0-9]{1,4}(;refresher=(uac|uas))?";
    /// RFC 4028 §5
    min_se_is_written_as_it_was_read: MinSe, "[1-9][0-9]{1,4}";
    /// RFC 3326 §2
    reason_is_written_as_it_was_read: Reason<'_>,
        (prop_oneof![Just("Q.850"), Just("SIP"), Just("x-other")], 1_u16..128, quoted(Taste::Wild)).prop_map(|(protocol, cause, text)| {
            let cause = if protocol == "SIP" { cause + 300 } else { cause };
            format!("{protocol};cause={cause};text={text}")
        });
    /// RFC 7044 §5
    history_info_is_written_as_it_was_read: HistoryInfo<'_>, (sip_uri(Taste::Wild), "[1-9](\\.[1-9]){0,4}").prop_map(|(uri, index)| format!("<{uri}>;index={index}"));
    /// RFC 5806 §5
    diversion_is_written_as_it_was_read: Diversion<'_>, (sip_uri(Taste::Wild), prop_oneof![Just("user-busy"), Just("no-answer"), Just("unconditional")], 1_u8..9)
        .prop_map(|(uri, reason, counter)| format!("<{uri}>;reason={reason};counter={counter}"));
    /// RFC 6442 §4.1
    geolocation_is_written_as_it_was_read: Geolocation<'_>, "<cid:[a-z0-9]{1,8}@[a-z]{1,6}\\.example>";
    /// RFC 7989 §5
    session_id_is_written_as_it_was_read: SessionId, "[0-9a-f]{32};remote=[0-9a-f]{32}";
    /// RFC 6665 §8.4
    event_is_written_as_it_was_read: Event<'_>, "[a-z]{2,10}(\\.[a-z]{2,6})?(;id=[a-z0-9]{1,6})?";
    /// RFC 6665 §8.2.3
    subscription_state_is_written_as_it_was_read: SubscriptionState<'_>, "(active|pending|terminated)(;expires=[0-9]{1,5})?(;reason=[a-z]{1,8})?";
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_048) })]

    /// RFC 3261 §19.1.1, §19.1.4; RFC 3966 §3
    #[test]
    fn a_uri_is_written_as_it_was_read_and_is_the_same_as_itself(text in prop_oneof![uri_with_headers(), tel_uri()]) {
        let uri = Uri::parse(&text).unwrap_or_else(|wrong| panic!("{text:?}: {wrong}"));
        let written = written(|out| uri.emit(out));
        let again = Uri::parse(&written).unwrap();
        assert_eq!(uri, again, "{text:?} was written {written:?}");
        assert!(uri.same_as(&again));
    }
}
