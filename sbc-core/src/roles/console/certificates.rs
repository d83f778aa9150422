//! Our certificates and the authorities we trust: requests, imports and looks come
//! in, files below `pki/` and keys in the store change, and tunnels take them.
//! A key is made here and leaves by no door.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use sbc_config::Name;
use sbc_config::edit::Document;
use sbc_netcfg::certificate::{self, About, Arrived, Fault, Key, Wish};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::operations::Answered;
use super::room::Room;
use super::secrets::No;
use crate::ipc::ConfigOrder;
use crate::roles::init::whole;

/// Keys whose certificates are still to come stand below this name.
const WAITING: &str = "csr";

/// An import that has begun, as a file: whoever starts after a power cut ends it.
const BEGUN: &str = "importing.json";

/// Files that are looked at for `show certificates`.
const FILES_MAX: usize = 256;

/// What is said while nobody has opened the store.
const LOCKED: &str = "SBC-3025";

type Refusal = (String, String);

fn no(code: &str, message: impl Into<String>) -> Refusal {
    (code.to_owned(), message.into())
}

fn said((code, why): No) -> Refusal {
    no(code, why)
}

/// Where a certificate is kept.
struct Place {
    name: String,
    chain: String,
    key: String,
    /// The live configuration says so.
    named: bool,
}

impl Place {
    fn waiting(&self) -> String {
        format!("{WAITING}/{}", self.key)
    }
}

/// Everything that one import changes.
#[derive(Deserialize, Serialize)]
struct Import {
    file: String,
    pem: String,
    /// The key that waited, and the one it is to be.
    key: Option<(String, String)>,
}

fn put(answer: &mut Value, field: &str, value: Value) {
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(field.to_owned(), value);
    }
}

fn document(room: &Room) -> Document {
    Document::from_toml(&room.text.borrow()).unwrap_or_default()
}

fn is_name(name: &str) -> Result<(), Refusal> {
    let why = "a certificate has a name as in the file: node, corp-ca";
    Name::new(name)
        .map(|_| ())
        .ok_or_else(|| no("SBC-3002", why))
}

/// Returns where the live configuration keeps a certificate, or will.
fn place(document: &Document, name: &str) -> Result<Place, Refusal> {
    is_name(name)?;
    let chain = document.text_at(&["certificate", name, "chain"]);
    let key = document.text_at(&["certificate", name, "key", "secret"]);
    Ok(Place {
        name: name.to_owned(),
        named: chain.is_some() && key.is_some(),
        chain: chain.map_or_else(|| format!("pki/{name}.pem"), str::to_owned),
        key: key.map_or_else(|| format!("tls/{name}"), str::to_owned),
    })
}

fn trusted(document: &Document, name: &str) -> Result<(String, bool), Refusal> {
    is_name(name)?;
    let pem = document.text_at(&["trust", name, "pem"]);
    let file = pem.map_or_else(|| format!("pki/{name}.pem"), str::to_owned);
    Ok((file, pem.is_some()))
}

/// Returns where a file lies; names of the file never lead out of `pki/`.
fn path(room: &Room, file: &str) -> Result<PathBuf, Refusal> {
    let state = room.state();
    let state = state.ok_or_else(|| no("SBC-3018", "this node keeps no state"))?;
    Ok(state.join(file))
}

fn held(room: &Room, file: &str) -> Vec<About> {
    let octets = path(room, file).ok().and_then(|path| fs::read(path).ok());
    certificate::read(&octets.unwrap_or_default())
}

