//! Every header type, with values and with values gone wrong: what is read is
//! written, reads back the same, and never ends its line (RFC 3261 §7.3.1, §25).

use alloc::{format, string::String, vec::Vec};

use super::*;

/// One header type: reads a value, and returns what it writes for it, once it
/// has checked that this reads back to the same.
type Check = fn(&str) -> Option<String>;

fn has_control(text: &str) -> bool {
    text.bytes()
        .any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7F)
}

fn written<'a>(field: &impl Field<'a>) -> String {
    let mut bytes = Vec::new();
    field.emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

macro_rules! rows {
    ($($name:ident $(<$life:lifetime>)? : $($value:literal),+;)+) => {
        [$((
            stringify!($name),
            (|value: &str| -> Option<String> {
                let first = $name::parse(value).ok()?;
                let text = written(&first);
                assert!(!has_control(&text), "{value:?} -> {text:?}");
                match $name::parse(&text) {
                    // A control byte reads, where the grammar has it, and is not written.
                    Ok(second) if !has_control(value) => {
                        assert_eq!(second, first, "{value:?} -> {text:?}");
                    }
                    Ok(_) => {}
                    Err(bad) => panic!("{value:?} -> {text:?}: {bad}"),
                }
                Some(text)
            }) as Check,
            &[$($value),+][..],
        ),)+]
    };
}

fn rows() -> [(&'static str, Check, &'static [&'static str]); 53] {
    rows! {
        Accept: "application/sdp;level=1", "*/*", "text/*;q=0.3";
        AcceptEncoding: "gzip;q=1.0", "*";
        AcceptLanguage: "en-gb;q=0.8";
        Allow: "INVITE, ACK ,X-y", "";
        AllowEvents: "refer,presence";
        Authorization: "Digest username=\"Al\\\"ice\",realm=\"a, b\", nc=00000001,response=\"x\"";
        CSeq: "0009  INVITE", "2147483647 X";
        CallId: "a84b4c76e66710@pc33.atlanta.com", "x<>:\\\"/[]?{}";
        Contact: "*", "\"Mr. Watson\" <sip:w@a.com;x=y?h=v%20>;q=0.7; expires=3600", "sip:a@b";
        ContentDisposition: "session ; handling = optional";
        ContentId: "<a@b>";
        ContentType: "multipart/mixed;boundary=\"a b\"", "application / sdp";
        Date: "Sat, 13 Nov 2010 23:29:00 GMT", "Thu,  01   Jan 1970 00:00:00 GMT";
        Diversion: "<tel:+1-2>;reason=no-answer;counter=2;limit=5;privacy=full;screen=yes", "Bob <sip:b@c>;reason=\"own \\\" x\"";
        Event: "refer;id=1";
        Expires: "3600";
        From: "Bob B <sip:b@x:5060;lr?a=b&c=d>;tag=1;x=\"a\\\\\"", "tel:+1(2)3;tag=x", "\"\" <sip:[::1]>", "J\u{fc}rgen <sips:a:b@c>";
        Geolocation: "<cid:a%40b>;x=1";
        GeolocationError: "100;code=\"x\"";
        GeolocationRouting: "yes", "no";
        HistoryInfo: "<sip:b@c;cause=302?Reason=SIP%3Bcause%3D486&Privacy=history>;index=1.2;mp=1", "<sip:a?Reason=SIP; cause=302; text=\"Moved\">;index=1", "x <tel:+1>;index=1;rc=2;ms-retarget-reason=forwarding";
        Identity: "ab.cd-_;info=<https://x.y/z;a>;alg=ES256;ppt=\"shaken\"", "\"ab+/=\"";
        MaxForwards: "70";
        MimeVersion: "1.0";
        MinExpires: "60";
        MinSe: "90;x=y";
        MsDiagnostics: "10404;reason=\"a\\\"b\"";
        Organization: "Boxes (by) \"Bob\"";
        PAssertedIdentity: "\"C J\" <sip:f@c.com>", "tel:+14085264000";
        PEarlyMedia: "sendrecv, gated";
        Path: "<sip:p;lr>";
        PPreferredIdentity: "<sip:f@c.com>";
        Priority: "emergency";
        Privacy: "id;user ; critical", "x";
        ProxyAuthenticate: "Digest realm=\"a\", qop=\"auth,auth-int\", stale=FALSE";
        RAck: "776656 1 INVITE";
        Reason: "Q.850;cause=16;text=\"a\\\"b\";location=LN", "SIP", "x;cause=1";
        RecordRoute: "<sip:p1.example.com;lr>;x=[::1]";
        ReferTo: "<sip:d@e;method=INVITE?Replaces=1%40a%3Bto-tag%3D1&x=>";
        ReferredBy: "sip:r@ref.example;cid=\"2U@r\"";
        Replaces: "4@b;to-tag=7;from-tag=6;early-only";
        RetryAfter: "18000 (in a (bad) mood) ;duration=3600";
        Route: "<urn:service:sos>", "Jane D. <http://a/b?c#d>";
        Server: "RTCC/7.0.0.0 MediationServer";
        SessionExpires: "4000;refresher=uac", "90";
        SessionId: "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000";
        Subject: "Gr\u{f6}\u{df}e \"x";
        SubscriptionState: "active;expires=60";
        Supported: "100rel, timer";
        To: "caller<sip:%61:b@c;user=phone>", "sip:a@[2001:db8:::192.0.2.1]";
        Unsupported: "x";
        Via: "SIP / 2.0 / TCP  a.b : 5060 ;branch = z9hG4bK1;received=2001:db8::1;rport;ttl=1", "SIP/2.0/UDP [::1]:1";
        Warning: "307 isi.edu:50 \"a \\\"b\"";
    }
}

/// RFC 3261 §7.3.1, §25.1
#[test]
fn what_every_header_reads_it_writes_and_reads_again() {
    for (name, check, values) in rows() {
        for value in values {
            let text = check(value).unwrap_or_else(|| panic!("{name}: {value}"));
            assert_eq!(check(&text), Some(text.clone()), "{name}");
        }
    }
}

/// A generator whose numbers are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// What values go wrong with: every separator of the grammar, and its enemies.
const BITS: &[&str] = &[
    " ", "\t", ";", ",", "<", ">", "\"", "\\", "=", "@", ":", "?", "&", "%", "%00", "%zz", "/",
    "[", "]", "(", ")", "*", "+", "-", ".", "0", "9", "a", "\u{e9}", "\0", "\u{7f}", "\r\n",
    "\r\nX: y", "\"a\"", "sip:",
];

fn mutated(value: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = value.chars().collect();
    for _ in 0..=dice.below(3) {
        let at = dice.below(chars.len() + 1);
        let end = (at + dice.below(4)).min(chars.len());
        let bit = BITS[dice.below(BITS.len())];
        let bit = if dice.below(4) == 0 { "" } else { bit };
        chars.splice(at..end, bit.chars());
    }
    chars.into_iter().collect()
}

/// RFC 3261 §25.1
#[test]
fn a_value_gone_wrong_is_refused_or_still_reads_back() {
    let mut dice = Dice(1);
    let mut read = 0_u32;
    for (_, check, values) in rows() {
        for _ in 0..2_000 {
            let value = mutated(values[dice.below(values.len())], &mut dice);
            read += u32::from(check(&value).is_some());
        }
    }
    assert!(
        read > 10_000,
        "most values were refused, so little was compared: {read}"
    );
}

/// RFC 3261 §19.1.1, §25.1
#[test]
fn uris_gone_wrong_are_refused_or_still_read_back() {
    let mut dice = Dice(2);
    let seeds = [
        "sip:alice:pw@atlanta.com:5060;transport=tcp;lr?a=b&c=%20",
        "sips:+1;npdi;rn=+2@[2001:db8::1];user=phone",
        "tel:863-1234;phone-context=+1-914-555;ext=1",
        "urn:service:sos.fire",
    ];
    for _ in 0..20_000 {
        let text = mutated(seeds[dice.below(seeds.len())], &mut dice);
        let Ok(uri) = Uri::parse(&text) else { continue };
        assert!(uri.same_as(&uri), "{text:?}");
        let stored = UriBuf::of(&uri).unwrap_or_else(|bad| panic!("{text:?}: {bad}"));
        assert_eq!(stored.view(), uri, "{text:?}");
        assert!(
            !stored
                .as_str()
                .bytes()
                .any(|byte| byte <= b' ' || byte >= 0x7F),
            "{text:?}"
        );
    }
}

/// RFC 3261 §7.3.1: a list reads the same in one line and in many.
#[test]
fn elements_of_a_list_are_independent() {
    let one = ["<sip:a;lr>, \"b, c\" <sip:d>;x=\"e,f\",<sip:g>"];
    let many = ["<sip:a;lr>", "\"b, c\" <sip:d>;x=\"e,f\"", "<sip:g>"];
    let read = |lines: &[&str]| -> Vec<String> {
        let routes = each::<Route<'_>>(lines.iter().copied());
        routes
            .map(|route| format!("{:?}", route.unwrap()))
            .collect()
    };
    assert_eq!(read(&one), read(&many));
}
