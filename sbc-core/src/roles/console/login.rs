//! Who may come in: names and passwords come in, a role or a refusal goes out.
//! Passwords are kept as argon2id hashes (RFC 9106 §3.1); wrong ones cost time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use rustix::rand::{GetRandomFlags, getrandom};
use sbc_config::edit::Document;

use sbc_core::cli::grammar::Role;

use crate::roles::heap::clean_behind;

/// Wrong passwords in a row that cost nothing but their own time.
const FREE: u32 = 5;

/// The first lock, and the longest.
const LOCK: Duration = Duration::from_secs(60);
const LOCK_MAX: Duration = Duration::from_secs(16 * 60);

/// Lines whose failures are remembered.
const LINES_MAX: usize = 256;

/// A password has at least this many characters.
pub const PASSWORD_MIN: usize = 10;

/// Failures of each line; time is measured from the start of the role.
#[derive(Debug)]
pub struct Lockout {
    began: Instant,
    lines: BTreeMap<String, Failures>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    row: u32,
    locked_until: Duration,
    /// Since the last good login, for the next banner.
    since: u32,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            lines: BTreeMap::new(),
        }
    }
}

impl Lockout {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns how long a line is still locked.
    pub fn locked(&self, line: &str) -> Option<Duration> {
        self.locked_at(line, self.now())
    }

    fn locked_at(&self, line: &str, now: Duration) -> Option<Duration> {
        let left = self.lines.get(line)?.locked_until.saturating_sub(now);
        Some(left).filter(|left| !left.is_zero())
    }

    /// Notes a wrong password. Returns for how long the line is locked.
    pub fn failed(&mut self, line: &str) -> Option<Duration> {
        let now = self.now();
        self.failed_at(line, now)
    }

    fn failed_at(&mut self, line: &str, now: Duration) -> Option<Duration> {
        if self.lines.len() >= LINES_MAX && !self.lines.contains_key(line) {
            self.lines.retain(|_, failures| failures.locked_until > now);
        }
        let failures = self.lines.entry(line.to_owned()).or_default();
        (failures.row, failures.since) = (failures.row + 1, failures.since + 1);
        if !failures.row.is_multiple_of(FREE) {
            return None;
        }
        let doublings = (failures.row / FREE - 1).min(8);
        let lock = (LOCK * 2_u32.pow(doublings)).min(LOCK_MAX);
        failures.locked_until = now + lock;
        Some(lock)
    }

    /// Notes a good login. Returns the failures since the last one.
    pub fn succeeded(&mut self, line: &str) -> u32 {
        self.lines.remove(line).map_or(0, |failures| failures.since)
    }
}

/// A user of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    pub role: Role,
    /// The name of the secret that holds the hash.
    pub secret: String,
}

/// Returns the users of a configuration that may log in.
pub fn users(text: &str) -> BTreeMap<String, User> {
    let Ok(document) = Document::from_toml(text) else {
        return BTreeMap::new();
    };
    let names = document.names("user").into_iter();
    let each = names.filter_map(|name| {
        if document.flag_at(&["user", &name, "active"]) == Some(false) {
            return None;
        }
        let role = Role::of(document.text_at(&["user", &name, "role"])?)?;
        let secret = document.text_at(&["user", &name, "password", "secret"])?;
        let user = User {
            role,
            secret: secret.to_owned(),
        };
        Some((name, user))
    });
    each.collect()
}

/// Returns the hash of a password, with its salt and costs in it.
fn hashed(password: &str) -> Option<String> {
    let mut salt = [0; 16];
    getrandom(&mut salt, GetRandomFlags::empty()).ok()?;
    let hash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .ok()?;
    Some(hash.to_string())
}

