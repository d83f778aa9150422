//! URIs of RFC 3261, RFC 3966 and RFC 5031 come in, parts and equality go out.

use alloc::{format, string::String, vec::Vec};

use super::super::host::Host;
use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

fn written(uri: &Uri<'_>) -> String {
    let mut bytes = Vec::new();
    uri.emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

/// RFC 3261 §19.1.1 and §19.1.3
#[test]
fn a_sip_uri_falls_into_its_parts() {
    let uri = uri("SIPS:al%69ce;x=1:p&w@[2001:db8::1]:5061;transport=Tls;lr?Subject=a%20b&x=");
    let sip = uri.sip().unwrap();
    assert!(sip.secure && sip.is_loose());
    assert_eq!(sip.user, Some("al%69ce;x=1"));
    assert_eq!(sip.user_bytes().collect::<Vec<_>>(), b"alice;x=1");
    assert_eq!(sip.password, Some("p&w"));
    assert_eq!(sip.host.ip().map(|ip| ip.is_ipv6()), Some(true));
    assert_eq!(sip.port, Some(5061));
    assert_eq!(sip.transport(), Some("Tls"));
    assert_eq!(
        sip.headers.get("subject").map(Iterator::collect),
        Some(b"a b".to_vec())
    );
    assert_eq!(uri.scheme(), "sips");
}

/// RFC 3261 §19.1.3: every example of the section.
#[test]
fn what_is_read_is_written_and_read_again() {
    for text in [
        "sip:alice@atlanta.com",
        "sip:alice:secretword@atlanta.com;transport=tcp",
        "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone",
        "sips:1212@gateway.com",
        "sip:alice@192.0.2.4",
        "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
        "sip:alice;day=tuesday@atlanta.com",
        "sip:[2001:db8::10:5070]",
        "sip:user@[::ffff:192.0.2.1]:0",
        "sip:null-%00-null@example.com",
        "sip:sips%3Auser%40example.com@example.net",
        "tel:+1-201-555-0123",
        "tel:7042;phone-context=example.com",
        "tel:863-1234;phone-context=+1-914-555",
        "tel:*67#12;phone-context=+49;isub=1%2F2",
        "urn:service:sos.fire",
        "soap.beep://192.0.2.103:3002",
        "http://example.com/a?b=c;d#e",
    ] {
        assert_eq!(written(&uri(text)), text);
        assert_eq!(uri(&written(&uri(text))), uri(text), "{text}");
    }
}

/// RFC 4475 §3.1.2.7 (ltgtruri), §3.1.2.8 (lwsruri)
#[test]
fn what_is_no_uri_is_refused() {
    use BadUri::{Headers, Host, Number, Param, Port, Repeated, Rest, Scheme, User};
    for (text, bad) in [
        ("", Scheme),
        ("bob", Scheme),
        ("1sip:a", Scheme),
        ("<sip:user@example.com>", Scheme),
        ("sip:", Host),
        ("sip:@host", User),
        ("sip::pw@host", User),
        ("sip:a b@host", User),
        ("sip:a%4@host", User),
        ("sip:a\"b@host", User),
        ("sip:a@b@host", Host),
        ("sip:user@example.com; lr", Param),
        ("sip:user@ example.com", Host),
        ("sip:user@2001:db8::10", Host),
        ("sip:user@[2001:db8::10]x", Param),
        ("sip:user@host:", Port),
        ("sip:user@host:65536", Port),
        ("sip:user@host;", Param),
        ("sip:user@host;a=", Param),
        ("sip:user@host;a;A", Repeated),
        ("sip:user@host?", Headers),
        ("sip:user@host?a", Headers),
        ("sip:user@host?a=b>", Headers),
        ("tel:", Number),
        ("tel:+", Number),
        ("tel:+1A", Number),
        ("tel:--", Number),
        ("tel:7042", Number),
        ("tel:+1 2", Number),
        ("tel:+1;ext=", Param),
        ("urn:", Rest),
        ("urn:a b", Rest),
        ("urn:a>b", Rest),
    ] {
        assert_eq!(Uri::parse(text), Err(bad), "{text}");
    }
}

#[test]
fn parameters_and_headers_are_bounded() {
    let many: String = (0..4_000).map(|n| format!(";p{n}")).collect();
    assert_eq!(Uri::parse(&format!("sip:a{many}")), Err(BadUri::TooMany));
    let many: String = (0..17).map(|n| format!("&h{n}=1")).collect();
    assert_eq!(
        Uri::parse(&format!("sip:a?x=1{many}")),
        Err(BadUri::TooMany)
    );
}

/// RFC 3261 §19.1.4: every example of the section, both ways round.
#[test]
fn equal_uris_are_the_same() {
    for (a, b) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:carol@chicago.com;newparam=5",
            "sip:carol@chicago.com;security=on",
        ),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"),
    ] {
        assert!(uri(a).same_as(&uri(b)), "{a} = {b}");
        assert!(uri(b).same_as(&uri(a)), "{b} = {a}");
    }
}

