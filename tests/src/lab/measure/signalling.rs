//! The processor time of a call, element by element, round by round; and whether
//! messages of a call kept their order.

use std::time::Duration;

use super::sipp::{self, Load};
use super::{Bench, Who, figure, moves_media};

/// Rounds of each comparison.
const ROUNDS: usize = 3;

const ROUND: Load = Load {
    calls: 1_600,
    per_second: 400,
    held: Duration::ZERO,
    tcp: false,
};

const UDP: [&str; 4] = [
    "signalling, UDP to TCP, against kamailio",
    "  the same with our relay's work counted",
    "media anchored, against kamailio + rtpengine",
    "  media set up and ended, against rtpengine",
];
const TCP: [&str; 4] = [
    "signalling, TCP to TCP, against kamailio",
    "  the same with our relay's work counted",
    "media anchored, TCP to TCP",
    "  media set up and ended, TCP to TCP",
];

/// Processor time in seconds for 1,000 calls.
#[derive(Clone, Copy, Debug)]
struct Spent {
    signalling: f64,
    media: f64,
}

impl Spent {
    fn all(self) -> f64 {
        self.signalling + self.media
    }
}

/// Plays all rounds.
///
/// # Errors
/// When SIPp fails.
pub fn measure(bench: &mut Bench) -> Result<(), String> {
    let before = bench.misplaced;
    for (load, way) in [
        (ROUND, "UDP to TCP"),
        (Load { tcp: true, ..ROUND }, "TCP to TCP"),
    ] {
        rounds(bench, load, way)?;
    }
    let overtaken = f64::from(bench.misplaced - before);
    bench.figures.push(figure(
        "messages of ours that overtook others",
        (0.0, 0.0),
        "messages",
        vec![(overtaken, None)],
    ));
    Ok(())
}

fn rounds(bench: &mut Bench, load: Load, way: &str) -> Result<(), String> {
    let mut found: [Vec<(f64, Option<f64>)>; 4] = Default::default();
    for round in 1..=ROUNDS {
        let ours = spent(bench, Who::Ours, load)?;
        let proxy = spent(bench, Who::Kamailio, load)?;
        let both = spent(bench, Who::Anchored, load)?;
        bench.say(&format!(
            "{way}, round {round}: ours {:.3} s, its relay {:.3}; kamailio {:.3}; kamailio and rtpengine {:.3} + {:.3}",
            ours.signalling, ours.media, proxy.signalling, both.signalling, both.media,
        ));
        let pairs = [
            (ours.signalling, proxy.signalling),
            (ours.all(), proxy.signalling),
            (ours.all(), both.all()),
            (ours.media, both.media),
        ];
        for (rows, (ours, other)) in found.iter_mut().zip(pairs) {
            rows.push((ours, Some(other)));
        }
    }
    let names = if load.tcp { TCP } else { UDP };
    let bounds = [(1.0, 0.6), (1.0, 0.6), (0.45, 0.25), (0.25, 0.1)];
    for ((name, bound), rows) in names.into_iter().zip(bounds).zip(found) {
        bench.figures.push(figure(name, bound, "s/1000", rows));
    }
    Ok(())
}

/// Places `load` on an element; returns seconds for 1,000 calls.
fn spent(bench: &mut Bench, who: Who, load: Load) -> Result<Spent, String> {
    let stage = bench.stage(who);
    let used = || {
        (
            stage.nanoseconds(|name| !moves_media(name)),
            stage.nanoseconds(moves_media),
        )
    };
    let before = used();
    let outcome = sipp::run(stage, "caller", load)?;
    let after = used();
    bench.note(who, outcome);
    let seconds = |before: u64, after: u64| {
        after.saturating_sub(before) as f64 / 1e6 / f64::from(outcome.succeeded)
    };
    Ok(Spent {
        signalling: seconds(before.0, after.0),
        media: seconds(before.1, after.1),
    })
}
