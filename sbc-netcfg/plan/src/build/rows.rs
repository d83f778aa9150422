//! Small words to write rules with.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sbc_config::Network;

use crate::firewall::{Action, Chain, Field, Hook, Limit, Match, Rule, Values};

/// The field has one of the values.
pub fn is(field: Field, values: Values) -> Match {
    Match {
        field,
        negated: false,
        values,
    }
}

/// The field has none of the values.
pub fn not(field: Field, values: Values) -> Match {
    Match {
        negated: true,
        ..is(field, values)
    }
}

pub(crate) fn input(link: &str) -> Match {
    is(Field::InLink, Values::Names(Vec::from([link.into()])))
}

pub(crate) fn output(link: &str) -> Match {
    is(Field::OutLink, Values::Names(Vec::from([link.into()])))
}

pub(crate) fn source(v4: bool, networks: &[Network]) -> Match {
    let field = if v4 { Field::Source4 } else { Field::Source6 };
    is(field, Values::Networks(networks.to_vec()))
}

pub(crate) fn target(v4: bool, networks: &[Network]) -> Match {
    let field = if v4 { Field::Target4 } else { Field::Target6 };
    is(field, Values::Networks(networks.to_vec()))
}

pub(crate) fn word(field: Field, word: &'static str) -> Match {
    is(field, Values::Words(Vec::from([word])))
}

pub(crate) fn number(field: Field, numbers: &[u32]) -> Match {
    is(field, Values::Numbers(numbers.to_vec()))
}

pub(crate) fn ports(field: Field, ports: &[(u16, u16)]) -> Match {
    is(field, Values::Ports(ports.to_vec()))
}

pub(crate) fn port(field: Field, port: u16) -> Match {
    ports(field, &[(port, port)])
}

/// Counts what it lets through.
pub fn accept(matches: Vec<Match>, counter: &str, sentence: &'static str) -> Rule {
    Rule {
        matches,
        limit: None,
        counter: Some(format!("isolation_{counter}")),
        action: Action::Accept,
        sentence,
    }
}

/// Counts what it drops.
pub fn drop(matches: Vec<Match>, counter: &str, sentence: &'static str) -> Rule {
    Rule {
        action: Action::Drop,
        ..accept(matches, counter, sentence)
    }
}

pub(crate) fn limited(mut rule: Rule, per_second: u32) -> Rule {
    rule.limit = Some(Limit {
        per_second,
        burst: per_second,
    });
    rule
}

/// A base chain that drops what no rule takes.
pub fn chain(name: &str, priority: i32, device: Option<&str>, rules: Vec<Rule>) -> Chain {
    Chain {
        name: name.into(),
        hook: Hook {
            point: name.into(),
            priority,
            drops: true,
            device: device.map(Into::into),
        },
        rules,
    }
}

/// Returns the counters that rules of these chains name, each once.
pub fn counters(chains: &[Chain]) -> Vec<String> {
    let rules = chains.iter().flat_map(|chain| &chain.rules);
    let mut all: Vec<String> = rules.filter_map(|rule| rule.counter.clone()).collect();
    all.sort();
    all.dedup();
    all
}
