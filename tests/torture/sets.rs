//! Every message of the three sets by its name: two tests each.

use std::collections::BTreeSet;

use crate::chain::{of_datagram, of_stream};
use crate::judge::{PROBE, assert_rewritten};
use crate::reads::assert_readable;
use crate::verdict::{Verdict, names, octets};

fn as_a_datagram(set: &str, name: &str) {
    let verdict = Verdict::of(set, name);
    let outcome = of_datagram(&octets(set, name));
    assert_eq!(outcome.word, verdict.datagram, "{set}/{name} as a datagram");
    if let Some(frame) = &outcome.frame {
        assert_readable(frame, &verdict.reads);
        if outcome.word != "drop" {
            assert_rewritten(frame);
        }
    } else {
        assert!(
            verdict.reads.is_empty(),
            "{set}/{name}: nothing can be read"
        );
    }
}

/// However the stream is cut, the verdict is the same; and where the stream goes on, so
/// does what follows.
fn on_a_stream(set: &str, name: &str) {
    let verdict = Verdict::of(set, name);
    let octets = octets(set, name);
    for segment in [octets.len(), 1, 7, 61] {
        let mut run = of_stream(&octets, segment);
        assert_eq!(
            run.word, verdict.stream,
            "{set}/{name} on a stream, {segment} octets at a time"
        );
        if run.word.ends_with("close") {
            assert_eq!(
                run.then(PROBE),
                [""; 0],
                "{set}/{name}: nothing comes from a lost stream"
            );
        } else if run.word.ends_with("waits") {
            assert!(
                run.stream.partial_since().is_some(),
                "{set}/{name}: an unfinished message has an age"
            );
        } else {
            assert_eq!(
                run.then(PROBE),
                ["accept"],
                "{set}/{name}: the next message is found"
            );
        }
        // What is refused here may be whole there: of a lost stream only the head is.
        if run.word == verdict.datagram || run.word.starts_with("accept") {
            let frame = run.frames.first().expect("an outcome has its frame");
            assert_readable(frame, &verdict.reads);
        }
    }
}

macro_rules! sets {
    ($($set:ident { $($name:ident = $file:literal,)* })*) => {
        $(mod $set {
            $(mod $name {
                #[test]
                fn gets_its_verdict_as_a_datagram() {
                    super::super::as_a_datagram(stringify!($set), $file);
                }

                #[test]
                fn gets_its_verdict_on_a_stream() {
                    super::super::on_a_stream(stringify!($set), $file);
                }
            })*
        })*

        const LISTED: &[(&str, &[&str])] = &[$((stringify!($set), &[$($file,)*])),*];
    };
}

#[test]
fn every_message_of_the_sets_has_its_tests() {
    for (set, listed) in LISTED {
        let listed: BTreeSet<&str> = listed.iter().copied().collect();
        let there = names(set);
        assert_eq!(
            there.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            listed,
            "{set}"
        );
    }
}

