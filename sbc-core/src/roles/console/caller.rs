//! Whoever sits at the other end of a conversation: what it may do, and how it
//! gets to do more.

use std::rc::Rc;
use std::time::Instant;

use sbc_core::cli::grammar::Role;
use serde_json::{Map, Value, json};

use super::login;
use super::operations::Answered;
use super::room::Room;

/// The first user of a node that nobody has claimed.
const FIRST: &str = "admin";

/// What the rights of a conversation rest on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Right {
    /// The socket could be opened.
    Socket,
    /// Nobody owns the node yet.
    Unclaimed,
    /// A password.
    Login,
}

/// One conversation.
#[derive(Debug)]
pub struct Caller {
    pub id: u64,
    pub user: String,
    pub line: String,
    /// Nothing until somebody has logged in.
    pub role: Option<Role>,
    pub since: Instant,
    pub last: Instant,
    /// A configuration that comes in parts.
    pub parts: String,
    /// The line was named; it stays, so that nobody counts failures on another one.
    is_on_line: bool,
    /// Why it may do what it may.
    by: Right,
    /// A revision that goes back when this conversation ends without a word.
    pub safe: Option<u32>,
}

impl Caller {
    /// Returns a caller that may do everything: it could open the socket, which
    /// only the node's own user can.
    pub fn new(id: u64) -> Self {
        Self {
            id,
            user: "local".to_owned(),
            line: "local".to_owned(),
            role: Some(Role::Admin),
            since: Instant::now(),
            last: Instant::now(),
            parts: String::new(),
            is_on_line: false,
            by: Right::Socket,
            safe: None,
        }
    }

    /// Gives up what no longer holds: a node has an owner by now, a user is gone, set
    /// aside, or has another role.
    pub fn settle(&mut self, room: &Room) {
        match self.by {
            Right::Socket => {}
            Right::Unclaimed if room.is_claimed() => self.role = None,
            Right::Unclaimed => {}
            Right::Login if self.role.is_some() => {
                self.role = room.users.borrow().get(&self.user).map(|user| user.role);
            }
            Right::Login => {}
        }
    }

    /// Follows the operations of a login: `session` gives up every right until
    /// somebody has logged in, or somebody owns the node if `free` is asked for;
    /// `claim` sets the first password.
    pub async fn enter(
        &mut self,
        room: &Rc<Room>,
        operation: &str,
        arguments: &Map<String, Value>,
    ) -> Answered {
        let text = |field: &str| {
            arguments
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match operation {
            "session" => {
                if !self.is_on_line {
                    text("line").clone_into(&mut self.line);
                    self.is_on_line = true;
                }
                let claimed = room.is_claimed();
                let free = arguments.get("free").and_then(Value::as_bool) == Some(true);
                if free && !claimed {
                    (self.role, self.by) = (Some(Role::Admin), Right::Unclaimed);
                } else {
                    self.user.clear();
                    self.role = None;
                }
                let idle = room.node.borrow().management.console_idle.as_secs();
                Ok(json!({ "claimed": claimed, "idle_secs": idle }))
            }
            "claim" => self.claim(room, text("password")).await,
            _ => self.login(room, text("user"), text("password")).await,
        }
    }

    async fn login(&mut self, room: &Room, user: &str, password: &str) -> Answered {
        // Whoever waited here may have been locked out meanwhile.
        let turn = room.desk.turn().await;
        let locked = room.lockout.borrow().locked(&self.line);
        if let Some(left) = locked {
            let why = format!("this line is locked for {} s", left.as_secs() + 1);
            return Err(("SBC-3021".to_owned(), why));
        }
        let known = room.users.borrow().get(user).cloned();
        let hash = known
            .as_ref()
            .and_then(|known| room.secrets.get(&known.secret));
        let right = turn.is_right(password, hash.as_deref()).await;
        let (Some(known), true) = (known, right) else {
            let lock = room.lockout.borrow_mut().failed(&self.line);
            room.note(user, &self.line, "login refused");
            if let Some(lock) = lock {
                let what = format!("locked for {} s", lock.as_secs());
                room.note(user, &self.line, &what);
            }
            return Err(("SBC-3020".to_owned(), "wrong user or password".to_owned()));
        };
        let failures = room.lockout.borrow_mut().succeeded(&self.line);
        user.clone_into(&mut self.user);
        (self.role, self.by) = (Some(known.role), Right::Login);
        self.since = Instant::now();
        room.note(user, &self.line, "login");
        let role = known.role.word();
        let (time, line) = room.last_login(user, &self.line).unzip();
        Ok(json!({
            "user": user,
            "role": role,
            "failures": failures,
            "last_time": time,
            "last_line": line,
        }))
    }

    /// Sets the first password of a node that has no user. It works once.
    async fn claim(&mut self, room: &Rc<Room>, password: &str) -> Answered {
        if room.is_claimed() {
            return Err(("SBC-3022".to_owned(), "this node has an owner".to_owned()));
        }
        if password.chars().count() < login::PASSWORD_MIN {
            let least = login::PASSWORD_MIN;
            return Err((
                "SBC-3002".to_owned(),
                format!("a password has at least {least} characters"),
            ));
        }
        let refused = |(code, why): (&str, String)| (code.to_owned(), why);
        let turn = room.desk.turn().await;
        if room.is_claimed() {
            return Err(("SBC-3022".to_owned(), "this node has an owner".to_owned()));
        }
        let hash = turn.hashed(password).await;
        let hash = hash.ok_or(("SBC-3016".to_owned(), "no randomness".to_owned()))?;
        room.secrets
            .set(&format!("user/{FIRST}"), &hash)
            .map_err(refused)?;
        let text = room.text.borrow().clone();
        let mut document = sbc_config::edit::Document::from_toml(&text)
            .map_err(|why| ("SBC-3012".to_owned(), why.to_string()))?;
        let lines =
            format!("set user {FIRST} role admin\nset user {FIRST} password secret user/{FIRST}\n");
        document
            .follow(&lines)
            .map_err(|why| ("SBC-3012".to_owned(), why.to_string()))?;
        (self.user, self.role) = (FIRST.to_owned(), Some(Role::Admin));
        self.by = Right::Login;
        super::operations::replace(room, self, &document.to_toml(), "claimed").await?;
        room.note(FIRST, &self.line, "claimed the node");
        Ok(json!({ "user": FIRST, "role": "admin", "failures": 0 }))
    }
}
