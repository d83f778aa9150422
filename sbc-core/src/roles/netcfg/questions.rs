//! Questions of the console about the network: an operation comes in; what the kernel
//! counts and what charon holds goes out as JSON.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use sbc_config::network::TunnelAuth;
use sbc_netcfg::apply::Hands;
use sbc_netcfg::netlink::Counted;
use sbc_netcfg::nft::Counter;
use sbc_netcfg::vpn::State;
use sbc_plan::Desired;
use sbc_plan::desired::{Connection, Link};
use serde_json::{Value, json};

use crate::ipc::{self, Channel, Network, Standing, ToConsole, ToSignal};
use crate::roles::pages::{bounded, pages};

type Console = Channel<ToConsole, ToSignal>;
type Answered = Result<Value, (&'static str, String)>;

/// Rates are those of this time.
const RATE_OVER: Duration = Duration::from_secs(1);

/// What the work of the role tells those who answer.
#[derive(Debug, Default)]
pub struct Board {
    pub desired: Desired,
    pub network: Network,
    /// What charon showed last, and how often each tunnel went down.
    pub vpn: State,
    pub downs: std::collections::BTreeMap<String, u64>,
}

/// The board as all share it.
pub type Shared = Rc<RefCell<Board>>;

/// Answers the console until it is gone: one question after the other.
pub async fn answer(board: Shared, end: OwnedFd) {
    let Ok(Ok(console)) = Console::new(end).map(Console::registered) else {
        return;
    };
    let Ok(hands) = Hands::open() else { return };
    let mut scratch = Vec::new();
    while let Ok(received) = ipc::next(&console, &mut scratch).await {
        for message in received.messages {
            let ToSignal::Ask { id, operation, .. } = message else {
                continue;
            };
            let text = match asked(&board, &hands, &operation).await {
                Ok(value) => json!({ "ok": value }).to_string(),
                Err((code, message)) => {
                    json!({ "error": { "code": code, "message": message } }).to_string()
                }
            };
            for page in pages(id, &bounded(text)) {
                if ipc::say(&console, &page, &[]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn asked(board: &Shared, hands: &Hands, operation: &str) -> Answered {
    match operation {
        "tunnels.list" => Ok(tunnels(&board.borrow())),
        "interfaces.list" => {
            let counted = hands.counted().await.map_err(unread)?;
            Ok(interfaces(&board.borrow(), &counted))
        }
        "isolation.list" => {
            let counters = hands.counters().await.map_err(unread)?;
            Ok(isolation(&board.borrow(), &counters))
        }
        "isolation.counters" => {
            let counters = hands.counters().await.map_err(unread)?;
            Ok(counters.iter().map(counter).collect())
        }
        "links.rates" => rates(board, hands).await,
        _ => Err(("SBC-3001", format!("no operation {operation:?}"))),
    }
}

fn unread(why: impl std::fmt::Display) -> (&'static str, String) {
    ("SBC-3019", format!("the network cannot be read: {why}"))
}

fn tunnels(board: &Board) -> Value {
    let connections = board.desired.connections.iter();
    connections.map(|one| tunnel(board, one)).collect()
}

fn tunnel(board: &Board, connection: &Connection) -> Value {
    let name = &connection.name;
    let known = board.network.tunnels.iter().find(|one| one.name == *name);
    let mut ikes = board.vpn.associations.iter();
    let ike = ikes.find(|(one, ike)| one == name && ike.established.is_some());
    let ike = ike.map(|(_, ike)| ike);
    let up = board
        .vpn
        .children(name)
        .filter(|one| one.state == "INSTALLED");
    let newest = up.min_by_key(|child| std::cmp::Reverse(child.rekey_time));
    let auth = match &connection.auth {
        TunnelAuth::Psk { .. } => "psk".to_owned(),
        TunnelAuth::Certificate { own, .. } => format!("certificate {}", own.name),
    };
    let number = |of: fn(&crate::ipc::Tunnel) -> u64| known.map_or(0, of);
    let until = known.map(|one| one.until).filter(|until| *until != 0);
    json!({
        "name": name,
        "state": if known.is_some_and(|one| one.up) { "up" } else { "down" },
        "why": known.map_or("", |one| one.why.as_str()),
        "local": connection.local.to_string(),
        "remote": connection.remote.to_string(),
        "auth": auth,
        "suite": connection.suite.proposal(),
        "since_secs": ike.and_then(|ike| ike.established),
        "rekey_secs": newest.and_then(|child| child.rekey_time),
        "downs": board.downs.get(name).copied().unwrap_or(0),
        "certificate_until": until,
        "packets_in": number(|one| one.packets_in),
        "octets_in": number(|one| one.octets_in),
        "packets_out": number(|one| one.packets_out),
        "octets_out": number(|one| one.octets_out),
    })
}

/// Returns the owner's name: `interface voice-a` is `voice-a`.
fn bare(link: &Link) -> &str {
    let owner = link.owner.split_once(' ');
    owner.map_or(link.name.as_str(), |(_, name)| name)
}

fn interfaces(board: &Board, counted: &[Counted]) -> Value {
    let links = board.desired.links.iter();
    let row = |link: &Link| {
        let found = counted.iter().find(|one| one.row.name == link.name);
        let addresses = board.desired.addresses.iter();
        let ours = addresses.filter(|one| one.link == link.name);
        let ours = ours.map(|one| format!("{}/{}", one.network.address(), one.network.length()));
        let counts = found.map(|one| one.counts).unwrap_or_default();
        let state = match found.map(|one| (one.row.up, one.row.carrier)) {
            None => "missing",
            Some((false, _)) => "down",
            Some((true, false)) => "no carrier",
            Some((true, true)) => "up",
        };
        json!({
            "name": bare(link),
            "link": link.name,
            "kind": link.kind.to_string(),
            "zone": link.zone.map_or("", sbc_config::Zone::word),
            "state": state,
            "mtu": found.map_or(0, |one| one.row.mtu),
            "addresses": ours.collect::<Vec<String>>(),
            "packets_in": counts.packets_in,
            "octets_in": counts.octets_in,
            "packets_out": counts.packets_out,
            "octets_out": counts.octets_out,
            "dropped_in": counts.dropped_in,
            "dropped_out": counts.dropped_out,
            "errors_in": counts.errors_in,
            "errors_out": counts.errors_out,
        })
    };
    links.map(row).collect()
}

fn counter(counter: &Counter) -> Value {
    json!({
        "table": format!("{} {}", counter.family, counter.table),
        "counter": counter.name,
        "packets": counter.packets,
        "octets": counter.octets,
    })
}

fn isolation(board: &Board, counters: &[Counter]) -> Value {
    let rules = board.desired.firewall.rules().map(|(table, chain, rule)| {
        let is_its = |one: &&Counter| {
            one.family == table.family.word()
                && one.table == table.name
                && rule.counter.as_ref().is_some_and(|name| *name == one.name)
        };
        json!({
            "table": format!("{} {}", table.family.word(), table.name),
            "chain": chain.name,
            "rule": rule.to_string(),
            "enforces": rule.sentence,
            "counter": rule.counter,
            "packets": counters.iter().find(is_its).map(|one| one.packets),
        })
    });
    let rules: Vec<Value> = rules.collect();
    let fence = match board.network.fence {
        Standing::Absent => "absent",
        Standing::Whole => "whole",
        Standing::Broken => "broken",
        Standing::Unwatched => "unwatched",
    };
    json!({ "fence": fence, "differs": board.network.differs, "rules": rules })
}

/// Reads the counters twice, and returns what passed between.
async fn rates(board: &Shared, hands: &Hands) -> Answered {
    let before = hands.counted().await.map_err(unread)?;
    let since = tokio::time::Instant::now();
    tokio::time::sleep(RATE_OVER).await;
    let after = hands.counted().await.map_err(unread)?;
    let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let bits = |from: u64, to: u64| {
        let octets = to.saturating_sub(from);
        octets.saturating_mul(8000).checked_div(millis).unwrap_or(0)
    };
    let row = |link: &Link| {
        let of = |all: &[Counted]| {
            let one = all.iter().find(|one| one.row.name == link.name);
            one.map(|one| one.counts).unwrap_or_default()
        };
        let (from, to) = (of(&before), of(&after));
        json!({
            "owner": link.owner,
            "bits_in": bits(from.octets_in, to.octets_in),
            "bits_out": bits(from.octets_out, to.octets_out),
        })
    };
    Ok(board.borrow().desired.links.iter().map(row).collect())
}
