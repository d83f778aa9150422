//! Mutations of every torture message pass the whole chain: whatever they became, nothing
//! panics and no promise of a fuzz target is broken.

#[path = "../fuzz/src/mutate.rs"]
mod mutate;
#[allow(
    dead_code,
    unused_imports,
    reason = "an operator's file comes from elsewhere"
)]
#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use bytes::BytesMut;
use sbc_sip::wire::{Received, datagram};

use mutate::{Random, mutate};

use crate::judge::{assert_rewritten, of_frame};
use crate::verdict::{names, octets};

/// How many mutations are tried, unless [`MORE`] says otherwise.
const MUTATIONS: u64 = 2_000_000;
/// The variable that names another number.
const MORE: &str = "SBC_MUTATIONS";
/// Mutations of one seed; the seeds are dealt out to the threads.
const BATCH: u64 = 10_000;

#[test]
fn two_million_mutated_messages_break_nothing() {
    let wanted = std::env::var(MORE).map_or(MUTATIONS, |text| text.parse().expect("a number"));
    let sets = ["rfc4475", "rfc5118", "own"];
    let corpus: Vec<Vec<u8>> = sets
        .into_iter()
        .flat_map(|set| names(set).into_iter().map(move |name| octets(set, &name)))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let accepted: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let corpus = &corpus;
                scope.spawn(move || {
                    let seeds = (first..wanted.div_ceil(BATCH)).step_by(threads as usize);
                    seeds.map(|seed| batch(seed, corpus)).sum::<u64>()
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("nothing panics"))
            .sum()
    });
    // Mutations that are all refused at the door would prove little.
    assert!(
        accepted > wanted / 50,
        "{accepted} of {wanted} were accepted"
    );
}

/// Returns how many of a batch were accepted.
fn batch(seed: u64, corpus: &[Vec<u8>]) -> u64 {
    let mut random = Random::new(seed);
    let mut input = Vec::new();
    let mut accepted = 0;
    for number in 0..BATCH {
        mutate(&mut random, corpus, &mut input);
        let outcome = std::panic::catch_unwind(|| pass(&input, number as usize));
        match outcome {
            Ok(passed) => accepted += u64::from(passed),
            Err(_) => panic!("seed {seed}, number {number}: {}", input.escape_ascii()),
        }
    }
    accepted
}

/// Returns whether a message was accepted on its way through everything.
fn pass(input: &[u8], number: usize) -> bool {
    targets::datagram(input);
    // Each target in its turn has the whole, or one line of what can be framed.
    let (_, target) = targets::NETWORK[number / 2 % targets::NETWORK.len()];
    if number.is_multiple_of(2) {
        target(input);
    }
    let Ok(Received::Message(frame)) = datagram(BytesMut::from(input)) else {
        return false;
    };
    assert_rewritten(&frame);
    let lines = frame.lines().count().max(1);
    if let Some((.., value)) = frame.lines().nth(number % lines)
        && !number.is_multiple_of(2)
    {
        target(value.as_bytes());
    }
    of_frame(&frame) == "accept"
}
