//! An image, a private key and its certificate come in; both of the image's programs
//! for UEFI are signed in place, and the certificate lies beside them for whoever
//! enrols it. The key is used by `openssl`, so that it may lie wherever `openssl`
//! finds keys, and is never read here.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::disk::{self, Disk};
use crate::gpt::SECTOR;
use crate::verify::{SUMS, sums, time, verify};
use crate::{authenticode, fat, grub, uki};

/// Where the certificate lies on the boot partition, in DER: what a machine's set-up
/// asks for.
pub const CERTIFICATE: &str = "keys/sbc.cer";

/// Signs the programs of an image; returns their paths on its boot partition.
///
/// # Errors
/// When the image is not whole or signed already, or the key does not sign; the
/// image is then as it was.
pub fn secure(image: &Path, key: &Path, certificate: &Path) -> anyhow::Result<Vec<String>> {
    if let Err(faults) = verify(image) {
        bail!("{}: {}", image.display(), faults.join("; "));
    }
    let mut disk = Disk::open(image)?;
    let bytes = disk.partition("esp")?;
    let mut files = fat::read(&bytes)?;
    let der = openssl(&["x509", "-outform", "DER", "-in"], certificate, &[])?;
    let mut signed = Vec::new();
    for (path, program) in &mut files {
        if !uki::is_program(path) {
            continue;
        }
        let by_key = |text: &[u8]| {
            let made = openssl(&["dgst", "-sha256", "-sign"], key, text);
            made.map_err(|error| format!("{error:#}"))
        };
        *program = authenticode::sign(program, &der, by_key).with_context(|| path.clone())?;
        signed.push(path.clone());
    }
    ensure!(!signed.is_empty(), "the image has no program for UEFI");
    files.insert(CERTIFICATE.to_owned(), der);
    let time = time(&files).map_err(anyhow::Error::msg)?;
    let code = disk.head()?.get(..grub::CODE).unwrap_or_default().to_vec();
    let parts: Result<Vec<_>, _> = ["bios", "root-a", "hash-a", "data"]
        .into_iter()
        .map(|name| disk.partition(name))
        .collect();
    let parts = parts?;
    let [bios, root, tree, data] = &parts[..] else {
        bail!("the layout has other partitions");
    };
    let sums = sums(time, [&code, bios, root, tree, data], &files);
    files.insert(SUMS.to_owned(), sums);
    let mut again = fat::write(&disk::esp_form(bytes.len(), time), &files)?;
    again.resize(bytes.len(), 0);
    let (first, _) = disk::place("esp").context("no esp in the layout")?;
    let mut file = File::options().write(true).open(image)?;
    file.seek(SeekFrom::Start(first * SECTOR))?;
    file.write_all(&again)?;
    // What is kept of how it was made is of an image that is not signed.
    let _was_not_kept = std::fs::remove_file(image.with_extension("from"));
    if let Err(faults) = verify(image) {
        bail!("{}: {}", image.display(), faults.join("; "));
    }
    Ok(signed)
}

/// Runs `openssl` with words and a file; it asks for a passphrase at the terminal.
fn openssl(words: &[&str], file: &Path, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(words)
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("openssl is not there: apt-get install openssl")?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends early says why.
        let _it_ended = stdin.write_all(input);
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "openssl {}: {}",
        words.join(" "),
        said.trim()
    );
    Ok(output.stdout)
}
