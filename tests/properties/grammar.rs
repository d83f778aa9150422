//! The grammar of RFC 3261 §25.1 as generators: random choices come in, texts that must
//! be readable go out.

use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// How strange the texts may be: `Tame` is what every living peer sends, `Wild` whatever
/// the grammar allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taste {
    Tame,
    Wild,
}

/// The parts of a request as texts, each of which must be readable.
#[derive(Clone, Debug)]
pub struct Texts {
    pub method: String,
    pub uri: String,
    pub vias: Vec<String>,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    pub max_forwards: u8,
    pub routes: Vec<String>,
    pub contact: String,
    pub body: Vec<u8>,
}

pub fn token() -> BoxedStrategy<String> {
    "[a-zA-Z0-9.!%*_+`'~-]{1,10}".boxed()
}

pub fn host() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z0-9]{1,8}(-[a-z0-9]{1,4})?(\\.[a-zA-Z0-9]{1,6}){0,2}\\.[a-z][a-z0-9]{1,5}",
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).to_string()),
        any::<u128>().prop_map(|bits| format!("[{}]", Ipv6Addr::from(bits))),
        any::<u16>().prop_map(|bits| format!("[2001:db8::{bits:x}]")),
    ]
    .boxed()
}

fn port() -> BoxedStrategy<String> {
    of(1_u16..)
        .prop_map(|port| port.map_or_else(String::new, |port| format!(":{port}")))
        .boxed()
}

fn user(taste: Taste) -> BoxedStrategy<String> {
    let tame = prop_oneof!["\\+[1-9][0-9]{6,14}", "[a-z]([a-z0-9._-]{0,8}[a-z0-9])?"];
    let wild = "([a-zA-Z0-9_.!~*'()&=+$,;?/-]|%[0-9A-Fa-f]{2}){1,12}";
    match taste {
        Taste::Tame => tame.boxed(),
        Taste::Wild => prop_oneof![tame, wild].boxed(),
    }
}

/// Names of a number of parameters that cannot be the same, with their values.
fn parameters(value: BoxedStrategy<String>) -> BoxedStrategy<String> {
    vec(of(value), 0..4)
        .prop_map(|values| {
            let named = |(number, value): (usize, Option<String>)| match value {
                Some(value) => format!(";x-{number}={value}"),
                None => format!(";x-{number}"),
            };
            values.into_iter().enumerate().map(named).collect()
        })
        .boxed()
}

fn uri_parameters(taste: Taste) -> BoxedStrategy<String> {
    let value = match taste {
        Taste::Tame => "[a-z0-9.-]{1,6}",
        Taste::Wild => "([a-zA-Z0-9_.!~*'()\\[\\]/:&+$-]|%[0-9A-F]{2}){1,8}",
    };
    let known = prop_oneof![
        Just(""),
        Just(";lr"),
        Just(";transport=tcp"),
        Just(";user=phone")
    ];
    (known, parameters(value.boxed()))
        .prop_map(|(known, rest)| format!("{known}{rest}"))
        .boxed()
}

/// A SIP URI without headers, as a Request-URI is.
pub fn sip_uri(taste: Taste) -> BoxedStrategy<String> {
    let password = match taste {
        Taste::Tame => Just(String::new()).boxed(),
        Taste::Wild => "(:([a-zA-Z0-9_.!~*'()&=+$,-]|%[0-9A-F]{2}){0,6})?".boxed(),
    };
    let user_info =
        (user(taste), password).prop_map(|(user, password)| format!("{user}{password}@"));
    (
        prop_oneof![9 => Just("sip"), 1 => Just("sips")],
        of(user_info),
        host(),
        port(),
        uri_parameters(taste),
    )
        .prop_map(|(scheme, user, host, port, parameters)| {
            format!(
                "{scheme}:{}{host}{port}{parameters}",
                user.unwrap_or_default()
            )
        })
        .boxed()
}

