//! Scenarios for SIPp: what each side of a call does, as its XML (RFC 3261 §13,
//! §14, §15). The called side decides by the last two digits of the number.

/// What a caller wants of its calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Talks for some milliseconds, then hangs up.
    Answered(u32),
    /// The same, speaks a tone from a file, and is silent for half a second at its end.
    Spoken(u32),
    /// The called side hangs up.
    EndedByCallee,
    Busy,
    /// Hangs up while it rings.
    Cancelled,
    /// Calls a number that nobody has.
    Unassigned,
    /// Holds and resumes.
    Held,
}

/// How one side is seen by the node, and where it sends to.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub face: &'a str,
    pub node: &'a str,
    pub tcp: bool,
    /// What the number starts with.
    pub prefix: &'a str,
}

const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"lab\">\n";
const END: &str = "<timewait milliseconds=\"4000\"/>\n</scenario>\n";

/// Returns the scenario of a caller.
pub fn caller(who: Caller<'_>, kind: Kind) -> String {
    let number = match kind {
        Kind::Busy => format!("{}86", who.prefix),
        Kind::Cancelled => format!("{}87", who.prefix),
        Kind::EndedByCallee => format!("{}88", who.prefix),
        Kind::Unassigned => "5551200".to_owned(),
        _ => format!("{}42", who.prefix),
    };
    let play = Play { who, number };
    let mut text = BEGIN.to_owned();
    let port = if matches!(kind, Kind::Spoken(_)) {
        "[rtpstream_audio_port]"
    } else {
        "[media_port]"
    };
    text += &play.request("INVITE", 1, "inv", Some((port, "sendrecv")));
    text += &optional(&[100, 180, 183]);
    match kind {
        Kind::Answered(ms) => {
            text += &play.connected();
            text += &format!("<pause milliseconds=\"{ms}\"/>\n");
            text += &play.hangs_up(2);
        }
        Kind::Spoken(ms) => {
            text += &play.connected();
            text += "<nop><action><exec rtp_stream=\"tone.al,-1,8\"/></action></nop>\n";
            text += &format!("<pause milliseconds=\"{ms}\"/>\n");
            // All that is spoken arrives within the call, so that it can be counted.
            text += "<nop><action><exec rtp_stream=\"pause\"/></action></nop>\n";
            text += "<pause milliseconds=\"500\"/>\n";
            text += &play.hangs_up(2);
        }
        Kind::EndedByCallee => {
            text += &play.connected();
            text += "<recv request=\"BYE\"/>\n";
            text += &answer("200 OK", "", None);
        }
        Kind::Held => {
            text += &play.connected();
            for (cseq, direction) in [(2, "sendonly"), (3, "sendrecv")] {
                text += "<pause milliseconds=\"100\"/>\n";
                let branch = format!("re{cseq}");
                text += &play.request("INVITE", cseq, &branch, Some(("[media_port]", direction)));
                text += &optional(&[100]);
                text += "<recv response=\"200\"/>\n";
                text += &play.request("ACK", cseq, &format!("ack{cseq}"), None);
            }
            text += "<pause milliseconds=\"100\"/>\n";
            text += &play.hangs_up(4);
        }
        Kind::Busy => text += &play.refused(486),
        Kind::Unassigned => text += &play.refused(404),
        Kind::Cancelled => {
            // Only a call that rings is cancelled (RFC 3261 §9.1).
            text = text.replace(
                "<recv response=\"180\" optional=\"true\"/>\n<recv response=\"183\" optional=\"true\"/>\n",
                "<recv response=\"180\"/>\n",
            );
            text += &play.request("CANCEL", 1, "inv", None);
            text += "<recv response=\"200\"/>\n";
            text += &play.refused(487);
        }
    }
    text + END
}

struct Play<'a> {
    who: Caller<'a>,
    number: String,
}

impl Play<'_> {
    fn request(&self, method: &str, cseq: u32, branch: &str, sdp: Option<(&str, &str)>) -> String {
        let Caller {
            face, node, tcp, ..
        } = self.who;
        let number = &self.number;
        let first = matches!((method, branch), ("INVITE" | "CANCEL" | "ACK", "inv"));
        let uri = if first {
            format!("sip:{number}@{node}")
        } else {
            "[next_url]".to_owned()
        };
        let to = if method != "CANCEL" && !(method == "INVITE" && first) {
            "[peer_tag_param]"
        } else {
            ""
        };
        let (name, param) = transport(tcp);
        let retrans = if method == "ACK" {
            ""
        } else {
            " retrans=\"500\""
        };
        let cseq_method = method;
        format!(
            "<send{retrans}><![CDATA[\n\n{method} {uri} SIP/2.0\n\
             Via: SIP/2.0/{name} {face};branch=z9hG4bK[pid]x[call_number]{branch}\n\
             From: \"Lab\" <sip:+4930555100@host-[local_ip].example>;tag=from[pid]x[call_number]\n\
             To: <sip:{number}@{node}>{to}\nCall-ID: [call_id]\nCSeq: {cseq} {cseq_method}\n\
             Max-Forwards: 70\nContact: <sip:caller@{face}{param}>\nUser-Agent: caller/[local_ip]\n\
             {}\n]]></send>\n",
            body(sdp, 700_000 + cseq)
        )
    }

    fn connected(&self) -> String {
        "<recv response=\"200\" rrs=\"true\"/>\n".to_owned() + &self.request("ACK", 1, "ack", None)
    }

    fn hangs_up(&self, cseq: u32) -> String {
        self.request("BYE", cseq, "bye", None) + "<recv response=\"200\"/>\n"
    }

    fn refused(&self, status: u16) -> String {
        format!("<recv response=\"{status}\"/>\n") + &self.request("ACK", 1, "inv", None)
    }
}

