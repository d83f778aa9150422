//! A matrix as lines, with cells that touch made one.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use super::packets::bits;
use super::{Cell, Matrix, Way};

/// Joins cells that differ in one range alone, where the two ranges touch.
pub fn merged(mut cells: Vec<Cell>) -> Vec<Cell> {
    loop {
        let before = cells.len();
        merge_begins(&mut cells);
        merge_by(&mut cells, |cell| &mut cell.source);
        merge_by(&mut cells, |cell| &mut cell.target);
        merge_ports(&mut cells, |cell| &mut cell.source_ports);
        merge_ports(&mut cells, |cell| &mut cell.target_ports);
        if cells.len() == before {
            cells.sort();
            return cells;
        }
    }
}

type Range<T> = (T, T);

/// Joins cells that differ in the user alone: each once, with its users.
fn by_user(cells: Vec<Cell>) -> Vec<(Cell, Vec<Option<u32>>)> {
    let mut all: BTreeMap<Cell, Vec<Option<u32>>> = BTreeMap::new();
    for mut cell in cells {
        let user = cell.user.take();
        all.entry(cell).or_default().extend(user);
    }
    all.into_iter().collect()
}

/// Makes one of two cells that differ in whether they begin alone.
fn merge_begins(cells: &mut Vec<Cell>) {
    let with = |cell: &Cell, begins| Cell {
        begins,
        ..cell.clone()
    };
    let all: BTreeSet<Cell> = cells.iter().cloned().collect();
    let joined = all.iter().filter_map(|cell| {
        let other = with(cell, Some(!cell.begins?));
        let whole = with(cell, None);
        match (all.contains(&other), cell.begins) {
            (true, Some(true)) => Some(whole),
            (true, _) => None,
            (false, _) => Some(cell.clone()),
        }
    });
    let rest = all.iter().filter(|cell| cell.begins.is_none()).cloned();
    *cells = joined.chain(rest).collect();
}

fn merge_by(cells: &mut Vec<Cell>, range: impl Fn(&mut Cell) -> &mut Range<IpAddr>) {
    let joins = |one: Range<IpAddr>, two: Range<IpAddr>| {
        let touches = bits(one.1).checked_add(1) == Some(bits(two.0));
        (touches && one.0.is_ipv4() == two.0.is_ipv4()).then_some((one.0, two.1))
    };
    join(cells, range, joins);
}

fn merge_ports(cells: &mut Vec<Cell>, range: impl Fn(&mut Cell) -> &mut Option<Range<u16>>) {
    let joins = |one: Option<Range<u16>>, two: Option<Range<u16>>| {
        let (one, two) = (one?, two?);
        (one.1.checked_add(1) == Some(two.0)).then_some(Some((one.0, two.1)))
    };
    join(cells, range, joins);
}

fn join<T: Copy + Ord>(
    cells: &mut Vec<Cell>,
    part: impl Fn(&mut Cell) -> &mut T,
    joins: impl Fn(T, T) -> Option<T>,
) {
    let Some(first) = cells.first_mut() else {
        return;
    };
    let any = *part(first);
    // Cells alike but for the part, the part in order.
    let mut keyed: Vec<(Cell, T)> = cells
        .iter()
        .cloned()
        .map(|mut cell| {
            let own = core::mem::replace(part(&mut cell), any);
            (cell, own)
        })
        .collect();
    keyed.sort();
    let mut out: Vec<(Cell, T)> = Vec::new();
    for (cell, own) in keyed {
        if let Some((last, range)) = out.last_mut()
            && let Some(both) = joins(*range, own).filter(|_| *last == cell)
        {
            *range = both;
            continue;
        }
        out.push((cell, own));
    }
    *cells = out
        .into_iter()
        .map(|(mut cell, own)| {
            *part(&mut cell) = own;
            cell
        })
        .collect();
}

impl fmt::Display for Matrix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut link = None;
        for (cell, users) in by_user(merged(self.cells.clone())) {
            let place = Some((cell.way, cell.link.clone()));
            if place != link {
                link.clone_from(&place);
                let zone = cell.zone.map_or("", sbc_config::Zone::word);
                match cell.way {
                    Way::In => writeln!(out, "from {} ({zone}) to the node", cell.link)?,
                    Way::Out => writeln!(out, "from the node to {} ({zone})", cell.link)?,
                }
            }
            write!(out, "  {cell}")?;
            for (at, user) in users.iter().enumerate() {
                out.write_str(if at == 0 { ", by " } else { ", " })?;
                match user {
                    Some(user) => write!(out, "user {user}")?,
                    None => out.write_str("the kernel")?,
                }
            }
            out.write_str("\n")?;
        }
        out.write_str(if self.forwards {
            "between links: OPEN\n"
        } else {
            "between links: nothing\n"
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        range(out, self.source)?;
        out.write_str(" > ")?;
        range(out, self.target)?;
        if let Some(operation) = self.arp {
            write!(out, "  arp {operation}")?;
        }
        match self.protocol {
            None if self.arp.is_some() => {}
            None => out.write_str("  any protocol")?,
            Some(1) => out.write_str("  icmp")?,
            Some(6) => out.write_str("  tcp")?,
            Some(17) => out.write_str("  udp")?,
            Some(47) => out.write_str("  gre")?,
            Some(50) => out.write_str("  esp")?,
            Some(58) => out.write_str("  icmpv6")?,
            Some(other) => write!(out, "  protocol {other}")?,
        }
        if let Some(kind) = self.icmp {
            write!(out, " {kind}")?;
        }
        if let Some(ports) = self.source_ports {
            write!(out, " from ")?;
            numbers(out, ports)?;
        }
        if let Some(ports) = self.target_ports {
            write!(out, " to ")?;
            numbers(out, ports)?;
        }
        match self.begins {
            Some(true) => out.write_str(", begins")?,
            Some(false) => out.write_str(", goes on")?,
            None => {}
        }
        match self.ipsec {
            Some(true) => out.write_str(", in IPsec")?,
            Some(false) => out.write_str(", IN CLEAR")?,
            None => {}
        }
        match self.user {
            Some(Some(user)) => write!(out, ", user {user}"),
            Some(None) => out.write_str(", the kernel"),
            None => Ok(()),
        }
    }
}

fn range(out: &mut fmt::Formatter<'_>, (first, last): (IpAddr, IpAddr)) -> fmt::Result {
    if bits(last) == 0 || first == last {
        return write!(out, "{first}");
    }
    let all = bits(first) == 0 && matches!(bits(last), 0xffff_ffff | u128::MAX);
    if all {
        return out.write_str("anyone");
    }
    write!(out, "{first}-{last}")
}

fn numbers(out: &mut fmt::Formatter<'_>, (first, last): (u16, u16)) -> fmt::Result {
    match (first, last) {
        (0, u16::MAX) => out.write_str("any"),
        _ if first == last => write!(out, "{first}"),
        _ => write!(out, "{first}-{last}"),
    }
}