/// A SIP URI with or without headers.
pub fn uri_with_headers() -> BoxedStrategy<String> {
    let header = "[a-zA-Z-]{1,8}=([a-zA-Z0-9_.!~*'()\\[\\]/?:+$-]|%[0-9A-F]{2}){0,8}";
    (sip_uri(Taste::Wild), vec(header, 0..3))
        .prop_filter("a header appears once", |(_, headers)| {
            let names = |header: &String| header.split('=').next().map(str::to_ascii_lowercase);
            headers.len() < 2 || names(&headers[0]) != names(&headers[1])
        })
        .prop_map(|(uri, headers)| match headers.is_empty() {
            true => uri,
            false => format!("{uri}?{}", headers.join("&")),
        })
        .boxed()
}

pub fn tel_uri() -> BoxedStrategy<String> {
    let global = "\\+[0-9]([0-9.()-]{0,10}[0-9])?";
    let local = "[0-9*#A-Fa-f]{1,8};phone-context=(\\+[0-9]{1,6}|[a-z]{2,6}\\.example)";
    prop_oneof![global, local]
        .prop_map(|number| format!("tel:{number}"))
        .boxed()
}

pub fn quoted(taste: Taste) -> BoxedStrategy<String> {
    match taste {
        Taste::Tame => "\"[a-zA-Z0-9][a-zA-Z0-9 .-]{0,10}[a-zA-Z0-9]\"".boxed(),
        Taste::Wild => "\"([ !#-\\[\\]-~äß漢]|\\\\[ -~]){0,12}\"".boxed(),
    }
}

fn display(taste: Taste) -> BoxedStrategy<String> {
    prop_oneof![
        Just(String::new()),
        quoted(taste).prop_map(|text| format!("{text} ")),
        "[A-Za-z]{1,8}( [A-Za-z]{1,8})? ",
    ]
    .boxed()
}

fn header_parameters(taste: Taste) -> BoxedStrategy<String> {
    match taste {
        Taste::Tame => parameters("[a-z0-9]{1,8}".boxed()),
        Taste::Wild => parameters(prop_oneof![token(), quoted(taste)].boxed()),
    }
}

/// Display name, URI in brackets, parameters behind.
pub fn address(taste: Taste) -> BoxedStrategy<String> {
    (display(taste), sip_uri(taste), header_parameters(taste))
        .prop_map(|(display, uri, parameters)| format!("{display}<{uri}>{parameters}"))
        .boxed()
}

pub fn via(taste: Taste) -> BoxedStrategy<String> {
    let transport = prop_oneof![Just("UDP"), Just("TCP"), Just("TLS"), Just("WSS")];
    let rport = prop_oneof![Just(""), Just(";rport")];
    (
        transport,
        host(),
        port(),
        "[a-zA-Z0-9]{1,16}",
        rport,
        header_parameters(taste),
    )
        .prop_map(|(transport, host, port, branch, rport, rest)| {
            format!("SIP/2.0/{transport} {host}{port};branch=z9hG4bK{branch}{rport}{rest}")
        })
        .boxed()
}

/// A whole request that makes or ends a dialog.
pub fn request(taste: Taste) -> BoxedStrategy<Texts> {
    let method = prop_oneof![
        Just("INVITE"),
        Just("BYE"),
        Just("OPTIONS"),
        Just("REGISTER"),
        Just("MESSAGE")
    ];
    let addresses = (
        address(taste),
        "[a-z0-9]{1,12}",
        address(taste),
        of("[a-z0-9]{1,12}"),
    );
    let head = (
        method.prop_map(str::to_owned),
        sip_uri(taste),
        vec(via(taste), 1..4),
        addresses,
    );
    let word = "[a-zA-Z0-9.-]{1,12}(@[a-zA-Z0-9.-]{1,12})?";
    let rest = (
        word,
        0_u32..1 << 31,
        any::<u8>(),
        vec(sip_uri(taste), 0..3),
        sip_uri(taste),
    );
    (head, rest, vec(any::<u8>(), 0..64))
        .prop_map(
            |(
                (method, uri, vias, (from, from_tag, to, to_tag)),
                (call_id, cseq, max_forwards, routes, contact),
                body,
            )| Texts {
                method,
                uri,
                vias,
                from: format!("{from};tag={from_tag}"),
                to: to_tag.map_or_else(|| to.clone(), |tag| format!("{to};tag={tag}")),
                call_id,
                cseq,
                max_forwards,
                routes: routes.into_iter().map(|uri| format!("<{uri}>")).collect(),
                contact: format!("<{contact}>"),
                body,
            },
        )
        .boxed()
}
