//! SIPp on both sides of an element: a rate and a number of calls come in, how
//! many succeeded goes out (RFC 3261 §13, §15). Answers and requests follow each
//! other without a pause, so an element that lets them overtake is found out.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::stage::Stage;

/// What one run places.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub calls: u32,
    pub per_second: u32,
    /// How long each call is held.
    pub held: Duration,
    /// The calling side speaks TCP.
    pub tcp: bool,
}

/// How the calls of a run went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub succeeded: u32,
    pub failed: u32,
    /// Messages that came where another was due: overtaken, or after a loss.
    pub misplaced: u32,
}

/// A running SIPp; dropped, it is ended.
#[derive(Debug)]
pub struct Sipp {
    child: Child,
    folder: PathBuf,
}

const CALLER: &str = r#"<?xml version="1.0"?>
<scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:+49691234[call_number]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+4930555100@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:+49691234[call_number]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:+4930555100@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] [local_ip]
t=0 0
m=audio 30000 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true" rtd="true"><action>
<ereg regexp="m=audio ([0-9]+)" search_in="body" assign_to="line,port"/>
<log message="port [$port]"/>
</action></recv>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:+4930555100@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:+49691234[call_number]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:+4930555100@[local_ip]:[local_port]>;tag=[pid]a[call_number]
To: <sip:+49691234[call_number]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
<Reference variables="line,port"/>
</scenario>
"#;

const CALLED: &str = r#"<?xml version="1.0"?>
<scenario name="called">
<recv request="INVITE"><action>
<ereg regexp="m=audio ([0-9]+)" search_in="body" assign_to="line,port"/>
<log message="port [$port]"/>
</action></recv>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
Content-Length: 0

]]></send>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]b[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] [local_ip]
t=0 0
m=audio 40000 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
]]></send>
<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<Reference variables="line,port"/>
</scenario>
"#;

/// Starts the called side at an element's Mediation Server, and waits until it
/// listens.
///
/// # Errors
/// When it does not.
pub fn called(stage: &Stage, name: &str) -> Result<Sipp, String> {
    let words = ["-t", "t1", "-i", "10.20.120.2", "-p", "5068"];
    let sipp = start(stage, name, CALLED, &words)?;
    let since = Instant::now();
    while !listens(sipp.child.id(), 5068) {
        if since.elapsed() > Duration::from_secs(10) {
            return Err(format!("{name}: SIPp does not listen"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(sipp)
}

/// Starts the calling side with `load`.
///
/// # Errors
/// When it cannot be started.
pub fn caller(stage: &Stage, name: &str, load: Load) -> Result<Sipp, String> {
    let (from, to, way) = if load.tcp {
        ("172.20.32.1", "172.20.32.2:5060", "t1")
    } else {
        ("172.20.31.1", "172.20.31.2:5060", "u1")
    };
    let (calls, rate) = (load.calls.to_string(), load.per_second.to_string());
    let held = load.held.as_millis().to_string();
    let words = [
        "-t", way, "-i", from, "-p", "5060", to, "-m", &calls, "-r", &rate, "-d", &held,
    ];
    start(stage, name, CALLER, &words)
}

/// Places `load` and returns how it went.
///
/// # Errors
/// When SIPp cannot be started, or is not done long after it should be.
pub fn run(stage: &Stage, name: &str, load: Load) -> Result<Outcome, String> {
    let mut caller = caller(stage, name, load)?;
    let due = load.calls / load.per_second.max(1);
    let within = load.held + Duration::from_secs(u64::from(due) * 3 + 40);
    caller.finish(within)
}

fn start(stage: &Stage, name: &str, scenario: &str, words: &[&str]) -> Result<Sipp, String> {
    let folder = stage.folder.join(name);
    let say = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(say)?;
    for old in ["errors", "stat.csv", "said"] {
        let _none = std::fs::remove_file(folder.join(old));
    }
    std::fs::write(folder.join("scenario.xml"), scenario).map_err(say)?;
    let mut command = stage.net.command("peers", "sipp");
    command.args(["-sf", "scenario.xml", "-nostdin", "-l", "40000"]);
    command.args(["-trace_stat", "-stf", "stat.csv", "-fd", "1"]);
    command.args(["-trace_err", "-error_file", "errors"]);
    command.args(["-trace_logs", "-log_file", "said", "-deadcall_wait", "0"]);
    command.args(["-buff_size", "4000000"]).args(words);
    let child = command
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(say)?;
    Ok(Sipp { child, folder })
}

impl Sipp {
    /// Waits until it has placed all its calls; returns how they went.
    ///
    /// # Errors
    /// When it takes longer than `within`.
    pub fn finish(&mut self, within: Duration) -> Result<Outcome, String> {
        let since = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if since.elapsed() < within => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(Some(_)) => return Ok(self.outcome()),
                _ => return Err(format!("{}: not done in time", self.folder.display())),
            }
        }
    }

    /// Returns how its calls went so far; it says so once a second.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let text = std::fs::read_to_string(self.folder.join("stat.csv")).unwrap_or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<&str> = lines.last().unwrap_or_default().split(';').collect();
        let value = |name: &str| {
            let place = names.iter().position(|each| *each == name)?;
            last.get(place)?.trim().parse().ok()
        };
        Outcome {
            succeeded: value("SuccessfulCall(C)").unwrap_or(0),
            failed: value("FailedCall(C)").unwrap_or(0),
            misplaced: value("FailedUnexpectedMessage(C)").unwrap_or(0),
        }
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Returns the ports that the other side named for media to the SIPp of that name.
#[must_use]
pub fn ports(stage: &Stage, name: &str) -> Vec<u16> {
    let said = stage.folder.join(name).join("said");
    let text = std::fs::read_to_string(said).unwrap_or_default();
    let port = |line: &str| line.rsplit_once("port ")?.1.trim().parse().ok();
    text.lines().filter_map(port).collect()
}

/// Returns whether the process listens at that TCP port, in its own namespace.
fn listens(pid: u32, port: u16) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let port = format!(":{port:04X}");
    text.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, _, state) = (words.next(), words.next(), words.next());
        local.is_some_and(|local| local.ends_with(&port)) && state == Some("0A")
    })
}
