//! Every command behind `>`: its words, who may use it, what it does, a sentence of help,
//! and the form of its answer.

use super::super::here::Here;
use super::super::network;
use super::super::table as views;
use super::Act::{self, Ask};
use super::Mode::Operational;
use super::Role::{Admin, Monitor, Operator};
use super::Row;
use super::forms::{
    BANDWIDTH, CALLS, CERTIFICATES, DONE, INTERFACES, ISOLATION, LADDER, LIVE, PEERS, REVISIONS,
    TUNNELS, row,
};

const fn see(syntax: &'static str, act: Act, form: &'static str, help: &'static str) -> Row {
    row(Operational, Monitor, syntax, act, form, help)
}

const fn run(syntax: &'static str, act: Act, form: &'static str, help: &'static str) -> Row {
    row(Operational, Operator, syntax, act, form, help)
}

const fn own(syntax: &'static str, act: Act, form: &'static str, help: &'static str) -> Row {
    row(Operational, Admin, syntax, act, form, help)
}

const fn does(syntax: &'static str, here: Here, help: &'static str) -> Row {
    row(Operational, Admin, syntax, Act::Here(here), "", help)
}

const fn here(syntax: &'static str, here: Here, help: &'static str) -> Row {
    row(Operational, Monitor, syntax, Act::Here(here), "", help)
}

