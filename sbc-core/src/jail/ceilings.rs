//! The machine's memory comes in; each role is in a group of the kernel's (cgroup
//! v2) that says how much of it, and how many tasks, the role may have. A role that
//! wants more memory is ended, and started again like any other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sbc_call::view::Limit;

/// The variable that names the folder of the groups. Without it there are none: they
/// are made where the machine is the node's.
pub const GROUPS: &str = "SBC_GROUPS";

/// Where the appliance has them.
pub const PLACE: &str = "/sys/fs/cgroup";

const MIB: u64 = 1024 * 1024;

/// The smallest machine: what all groups may have together fits into it, and leaves
/// the kernel what it needs.
const SMALLEST: u64 = 512 * MIB;

/// What one role may have.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    /// The role's word, and its group's.
    pub word: &'static str,
    /// Memory on the smallest machine.
    mib: u64,
    /// Parts of 16 of what a machine has beyond that.
    part: u64,
    /// Processes and threads.
    tasks: u64,
    /// What the memory is for.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by people, and by a test"))]
    reason: &'static str,
}

const fn row(word: &'static str, mib: u64, part: u64, tasks: u64, reason: &'static str) -> Ceiling {
    Ceiling {
        word,
        mib,
        part,
        tasks,
        reason,
    }
}

/// One row for each role, the programs of others and the doors of the appliance.
pub const CEILINGS: [Ceiling; 9] = [
    row(
        "signal",
        136,
        4,
        32,
        "the journal (21 MiB), ladders (8 MiB), 4,096 held calls of 4 KiB (16 MiB), \
         transactions that linger, and what TCP peers send in pieces",
    ),
    row(
        "relay",
        72,
        4,
        32,
        "4,096 calls: four sockets of 3 KiB each in the kernel (48 MiB), and their rows",
    ),
    row(
        "netcfg",
        40,
        1,
        64,
        "the plan, the rules as nft reads and prints them, and the kernel's copy of them",
    ),
    row(
        "charon",
        32,
        1,
        64,
        "strongSwan with its libraries, eight threads, a hundred half-open peers",
    ),
    row(
        "console",
        48,
        1,
        64,
        "a password's hash (19 MiB), the ended calls, an answer of signal's",
    ),
    row(
        "node",
        24,
        1,
        64,
        "fifty revisions, letters that wait for children, a commit that is checked",
    ),
    row(
        "login",
        16,
        1,
        32,
        "the longest configuration that is edited, a screen, packets of a capture",
    ),
    row("port", 8, 0, 32, "lines of 64 KiB each way"),
    row(
        "firmware",
        40,
        0,
        32,
        "the program for UEFI (19 MiB) on its way to the boot partition, four talks at once",
    ),
];

impl Ceiling {
    /// Returns the octets it may have on a machine that has `total`.
    const fn octets(&self, total: u64) -> u64 {
        self.mib * MIB + total.saturating_sub(SMALLEST) / 16 * self.part
    }

    fn group(&self, groups: &Path) -> PathBuf {
        groups.join(self.word)
    }
}

/// Makes every group below `groups`, where cgroup v2 is mounted.
///
/// # Errors
/// When the kernel refuses a ceiling, or does not say back what was asked for.
pub fn prepare(groups: &Path) -> io::Result<()> {
    let info = rustix::system::sysinfo();
    let total = info
        .totalram
        .saturating_mul(u64::from(info.mem_unit.max(1)));
    write(&groups.join("cgroup.subtree_control"), "+memory +pids")?;
    for ceiling in &CEILINGS {
        let group = ceiling.group(groups);
        fs::create_dir_all(&group)?;
        let octets = ceiling.octets(total);
        write(&group.join("memory.max"), &octets.to_string())?;
        // All of a role ends, not the process that happened to be largest.
        write(&group.join("memory.oom.group"), "1")?;
        write(&group.join("pids.max"), &ceiling.tasks.to_string())?;
        let swap = group.join("memory.swap.max");
        if swap.exists() {
            write(&swap, "0")?;
        }
        let holds = number(&group.join("memory.max")).unwrap_or(u64::MAX);
        if holds > octets {
            let why = format!("{}: {holds} octets, not {octets}", group.display());
            return Err(io::Error::other(why));
        }
    }
    Ok(())
}

/// Goes into the group of the role `word`, before it has any less rights; its
/// children are in it as well.
///
/// # Errors
/// When there are groups, and not this one, or the kernel refuses.
pub fn enter(word: &str) -> io::Result<()> {
    let Some(groups) = groups() else {
        return Ok(());
    };
    if !CEILINGS.iter().any(|ceiling| ceiling.word == word) {
        return Ok(());
    }
    write(&groups.join(word).join("cgroup.procs"), "0")
}

/// How often a role was ended at its ceiling, as of its start.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    word: &'static str,
    before: u64,
}

