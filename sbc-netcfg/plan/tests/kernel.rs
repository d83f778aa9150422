//! The firewall of the example, given to a real `nft` in a network namespace of
//! its own: it is taken, and what is listed afterwards is what was meant.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may say what it means"
)]

use std::process::{Command, Stdio};

use sbc_plan::desired::LinkKind;
use sbc_plan::firewall::{Family, Hook};
use sbc_plan::observed::{ObservedChain, ObservedKind, ObservedLink, ObservedRule, ObservedTable};
use sbc_plan::{Desired, Observed, Ports, Users, desired, verify};
use serde_json::Value;

const FILES: [&str; 3] = [
    include_str!("../../../sbc-core/config/tests/example-today.toml"),
    include_str!("../../../sbc-core/config/tests/small.toml"),
    include_str!("six.toml"),
];

fn of(text: &str) -> Desired {
    let checked = sbc_config::check(text);
    let node = checked
        .node
        .unwrap_or_else(|| panic!("{:?}", checked.problems));
    desired(&node, &Ports::new(), &Users::default())
}

/// Runs a script in a namespace that ends with it; nothing without root or tools.
fn in_namespace(script: &str) -> Option<String> {
    let child = Command::new("unshare")
        .args(["--net", "sh", "-e", "-c", script])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdout(Stdio::piped())
        .output()
        .ok()?;
    if child.status.success() {
        return Some(String::from_utf8(child.stdout).unwrap());
    }
    let why = String::from_utf8_lossy(&child.stderr).into_owned();
    panic!("{why}")
}

fn able() -> bool {
    let root = Command::new("unshare")
        .args([
            "--net",
            "sh",
            "-e",
            "-c",
            "nft list ruleset; ip tuntap add dev t0 mode tap",
        ])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output();
    let able = root.is_ok_and(|out| out.status.success());
    if !able {
        let line = "SKIPPED kernel: needs root, unshare, nft and ip with tap devices\n";
        print!("{line}");
        // Where the report of all tests looks for what could not run.
        if let Some(path) = std::env::var_os("SBC_SKIPS") {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path);
            std::io::Write::write_all(&mut file.unwrap(), line.as_bytes()).unwrap();
        }
    }
    able
}

/// The lines that make stand-ins for all links, and load all tables.
fn script(desired: &Desired, check_only: bool) -> String {
    let mut script = String::new();
    for link in &desired.links {
        let mode = if matches!(link.kind, LinkKind::Gre(_)) {
            "tun"
        } else {
            "tap"
        };
        script += &format!("ip tuntap add dev {} mode {mode}\n", link.name);
    }
    let flag = if check_only { "-c" } else { "" };
    script += &format!("nft {flag} -f - <<'END'\n");
    for table in &desired.firewall.tables {
        script += &table.text();
    }
    script += "END\n";
    if !check_only {
        script += "nft -j -u -p list ruleset\n";
    }
    script
}

#[test]
fn nft_takes_every_table_of_the_examples() {
    if !able() {
        return;
    }
    for text in FILES {
        in_namespace(&script(&of(text), true)).unwrap();
    }
}

#[test]
fn what_nft_lists_is_what_was_meant() {
    if !able() {
        return;
    }
    for text in FILES {
        let desired = of(text);
        let listed = in_namespace(&script(&desired, false)).unwrap();
        let mut observed = whole(&desired);
        observed.tables = tables(&serde_json::from_str(&listed).unwrap());
        let drifts = verify(&desired, &observed).err().unwrap_or_default();
        let drifts: Vec<String> = drifts.iter().map(ToString::to_string).collect();
        assert!(drifts.is_empty(), "{}", drifts.join("\n"));
    }
}

/// What a kernel holds that did all but the firewall.
fn whole(desired: &Desired) -> Observed {
    Observed {
        links: desired
            .links
            .iter()
            .map(|link| ObservedLink {
                name: link.name.clone(),
                kind: match &link.kind {
                    LinkKind::Port => ObservedKind::Port,
                    LinkKind::Vlan { below, tag } => ObservedKind::Vlan {
                        below: below.clone(),
                        tag: *tag,
                    },
                    LinkKind::Gre(gre) => ObservedKind::Gre(*gre),
                },
                up: true,
                mtu: link.mtu.into(),
                silent: true,
            })
            .collect(),
        addresses: desired.addresses.clone(),
        neighbours: desired.neighbours.clone(),
        sysctls: desired
            .all_sysctls()
            .map(|one| (one.path.clone(), one.value.clone()))
            .collect(),
        routes: desired.routes.clone(),
        rules: desired.rules.clone(),
        tables: Vec::new(),
        shapers: desired.shapers.clone(),
        connections: desired.connections.clone(),
    }
}

