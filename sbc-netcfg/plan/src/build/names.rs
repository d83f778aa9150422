//! What the kernel calls our links, and the numbers of their tables: the same for
//! the same file, and little changed by a change of another link.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

/// Linux IFNAMSIZ: a link's name has at most fifteen octets.
const LONGEST: usize = 15;

/// The first number of our routing tables: below it lie those of the kernel.
const TABLES: u32 = 1_000;

/// Returns a port's name: what the kernel was found to call it, else what the
/// file calls it, if a kernel can.
pub fn port(device: &str, found: Option<&String>) -> String {
    if let Some(found) = found {
        return found.clone();
    }
    let plain = |o: u8| o.is_ascii_alphanumeric() || b"-_.".contains(&o);
    if device.len() <= LONGEST && device.bytes().all(plain) {
        return device.into();
    }
    format!("port-{:08x}", hash(device))
}

/// Returns a VLAN's name that is not among `taken`.
pub fn vlan(tag: u16, taken: &mut BTreeSet<String>) -> String {
    free(&format!("vlan{tag}"), taken)
}

/// Returns a tunnel's name that is not among `taken`.
pub fn tunnel(name: &str, taken: &mut BTreeSet<String>) -> String {
    let whole = format!("gre-{name}");
    if whole.len() <= LONGEST - 2 {
        return free(&whole, taken);
    }
    free(&format!("gre-{:08x}", hash(name)), taken)
}

fn free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let others = (2_u8..).map(|n| format!("{name}-{n}"));
    let mut all = core::iter::once(String::from(name)).chain(others);
    let free = all.find(|one| !taken.contains(one)).unwrap_or_default();
    taken.insert(free.clone());
    free
}

/// Returns a table's number that is not among `taken`: told by the link's name.
pub fn table(link: &str, taken: &mut BTreeSet<u32>) -> u32 {
    let first = TABLES + hash(link) % 1_000_000;
    let free = (first..).find(|one| !taken.contains(one)).unwrap_or(first);
    taken.insert(free);
    free
}

/// FNV-1a: spreads names, keeps no secret.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, octet| {
        (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193)
    })
}
