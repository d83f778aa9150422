//! A disk image and a private key come in; the signed bundle that brings its
//! version to nodes goes out (`.sbcfw`, Ed25519, RFC 8032 §5.1.6), and back. The
//! form is told where the node reads it: `update/bundle.rs` of `sbc-core`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::disk::Disk;
use crate::fetch::hex;
use crate::release::{FLOOR, HARDWARE, TIME};
use crate::verify::{trimmed, unhex};
use crate::{fat, uki, verity};

const HEAD: &[u8; 8] = b"SBCFW\0\0\x01";
const CONTEXT: &[u8] = b"sbc firmware manifest 1\n";
/// Octets before the manifest.
const LEAD: usize = 76;

/// Makes a pair of keys: `NAME.key`, which its owner keeps, and `NAME.pub`, which
/// is built into images.
///
/// # Errors
/// When one is there already, or cannot be written.
pub fn key(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let key = SigningKey::from_bytes(&seed);
    fs::create_dir_all(folder)?;
    let place = folder.join(format!("{name}.key"));
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&place)
        .with_context(|| place.display().to_string())?;
    writeln!(file, "{}", hex(&seed))?;
    let public = format!("{}\n", hex(key.verifying_key().as_bytes()));
    fs::write(place.with_extension("pub"), public)?;
    Ok(place)
}

/// The label of a volume that brings a bundle, and the bundle's name on it.
const VOLUME: (&str, &str) = ("SBCUPDATE", "update.sbcfw");
/// Octets of a volume beside its bundle, and at least: FAT32 wants clusters.
const VOLUME_MORE: usize = 48 << 20;
const VOLUME_MIN: usize = 96 << 20;

/// Returns a volume with the bundle on it, to be plugged into a node.
///
/// # Errors
/// When the bundle is too large for one.
pub fn volume(bundle: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (label, name) = VOLUME;
    let form = fat::Form {
        size: (bundle.len() + VOLUME_MORE)
            .next_multiple_of(1 << 20)
            .max(VOLUME_MIN),
        label,
        serial: 1,
        time: TIME,
    };
    let files = fat::Files::from([(name.to_owned(), bundle.to_vec())]);
    let mut bytes = fat::write(&form, &files)?;
    bytes.resize(form.size, 0);
    Ok(bytes)
}

/// Returns the public keys of a folder by their names; one and its successor at
/// most.
///
/// # Errors
/// When there are more, or a file is no key.
pub fn public_keys(folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".pub") {
            let text = fs::read_to_string(entry.path())?;
            public(&text).with_context(|| name.clone())?;
            keys.push((name, text.into_bytes()));
        }
    }
    keys.sort();
    ensure!(
        keys.len() <= 2,
        "more than two public keys are accepted by no node"
    );
    Ok(keys)
}

fn public(text: &str) -> anyhow::Result<VerifyingKey> {
    let octets = unhex(text.trim_end()).context("not 64 digits")?;
    Ok(VerifyingKey::from_bytes(&octets)?)
}

/// Writes the bundle of an image's slot A beside it, signed by the key of a file.
///
/// # Errors
/// When the image is not whole, or the key is none.
pub fn bundle(image: &Path, key: &Path, floor: Option<&str>) -> anyhow::Result<PathBuf> {
    let seed = fs::read_to_string(key).with_context(|| key.display().to_string())?;
    let seed = unhex(seed.trim_end()).context("the private key has not 64 digits")?;
    let (version, parts) = parts(image)?;
    let [uki, root, tree] = &parts;
    let bytes = write(
        &SigningKey::from_bytes(&seed),
        &version,
        floor.unwrap_or(FLOOR),
        [uki, root, tree],
    );
    let place = image.with_extension("sbcfw");
    fs::write(&place, &bytes).with_context(|| place.display().to_string())?;
    let read = read(
        &fs::read(&place)?,
        &SigningKey::from_bytes(&seed).verifying_key(),
    )?;
    ensure!(read == parts, "the bundle is not what was written");
    Ok(place)
}

/// Returns what a bundle of an image holds, and its version.
fn parts(image: &Path) -> anyhow::Result<(String, [Vec<u8>; 3])> {
    let mut disk = Disk::open(image)?;
    let files = fat::read(&disk.partition("esp")?)?;
    let found = files
        .iter()
        .find(|(path, _)| path.starts_with("EFI/Linux/sbc-a_"));
    let (_, program) = found.context("the image has no program for UEFI")?;
    let text = |name| -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(uki::section(program, name)?).into_owned())
    };
    let (line, named) = (text(".cmdline")?, text(".osrel")?);
    let field = |text: &str, key: &str| {
        let mut words = text.split_whitespace();
        words.find_map(|word| word.strip_prefix(key).map(str::to_owned))
    };
    let version = field(&named, "IMAGE_VERSION=").context("the image names no version")?;
    let hash = field(&line, "sbc.root=").context("the command line names no root")?;
    let hash = unhex(&hash).context("the command line's root is no hash")?;
    let (mut root, mut tree) = (disk.partition("root-a")?, disk.partition("hash-a")?);
    root.truncate(verity::verify(&root, &tree, &hash)?);
    tree.truncate(trimmed(&tree).len().next_multiple_of(verity::BLOCK));
    Ok((version, [program.clone(), root, tree]))
}

