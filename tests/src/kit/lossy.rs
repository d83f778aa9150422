//! A wire that loses datagrams: it stands between a telephone and the node on
//! UDP, and drops a share of them in each direction, the same ones for the same
//! seed.

use std::io::BufRead;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one direction did.
#[derive(Debug, Default)]
struct Counts {
    passed: AtomicU64,
    dropped: AtomicU64,
}

/// Runs the wire: its address towards the node, the node's; its address towards
/// the telephone, the telephone's; per cent to lose; a seed. Any line on its
/// input is answered with what it did.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            ExitCode::from(1)
        }
    }
}

fn start(arguments: &[&str]) -> Result<(), String> {
    let [face, node, back, phone, per_cent, seed] = arguments else {
        return Err("usage: lossy FACE NODE BACK PHONE PERCENT SEED".into());
    };
    let bad = |what: &str| format!("{what} makes no sense");
    let open = |at: &str| UdpSocket::bind(at).map_err(|error| format!("{at}: {error}"));
    let place = |at: &str| at.parse::<SocketAddr>().map_err(|_| bad(at));
    let (face, back) = (Arc::new(open(face)?), Arc::new(open(back)?));
    let (node, phone) = (place(node)?, place(phone)?);
    let per_cent: u64 = per_cent.parse().map_err(|_| bad(per_cent))?;
    let seed: u64 = seed.parse().map_err(|_| bad(seed))?;
    let counts: [Arc<Counts>; 2] = Default::default();
    let ways = [(&back, &face, node), (&face, &back, phone)];
    for ((number, (from, to, place)), counts) in (0_u64..).zip(ways).zip(&counts) {
        let (from, to, counts) = (Arc::clone(from), Arc::clone(to), Arc::clone(counts));
        let dice = Dice(seed.wrapping_mul(2).wrapping_add(number));
        std::thread::spawn(move || carry(&from, &to, place, per_cent, dice, &counts));
    }
    println!("ready");
    for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
        let [out, back] = &counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "wire to-node {} lost {} to-phone {} lost {}",
            read(&out.passed),
            read(&out.dropped),
            read(&back.passed),
            read(&back.dropped)
        );
    }
    Ok(())
}

fn carry(
    from: &UdpSocket,
    to: &UdpSocket,
    place: SocketAddr,
    per_cent: u64,
    mut dice: Dice,
    counts: &Counts,
) {
    let mut buffer = vec![0; 65_535];
    loop {
        // A refused port of an earlier datagram is no reason to stop.
        let Ok((length, _)) = from.recv_from(&mut buffer) else {
            continue;
        };
        if dice.throw() % 100 < per_cent {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        counts.passed.fetch_add(1, Ordering::Relaxed);
        let _lost = to.send_to(buffer.get(..length).unwrap_or_default(), place);
    }
}

/// `SplitMix64`: a few lines whose numbers are the same everywhere.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn a_tenth_is_a_tenth_and_the_same_for_the_same_seed() {
        let throw = |seed| -> Vec<bool> {
            let mut dice = Dice(seed);
            (0..10_000).map(|_| dice.throw() % 100 < 10).collect()
        };
        let lost = throw(7).into_iter().filter(|&lost| lost).count();
        assert!((900..1100).contains(&lost), "{lost}");
        assert_eq!(throw(7), throw(7));
        assert_ne!(throw(7), throw(8));
    }
}