fn words(value: Option<&Value>) -> Vec<String> {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Answers what is asked of certificates.
pub async fn answer(room: &Rc<Room>, operation: &str, arguments: &Map<String, Value>) -> Answered {
    let text = |field: &str| {
        let value = arguments.get(field).and_then(Value::as_str);
        value.unwrap_or_default()
    };
    match operation {
        "certificates.list" => list(room),
        "certificates.request" => request(room, arguments, false),
        "certificates.renew" => request(room, arguments, true),
        "certificates.import" => import(room, text("certificate"), text("pem")).await,
        _ => trust(room, text("trust"), text("pem")).await,
    }
}

/// Makes a key, and a request for its certificate. What is in use stays.
fn request(room: &Room, arguments: &Map<String, Value>, renew: bool) -> Answered {
    let text = |field: &str| arguments.get(field).and_then(Value::as_str);
    let document = document(room);
    let place = place(&document, text("certificate").unwrap_or_default())?;
    path(room, &place.chain)?;
    let wish = if renew {
        again(room, &place)?
    } else {
        let host = room.node.borrow().system.hostname.clone();
        asked(text("subject"), words(arguments.get("names")), host)
    };
    let (key, secret) = Key::generate().map_err(|why| no("SBC-3016", why.to_string()))?;
    let pem = wish.request(&key);
    let pem = pem.map_err(|why| no("SBC-3002", why.to_string()))?;
    let waiting = place.waiting();
    let replaced = room.secrets.held(&waiting).map_err(said)?.is_some();
    let value = std::str::from_utf8(secret.reveal()).unwrap_or_default();
    let kept = room.secrets.set(&waiting, value);
    kept.map_err(said)?;
    Ok(json!({
        "certificate": place.name,
        "request": pem,
        "subject": wish.subject,
        "names": wish.names,
        "chain": place.chain,
        "key": place.key,
        "named": place.named,
        "replaced": replaced,
    }))
}

/// Without a subject a certificate is for its first name, without any for the host.
fn asked(subject: Option<&str>, mut names: Vec<String>, host: String) -> Wish {
    if names.is_empty() && subject.is_none() {
        names.push(host.clone());
    }
    let first = names.first().cloned().unwrap_or(host);
    let subject = subject.map_or_else(|| format!("CN={first}"), str::to_owned);
    Wish { subject, names }
}

/// What the certificate in use says of us is asked for again.
fn again(room: &Room, place: &Place) -> Result<Wish, Refusal> {
    let name = &place.name;
    let none = || {
        let why = format!("there is no certificate {name}: new-csr asks for a first one");
        no("SBC-3003", why)
    };
    let held = held(room, &place.chain).into_iter().next();
    let held = held.ok_or_else(none)?;
    Ok(Wish {
        subject: held.subject,
        names: held.names,
    })
}

fn refused(faults: &[Fault]) -> Refusal {
    let code = faults.first().map_or("SBC-2202", |fault| fault.code);
    let mut all = String::new();
    for (place, fault) in faults.iter().enumerate() {
        if place > 0 {
            all.push_str(&format!("; {}: ", fault.code));
        }
        all.push_str(&fault.text);
    }
    no(code, all)
}

fn since_1970() -> Duration {
    Duration::from_secs(super::now())
}

/// Keeps what an authority made of a request, and takes its key into use.
async fn import(room: &Rc<Room>, name: &str, pem: &str) -> Answered {
    let place = place(&document(room), name)?;
    let waiting = place.waiting();
    let mut keys = Vec::new();
    for secret in [&place.key, &waiting] {
        let key = room.secrets.held(secret).map_err(said)?;
        let public = key.and_then(|key| certificate::public_of(&key));
        keys.extend(public.map(|public| (secret, public)));
    }
    let public: Vec<Vec<u8>> = keys.iter().map(|(_, public)| public.clone()).collect();
    let arrived = certificate::own(pem, &public, since_1970());
    let arrived = arrived.map_err(|faults| refused(&faults))?;
    let fresh = keys
        .get(arrived.key)
        .is_some_and(|(secret, _)| **secret == waiting);
    let import = Import {
        file: place.chain.clone(),
        pem: arrived.pem.clone(),
        key: fresh.then(|| (waiting.clone(), place.key.clone())),
    };
    keep(room, &import)?;
    let mut answer = kept(room, "certificate", name, &arrived).await;
    if !place.named {
        let lines = json!([
            format!("set certificate {name} chain {}", place.chain),
            format!("set certificate {name} key secret {}", place.key),
        ]);
        put(&mut answer, "set", lines);
    }
    put(&mut answer, "new_key", json!(fresh));
    Ok(answer)
}

/// Keeps the certificates of authorities.
async fn trust(room: &Rc<Room>, name: &str, pem: &str) -> Answered {
    let (file, named) = trusted(&document(room), name)?;
    let arrived = certificate::authorities(pem, since_1970());
    let arrived = arrived.map_err(|faults| refused(&faults))?;
    let import = Import {
        file: file.clone(),
        pem: arrived.pem.clone(),
        key: None,
    };
    keep(room, &import)?;
    let mut answer = kept(room, "trust", name, &arrived).await;
    if !named {
        let lines = json!([format!("set trust {name} pem {file}")]);
        put(&mut answer, "set", lines);
    }
    Ok(answer)
}

/// Writes down what is to be done, does it, and forgets it: after a power cut at any
/// moment key and certificate fit each other, or are made to.
fn keep(room: &Room, import: &Import) -> Result<(), Refusal> {
    let unwritten = |error: std::io::Error| no("SBC-3016", format!("not kept: {error}"));
    let begun = path(room, "pki")?.join(BEGUN);
    if let Some(folder) = path(room, &import.file)?.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(unwritten)?;
    }
    let text = serde_json::to_string(import).unwrap_or_default();
    whole::write_private(&begun, text.as_bytes()).map_err(unwritten)?;
    carry_out(room, import)?;
    fs::remove_file(begun).map_err(unwritten)
}

fn carry_out(room: &Room, import: &Import) -> Result<(), Refusal> {
    if let Some((waiting, key)) = &import.key
        && let Some(value) = room.secrets.held(waiting).map_err(said)?
    {
        let value = std::str::from_utf8(&value).unwrap_or_default();
        room.secrets.set(key, value).map_err(said)?;
    }
    let written = whole::write_private(&path(room, &import.file)?, import.pem.as_bytes());
    written.map_err(|error| no("SBC-3016", format!("not kept: {error}")))?;
    if let Some((waiting, _)) = &import.key {
        // It may be gone already: a power cut came behind this step.
        let _gone = room.secrets.delete(waiting);
    }
    Ok(())
}