/// Returns a bundle of these parts, signed: the program for UEFI, the root, its tree.
#[must_use]
pub fn write(key: &SigningKey, version: &str, floor: &str, parts: [&[u8]; 3]) -> Vec<u8> {
    let mut manifest = format!("version={version}\nfloor={floor}\nhardware={HARDWARE}\n");
    for (name, part) in ["uki", "root", "tree"].iter().zip(parts) {
        let sum = hex(&Sha256::digest(part));
        manifest.push_str(&format!("{name}={} {sum}\n", part.len()));
    }
    let signature = key.sign(&[CONTEXT, manifest.as_bytes()].concat());
    let mut bytes = HEAD.to_vec();
    bytes.extend((manifest.len() as u32).to_le_bytes());
    bytes.extend(signature.to_bytes());
    bytes.extend(manifest.bytes());
    parts.iter().for_each(|part| bytes.extend(*part));
    bytes
}

/// Reads a bundle back.
fn read(bytes: &[u8], key: &VerifyingKey) -> anyhow::Result<[Vec<u8>; 3]> {
    let (lead, rest) = bytes.split_at_checked(LEAD).context("a short bundle")?;
    let (head, signature) = lead.split_at(12);
    let size = head
        .strip_prefix(HEAD)
        .and_then(|size| size.try_into().ok());
    let size = u32::from_le_bytes(size.context("no bundle")?) as usize;
    let (manifest, mut rest) = rest.split_at_checked(size).context("a short manifest")?;
    let signature = Signature::from_slice(signature)?;
    key.verify_strict(&[CONTEXT, manifest].concat(), &signature)?;
    let text = std::str::from_utf8(manifest)?;
    let mut parts = Vec::new();
    for name in ["uki=", "root=", "tree="] {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let (length, sum) = line.and_then(|line| line.split_once(' ')).context(name)?;
        let (part, behind) = rest.split_at_checked(length.parse()?).context(name)?;
        ensure!(hex(&Sha256::digest(part)) == sum, "{name} has another sum");
        parts.push(part.to_vec());
        rest = behind;
    }
    match parts.try_into() {
        Ok(parts) if rest.is_empty() => Ok(parts),
        _ => bail!("something lies behind the parts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §5.1.6: what is signed is read back by the public key alone.
    #[test]
    fn a_bundle_is_read_back_and_no_other() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let bytes = write(&key, "0.2.0", "0.1.0", [b"uki", b"root", b"tree"]);
        let parts = read(&bytes, &key.verifying_key()).unwrap();
        assert_eq!(parts, [b"uki".to_vec(), b"root".to_vec(), b"tree".to_vec()]);
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(read(&bytes, &other).is_err());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            assert!(read(&changed, &key.verifying_key()).is_err(), "octet {at}");
        }
    }

    #[test]
    fn a_volume_carries_its_bundle_under_the_label_nodes_look_for() {
        let bytes = volume(b"a bundle").unwrap();
        assert_eq!(bytes.get(71..82), Some(&b"SBCUPDATE  "[..]));
        let files = fat::read(&bytes).unwrap();
        let bundle = files.get("update.sbcfw").map(Vec::as_slice);
        assert_eq!(bundle, Some(&b"a bundle"[..]));
    }

    #[test]
    fn a_pair_of_keys_is_made_once_and_the_private_one_is_its_owner_s() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("sbc-keys-{}", std::process::id()));
        let place = key(&folder, "2026-1").unwrap();
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        let again = key(&folder, "2026-1");
        let keys = public_keys(&folder).unwrap();
        key(&folder, "2026-2").unwrap();
        let two = public_keys(&folder).unwrap().len();
        key(&folder, "2026-3").unwrap();
        let three = public_keys(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(mode & 0o777, 0o600);
        assert!(again.is_err(), "a key is never written over");
        assert_eq!(keys[0].0, "2026-1.pub");
        assert!(public(std::str::from_utf8(&keys[0].1).unwrap()).is_ok());
        assert_eq!((two, three.is_err()), (2, true));
    }
}
