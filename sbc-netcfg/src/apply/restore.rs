//! The way back: what a step is about to change is looked at before it is done, and
//! put back when a later step fails.

use std::collections::BTreeSet;

use sbc_plan::firewall::Family;
use sbc_plan::{Observed, Step, Undo};

use super::{Hands, words};
use crate::error::KernelError;
use crate::nft::Language;

/// How one step is taken back.
#[derive(Debug)]
pub(super) struct Back {
    step: String,
    undo: Undo,
    /// Text of each table that the step replaces or removes; none where there was
    /// no such table.
    tables: Vec<(Family, String, Option<String>)>,
}

/// Tables that may be there: a table that is not need not be looked at, which is a
/// program less to run for each table of a boot.
#[derive(Debug)]
pub(super) struct There(BTreeSet<(Family, String)>);

impl There {
    pub(super) fn of(observed: &Observed) -> Self {
        let tables = observed.tables.iter();
        Self(
            tables
                .map(|table| (table.family, table.name.clone()))
                .collect(),
        )
    }

    /// Returns whether a table may be there before a step that may make it.
    fn before_it_is_made(&mut self, family: Family, name: &str) -> bool {
        !self.0.insert((family, name.to_owned()))
    }
}

impl Hands {
    /// Looks at what `step` will change.
    pub(super) async fn prepare(
        &self,
        step: &Step,
        there: &mut There,
    ) -> Result<Back, KernelError> {
        let names: Vec<(Family, String)> = match step {
            Step::LoadTables(tables) => {
                let name = |table: &sbc_plan::Table| (table.family, table.name.clone());
                tables.iter().map(name).collect()
            }
            Step::RemoveTable { family, name } => vec![(*family, name.clone())],
            Step::CreateLink { table, .. } => {
                let table = table.iter();
                table
                    .map(|table| (table.family, table.name.clone()))
                    .collect()
            }
            Step::RemoveLink { link, .. } => self.hanging_on(&link.name).await?,
            _ => Vec::new(),
        };
        let mut tables = Vec::new();
        for (family, name) in names {
            let text = if there.before_it_is_made(family, &name) {
                let (word, bare) = words(family, &name);
                self.nft.text_of(word, bare).await?
            } else {
                None
            };
            tables.push((family, name, text));
        }
        Ok(Back {
            step: step.to_string(),
            undo: step.undo(),
            tables,
        })
    }

    /// Returns the tables with a chain on a device.
    pub(super) async fn hanging_on(
        &self,
        link: &str,
    ) -> Result<Vec<(Family, String)>, KernelError> {
        let tables = self.nft.tables().await?;
        let hangs = |table: &sbc_plan::observed::ObservedTable| {
            let mut hooks = table.chains.iter().filter_map(|chain| chain.hook.as_ref());
            hooks.any(|hook| hook.device.as_deref() == Some(link))
        };
        let hanging = tables.into_iter().filter(hangs);
        Ok(hanging.map(|table| (table.family, table.name)).collect())
    }

    /// Takes back all that was done, newest first. Returns what could not be.
    pub(super) async fn take_back(&mut self, mut log: Vec<Back>) -> Vec<String> {
        let mut left = Vec::new();
        while let Some(back) = log.pop() {
            if let Err(why) = self.undo(&back).await {
                left.push(format!("{} ({why})", back.step));
            }
        }
        left
    }

    async fn undo(&mut self, back: &Back) -> Result<(), KernelError> {
        match &back.undo {
            Undo::Nothing => Ok(()),
            Undo::Step(step) => {
                self.perform(step).await?;
                // A device that goes away again leaves its table behind.
                self.restore(&back.tables).await
            }
            Undo::RestoreTables(_) => self.restore(&back.tables).await,
            Undo::RestoreLink { link, sysctls } => {
                let texts = back.tables.iter();
                let texts = texts.filter_map(|(family, name, text)| {
                    let (family, name) = words(*family, name);
                    Some(replacing(family, name, text.as_deref()?))
                });
                self.make_again(link, sysctls, &texts.collect::<String>())
                    .await
            }
            Undo::Unsilence(link) => self.silence(link, false).await,
        }
    }

    async fn restore(
        &self,
        tables: &[(Family, String, Option<String>)],
    ) -> Result<(), KernelError> {
        let mut all = String::new();
        for (family, name, text) in tables {
            let (word, bare) = words(*family, name);
            match text {
                Some(text) => all.push_str(&replacing(word, bare, text)),
                None => all.push_str(&format!(
                    "table {word} {bare}\ndelete table {word} {bare}\n"
                )),
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        let loaded = self.nft.load(Language::Text, all.as_bytes()).await;
        loaded.map_err(KernelError::from)
    }
}

/// Returns a listing as a text that replaces the table it is of.
fn replacing(family: &str, name: &str, text: &str) -> String {
    format!("table {family} {name}\ndelete table {family} {name}\n{text}\n")
}
