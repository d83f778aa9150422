//! Memory of a held call, ours and theirs: calls are set up and held until their
//! transactions are gone, and the memory of before is taken off.

use std::time::{Duration, Instant};

use super::sipp::{self, Load};
use super::{Bench, Who, figure, moves_media};

/// Calls held at once.
const HELD: u32 = 1_000;

/// Transactions outlive their messages by 32 s (RFC 6026 §7.1, timer L): what is
/// held after this long is the call's alone.
const LINGER: Duration = Duration::from_secs(34);

/// Calls are set up at this rate.
const PER_SECOND: u32 = 200;

/// After the last call is set up and its transactions are gone, there is this long
/// to look.
const LOOK: Duration = Duration::from_secs(4);

const HOLD: Load = Load {
    calls: HELD,
    per_second: PER_SECOND,
    held: Duration::from_secs(HELD as u64 / PER_SECOND as u64)
        .saturating_add(LINGER)
        .saturating_add(LOOK),
    tcp: true,
};

/// Calls before the first look, so that what is made once is there and what is kept
/// of the latest calls, their ladders, is full.
const WARM: Load = Load {
    calls: 3_000,
    per_second: 2 * PER_SECOND,
    held: Duration::ZERO,
    tcp: true,
};

/// KiB of an element.
#[derive(Clone, Copy)]
struct Kib {
    signalling: u64,
    media: u64,
}

impl Kib {
    const fn all(self) -> u64 {
        self.signalling + self.media
    }
}

/// Before the calls, while they are held, and after them.
struct Looks {
    empty: Kib,
    full: Kib,
    after: Kib,
}

impl Looks {
    fn signalling(&self) -> f64 {
        per_call(self.empty.signalling, self.full.signalling)
    }

    fn with_media(&self) -> f64 {
        per_call(self.empty.all(), self.full.all())
    }

    fn kept(&self) -> f64 {
        per_call(self.empty.all(), self.after.all())
    }
}

/// Takes what was seen of both elements at each of three times.
fn both_looks([a, b]: [Kib; 2], [c, d]: [Kib; 2], [e, f]: [Kib; 2]) -> [Looks; 2] {
    [(a, c, e), (b, d, f)].map(|(empty, full, after)| Looks { empty, full, after })
}

fn per_call(before: u64, now: u64) -> f64 {
    now.saturating_sub(before) as f64 / f64::from(HELD)
}

/// Holds the calls on both elements at once: it is memory that is looked at, and
/// they share nothing.
///
/// # Errors
/// When SIPp fails, or calls do not stay up.
pub fn measure(bench: &mut Bench) -> Result<(), String> {
    let both = [Who::Ours, Who::Holding];
    bench.say("calls come and go, so that what is kept of the latest is full");
    for who in both {
        let outcome = sipp::run(bench.stage(who), "caller", WARM)?;
        bench.note(who, outcome);
    }
    std::thread::sleep(LINGER);
    let empty = both.map(|who| look(bench, who));
    bench.say(&format!("{HELD} calls go up on both"));
    let mut callers = Vec::new();
    for who in both {
        callers.push(sipp::caller(bench.stage(who), "caller", HOLD)?);
    }
    let since = Instant::now();
    let (looks_at, patience) = (HOLD.held, HOLD.held + Duration::from_secs(60));
    std::thread::sleep(
        looks_at
            .saturating_sub(LOOK / 2)
            .saturating_sub(since.elapsed()),
    );
    let full = both.map(|who| look(bench, who));
    for (who, caller) in both.into_iter().zip(&mut callers) {
        let outcome = caller.finish(patience)?;
        if outcome.succeeded < HELD {
            return Err(format!("{who:?}: calls did not stay up: {outcome:?}"));
        }
        bench.note(who, outcome);
    }
    bench.say("they have ended; the memory goes back");
    std::thread::sleep(LINGER);
    let after = both.map(|who| look(bench, who));
    let [ours, theirs] = both_looks(empty, full, after);
    report(bench, &ours, &theirs);
    Ok(())
}

fn look(bench: &Bench, who: Who) -> Kib {
    let stage = bench.stage(who);
    Kib {
        signalling: stage.kibibytes(|name| !moves_media(name)),
        media: stage.kibibytes(moves_media),
    }
}

fn report(bench: &mut Bench, ours: &Looks, theirs: &Looks) {
    let (signalling, with_media) = (ours.signalling(), ours.with_media());
    bench.say(&format!(
        "KiB per held call: ours {signalling:.1}, with media {with_media:.1}; kamailio {:.1}, with rtpengine {:.1}",
        theirs.signalling(),
        theirs.with_media(),
    ));
    let rows = [
        ("memory of a held call, signalling", (4.0, 2.5), signalling),
        ("memory of a held call, with media", (8.0, 4.0), with_media),
        ("  of it kept after the call", (0.5, 0.0), ours.kept()),
    ];
    for (what, bound, value) in rows {
        let figure = figure(what, bound, "KiB", vec![(value, None)]);
        bench.figures.push(figure);
    }
}
