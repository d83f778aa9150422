//! A kernel that does as it is told: steps come in, what it holds goes out.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use sbc_plan::desired::LinkKind;
use sbc_plan::firewall::{Family, Table};
use sbc_plan::observed::{ObservedChain, ObservedKind, ObservedLink, ObservedRule, ObservedTable};
use sbc_plan::{Desired, Observed, Plan, Step, Undo};

/// Does one step.
pub fn apply(kernel: &mut Observed, step: &Step) {
    match step {
        Step::ExpectPort(_) => {}
        Step::SetSysctl { sysctl, .. } => {
            kernel
                .sysctls
                .insert(sysctl.path.clone(), sysctl.value.clone());
        }
        Step::LoadTables(tables) => tables.iter().for_each(|table| load(kernel, table)),
        Step::RemoveTable { family, name } => remove_table(kernel, *family, name),
        Step::CreateLink { link, table } => {
            assert!(kernel.links.iter().all(|one| one.name != link.name));
            kernel.links.push(ObservedLink {
                name: link.name.clone(),
                kind: match &link.kind {
                    LinkKind::Port => ObservedKind::Port,
                    LinkKind::Vlan { below, tag } => ObservedKind::Vlan {
                        below: below.clone(),
                        tag: *tag,
                    },
                    LinkKind::Gre(gre) => ObservedKind::Gre(*gre),
                },
                up: false,
                mtu: link.mtu.into(),
                silent: true,
            });
            for one in &link.sysctls {
                kernel.sysctls.insert(one.path.clone(), one.value.clone());
            }
            table.iter().for_each(|table| load(kernel, table));
        }
        Step::RemoveLink { link, .. } => {
            let name = &link.name;
            kernel.links.retain(|one| one.name != *name);
            kernel
                .sysctls
                .retain(|path, _| !path.split('/').any(|part| part == name));
            kernel.tables.retain(|table| !hangs_on(table, name));
        }
        Step::SetMtu { link, mtu, .. } => on(kernel, link, |one| one.mtu = *mtu),
        Step::Silence(link) => on(kernel, link, |one| one.silent = true),
        Step::SetUp(link) => on(kernel, link, |one| one.up = true),
        Step::SetDown(link) => on(kernel, link, |one| one.up = false),
        Step::AddAddress(one) => kernel.addresses.push(one.clone()),
        Step::RemoveAddress(one) => take(&mut kernel.addresses, one),
        Step::AddNeighbour(one) => kernel.neighbours.push(one.clone()),
        Step::RemoveNeighbour(one) => take(&mut kernel.neighbours, one),
        Step::AddRoute(one) => kernel.routes.push(one.clone()),
        Step::RemoveRoute(one) => take(&mut kernel.routes, one),
        Step::AddRule(one) => kernel.rules.push(one.clone()),
        Step::RemoveRule(one) => take(&mut kernel.rules, one),
        Step::SetShaper { shaper, .. } => {
            kernel.shapers.retain(|one| one.link != shaper.link);
            kernel.shapers.push(shaper.clone());
        }
        Step::RemoveShaper(one) => take(&mut kernel.shapers, one),
        Step::LoadConnection { connection, .. } => {
            kernel.connections.retain(|one| one.name != connection.name);
            kernel.connections.push(connection.clone());
        }
        Step::UnloadConnection(one) => take(&mut kernel.connections, one),
    }
}

fn hangs_on(table: &ObservedTable, link: &String) -> bool {
    let mut hooks = table.chains.iter().filter_map(|chain| chain.hook.as_ref());
    hooks.any(|hook| hook.device.as_ref() == Some(link))
}

fn on(kernel: &mut Observed, link: &str, change: impl Fn(&mut ObservedLink)) {
    let link = kernel.links.iter_mut().find(|one| one.name == link);
    change(link.unwrap());
}

fn take<T: PartialEq + std::fmt::Debug>(all: &mut Vec<T>, one: &T) {
    let at = all.iter().position(|other| other == one);
    assert!(at.is_some(), "{one:?} is not there");
    all.remove(at.unwrap());
}

fn remove_table(kernel: &mut Observed, family: Family, name: &str) {
    kernel
        .tables
        .retain(|one| one.family != family || one.name != name);
}

fn load(kernel: &mut Observed, table: &Table) {
    remove_table(kernel, table.family, &table.name);
    kernel.tables.push(read(table));
}

fn read(table: &Table) -> ObservedTable {
    ObservedTable {
        family: table.family,
        name: table.name.clone(),
        foreign: None,
        counters: table.counters.clone(),
        chains: table
            .chains
            .iter()
            .map(|chain| ObservedChain {
                name: chain.name.clone(),
                hook: Some(chain.hook.clone()),
                rules: chain
                    .rules
                    .iter()
                    .map(|rule| ObservedRule {
                        parts: rule.normal(),
                        comment: rule.sentence.into(),
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// Does a whole plan.
pub fn apply_all(kernel: &mut Observed, plan: &Plan) {
    plan.steps.iter().for_each(|step| apply(kernel, step));
}

/// Returns a machine that has been brought up.
pub fn running(desired: &Desired) -> Observed {
    let mut kernel = Observed::bare(desired);
    let plan = sbc_plan::plan(desired, &kernel);
    apply_all(&mut kernel, &plan);
    kernel
}

/// Takes back a step that was done to `before`.
pub fn take_back(kernel: &mut Observed, step: &Step, before: &Observed) {
    match step.undo() {
        Undo::Nothing => {}
        Undo::Step(step) => apply(kernel, &step),
        Undo::RestoreTables(names) => {
            for (family, name) in names {
                remove_table(kernel, family, &name);
                let old = before.tables.iter();
                let old = old.filter(|one| one.family == family && one.name == name);
                kernel.tables.extend(old.cloned());
            }
        }
        Undo::RestoreLink { link, sysctls } => {
            let name = link.name.clone();
            kernel.links.push(link);
            for one in sysctls {
                kernel.sysctls.insert(one.path, one.value);
            }
            let old = before.tables.iter().filter(|table| hangs_on(table, &name));
            kernel.tables.extend(old.cloned());
        }
        Undo::Unsilence(link) => on(kernel, &link, |one| one.silent = false),
    }
}

/// The same in an order of its own, so that two can be compared.
pub fn sorted(kernel: &Observed) -> Observed {
    let mut all = kernel.clone();
    all.links.sort_by(|a, b| a.name.cmp(&b.name));
    all.addresses.sort();
    all.neighbours.sort();
    all.routes.sort();
    all.rules.sort();
    all.tables
        .sort_by(|a, b| (a.family, &a.name).cmp(&(b.family, &b.name)));
    all.shapers.sort_by(|a, b| a.link.cmp(&b.link));
    all.connections.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
