//! What calls take of their paths: trunks of the file, calls of the signal role and
//! rates of the kernel come in, one row for each trunk goes out.

use std::rc::Rc;

use sbc_config::Trunk;
use sbc_config::network::Via;
use serde_json::{Map, Value, json};

use super::operations::Answered;
use super::room::Room;

/// Answers `bandwidth.list`.
///
/// # Errors
/// When the signal role is away. Without the network in hand the rates are not known.
pub async fn bandwidth(room: &Rc<Room>, trunk: Option<&str>) -> Answered {
    let none = Map::new();
    let peers = room.signal("peers.list", &none).await?;
    let rates = room.netcfg("links.rates", &none).await.unwrap_or_default();
    let node = room.node.borrow();
    let asked = node
        .trunks
        .iter()
        .filter(|(name, _)| trunk.is_none_or(|asked| asked == name.as_str()));
    let rows: Vec<Value> = asked
        .map(|(name, trunk)| row(name.as_str(), trunk, &peers, &rates))
        .collect();
    match (rows.is_empty(), trunk) {
        (true, Some(name)) => Err(("SBC-3003".to_owned(), format!("there is no trunk {name}"))),
        _ => Ok(json!(rows)),
    }
}

fn found<'v>(rows: &'v Value, field: &str, name: &str) -> Option<&'v Value> {
    let rows = rows.as_array()?;
    rows.iter()
        .find(|row| row.get(field).and_then(Value::as_str) == Some(name))
}

fn row(name: &str, trunk: &Trunk, peers: &Value, rates: &Value) -> Value {
    let number = |row: Option<&Value>, field: &str| row?.get(field)?.as_u64();
    let active = number(found(peers, "name", name), "active").unwrap_or(0);
    let owner = match &trunk.via {
        Via::Interface(name) => format!("interface {name}"),
        Via::Tunnel(name) => format!("tunnel {name}"),
    };
    let rate = found(rates, "owner", &owner);
    let path = trunk.peer.path;
    let (cost, limit) = (path.cost_bits_per_call(), trunk.peer.admission.limit());
    json!({
        "trunk": name,
        "via": trunk.via.to_string(),
        "calls": active,
        "limit": limit,
        "call_bits": cost,
        "call_bits_at_ip": path.cost_at_ip(),
        "call_bits_by_formula": path.cost_by_formula(),
        "calls_bits": active.saturating_mul(cost),
        "limit_bits": limit.map(|limit| u64::from(limit).saturating_mul(cost)),
        "path_bits": trunk.peer.admission.bandwidth,
        "sent_bits": number(rate, "bits_out"),
        "received_bits": number(rate, "bits_in"),
    })
}