/// Returns whether a password is the one that was hashed. Without a hash it takes
/// as long, so that nobody learns which names there are.
fn is_right(password: &str, hash: Option<&str>) -> bool {
    // Of no password anybody could type: it has a NUL in it.
    static NOBODY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let nobody = NOBODY.get_or_init(|| hashed("\0nobody").unwrap_or_default());
    let hash = hash.unwrap_or(nobody);
    let Ok(parsed) = PasswordHash::new(hash.trim()) else {
        return false;
    };
    Argon2::default()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok()
}

/// Hashes and compares passwords on a thread of its own, one after the other: a
/// slow processor takes seconds for one, and the role must answer meanwhile.
#[derive(Debug, Default)]
pub struct Desk(tokio::sync::Mutex<()>);

/// Whose turn it is; the next comes when this is dropped.
#[derive(Debug)]
pub struct Turn<'d> {
    _held: tokio::sync::MutexGuard<'d, ()>,
}

impl Desk {
    /// Waits for the turn.
    pub async fn turn(&self) -> Turn<'_> {
        Turn {
            _held: self.0.lock().await,
        }
    }
}

impl Turn<'_> {
    /// As [`hashed`].
    pub async fn hashed(&self, password: &str) -> Option<String> {
        let password = password.to_owned();
        let done = tokio::task::spawn_blocking(move || clean_behind(|| hashed(&password)));
        done.await.ok().flatten()
    }

    /// As [`is_right`].
    pub async fn is_right(&self, password: &str, hash: Option<&str>) -> bool {
        let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
        let done = tokio::task::spawn_blocking(move || {
            clean_behind(|| is_right(&password, hash.as_deref()))
        });
        done.await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_passwords_lock_a_line_and_each_five_more_twice_as_long() {
        let mut lockout = Lockout::default();
        let mut now = Duration::ZERO;
        let mut locks = Vec::new();
        for _ in 0..100 {
            if let Some(lock) = lockout.failed_at("ttyS0", now) {
                assert_eq!(lockout.locked_at("ttyS0", now), Some(lock));
                assert_eq!(lockout.locked_at("ttyS1", now), None);
                locks.push(lock.as_secs());
                now += lock;
                assert_eq!(lockout.locked_at("ttyS0", now), None);
            }
        }
        assert_eq!(locks[..7], [60, 120, 240, 480, 960, 960, 960]);
        assert_eq!(locks.len(), 20);
        assert_eq!(lockout.succeeded("ttyS0"), 100);
        assert_eq!(lockout.failed_at("ttyS0", now), None);
    }

    #[test]
    fn many_lines_do_not_grow_the_memory() {
        let mut lockout = Lockout::default();
        for line in 0..10_000 {
            lockout.failed_at(&format!("line-{line}"), Duration::ZERO);
        }
        assert!(lockout.lines.len() <= LINES_MAX);
    }

    /// argon2id with a salt of its own each time (RFC 9106 §3.1).
    #[test]
    fn a_password_fits_its_own_hash_and_no_other() {
        let one = hashed("correct horse battery").unwrap();
        assert!(one.starts_with("$argon2id$v=19$"), "{one}");
        assert_ne!(Some(one.clone()), hashed("correct horse battery"));
        assert!(is_right("correct horse battery", Some(&one)));
        assert!(!is_right("correct horse batterz", Some(&one)));
        assert!(!is_right("\0nobody!", None));
        assert!(!is_right("", Some("no hash")));
    }

    #[test]
    fn users_of_the_file_have_a_role_and_a_secret() {
        let text = "[user.alice]\nrole = \"admin\"\npassword = { secret = \"user/alice\" }\n[user.bob]\nrole = \"nobody\"\n";
        let away = text.replace(
            "[user.bob]\nrole = \"nobody\"",
            "[user.bob]\nrole = \"admin\"\nactive = false\npassword = { secret = \"user/bob\" }",
        );
        assert_eq!(users(&away), users(text), "who is set aside is not let in");
        let users = users(text);
        assert_eq!(users.len(), 1);
        assert_eq!(users["alice"].role, Role::Admin);
        assert_eq!(users["alice"].secret, "user/alice");
    }
}