impl Ends {
    /// Looks at the group of the role `word`.
    #[must_use]
    pub fn of(word: &'static str) -> Self {
        Self {
            word,
            before: ends(word),
        }
    }

    /// Returns why the role ended: its ceiling, or what was known before.
    #[must_use]
    pub fn why(mut self, known: String) -> String {
        match self.news() {
            Some(news) => format!("{known}: {news}"),
            None => known,
        }
    }

    /// Returns in words that the role was ended at its ceiling since the last look.
    pub fn news(&mut self) -> Option<String> {
        let ends = ends(self.word);
        if ends <= std::mem::replace(&mut self.before, ends) {
            return None;
        }
        let holds = groups().and_then(|groups| number(&groups.join(self.word).join("memory.max")));
        let mib = holds.unwrap_or_default() / MIB;
        Some(format!(
            "{} wanted more than its ceiling of {mib} MiB of memory",
            self.word
        ))
    }
}

fn ends(word: &str) -> u64 {
    let events = groups().map(|groups| groups.join(word).join("memory.events"));
    events.map_or(0, |events| field(&events, "oom_kill"))
}

/// Returns every ceiling and what is used of it, for `show limits`; none where there
/// are no groups. What the kernel can take back at any time does not count.
#[must_use]
pub fn limits() -> Vec<Limit> {
    groups().map_or_else(Vec::new, |groups| limits_of(&groups))
}

fn limits_of(groups: &Path) -> Vec<Limit> {
    let each = CEILINGS.iter().filter_map(|ceiling| {
        let group = ceiling.group(groups);
        let read = |file: &str| number(&group.join(file));
        let stat = |name: &str| field(&group.join("memory.stat"), name);
        let files = stat("file").saturating_sub(stat("shmem"));
        let given = files.saturating_add(stat("slab_reclaimable"));
        let memory = Limit {
            name: format!("memory of {} in KiB", ceiling.word),
            used: read("memory.current")?.saturating_sub(given) / 1024,
            limit: read("memory.max")? / 1024,
            hits: field(&group.join("memory.events"), "oom_kill"),
        };
        let tasks = Limit {
            name: format!("tasks of {}", ceiling.word),
            used: read("pids.current")?,
            limit: read("pids.max")?,
            hits: field(&group.join("pids.events"), "max"),
        };
        Some([memory, tasks])
    });
    each.flatten().collect()
}

fn groups() -> Option<PathBuf> {
    std::env::var_os(GROUPS).map(PathBuf::from)
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let done = fs::write(file, text);
    done.map_err(|error| io::Error::other(format!("{} = {text}: {error}", file.display())))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim_end().parse().ok()
}

/// Returns the number behind a name, one of a line; what is not there is 0.
fn field(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let found = lines.find(|(word, _)| *word == name);
    found.and_then(|(_, n)| n.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::TABLE;

    #[test]
    fn all_ceilings_together_fit_into_the_smallest_machine() {
        /// What the kernel, its tables and the first process take of it.
        const KERNELS: u64 = 96 * MIB;
        for machine in [SMALLEST, 4 * SMALLEST, 64 * SMALLEST] {
            let all = CEILINGS.iter().map(|ceiling| ceiling.octets(machine));
            let all: u64 = all.sum();
            assert!(all + KERNELS <= machine, "{} MiB", all / MIB);
        }
        assert!(CEILINGS.iter().all(|ceiling| !ceiling.reason.is_empty()));
    }

    #[test]
    fn every_role_has_a_ceiling_and_the_programs_of_others_have_one() {
        let words = TABLE.iter().map(|(_, word, _)| *word);
        for word in words.chain(["charon", "login", "node"]) {
            assert!(CEILINGS.iter().any(|row| row.word == word), "{word}");
        }
    }

    #[test]
    fn what_the_kernel_can_take_back_does_not_count_as_used() {
        let groups = std::env::temp_dir().join(format!("sbc-groups-{}", std::process::id()));
        let group = groups.join("relay");
        fs::create_dir_all(&group).unwrap();
        for (file, text) in [
            ("memory.current", "8388608\n"),
            ("memory.max", "75497472\n"),
            (
                "memory.stat",
                "anon 1\nfile 5242880\nshmem 1048576\nslab_reclaimable 2097152\n",
            ),
            ("memory.events", "low 0\nmax 9\noom 2\noom_kill 1\n"),
            ("pids.current", "3\n"),
            ("pids.max", "32\n"),
        ] {
            fs::write(group.join(file), text).unwrap();
        }
        let limits = limits_of(&groups);
        fs::remove_dir_all(&groups).unwrap();
        let [memory, tasks] = limits.as_slice() else {
            panic!("{limits:?}");
        };
        assert_eq!(memory.name, "memory of relay in KiB");
        assert_eq!((memory.used, memory.limit, memory.hits), (2048, 73_728, 1));
        assert_eq!((tasks.used, tasks.limit, tasks.hits), (3, 32, 0));
    }
}
