//! The machine under the node: what the kernel says of disk and memory comes in,
//! what is worth an alarm goes out.

use std::path::Path;

use super::alarms::Fact;

/// Hundredths of a disk that are used before it is said, and before it is bad.
const DISK: (u64, u64) = (85, 95);

/// Hundredths of memory that are left when it is said, and when it is bad.
const MEMORY: (u64, u64) = (10, 4);

/// Returns what is worth an alarm.
pub fn facts(state: Option<&Path>) -> Vec<Fact> {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let disk = state.and_then(|state| rustix::fs::statvfs(state).ok());
    let disk = disk.and_then(|disk| {
        let used = disk.f_blocks.saturating_sub(disk.f_bavail);
        (used * 100).checked_div(disk.f_blocks)
    });
    let disk = disk.and_then(disk_fact);
    disk.into_iter().chain(memory_fact(&memory)).collect()
}

fn disk_fact(used: u64) -> Option<Fact> {
    let (near, full) = DISK;
    let fact = Fact::new("disk", "state", format!("{used} % of the disk are used"));
    match used {
        _ if used >= full => Some(fact.with_severity("major")),
        _ if used >= near => Some(fact),
        _ => None,
    }
}

/// Reads what `/proc/meminfo` says.
fn memory_fact(text: &str) -> Option<Fact> {
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let left = (kib("MemAvailable:")? * 100).checked_div(kib("MemTotal:")?)?;
    let (near, empty) = MEMORY;
    let fact = Fact::new("memory", "", format!("{left} % of the memory are left"));
    match left {
        _ if left <= empty => Some(fact.with_severity("major")),
        _ if left <= near => Some(fact),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_an_empty_memory_are_told_in_two_steps() {
        let severity = |fact: Option<Fact>| fact.map(|fact| fact.severity);
        assert_eq!(severity(disk_fact(84)), None);
        assert_eq!(severity(disk_fact(85)), Some(None));
        assert_eq!(severity(disk_fact(95)), Some(Some("major")));
        let memory = |left: u64| {
            memory_fact(&format!(
                "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: {left} kB\n"
            ))
        };
        assert_eq!(severity(memory(200)), None);
        assert_eq!(severity(memory(100)), Some(None));
        assert_eq!(severity(memory(40)), Some(Some("major")));
        assert_eq!(severity(memory_fact("")), None);
    }
}