/// RFC 3261 §19.1.4: every example of the section, and that the relation does
/// not carry over a third URI.
#[test]
fn different_uris_are_not_the_same() {
    for (a, b) in [
        (
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
        ),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
        ),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:b"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:a@b", "tel:+1"),
    ] {
        assert!(!uri(a).same_as(&uri(b)), "{a} != {b}");
        assert!(!uri(b).same_as(&uri(a)), "{b} != {a}");
    }
}

/// RFC 3966 §4
#[test]
fn telephone_numbers_are_compared_without_separators() {
    assert!(uri("tel:+1-(201)-555.0123").same_as(&uri("TEL:+12015550123")));
    let long = "tel:1234;ext=5-6;phone-context=EXAMPLE.com";
    assert!(uri(long).same_as(&uri("tel:12-34;phone-context=example.com;EXT=56")));
    assert!(!uri("tel:+12015550123").same_as(&uri("tel:+12015550123;ext=1")));
    assert!(!uri("tel:12;phone-context=+1").same_as(&uri("tel:12;phone-context=+2")));
}

/// RFC 3261 §19.1.6; RFC 3966 §3, §5.1.5; RFC 4694 §4
#[test]
fn a_number_is_read_out_of_either_scheme() {
    let text = "sip:+1-202-533.1234;npdi;rn=+1-202-544-0000@example.com;user=phone";
    let tel = uri(text).telephone().unwrap();
    assert_eq!(tel.digits().collect::<String>(), "+12025331234");
    assert!(tel.is_global() && tel.is_ported_checked());
    assert_eq!(tel.routing_number(), Some("+1-202-544-0000"));
    let local = uri("sip:02081234;phone-context=Site@example.com;user=phone")
        .telephone()
        .unwrap();
    assert_eq!((local.is_global(), local.context()), (false, Some("Site")));
    assert_eq!(
        uri("sip:%2A67%23@a;user=phone")
            .telephone()
            .unwrap()
            .digits()
            .collect::<String>(),
        "*67#"
    );
    assert_eq!(uri("sip:alice@a;user=phone").telephone(), None);
    assert_eq!(uri("sip:123@a").telephone(), None);
}

/// RFC 5031 §3 and §4.1
#[test]
fn the_sos_service_is_known_with_its_kinds() {
    for text in ["urn:service:sos", "URN:SERVICE:SOS.fire"] {
        assert!(uri(text).is_emergency(), "{text}");
    }
    for text in [
        "urn:service:sosx",
        "urn:service:counseling",
        "sip:sos@a",
        "urn:x",
    ] {
        assert!(!uri(text).is_emergency(), "{text}");
    }
}

/// RFC 5118 §4.3: a port inside the brackets is part of the address.
#[test]
fn an_ambiguous_port_belongs_to_the_address() {
    let inside = uri("sip:[2001:db8::10:5070]");
    assert_eq!(inside.sip().and_then(|sip| sip.port), None);
    assert_eq!(
        uri("sip:[2001:db8::10]:5070")
            .sip()
            .and_then(|sip| sip.port),
        Some(5070)
    );
}

#[test]
fn parts_made_by_hand_cannot_leave_their_place() {
    let evil = Uri::Sip(SipUri {
        user: Some("a>\r\nX: @"),
        password: Some(":@"),
        params: UriParams::of(&[("x;y", Some("a?b>"))]),
        headers: UriHeaders::of(&[("Replaces", "a@b;to-tag=1&x")]),
        ..SipUri::new(Host::Name("h>;\n@x"))
    });
    assert_eq!(
        written(&evil),
        "sip:a%3E%0D%0AX%3A%20%40:%3A%40@h____x;x%3By=a%3Fb%3E?Replaces=a%40b%3Bto-tag%3D1%26x"
    );
}
