//! A table as text for `nft -f`: it takes the place of the table of that name,
//! in one transaction.

use alloc::string::String;
use core::fmt::{self, Write as _};

use super::normal::mark;
use super::{Action, Chain, Field, Match, Rule, Table, Values};

impl Table {
    /// Returns the text that puts this table in the place of the one of its name,
    /// or makes it where there is none.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _whole = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let (family, name) = (self.family, &self.name);
        writeln!(out, "table {family} {name}")?;
        writeln!(out, "delete table {family} {name}")?;
        writeln!(out, "table {family} {name} {{")?;
        for counter in &self.counters {
            writeln!(out, "\tcounter {counter} {{ }}")?;
        }
        for chain in &self.chains {
            chain.write(out)?;
        }
        writeln!(out, "}}")
    }
}

impl Chain {
    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "\tchain {} {{", self.name)?;
        write!(out, "\t\ttype filter hook {}", self.hook.point)?;
        if let Some(device) = &self.hook.device {
            write!(out, " device \"{device}\"")?;
        }
        let policy = if self.hook.drops { "drop" } else { "accept" };
        writeln!(out, " priority {}; policy {policy};", self.hook.priority)?;
        for rule in &self.rules {
            writeln!(out, "\t\t{rule} comment \"{}\"", rule.sentence)?;
        }
        writeln!(out, "\t}}")
    }
}

/// The rule as `nft` reads it, without its comment.
impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.matches {
            write!(out, "{one} ")?;
        }
        if let Some(limit) = self.limit {
            let (rate, burst) = (limit.per_second, limit.burst);
            write!(out, "limit rate {rate}/second burst {burst} packets ")?;
        }
        if let Some(counter) = &self.counter {
            write!(out, "counter name \"{counter}\" ")?;
        }
        match self.action {
            Action::Accept => out.write_str("accept"),
            Action::Drop => out.write_str("drop"),
            Action::ClampMss(size) => write!(out, "tcp option maxseg size set {size}"),
            Action::Mark { v6, dscp } => {
                let family = if v6 { "ip6" } else { "ip" };
                write!(out, "{family} dscp set {}", mark(dscp))
            }
            Action::Classify(minor) => write!(out, "meta priority set 1:{minor:x}"),
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.field {
            Field::TcpSynRst => "tcp flags & (syn | rst)",
            Field::TcpSynAck => "tcp flags & (syn | ack)",
            other => other.name(),
        };
        out.write_str(name)?;
        if let Values::Exists(exists) = self.values {
            let exists = exists != self.negated;
            return out.write_str(if exists { " exists" } else { " missing" });
        }
        let masked = name.contains('&');
        let operator = match (self.negated, masked) {
            (true, _) => " != ",
            (false, true) => " == ",
            (false, false) => " ",
        };
        out.write_str(operator)?;
        let quoted = matches!(self.values, Values::Names(_));
        let elements = self.values.elements();
        let quote = if quoted { "\"" } else { "" };
        if let [one] = elements.as_slice() {
            return write!(out, "{quote}{one}{quote}");
        }
        out.write_str("{ ")?;
        for (at, element) in elements.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(out, "{comma}{quote}{element}{quote}")?;
        }
        out.write_str(" }")
    }
}