/// Behind `>`.
pub(super) const ROWS: &[Row] = &[
    see(
        "show version",
        Ask("version", views::version),
        "{version:s}",
        "the version that runs",
    ),
    see(
        "show uptime",
        Ask("system.uptime", views::facts),
        "{node_secs:n machine_secs:n}",
        "how long the node and the machine have been up",
    ),
    see(
        "show system",
        Ask("system.show", views::facts),
        "{hostname:s version:s revision:n pid:n load:s memory_free_kib:n}",
        "the node at a glance",
    ),
    see(
        "show clock",
        Ask("system.clock", network::clock),
        "{utc:s epoch_secs:n timezone:s state:s since_secs:n offset_us:n? why:s \
         servers:[{server:s state:s stratum:n? offset_us:n? delay_us:n? distance_us:n? \
         reach:s heard_secs:n? strays:n why:s}]}",
        "the time of the node, and what its servers say of it",
    ),
    see(
        "show boot",
        Ask("boot.show", views::lines),
        "[s]",
        "how the node started",
    ),
    here("show boot previous", Here::BootPrevious, "the boot before"),
    here(
        "show image",
        Here::Image,
        "both slots, and a volume's bundle",
    ),
    see(
        "show users",
        Ask("users.list", views::users),
        "[{user:s role:s line:s since_secs:n idle_secs:n}]",
        "who is logged in",
    ),
    see(
        "show limits",
        Ask("limits.list", views::limits),
        "[{name:s used:n limit:n hits:n}]",
        "every cap, what is used of it, how often it was hit",
    ),
    see(
        "show counters",
        Ask("counters.list", views::counters),
        "[[s n]]",
        "what was counted since the start",
    ),
    see(
        "show held",
        Ask("held.list", views::held),
        "[n]",
        "calls, transactions, tags, requests and ports in use",
    ),
    see(
        "show audit [last COUNT]",
        Ask("audit.list", views::audit),
        "[{number:n time:n who:s line:s what:s hash:s}]",
        "what was done, by whom, from where",
    ),
    see(
        "show audit verify",
        Ask("audit.verify", views::facts),
        "{first:n records:n fine:b first_bad:n? why:s? head:s}",
        "whether a record was altered or deleted, and which",
    ),
    see(
        "show alarms",
        Ask("alarms.list", views::alarms),
        "[{id:s subject:s severity:s since_secs:n text:s meaning:s look:s acknowledged:b}]",
        "alarms that are raised",
    ),
    see(
        "show alarms history",
        Ask("alarms.history", views::alarm_history),
        "[{id:s subject:s severity:s time:n raised:b text:s}]",
        "alarms that were raised and cleared",
    ),
    see(
        "show calls [trunk TRUNK|number NUMBER]",
        Ask("calls.list", views::calls),
        CALLS,
        "calls that are up",
    ),
    see(
        "show call CALL [ladder]",
        Ask("calls.show", views::ladder),
        LADDER,
        "the ladder of a call",
    ),
    run(
        "show call CALL messages",
        Ask("calls.reveal", views::messages),
        LADDER,
        "every message of a call",
    ),
    see(
        "show call CALL media",
        Ask("history.media", views::media),
        "{call:n sides:[{side:s rx:n tx:n lost:n late:n unexpected:n jitter_ms:f mos:f?}] diagnosis:s}",
        "what was counted of the media of a call that ended",
    ),
    run(
        "show call CALL reveal",
        Ask("history.reveal", views::facts),
        "{call:n from:s to:s}",
        "the whole numbers of a call that ended; goes to the audit log",
    ),
    see(
        "show call history [last COUNT|trunk TRUNK|number NUMBER|failed]",
        Ask("history.list", views::history),
        "[{call:n id:s end:n direction:s from:s to:s trunk:s mediation:s secs:n sip_code:n sbc_code:n released_by:s mos:f?}]",
        "calls that ended, the latest first",
    ),
    run(
        "show call CALL export text",
        Ask("calls.show", views::ladder),
        LADDER,
        "the ladder as text",
    ),
    run(
        "show call CALL export svg",
        Ask("calls.show", views::image),
        LADDER,
        "the ladder as an image",
    ),
    run(
        "show call CALL export json",
        Ask("calls.reveal", views::raw),
        LADDER,
        "the ladder with all messages",
    ),
    run(
        "show call CALL export pcapng",
        Ask("calls.reveal", views::pcapng),
        LADDER,
        "the messages as a capture file, in base64",
    ),
    see(
        "show trunks [TRUNK]",
        Ask("peers.list", views::trunks),
        PEERS,
        "providers: state, calls, OPTIONS",
    ),
    see(
        "show mediation [MEDIATION]",
        Ask("peers.list", views::mediation),
        PEERS,
        "Mediation Servers: state, calls, OPTIONS",
    ),
    see(
        "show route NUMBER [from PEER]",
        Ask("route.show", views::routes),
        "[{from:s route:s to:[s]}]",
        "where a call to a number would go",
    ),
    see(
        "show interfaces",
        Ask("interfaces.list", network::interfaces),
        INTERFACES,
        "ports, VLANs, tunnels, and what the kernel counted",
    ),
    see(
        "show tunnels [TUNNEL]",
        Ask("tunnels.list", network::tunnels),
        TUNNELS,
        "tunnels: state, rekeying, gaps",
    ),
    see(
        "show isolation",
        Ask("isolation.list", network::isolation),
        ISOLATION,
        "each rule of the fence with its counter",
    ),
    see(
        "show isolation counters",
        Ask("isolation.counters", network::counters),
        "[{table:s counter:s packets:n octets:n}]",
        "the counters of the fence alone",
    ),
    see(
        "show bandwidth [TRUNK]",
        Ask("bandwidth.list", network::bandwidth),
        BANDWIDTH,
        "what calls take of their path",
    ),
    see(
        "show log [last COUNT]",
        Ask("log.list", views::log),
        "{next:n rows:[{time:s level:s text:s}]}",
        "the latest lines of the diary",
    ),
    see(
        "show syslog",
        Ask("syslog.list", network::syslog),
        "[{name:s target:s transport:s state:s since_secs:n sent:n waiting:n cut:n why:s}]",
        "collectors of the log, what they got and what waits",
    ),
    see(
        "show cdr [last COUNT]",
        Ask("history.records", views::raw),
        "",
        "call records as they are written",
    ),
    see(
        "show support contents",
        Ask("support.contents", views::lines),
        "[s]",
        "what a support bundle holds",
    ),
    see(
        "show configuration [PATH...]",
        Act::Here(Here::ShowLive),
        "",
        "the live configuration",
    ),
    run(
        "show rollback",
        Ask("config.revisions", views::revisions),
        REVISIONS,
        "the revisions that are kept",
    ),
    run(
        "show rollback REVISION",
        Act::Here(Here::ShowRevision),
        "",
        "the text of a revision; 'compare REVISION' behind 'configure' says what differs",
    ),
    see(
        "show certificates",
        Ask("certificates.list", views::certificates),
        CERTIFICATES,
        "certificates and authorities: who signed, until when, what waits",
    ),
    own(
        "show secrets",
        Ask("secrets.list", views::secrets),
        "[{name:s octets:n sealed:b}]",
        "names of the secrets, never their values",
    ),
    see(
        "monitor calls",
        Act::Here(Here::Monitor("show calls")),
        "",
        "calls that are up, again and again until Ctrl-C",
    ),
    see(
        "monitor trunks",
        Act::Here(Here::Monitor("show trunks")),
        "",
        "providers, again and again until Ctrl-C",
    ),
    see(
        "monitor log",
        Act::Here(Here::MonitorLog),
        "",
        "lines of the diary as they come, until Ctrl-C",
    ),
    see(
        "monitor dashboard",
        Act::Here(Here::Dashboard),
        "",
        "the whole node on one screen, until Ctrl-C",
    ),
    run(
        "ping HOST [count COUNT]",
        Act::Here(Here::Ping),
        "",
        "ask a host for an echo, five times if nobody says how often",
    ),
    run(
        "traceroute HOST",
        Act::Here(Here::Traceroute),
        "",
        "the routers on the way to a host",
    ),
    run(
        "test options PEER",
        Ask("peers.ask", views::facts),
        "{peer:s answered:b options_ms:n? state:s}",
        "ask a peer for its options, and wait for the answer",
    ),
    run(
        "test config",
        Ask("config.check", views::problems),
        "{problems:[s]}",
        "check the live configuration again",
    ),
    run(
        "capture start NAME [peer PEER|call CALL|interface INTERFACE] [seconds SECONDS]",
        Act::Here(Here::CaptureStart),
        "",
        "record packets of peers, of one, of a call's, or on an interface, until Ctrl-C",
    ),
    run(
        "capture list",
        Ask("captures.list", views::captures),
        "[{name:s octets:n time:n}]",
        "recordings that are kept",
    ),
    run(
        "capture show NAME",
        Act::Here(Here::CaptureShow),
        "",
        "a recording as text: base64 between two lines that name it",
    ),
    run(
        "capture delete NAME",
        Ask("captures.delete", views::done),
        DONE,
        "forget a recording",
    ),
    run(
        "clear call CALL",
        Ask("calls.clear", views::facts),
        "{cleared:n}",
        "end a call on both sides",
    ),
    run(
        "clear alarm ALARM",
        Ask("alarms.acknowledge", views::done),
        DONE,
        "acknowledge an alarm; it stays raised",
    ),
    run(
        "trunk TRUNK (drain|resume)",
        Ask("peers.drain", views::facts),
        "{drained:b}",
        "no new calls for a provider, or calls again",
    ),
    run(
        "mediation MEDIATION (drain|resume)",
        Ask("peers.drain", views::facts),
        "{drained:b}",
        "no new calls for a Mediation Server, or calls again",
    ),
    run(
        "set log debug (call CALL|number NUMBER|peer PEER) [for MINUTES]",
        Ask("debug.set", views::done),
        DONE,
        "every message of these calls in the diary, for 15 minutes",
    ),
    see(
        "show log debug",
        Ask("debug.list", network::debugged),
        "[{of:s ends_secs:n lines:n}]",
        "which calls are looked at closely, and for how long",
    ),
    run(
        "clear log debug",
        Ask("debug.clear", views::done),
        DONE,
        "look at no call closely any more",
    ),
    row(
        Operational,
        Admin,
        "configure [exclusive|safe]",
        Act::Here(Here::Configure),
        "",
        "edit the configuration",
    ),
    own(
        "confirm",
        Ask("config.confirm", views::facts),
        LIVE,
        "keep what was committed",
    ),
    own(
        "request support bundle",
        Ask("support.bundle", views::raw),
        "",
        "everything a supporter wants, numbers and secrets masked",
    ),
    does(
        "request setup",
        Here::Setup,
        "the eight questions of a first boot, until the node has neighbours",
    ),
    does(
        "request backup",
        Here::Backup,
        "all the node was told as text that a passphrase opens",
    ),
    does(
        "request restore",
        Here::Restore,
        "paste a backup; it is checked whole, then committed",
    ),
    does(
        "request secret passphrase",
        Here::SecretPassphrase,
        "set the passphrase that seals the secrets, typed twice",
    ),
    does(
        "request secret unlock",
        Here::SecretUnlock,
        "give the passphrase after a restart; tunnels wait for it",
    ),
    does(
        "request secret set SECRET",
        Here::SecretSet,
        "type the value of a secret; it is not shown",
    ),
    own(
        "request secret delete SECRET",
        Ask("secrets.delete", views::done),
        DONE,
        "forget a secret",
    ),
    does(
        "request user password USER",
        Here::UserPassword,
        "set the password of a user",
    ),
    does(
        "request certificate new-csr CERTIFICATE [subject SUBJECT] [names NAMES...]",
        Here::CertificateRequest("certificates.request"),
        "make a key here, and show a request for its certificate to copy",
    ),
    does(
        "request certificate renew CERTIFICATE",
        Here::CertificateRequest("certificates.renew"),
        "the same with the names of the one in use, which stays until the import",
    ),
    does(
        "request certificate import CERTIFICATE",
        Here::CertificateImport("certificates.import"),
        "paste what an authority made of a request, and those that sign it",
    ),
    does(
        "request trust import TRUST",
        Here::CertificateImport("certificates.trust"),
        "paste the certificates of an authority",
    ),
    does(
        "request image (verify|activate VERSION|rollback)",
        Here::ImageChange,
        "look at a volume's bundle; install it and restart; go back",
    ),
    own(
        "request clock accept",
        Ask("clock.accept", views::facts),
        "{did:s why:s}",
        "set the clock to what its servers say, however far that is",
    ),
    own(
        "request clock set DATE",
        Ask("clock.set", views::facts),
        "{did:s why:s}",
        "set the clock by hand, as in 2026-11-26T17:30 (UTC)",
    ),
    does(
        "request reboot",
        Here::Reboot,
        "start the machine again; calls that are up end",
    ),
    does(
        "request shutdown",
        Here::Shutdown,
        "turn the machine off; calls that are up end",
    ),
    does(
        "request factory-reset SERIAL",
        Here::FactoryReset,
        "forget everything but the firmware, and restart",
    ),
    here(
        "set cli paging (on|off)",
        Here::SetPaging,
        "stop at each screen, or not",
    ),
    here(
        "set cli width SIZE",
        Here::SetWidth,
        "columns of this terminal",
    ),
    here("resize", Here::Resize, "ask the terminal for its size"),
    here("history", Here::History, "what was typed"),
    here("menu", Here::Menu, "nine things to begin with"),
    here(
        "help [TOPIC...]",
        Here::Help,
        "how to use this console, or a command",
    ),
    here(
        "explain CODE",
        Here::Explain,
        "what a code means, how to see it, how to fix it",
    ),
    here("lock", Here::Lock, "ask for the password again"),
    here("exit", Here::Exit, "leave"),
];
