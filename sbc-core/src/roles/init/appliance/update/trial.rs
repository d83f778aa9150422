//! A boot comes in; whether its slot is on trial goes out, and what is to be
//! said of a trial that failed. A trial is a file on the boot partition, written
//! before the loaders are switched and removed when its slot is ready, or when the
//! other slot boots.

use std::fs;
use std::io;
use std::path::Path;

use super::super::super::whole;
use super::super::disks::Partition;
use super::super::slot::{self, Mark, other};
use super::version::Version;

const TRIAL: &str = "sbc.trial";
const FLOOR: &str = "sbc.floor";
/// What a slot that is not on trial left to be said by the other one.
const WORD: &str = "sbc.word";

/// A slot that has one boot to become ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trial {
    /// `a` or `b`.
    pub slot: char,
    pub version: Version,
    /// Nothing below this is taken once it was ready.
    pub floor: Version,
    /// The hash of the configuration it must run with, or `none`.
    pub config: String,
    /// Why it gave up.
    pub why: Option<String>,
}

impl Trial {
    /// Reads the trial there is.
    #[must_use]
    pub fn read(esp: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(esp.join(TRIAL)).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        Some(Self {
            slot: field("slot")?.chars().next()?,
            version: Version::parse(field("version")?)?,
            floor: Version::parse(field("floor")?)?,
            config: field("config")?.to_owned(),
            why: field("why").map(str::to_owned),
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the boot partition is full or broken.
    pub fn write(&self, esp: &Path) -> io::Result<()> {
        let Self {
            slot,
            version,
            floor,
            config,
            why,
        } = self;
        let why = why.as_ref().map(|why| format!("why={why}\n"));
        let text = format!(
            "slot={slot}\nversion={version}\nfloor={floor}\nconfig={config}\n{}",
            why.unwrap_or_default()
        );
        whole::write(&esp.join(TRIAL), text.as_bytes())
    }

    /// Returns what there is to say of it once the other slot runs.
    #[must_use]
    pub fn epitaph(&self) -> String {
        let letter = self.slot.to_ascii_uppercase();
        let why = self.why.as_deref();
        let why = why.unwrap_or("it did not come up, or the power went");
        format!("slot {letter} {} gave up: {why}", self.version)
    }
}

fn forget(esp: &Path, file: &str) -> io::Result<()> {
    match fs::remove_file(esp.join(file)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::File::open(esp)?.sync_all()
}

/// Returns the lowest version that may be installed.
#[must_use]
pub fn floor(esp: &Path) -> Version {
    let text = fs::read_to_string(esp.join(FLOOR)).unwrap_or_default();
    Version::parse(text.trim()).unwrap_or_default()
}

/// Looks, at the begin of a boot, at what is left of a trial: returns the
/// running one if `letter` is on trial, or what is to be said of one that failed,
/// whose slot gets no more tries.
///
/// # Errors
/// When the boot partition cannot be read or written.
pub fn look(partitions: &[Partition], letter: char) -> io::Result<(Option<Trial>, Option<String>)> {
    slot::with_loaders(partitions, |esp| looked(esp, letter))
}

fn looked(esp: &Path, letter: char) -> io::Result<(Option<Trial>, Option<String>)> {
    let word = fs::read_to_string(esp.join(WORD)).ok();
    if word.is_some() {
        forget(esp, WORD)?;
    }
    match Trial::read(esp) {
        None => Ok((None, word)),
        Some(trial) if trial.slot == letter => Ok((Some(trial), word)),
        Some(trial) => {
            slot::tell(esp, trial.slot, Mark::Bad)?;
            forget(esp, TRIAL)?;
            Ok((None, Some(trial.epitaph())))
        }
    }
}

/// Gives a slot up, on trial or not: the other one is next, and will say why.
///
/// # Errors
/// When the boot partition cannot be written; the loaders then count it as tried.
pub fn give_up(partitions: &[Partition], letter: char, why: &str) -> io::Result<()> {
    slot::with_loaders(partitions, |esp| given_up(esp, letter, why))
}

fn given_up(esp: &Path, letter: char, why: &str) -> io::Result<()> {
    let why: String = why.chars().filter(|letter| !letter.is_control()).collect();
    if let Some(trial) = Trial::read(esp).filter(|trial| trial.slot == letter) {
        let why = Some(why);
        Trial { why, ..trial }.write(esp)?;
    } else {
        let letter = letter.to_ascii_uppercase();
        let word = format!("slot {letter} gave up: {why}");
        whole::write(&esp.join(WORD), word.as_bytes())?;
    }
    slot::tell(esp, letter, Mark::Bad)
}

/// Takes that this boot's slot is ready: it is good, its trial is over, its
/// floor holds, and another slot below that gets no more tries.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn bless(partitions: &[Partition], letter: char) -> io::Result<()> {
    slot::with_loaders(partitions, |esp| blessed(esp, letter))
}

fn blessed(esp: &Path, letter: char) -> io::Result<()> {
    slot::tell(esp, letter, Mark::Good)?;
    let Some(trial) = Trial::read(esp).filter(|trial| trial.slot == letter) else {
        return Ok(());
    };
    let floor = floor(esp).max(trial.floor);
    whole::write(&esp.join(FLOOR), format!("{floor}\n").as_bytes())?;
    let below = slot::known(esp)
        .into_iter()
        .find(|known| known.letter == other(letter))
        .is_some_and(|known| known.version.is_some_and(|version| version < floor));
    if below {
        slot::tell(esp, other(letter), Mark::Bad)?;
    }
    forget(esp, TRIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn esp(name: &str) -> std::path::PathBuf {
        let esp = std::env::temp_dir().join(format!("sbc-trial-{name}-{}", std::process::id()));
        fs::create_dir_all(esp.join(slot::PROGRAMS)).unwrap();
        fs::create_dir_all(esp.join("grub")).unwrap();
        for name in ["sbc-a_0.1.0.efi", "sbc-b_0.2.0+0-1.efi"] {
            fs::write(esp.join(slot::PROGRAMS).join(name), "x").unwrap();
        }
        let mut block = b"# GRUB Environment Block\norder=b a\nleft_a=good\nleft_b=0\n".to_vec();
        block.resize(1024, b'#');
        fs::write(esp.join("grub/grubenv"), block).unwrap();
        esp
    }

    fn trial(floor: &str) -> Trial {
        Trial {
            slot: 'b',
            version: Version::parse("0.2.0").unwrap(),
            floor: Version::parse(floor).unwrap(),
            config: "1f0c9a3e".into(),
            why: None,
        }
    }

    fn words(esp: &Path) -> [&'static str; 2] {
        slot::known(esp).map(|known| known.word())
    }

    #[test]
    fn a_trial_is_read_as_it_was_written_and_ends_with_its_slot_s_first_ready() {
        let esp = esp("ends");
        trial("0.1.0").write(&esp).unwrap();
        assert_eq!(looked(&esp, 'b').unwrap(), (Some(trial("0.1.0")), None));
        blessed(&esp, 'b').unwrap();
        assert_eq!(looked(&esp, 'b').unwrap(), (None, None));
        assert_eq!(words(&esp), ["good", "good"]);
        assert_eq!(floor(&esp).to_string(), "0.1.0");
        fs::remove_dir_all(&esp).unwrap();
    }

    #[test]
    fn the_other_slot_says_why_a_trial_failed_and_bars_it() {
        let esp = esp("failed");
        let why = Some("no READY in 90 s, stage fence".to_owned());
        Trial {
            why,
            ..trial("0.1.0")
        }
        .write(&esp)
        .unwrap();
        let (none, said) = looked(&esp, 'a').unwrap();
        assert_eq!(none, None);
        assert_eq!(
            said.as_deref(),
            Some("slot B 0.2.0 gave up: no READY in 90 s, stage fence")
        );
        assert_eq!(words(&esp), ["good", "not to be booted"]);
        assert_eq!(looked(&esp, 'a').unwrap(), (None, None), "it is said once");
        fs::remove_dir_all(&esp).unwrap();
    }

    #[test]
    fn a_slot_that_was_good_and_is_damaged_leaves_its_reason_to_the_other_one() {
        let esp = esp("damaged");
        slot::tell(&esp, 'b', Mark::Good).unwrap();
        given_up(&esp, 'b', "it is damaged: an error\nof the disk").unwrap();
        assert_eq!(words(&esp), ["good", "not to be booted"]);
        let said = Some("slot B gave up: it is damaged: an errorof the disk".to_owned());
        assert_eq!(looked(&esp, 'a').unwrap(), (None, said));
        assert_eq!(looked(&esp, 'a').unwrap(), (None, None), "it is said once");
        fs::remove_dir_all(&esp).unwrap();
    }

    #[test]
    fn a_floor_rises_with_ready_never_sinks_and_bars_what_is_below() {
        let esp = esp("floor");
        trial("0.2.0").write(&esp).unwrap();
        assert_eq!(floor(&esp), Version::default(), "not before it is ready");
        blessed(&esp, 'b').unwrap();
        assert_eq!(floor(&esp).to_string(), "0.2.0");
        assert_eq!(words(&esp), ["not to be booted", "good"]);
        trial("0.1.0").write(&esp).unwrap();
        blessed(&esp, 'b').unwrap();
        assert_eq!(floor(&esp).to_string(), "0.2.0");
        fs::remove_dir_all(&esp).unwrap();
    }
}
