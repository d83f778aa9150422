//! The rules that stand before any link goes up: all is dropped, in, out and
//! through. They are loaded in one transaction and read back from the kernel.

use std::io::{self, Write};
use std::process::{Command, Stdio};

const NFT: &str = "/usr/sbin/nft";
/// Chains that must be read back with the policy to drop.
const CHAINS: usize = 5;
/// The rules. The loopback is this node's own.
const RULES: &str = r#"
table inet sbc-base {
    chain input {
        type filter hook input priority -300; policy drop;
        iif lo accept comment "a node may speak to itself"
        counter comment "before the configuration nothing is let in"
    }
    chain output {
        type filter hook output priority -300; policy drop;
        oif lo accept comment "a node may speak to itself"
        counter comment "before the configuration nothing is let out"
    }
    chain forward {
        type filter hook forward priority -300; policy drop;
        counter comment "nothing is ever forwarded between zones"
    }
}
table arp sbc-base-arp {
    chain input {
        type filter hook input priority 0; policy drop;
    }
    chain output {
        type filter hook output priority 0; policy drop;
    }
}
"#;

/// Loads the rules and reads them back.
///
/// # Errors
/// When the kernel does not take them, or does not hold what it took.
pub fn close() -> io::Result<()> {
    run(&["-f", "-"], RULES)?;
    let text = run(&["-j", "list", "chains"], "")?;
    let dropping = dropping(&text)?;
    if dropping == CHAINS {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "{dropping} of {CHAINS} chains were read back"
        )))
    }
}

/// Returns how many base chains of ours drop what no rule takes.
fn dropping(text: &str) -> io::Result<usize> {
    let read: serde_json::Value = serde_json::from_str(text).map_err(io::Error::other)?;
    let rows = read.get("nftables").and_then(serde_json::Value::as_array);
    let rows = rows.ok_or_else(|| io::Error::other("nft answers without a list"))?;
    let ours = rows
        .iter()
        .filter_map(|row| row.get("chain"))
        .filter(|chain| {
            let text = |key| chain.get(key).and_then(serde_json::Value::as_str);
            text("table").is_some_and(|table| table.starts_with("sbc-base"))
                && text("policy") == Some("drop")
                && text("hook").is_some()
        });
    Ok(ours.count())
}

fn run(words: &[&str], input: &str) -> io::Result<String> {
    let mut child = Command::new(NFT)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(io::Error::other(said))
    }
}

/// Returns how many links besides the loopback are up.
#[must_use]
pub fn links_up() -> usize {
    links(|flags| flags & 1 != 0)
}

/// Returns how many links besides the loopback there are.
#[must_use]
pub fn links_there() -> usize {
    links(|_| true)
}

fn links(counts: impl Fn(u32) -> bool) -> usize {
    let Ok(entries) = std::fs::read_dir("/sys/class/net") else {
        return 0;
    };
    let others = entries.flatten().filter(|entry| entry.file_name() != "lo");
    let flags = others.filter_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("flags")).ok()?;
        u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
    });
    flags.filter(|flags| counts(*flags)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chains_that_drop_are_counted() {
        let text = r#"{"nftables": [{"metainfo": {}},
            {"chain": {"table": "sbc-base", "hook": "input", "policy": "drop"}},
            {"chain": {"table": "sbc-base", "hook": "output", "policy": "accept"}},
            {"chain": {"table": "sbc-base", "name": "own"}},
            {"chain": {"table": "other", "hook": "input", "policy": "drop"}}]}"#;
        assert_eq!(dropping(text).unwrap(), 1);
        assert!(dropping("").is_err(), "no answer is not an empty one");
        assert!(dropping("{}").is_err());
    }

    #[test]
    fn every_chain_of_the_rules_drops() {
        assert_eq!(RULES.matches("policy drop;").count(), CHAINS);
        assert_eq!(RULES.matches("chain ").count(), CHAINS);
    }
}