sets! {
    rfc4475 {
        badaspec = "badaspec",
        badbranch = "badbranch",
        baddate = "baddate",
        baddn_unterminated = "baddn-unterminated",
        baddn = "baddn",
        badinv01 = "badinv01",
        badvers = "badvers",
        bcast = "bcast",
        bext01 = "bext01",
        bigcode = "bigcode",
        clerr = "clerr",
        cparam01 = "cparam01",
        cparam02 = "cparam02",
        dblreq = "dblreq",
        esc01 = "esc01",
        esc02 = "esc02",
        escnull = "escnull",
        escruri = "escruri",
        insuf = "insuf",
        intmeth = "intmeth",
        inv2543 = "inv2543",
        invut = "invut",
        longreq = "longreq",
        ltgtruri = "ltgtruri",
        lwsdisp = "lwsdisp",
        lwsruri = "lwsruri",
        lwsstart = "lwsstart",
        mcl01 = "mcl01",
        mismatch01 = "mismatch01",
        mismatch02 = "mismatch02",
        mpart01 = "mpart01",
        multi01 = "multi01",
        ncl = "ncl",
        noreason = "noreason",
        novelsc = "novelsc",
        quotbal = "quotbal",
        regaut01 = "regaut01",
        regbadct = "regbadct",
        regescrt = "regescrt",
        scalar02 = "scalar02",
        scalarlg = "scalarlg",
        sdp01 = "sdp01",
        semiuri = "semiuri",
        transports = "transports",
        trws = "trws",
        unkscm = "unkscm",
        unksm2 = "unksm2",
        unreason = "unreason",
        wsinv = "wsinv",
        zeromf = "zeromf",
    }
    rfc5118 {
        ipv4_mapped_ipv6 = "ipv4-mapped-ipv6",
        ipv6_bad = "ipv6-bad",
        ipv6_bug_abnf_3_colons = "ipv6-bug-abnf-3-colons",
        ipv6_correct_abnf_2_colons = "ipv6-correct-abnf-2-colons",
        ipv6_good = "ipv6-good",
        ipv6_in_sdp = "ipv6-in-sdp",
        mult_ip_in_header = "mult-ip-in-header",
        mult_ip_in_sdp = "mult-ip-in-sdp",
        port_ambiguous = "port-ambiguous",
        port_unambiguous = "port-unambiguous",
        via_received_param_no_delim = "via-received-param-no-delim",
        via_received_param_with_delim = "via-received-param-with-delim",
    }
    own {
        accept_empty = "accept-empty",
        ack_broken = "ack-broken",
        ack_length_broken = "ack-length-broken",
        bare_cr = "bare-cr",
        bare_lf = "bare-lf",
        binary_body = "binary-body",
        body_optional = "body-optional",
        body_untyped = "body-untyped",
        call_id_empty = "call-id-empty",
        call_id_space = "call-id-space",
        call_id_two_at = "call-id-two-at",
        contact_empty = "contact-empty",
        contact_star_in_list = "contact-star-in-list",
        contact_star = "contact-star",
        cseq_2_32 = "cseq-2-32",
        cseq_empty = "cseq-empty",
        cseq_extra = "cseq-extra",
        cseq_glued = "cseq-glued",
        cseq_negative = "cseq-negative",
        cseq_plus = "cseq-plus",
        cseq_swapped = "cseq-swapped",
        cseq_wrap = "cseq-wrap",
        delete_in_value = "delete-in-value",
        empty = "empty",
        encoding_gzip = "encoding-gzip",
        escape_in_value = "escape-in-value",
        fold_empty_line = "fold-empty-line",
        fold_in_quotes = "fold-in-quotes",
        fold_only = "fold-only",
        fold_start_line = "fold-start-line",
        fold_tab = "fold-tab",
        four_words = "four-words",
        from_backslash_end = "from-backslash-end",
        from_close_angle = "from-close-angle",
        from_double_angle = "from-double-angle",
        from_empty_angle = "from-empty-angle",
        from_empty_param = "from-empty-param",
        from_empty_tag = "from-empty-tag",
        from_empty = "from-empty",
        from_list = "from-list",
        from_nested_quotes = "from-nested-quotes",
        from_open_angle = "from-open-angle",
        from_param_case = "from-param-case",
        from_quote_tail = "from-quote-tail",
        from_quoted_param = "from-quoted-param",
        from_text_behind = "from-text-behind",
        from_two_tags = "from-two-tags",
        http = "http",
        latin1_in_display = "latin1-in-display",
        latin1_in_subject = "latin1-in-subject",
        leading_crlf = "leading-crlf",
        length_100_digits = "length-100-digits",
        length_2_31 = "length-2-31",
        length_2_32_wrap = "length-2-32-wrap",
        length_2_64_wrap = "length-2-64-wrap",
        length_comma = "length-comma",
        length_compact = "length-compact",
        length_empty = "length-empty",
        length_exponent = "length-exponent",
        length_hex = "length-hex",
        length_junk = "length-junk",
        length_long = "length-long",
        length_missing = "length-missing",
        length_negative = "length-negative",
        length_nonascii = "length-nonascii",
        length_param = "length-param",
        length_plus = "length-plus",
        length_quoted = "length-quoted",
        length_short = "length-short",
        length_space = "length-space",
        length_twice_compact = "length-twice-compact",
        length_twice_same = "length-twice-same",
        length_zeros = "length-zeros",
        lf_only = "lf-only",
        max_forwards_junk = "max-forwards-junk",
        max_forwards_negative = "max-forwards-negative",
        method_known_not_offered = "method-known-not-offered",
        method_lower_case = "method-lower-case",
        method_not_a_token = "method-not-a-token",
        missing_call_id = "missing-call-id",
        missing_cseq = "missing-cseq",
        missing_from = "missing-from",
        missing_max_forwards = "missing-max-forwards",
        missing_to = "missing-to",
        missing_via = "missing-via",
        name_bracket = "name-bracket",
        name_empty = "name-empty",
        name_non_ascii = "name-non-ascii",
        name_odd = "name-odd",
        name_with_space = "name-with-space",
        no_colon = "no-colon",
        no_empty_line = "no-empty-line",
        no_headers = "no-headers",
        noise_with_lines = "noise-with-lines",
        noise = "noise",
        nul_in_call_id = "nul-in-call-id",
        nul_in_method = "nul-in-method",
        nul_in_name = "nul-in-name",
        nul_in_uri = "nul-in-uri",
        nul_in_value = "nul-in-value",
        one_nul = "one-nul",
        overlong_utf8 = "overlong-utf8",
        ping = "ping",
        pipelined_with_ping = "pipelined-with-ping",
        pipelined = "pipelined",
        pong = "pong",
        quoted_crlf = "quoted-crlf",
        require_in_ack = "require-in-ack",
        require_in_cancel = "require-in-cancel",
        response_code_negative = "response-code--200",
        response_code_000 = "response-code-000",
        response_code_099 = "response-code-099",
        response_code_20 = "response-code-20",
        response_code_2000 = "response-code-2000",
        response_code_2oo = "response-code-2OO",
        response_code_2_00 = "response-code-2_00",
        response_code_700 = "response-code-700",
        response_length_broken = "response-length-broken",
        response_long_reason = "response-long-reason",
        response_missing_call_id = "response-missing-call-id",
        response_missing_cseq = "response-missing-cseq",
        response_missing_from = "response-missing-from",
        response_missing_to = "response-missing-to",
        response_missing_via = "response-missing-via",
        response_to_nothing = "response-to-nothing",
        response_version = "response-version",
        route_junk = "route-junk",
        rtp = "rtp",
        space_before_colon = "space-before-colon",
        spaces = "spaces",
        start_line_only_part = "start-line-only-part",
        stun_binding = "stun-binding",
        supported_empty = "supported-empty",
        tab_in_start_line = "tab-in-start-line",
        tls_client_hello = "tls-client-hello",
        twice_call_id = "twice-call-id",
        twice_content_type = "twice-content-type",
        twice_cseq = "twice-cseq",
        twice_from = "twice-from",
        twice_max_forwards = "twice-max-forwards",
        twice_to = "twice-to",
        two_words = "two-words",
        uri_bad_escape = "uri-bad-escape",
        uri_case = "uri-case",
        uri_comma_bare = "uri-comma-bare",
        uri_comma_bracketed = "uri-comma-bracketed",
        uri_cut_escape = "uri-cut-escape",
        uri_empty_param = "uri-empty-param",
        uri_empty_password = "uri-empty-password",
        uri_empty_user = "uri-empty-user",
        uri_escaped_crlf = "uri-escaped-crlf",
        uri_long_label = "uri-long-label",
        uri_no_scheme = "uri-no-scheme",
        uri_nothing = "uri-nothing",
        uri_open_bracket = "uri-open-bracket",
        uri_param_no_name = "uri-param-no-name",
        uri_port_65536 = "uri-port-65536",
        uri_port_junk = "uri-port-junk",
        uri_quote = "uri-quote",
        uri_sips = "uri-sips",
        uri_tel_empty = "uri-tel-empty",
        uri_tel_local_bare = "uri-tel-local-bare",
        uri_tel = "uri-tel",
        uri_twice_param = "uri-twice-param",
        uri_two_at = "uri-two-at",
        uri_v4_in_brackets = "uri-v4-in-brackets",
        uri_zone = "uri-zone",
        utf8_in_subject = "utf8-in-subject",
        version_3 = "version-3",
        version_case = "version-case",
        version_junk = "version-junk",
        version_long = "version-long",
        via_empty = "via-empty",
        via_junk = "via-junk",
        via_list = "via-list",
        via_no_sent_by = "via-no-sent-by",
        via_open_bracket = "via-open-bracket",
        via_other_protocol = "via-other-protocol",
        via_port_99999 = "via-port-99999",
        via_two_slashes = "via-two-slashes",
    }
}