/// Ends an import that a power cut stopped, as soon as the store is open.
pub fn finish(room: &Room) {
    let Ok(begun) = path(room, "pki").map(|folder| folder.join(BEGUN)) else {
        return;
    };
    let Ok(text) = fs::read(&begun) else { return };
    let done = match serde_json::from_slice::<Import>(&text) {
        Ok(import) => carry_out(room, &import),
        Err(error) => Err(no("SBC-3016", error.to_string())),
    };
    match done {
        Ok(()) => room.note("node", "-", "an import of certificates is ended"),
        // The next who opens the store ends it.
        Err((code, _)) if code == LOCKED => return,
        Err((_, why)) => tracing::error!(why, "an import of certificates cannot be ended"),
    }
    let _gone = fs::remove_file(begun);
}

/// Returns the tunnels of the live configuration that use something of this name.
fn tunnels(document: &Document, kind: &str, name: &str) -> Vec<String> {
    let uses = |tunnel: &String| document.text_at(&["tunnel", tunnel, "auth", kind]) == Some(name);
    document.names("tunnel").into_iter().filter(uses).collect()
}

async fn kept(room: &Rc<Room>, kind: &str, name: &str, arrived: &Arrived) -> Value {
    let tunnels = tunnels(&document(room), kind, name);
    let told = !tunnels.is_empty() && tell(room).await;
    let all: Vec<Value> = arrived.all.iter().map(about).collect();
    json!({ "name": name, "certificates": all, "tunnels": tunnels, "told": told })
}

/// Lets the tunnels take what the store holds. Returns whether they do; while a
/// change of the network is under way they take it with the next commit.
async fn tell(room: &Rc<Room>) -> bool {
    let told = room.order(ConfigOrder::Anew).await;
    told.is_ok_and(|told| told.get("told") == Some(&Value::Bool(true)))
}

/// Lets the tunnels take a secret that one of them uses.
pub async fn secret_set(room: &Rc<Room>, secret: &str) {
    let used = {
        let document = document(room);
        let mut all = document.names("tunnel").into_iter();
        all.any(|tunnel| {
            let path = ["tunnel", tunnel.as_str(), "auth", "psk", "secret"];
            document.text_at(&path) == Some(secret)
        })
    };
    if used {
        tell(room).await;
    }
}

fn about(one: &About) -> Value {
    json!({
        "subject": one.subject,
        "issuer": one.issuer,
        "names": one.names,
        "until": one.until.as_secs(),
        "sha256": one.hash,
    })
}

/// Returns every certificate and every authority, and what waits.
fn list(room: &Room) -> Answered {
    path(room, "pki")?;
    let document = document(room);
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    let mut names = document.names("certificate");
    let prefix = format!("{WAITING}/tls/");
    for secret in room.secrets.all() {
        let name = secret.strip_prefix(&prefix).unwrap_or_default();
        if Name::new(name).is_some() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    for name in names {
        let place = place(&document, &name)?;
        seen.insert(place.chain.clone());
        rows.push(own_row(room, &document, &place));
    }
    for name in document.names("trust") {
        let (file, _) = trusted(&document, &name)?;
        seen.insert(file.clone());
        let used = tunnels(&document, "trust", &name);
        rows.push(row(room, &name, "trust", &file, &used));
    }
    let folder = fs::read_dir(path(room, "pki")?).into_iter().flatten();
    let found = folder.flatten().take(FILES_MAX);
    let files = found.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<String> = files.filter(|name| name.ends_with(".pem")).collect();
    files.sort();
    for file in files.iter().map(|name| format!("pki/{name}")) {
        if !seen.contains(&file) {
            rows.push(row(room, &file, "file", &file, &[]));
        }
    }
    Ok(Value::Array(rows))
}

fn row(room: &Room, name: &str, kind: &str, file: &str, tunnels: &[String]) -> Value {
    let held = held(room, file);
    let now = since_1970();
    let state = match held.iter().map(|one| (one.from, one.until)).next() {
        None => "none",
        Some(_) if held.iter().any(|one| one.until <= now) => "ended",
        Some(_) if held.iter().any(|one| one.from > now) => "not yet",
        Some(_) => "fine",
    };
    let all: Vec<Value> = held.iter().map(about).collect();
    json!({
        "name": name, "kind": kind, "file": file, "state": state, "waits": false,
        "tunnels": tunnels, "certificates": all,
    })
}

fn own_row(room: &Room, document: &Document, place: &Place) -> Value {
    let used = tunnels(document, "certificate", &place.name);
    let mut row = row(room, &place.name, "own", &place.chain, &used);
    let waits = room.secrets.all().contains(&place.waiting());
    put(&mut row, "waits", json!(waits));
    let Some(held) = held(room, &place.chain).into_iter().next() else {
        return row;
    };
    let state = match room.secrets.held(&place.key) {
        Ok(None) => Some("no key"),
        Ok(Some(key)) => certificate::public_of(&key)
            .is_some_and(|public| public != held.public)
            .then_some("another key"),
        Err(_) => Some("locked"),
    };
    if let Some(state) = state {
        put(&mut row, "state", json!(state));
    }
    row
}
