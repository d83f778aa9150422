//! A plan as lines: one for each step; a table's rules below it, each with the
//! sentence it enforces.

use core::fmt;

use super::{Plan, Step};
use crate::firewall::Table;
use crate::observed::ObservedKind;

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            writeln!(out, "{:>3}  {step}", at + 1)?;
            match step {
                Step::LoadTables(tables) => {
                    for table in tables {
                        rules(table, out)?;
                    }
                }
                Step::CreateLink { link, table } => {
                    for sysctl in &link.sysctls {
                        writeln!(out, "       {sysctl}")?;
                    }
                    if let Some(table) = table {
                        rules(table, out)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn rules(table: &Table, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(out, "       table {} {}", table.family, table.name)?;
    for chain in &table.chains {
        let policy = if chain.hook.drops { "drop" } else { "accept" };
        writeln!(
            out,
            "         {} at {} {}, else {policy}",
            chain.name, chain.hook.point, chain.hook.priority
        )?;
        let mut sentence = "";
        for rule in &chain.rules {
            if rule.sentence != sentence {
                sentence = rule.sentence;
                writeln!(out, "           # {sentence}")?;
            }
            writeln!(out, "           {rule}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpectPort(name) => write!(out, "expect port {name}"),
            Self::SetSysctl { sysctl, .. } => write!(out, "set {sysctl}"),
            Self::LoadTables(tables) => {
                write!(out, "load {} tables in one transaction:", tables.len())?;
                tables
                    .iter()
                    .try_for_each(|table| write!(out, " {} {}", table.family, table.name))
            }
            Self::RemoveTable { family, name } => write!(out, "remove table {family} {name}"),
            Self::CreateLink { link, table } => {
                let (name, owner, mtu) = (&link.name, &link.owner, link.mtu);
                write!(out, "create {name}, {}, for {owner}, mtu {mtu}", link.kind)?;
                out.write_str(if table.is_some() { ", fenced" } else { "" })
            }
            Self::RemoveLink { link, .. } => {
                let kind = match &link.kind {
                    ObservedKind::Vlan { .. } => "VLAN",
                    ObservedKind::Gre(_) => "tunnel",
                    _ => "device",
                };
                write!(out, "remove {kind} {}", link.name)
            }
            Self::SetMtu { link, mtu, .. } => write!(out, "set {link} mtu {mtu}"),
            Self::Silence(link) => write!(out, "set {link} addr_gen_mode none"),
            Self::SetUp(link) => write!(out, "set {link} up"),
            Self::SetDown(link) => write!(out, "set {link} down"),
            Self::AddAddress(one) => write!(out, "add address {one}"),
            Self::RemoveAddress(one) => write!(out, "remove address {one}"),
            Self::AddNeighbour(one) => write!(out, "add neighbour {one}"),
            Self::RemoveNeighbour(one) => write!(out, "remove neighbour {one}"),
            Self::AddRoute(one) => write!(out, "add route {one}"),
            Self::RemoveRoute(one) => write!(out, "remove route {one}"),
            Self::AddRule(one) => write!(out, "add rule {one}"),
            Self::RemoveRule(one) => write!(out, "remove rule {one}"),
            Self::SetShaper { shaper, .. } => write!(out, "shape {shaper}"),
            Self::RemoveShaper(shaper) => write!(out, "stop shaping {}", shaper.link),
            Self::LoadConnection { connection, .. } => write!(out, "load connection {connection}"),
            Self::UnloadConnection(one) => write!(out, "unload connection {}", one.name),
        }
    }
}