/// Returns the scenario of the called side: 86 is busy, 87 rings until it is
/// cancelled, 88 hangs up itself, all others talk. OPTIONS are answered.
pub fn callee(face: &str, tcp: bool) -> String {
    let mut text = BEGIN.to_owned();
    text += "<recv request=\"OPTIONS\" optional=\"true\" next=\"options\"/>\n";
    text += "<recv request=\"INVITE\" rrs=\"true\" test=\"busy\" next=\"busy\"><action>\n";
    for (number, variable) in [("86", "busy"), ("87", "rings"), ("88", "ends")] {
        text += &format!(
            "<ereg regexp=\"^INVITE sip:[^@]*{number}@\" search_in=\"msg\" assign_to=\"{variable}\"/>\n"
        );
    }
    for (header, variable) in [("From:", "calling"), ("To:", "called")] {
        text += &format!(
            "<ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}\" assign_to=\"{variable}\"/>\n"
        );
    }
    text += "</action></recv>\n";
    // A step that only branches is taken late, and what comes meanwhile is
    // unexpected: the branches are part of messages.
    let branch = |label: &str| format!(" test=\"{label}\" next=\"{label}\"");
    let repeated = " retrans=\"500\"";
    let contact = format!("Contact: <sip:callee@{face}{}>\n", transport(tcp).1);
    let to = ";tag=to[pid]x[call_number]";
    text += &send(&branch("rings"), "180 Ringing", to, &contact, None);
    let sdp = Some(("[media_port]", "sendrecv"));
    text += &send(&(branch("ends") + repeated), "200 OK", to, &contact, sdp);
    // The ACK may be lost, and the next request may be another offer or the end.
    text += "<recv request=\"ACK\" optional=\"true\"/>\n";
    text += "<recv request=\"INVITE\" optional=\"true\" next=\"changes\"/>\n";
    text += "<recv request=\"BYE\"/>\n";
    text += &send(OVER, "200 OK", "", "", None);
    text += "<label id=\"changes\"/>\n";
    // SIPp does not find its way back to an earlier label: held, then resumed.
    for (direction, next) in [("inactive", "INVITE"), ("sendrecv", "BYE")] {
        let sdp = Some(("[media_port]", direction));
        text += &send(repeated, "200 OK", "", &contact, sdp);
        text += &format!("<recv request=\"ACK\"/>\n<recv request=\"{next}\"/>\n");
    }
    text += &send(OVER, "200 OK", "", "", None);
    text += "<label id=\"busy\"/>\n";
    text += &send(repeated, "486 Busy Here", to, "", None);
    text += "<recv request=\"ACK\" next=\"over\"/>\n";
    text += "<label id=\"rings\"/>\n<recv request=\"CANCEL\"/>\n";
    text += &send("", "200 OK", "", "", None);
    text += &send(repeated, "487 Request Terminated", to, "", None)
        .replace("[last_CSeq:]", "CSeq: 1 INVITE");
    text += "<recv request=\"ACK\" next=\"over\"/>\n";
    text += "<label id=\"ends\"/>\n<recv request=\"ACK\"/>\n<pause milliseconds=\"100\"/>\n";
    text += &hang_up(face, tcp);
    text += "<recv response=\"200\" next=\"over\"/>\n";
    text += "<label id=\"options\"/>\n";
    text += &send("", "200 OK", to, "", None);
    text += "<label id=\"over\"/>\n";
    text + END
}

/// The end of a call that is not the last one written.
const OVER: &str = " next=\"over\"";

/// The called side's BYE: To and From of the INVITE change places.
fn hang_up(face: &str, tcp: bool) -> String {
    let (name, param) = transport(tcp);
    format!(
        "<send retrans=\"500\"><![CDATA[\n\nBYE [next_url] SIP/2.0\n\
         Via: SIP/2.0/{name} {face};branch=z9hG4bK[pid]y[call_number]bye\n\
         From: [$called];tag=to[pid]x[call_number]\nTo: [$calling]\n\
         Call-ID: [call_id]\nCSeq: 1 BYE\nMax-Forwards: 70\n\
         Contact: <sip:callee@{face}{param}>\nContent-Length: 0\n\n]]></send>\n"
    )
}

fn send(
    attributes: &str,
    status: &str,
    tag: &str,
    more: &str,
    sdp: Option<(&str, &str)>,
) -> String {
    format!(
        "<send{attributes}><![CDATA[\n\nSIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]{tag}\n\
         [last_Call-ID:]\n[last_CSeq:]\n{more}Server: callee/[local_ip]\n{}\n]]></send>\n",
        body(sdp, 800_001)
    )
}

fn answer(status: &str, tag: &str, sdp: Option<(&str, &str)>) -> String {
    send("", status, tag, "", sdp)
}

fn transport(tcp: bool) -> (&'static str, &'static str) {
    if tcp {
        ("TCP", ";transport=tcp")
    } else {
        ("UDP", "")
    }
}

fn optional(codes: &[u16]) -> String {
    let line = |code: &u16| format!("<recv response=\"{code}\" optional=\"true\"/>\n");
    codes.iter().map(line).collect()
}

/// The rest of the head, and the session description.
fn body(sdp: Option<(&str, &str)>, version: u32) -> String {
    let Some((port, direction)) = sdp else {
        return "Content-Length: 0\n".to_owned();
    };
    format!(
        "Content-Type: application/sdp\nContent-Length: [len]\n\n\
         v=0\no=lab 99[pid][call_number] {version} IN IP4 [media_ip]\ns=lab\nc=IN IP4 [media_ip]\n\
         t=0 0\nm=audio {port} RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\n\
         a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\na={direction}\n"
    )
}
