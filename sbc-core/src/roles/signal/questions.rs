//! Questions of the console: an operation and its arguments come in, JSON goes
//! out in pages. Nothing here waits, and nothing here stops a call.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use sbc_call::ladder::Party;
use sbc_call::{Input, Wish};
use serde_json::{Value, json};

use super::debugged::{self, Whom};
use super::desk::Desk;
use crate::ipc::{Broken, Channel, ToConsole, ToSignal};
use crate::roles::pages::{bounded, pages};

type Console = Channel<ToConsole, ToSignal>;

/// Answers the console until it is gone.
pub async fn answer(desk: Rc<Desk>, end: OwnedFd) {
    let Ok(Ok(console)) = Console::new(end).map(Console::registered) else {
        return;
    };
    let mut scratch = Vec::new();
    let mut waiting = std::collections::VecDeque::new();
    loop {
        tokio::select! {
            ready = console.readable() => {
                let Ok(mut ready) = ready else { return };
                match console.get_ref().receive(&mut scratch) {
                    Ok(Some(received)) => {
                        for message in received.messages {
                            if let ToSignal::Ask { id, operation, arguments } = message {
                                let text = bounded(asked(&desk, &operation, &arguments));
                                waiting.extend(pages(id, &text));
                            }
                        }
                    }
                    Ok(None) => ready.clear_ready(),
                    Err(Broken::Unreadable) => {}
                    Err(_) => return,
                }
            }
            ready = console.writable(), if !waiting.is_empty() => {
                let Ok(mut ready) = ready else { return };
                while let Some(word) = waiting.front() {
                    match console.get_ref().send(word, &[]) {
                        Err(Broken::Full) => { ready.clear_ready(); break; }
                        _ => drop(waiting.pop_front()),
                    }
                }
            }
        }
    }
}

/// Returns `{"ok": …}` or `{"error": …}`.
fn asked(desk: &Rc<Desk>, operation: &str, arguments: &str) -> String {
    let arguments: Value = serde_json::from_str(arguments).unwrap_or(Value::Null);
    let answer = match operation {
        "calls.list" => Ok(json!(calls(desk, &arguments))),
        "calls.show" => show(desk, &arguments),
        "calls.clear" => clear(desk, &arguments),
        "peers.list" => Ok(json!(peers(desk, &arguments))),
        "peers.ask" => ask(desk, &arguments),
        "peers.drain" => drain(desk, &arguments),
        "debug.set" => debug(desk, &arguments),
        "debug.list" => Ok(desk.debugged.borrow_mut().list(desk.now())),
        "debug.clear" => {
            let ended = desk.debugged.borrow_mut().clear();
            Ok(json!({ "done": format!("{ended} ended") }))
        }
        "limits.list" => Ok(json!(limits(desk))),
        "counters.list" => Ok(json!(counters(desk))),
        "held.list" => Ok(json!(desk.look(sbc_call::Engine::held))),
        _ => Err(("SBC-3001", format!("no operation {operation:?}"))),
    };
    match answer {
        Ok(value) => json!({ "ok": value }).to_string(),
        Err((code, message)) => {
            json!({ "error": { "code": code, "message": message } }).to_string()
        }
    }
}