/// Reads what `nft -j` lists, in the normal form.
fn tables(listed: &Value) -> Vec<ObservedTable> {
    let mut tables: Vec<ObservedTable> = Vec::new();
    let family = |one: &Value| match one["family"].as_str().unwrap() {
        "inet" => Family::Inet,
        "netdev" => Family::Netdev,
        _ => Family::Other,
    };
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    for one in listed["nftables"].as_array().unwrap() {
        if let Some(table) = one.get("table") {
            tables.push(ObservedTable {
                family: family(table),
                name: text(table, "name"),
                foreign: None,
                counters: Vec::new(),
                chains: Vec::new(),
            });
        } else if let Some(counter) = one.get("counter") {
            let table = text(counter, "table");
            let table = tables.iter_mut().find(|one| one.name == table).unwrap();
            table.counters.push(text(counter, "name"));
        } else if let Some(chain) = one.get("chain") {
            let table = text(chain, "table");
            let table = tables.iter_mut().find(|one| one.name == table).unwrap();
            table.chains.push(ObservedChain {
                name: text(chain, "name"),
                hook: Some(Hook {
                    point: text(chain, "hook"),
                    priority: i32::try_from(chain["prio"].as_i64().unwrap()).unwrap(),
                    drops: chain["policy"] == "drop",
                    // Some releases do not list it.
                    device: (family(chain) == Family::Netdev)
                        .then(|| text(chain, "table").trim_start_matches("sbc-").to_owned()),
                }),
                rules: Vec::new(),
            });
        } else if let Some(rule) = one.get("rule") {
            let (table, chain) = (text(rule, "table"), text(rule, "chain"));
            let table = tables.iter_mut().find(|one| one.name == table).unwrap();
            let chain = table
                .chains
                .iter_mut()
                .find(|one| one.name == chain)
                .unwrap();
            chain.rules.push(ObservedRule {
                parts: rule["expr"].as_array().unwrap().iter().map(part).collect(),
                comment: text(rule, "comment"),
            });
        }
    }
    tables
}

fn part(one: &Value) -> String {
    if let Some(found) = one.get("match") {
        let left = left(&found["left"]);
        let op = found["op"].as_str().unwrap();
        return format!("{left} {op} {}", right(&found["right"], &left));
    }
    if let Some(limit) = one.get("limit") {
        return format!("limit {}/second burst {}", limit["rate"], limit["burst"]);
    }
    if let Some(counter) = one.get("counter") {
        return format!("counter {}", counter.as_str().unwrap());
    }
    if let Some(mangle) = one.get("mangle") {
        let key = left(&mangle["key"]);
        return format!("set {key} {}", right(&mangle["value"], &key));
    }
    one.as_object().unwrap().keys().next().unwrap().clone()
}

fn left(one: &Value) -> String {
    if let Some(and) = one.get("&") {
        let mask = match &and[1] {
            Value::Array(flags) => {
                let flags: Vec<&str> = flags.iter().map(|one| one.as_str().unwrap()).collect();
                flags.join("|")
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        return format!("{} & {mask}", left(&and[0]));
    }
    if let Some(payload) = one.get("payload") {
        let (protocol, field) = (&payload["protocol"], &payload["field"]);
        return format!("{} {}", protocol.as_str().unwrap(), field.as_str().unwrap());
    }
    if let Some(option) = one.get("tcp option") {
        let (name, field) = (&option["name"], &option["field"]);
        return format!(
            "tcp option {} {}",
            name.as_str().unwrap(),
            field.as_str().unwrap()
        );
    }
    for kind in ["meta", "rt"] {
        if let Some(meta) = one.get(kind) {
            return format!("{kind} {}", meta["key"].as_str().unwrap());
        }
    }
    one.to_string()
}

fn right(one: &Value, left: &str) -> String {
    match one {
        Value::Bool(true) => "exists".into(),
        Value::Bool(false) => "missing".into(),
        Value::String(text) if left.contains("l4proto") || left.contains("nexthdr") => {
            let known = [
                ("icmp", 1),
                ("tcp", 6),
                ("udp", 17),
                ("gre", 47),
                ("esp", 50),
                ("ipv6-icmp", 58),
            ];
            let number = known.iter().find(|(name, _)| name == text);
            number.map_or(text.clone(), |(_, number)| number.to_string())
        }
        Value::String(text) => text.clone(),
        Value::Object(object) => {
            if let Some(prefix) = object.get("prefix") {
                return format!("{}/{}", prefix["addr"].as_str().unwrap(), prefix["len"]);
            }
            if let Some(range) = object.get("range") {
                return format!("{}-{}", right(&range[0], left), right(&range[1], left));
            }
            let Some(set) = object.get("set").and_then(Value::as_array) else {
                return one.to_string();
            };
            let mut set: Vec<String> = set.iter().map(|one| right(one, left)).collect();
            set.sort();
            format!("{{{}}}", set.join(", "))
        }
        other => other.to_string(),
    }
}
