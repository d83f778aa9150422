//! A process comes in, what it and all its descendants have used goes out:
//! processor time and memory, as `/proc` says (proc(5)).

use std::fs;

/// One process of an element.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    /// The first word of its command line.
    pub name: String,
}

/// Returns `root` and its descendants, of whatever generation.
#[must_use]
pub fn tree(root: u32) -> Vec<Process> {
    let parents = parents();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        found.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    let named = |pid| Process {
        pid,
        name: name(pid),
    };
    found.into_iter().map(named).collect()
}

/// Returns the processor time of all threads of a process, in nanoseconds.
#[must_use]
pub fn nanoseconds(process: &Process) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{}/task", process.pid)) else {
        return 0;
    };
    let of = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    threads.filter_map(Result::ok).filter_map(of).sum()
}

/// Returns the memory of a process in KiB; of what it shares with others, its share.
#[must_use]
pub fn kibibytes(process: &Process) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", process.pid);
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn parents() -> Vec<(u32, u32)> {
    let Ok(all) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let of = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may hold anything, blanks too.
        let (_, rest) = text.rsplit_once(')')?;
        let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    };
    all.filter_map(Result::ok).filter_map(of).collect()
}

fn name(pid: u32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = text.split(|&octet| octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(first).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{kibibytes, nanoseconds, tree};

    #[test]
    fn a_process_finds_itself_with_its_time_and_its_memory() {
        let own = tree(std::process::id());
        let own = &own[0];
        assert_eq!(own.pid, std::process::id());
        let before = nanoseconds(own);
        let mut sum = 0_u64;
        while nanoseconds(own) == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(kibibytes(own) > 100);
    }

    #[test]
    fn a_child_is_found_under_its_parent() {
        let mut child = std::process::Command::new("sleep")
            .arg("20")
            .spawn()
            .unwrap();
        let found = tree(std::process::id());
        assert!(found.iter().any(|process| process.pid == child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