type Answered = Result<Value, (&'static str, String)>;

/// Returns the calls that are up, of one trunk if that is asked for.
fn calls(desk: &Rc<Desk>, arguments: &Value) -> Vec<sbc_call::view::Call> {
    let mut calls = desk.look(sbc_call::Engine::calls);
    if let Some(trunk) = arguments.get("trunk").and_then(Value::as_str) {
        calls.retain(|call| match call.direction.as_str() {
            "in" => call.peer_a == trunk,
            _ => call.peer_b == trunk,
        });
    }
    // Whole numbers are compared; what is shown hides them.
    if let Some(number) = arguments.get("number").and_then(Value::as_str) {
        calls.retain(|call| {
            let ends = desk.look(|engine| engine.ends(call.call));
            ends.is_some_and(|ends| ends.caller == number || ends.called == number)
        });
    }
    calls
}

/// Returns all peers, or the one that is asked for.
fn peers(desk: &Rc<Desk>, arguments: &Value) -> Vec<sbc_call::view::Peer> {
    let mut peers = desk.look(sbc_call::Engine::peers);
    for kind in ["trunk", "mediation"] {
        if let Some(name) = arguments.get(kind).and_then(Value::as_str) {
            peers.retain(|peer| peer.kind == kind && peer.name == name);
        }
    }
    peers
}

fn key_of(arguments: &Value) -> Result<u32, (&'static str, String)> {
    let key = arguments.get("call").and_then(Value::as_u64);
    let key = key.and_then(|key| u32::try_from(key).ok());
    key.ok_or(("SBC-3002", "which call? a number is needed".to_owned()))
}

fn show(desk: &Rc<Desk>, arguments: &Value) -> Answered {
    let key = key_of(arguments)?;
    name(desk, key);
    let ladders = desk.ladders.borrow();
    ladders
        .get(key)
        .map(|ladder| json!(ladder))
        .ok_or(("SBC-3003", format!("no call {key} is known any more")))
}

/// Puts the names of a call that lasts at the head of its ladder.
fn name(desk: &Rc<Desk>, key: u32) {
    let found = desk.look(|engine| {
        let call = engine.calls().into_iter().find(|call| call.call == key)?;
        let peers = engine.peers();
        let party = |name: &str| {
            let place = peers.iter().find(|peer| peer.name == name);
            Party {
                name: name.to_owned(),
                place: place.map(|peer| peer.target.clone()).unwrap_or_default(),
            }
        };
        let both = [party(&call.peer_a), party(&call.peer_b)];
        Some((call.id, both, call.silent))
    });
    if let Some((id, parties, silent)) = found {
        let diagnosis = if silent.is_empty() {
            String::new()
        } else {
            format!("one-way audio: {silent} is not heard, and the other side is")
        };
        let mut ladders = desk.ladders.borrow_mut();
        ladders.describe(key, &id, parties, diagnosis);
    }
}

fn clear(desk: &Rc<Desk>, arguments: &Value) -> Answered {
    let call = key_of(arguments)?;
    if !desk.look(|engine| engine.calls().iter().any(|known| known.call == call)) {
        return Err(("SBC-3003", format!("no call {call} is up")));
    }
    desk.handle(Input::Operator(Wish::Clear { call }));
    Ok(json!({ "cleared": call }))
}

/// Asks a peer for its options; what comes of it is in `peers.list`.
fn ask(desk: &Rc<Desk>, arguments: &Value) -> Answered {
    let name = arguments
        .get("peer")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let peers = desk.look(sbc_call::Engine::peers);
    let known = peers.iter().find(|peer| peer.name == name);
    let known = known.ok_or_else(|| ("SBC-3003", format!("no peer {name:?}")))?;
    let name = sbc_config::Name::new(name).ok_or(("SBC-3002", "no name".to_owned()))?;
    let peer = match known.kind.as_str() {
        "trunk" => sbc_config::PeerName::Trunk(name),
        _ => sbc_config::PeerName::Mediation(name),
    };
    desk.handle(Input::Operator(Wish::Ask { peer }));
    Ok(json!({ "asked": true }))
}

fn drain(desk: &Rc<Desk>, arguments: &Value) -> Answered {
    let text = |field| arguments.get(field).and_then(Value::as_str);
    let on = arguments.get("resume").is_none();
    let name = |kind| text(kind).and_then(sbc_config::Name::new);
    let trunk = name("trunk").map(sbc_config::PeerName::Trunk);
    let peer = trunk.or_else(|| name("mediation").map(sbc_config::PeerName::Mediation));
    let Some(peer) = peer else {
        let message = "which peer? a trunk or a mediation server is needed";
        return Err(("SBC-3002", message.to_owned()));
    };
    let known = desk.look(|engine| {
        let mut peers = engine.peers().into_iter();
        peers.any(|known| known.kind == peer.kind() && known.name == peer.name().as_str())
    });
    if !known {
        return Err(("SBC-3003", format!("no peer {peer}")));
    }
    desk.handle(Input::Operator(Wish::Drain { peer, on }));
    Ok(json!({ "drained": on }))
}

/// Looks at calls closely for a while.
fn debug(desk: &Rc<Desk>, arguments: &Value) -> Answered {
    let text = |field| arguments.get(field).and_then(Value::as_str);
    let whom = match (text("number"), text("peer")) {
        (Some(number), _) => Whom::Number(number.to_owned()),
        (None, Some(peer)) => {
            let peers = desk.look(sbc_call::Engine::peers);
            if !peers.iter().any(|known| known.name == peer) {
                return Err(("SBC-3003", format!("no peer {peer:?}")));
            }
            Whom::Peer(peer.to_owned())
        }
        (None, None) => {
            let call = key_of(arguments)?;
            if desk.look(|engine| engine.ends(call)).is_none() {
                return Err(("SBC-3003", format!("no call {call} is up")));
            }
            Whom::Call(call)
        }
    };
    let minutes = arguments.get("minutes").and_then(Value::as_u64);
    let lasts = minutes.map_or(debugged::LASTS, |minutes| {
        Duration::from_secs(minutes.max(1).saturating_mul(60)).min(debugged::LASTS_MAX)
    });
    if !desk.debugged.borrow_mut().order(desk.now(), whom, lasts) {
        let most = debugged::ORDERS_MAX;
        return Err((
            "SBC-3002",
            format!("{most} are looked at already; 'clear log debug'"),
        ));
    }
    let minutes = lasts.as_secs() / 60;
    Ok(json!({ "done": format!("in the diary for {minutes} min; 'monitor log' follows it") }))
}

fn limits(desk: &Rc<Desk>) -> Vec<sbc_call::view::Limit> {
    let mut limits = desk.look(sbc_call::Engine::limits);
    limits.push(sbc_call::view::Limit {
        name: "connections".to_owned(),
        used: u64::try_from(desk.tcp.count()).unwrap_or(u64::MAX),
        limit: u64::MAX,
        hits: desk.tcp.refused.get(),
    });
    limits
}

fn counters(desk: &Rc<Desk>) -> sbc_call::view::Counters {
    let mut counters = desk.look(sbc_call::Engine::counters);
    let listeners = desk.listeners.borrow();
    let unsent = listeners
        .iter()
        .filter_map(|each| each.udp.borrow().clone());
    let unsent: u64 = unsent.map(|udp| udp.unsent.get()).sum();
    counters.extend([
        ("datagrams-unsent".to_owned(), unsent),
        ("words-lost".to_owned(), desk.words.lost.get()),
        ("records-unkept".to_owned(), desk.words.unkept()),
        ("ladders-evicted".to_owned(), desk.ladders.borrow().evicted),
        ("live-octets".to_owned(), super::super::heap::live_octets()),
    ]);
    counters
}
