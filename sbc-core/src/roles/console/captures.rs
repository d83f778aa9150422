//! Captures as files of the node: who may be captured comes in, places and
//! addresses go out. The login writes the packets, under its own name in the
//! audit log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use super::operations::Answered;
use super::room::Room;

/// Files that are kept.
const FILES_MAX: usize = 32;

fn no(code: &str, why: impl Into<String>) -> (String, String) {
    (code.to_owned(), why.into())
}

fn folder(room: &Room) -> Result<PathBuf, (String, String)> {
    let state = room.state();
    let state = state.ok_or_else(|| no("SBC-3018", "this node keeps no state"))?;
    Ok(state.join("captures"))
}

/// Returns where a capture of that name lies.
pub fn place(room: &Room, name: &str) -> Result<PathBuf, (String, String)> {
    let fits = sbc_config::Name::new(name).is_some();
    let named = fits.then(|| format!("{name}.pcapng"));
    let named = named.ok_or_else(|| no("SBC-3002", "a name is small letters, digits, hyphens"))?;
    Ok(folder(room)?.join(named))
}

/// Returns the place of a new capture and the addresses it is about.
pub async fn begin(room: &Rc<Room>, arguments: &Map<String, Value>) -> Answered {
    let text = |field: &str| arguments.get(field).and_then(Value::as_str);
    let path = place(room, text("name").unwrap_or_default())?;
    if path.exists() {
        return Err(no("SBC-3002", "there is a capture of that name"));
    }
    if files(room)?.len() >= FILES_MAX {
        return Err(no(
            "SBC-3002",
            format!("{FILES_MAX} captures are kept; delete one"),
        ));
    }
    if let Some(name) = text("interface") {
        let link = link(room, name).await?;
        make_folder(room)?;
        return Ok(json!({ "path": path, "link": link }));
    }
    let mut wanted: Option<Vec<String>> = text("peer").map(|peer| vec![peer.to_owned()]);
    if let Some(call) = arguments.get("call").and_then(Value::as_u64) {
        let calls = room.signal("calls.list", &Map::new()).await?;
        let rows = calls.as_array().into_iter().flatten();
        let call = rows.into_iter().find(|row| row["call"] == call);
        let call = call.ok_or_else(|| no("SBC-3003", "no such call is up"))?;
        let name = |field: &str| call.get(field).and_then(Value::as_str).map(str::to_owned);
        wanted = Some(
            [name("peer_a"), name("peer_b")]
                .into_iter()
                .flatten()
                .collect(),
        );
    }
    let peers = room.signal("peers.list", &Map::new()).await?;
    let addresses: Vec<String> = peers
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| {
            let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.iter().any(|one| one == name))
        })
        .filter_map(|row| {
            let target = row.get("target").and_then(Value::as_str)?;
            let at: SocketAddr = target.split('/').next()?.parse().ok()?;
            Some(at.ip().to_string())
        })
        .collect();
    if addresses.is_empty() {
        return Err(no("SBC-3003", "no such peer"));
    }
    make_folder(room)?;
    Ok(json!({ "path": path, "addresses": addresses }))
}

fn make_folder(room: &Room) -> Result<(), (String, String)> {
    std::fs::create_dir_all(folder(room)?).map_err(|error| no("SBC-3016", error.to_string()))
}

/// Returns the kernel's name of an interface of the file, or of a tunnel. Without the
/// network in hand, an interface is the device that the file names.
async fn link(room: &Rc<Room>, name: &str) -> Result<String, (String, String)> {
    let unknown = || no("SBC-3003", format!("there is no interface {name:?}"));
    if std::env::var_os(super::NETWORK).is_none() {
        let node = room.node.borrow();
        let named = sbc_config::Name::new(name);
        let interface = named.and_then(|name| node.interfaces.get(&name));
        let interface = interface.ok_or_else(unknown)?;
        let plain = interface.vlan.is_none() && is_device(&interface.device);
        let other = || {
            no(
                "SBC-3024",
                "the network of this machine is not in the node's hands",
            )
        };
        return plain.then(|| interface.device.clone()).ok_or_else(other);
    }
    let all = room.netcfg("interfaces.list", &Map::new()).await?;
    let rows = all.as_array().into_iter().flatten();
    let found = rows.into_iter().find(|row| row["name"] == name);
    let link = found
        .and_then(|row| row.get("link"))
        .and_then(Value::as_str);
    let link = link.filter(|link| is_device(link));
    link.map(str::to_owned).ok_or_else(unknown)
}

/// Returns whether the kernel could call a device so.
fn is_device(name: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    (1..16).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.')
}

fn files(room: &Room) -> Result<Vec<Value>, (String, String)> {
    let entries = std::fs::read_dir(folder(room)?);
    let mut found: Vec<(String, Value)> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".pcapng")?.to_owned();
            let known = entry.metadata().ok()?;
            let time = known.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            let row = json!({ "name": name, "octets": known.len(), "time": time.as_secs() });
            Some((name, row))
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

/// Returns every capture that is kept.
pub fn list(room: &Room) -> Answered {
    Ok(json!(files(room)?))
}

/// Forgets a capture.
pub fn delete(room: &Room, name: &str) -> Answered {
    std::fs::remove_file(place(room, name)?)
        .map(|()| json!({ "done": "forgotten" }))
        .map_err(|_| no("SBC-3003", format!("there is no capture {name:?}")))
}
