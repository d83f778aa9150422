//! Whatever comes in whatever order: the indexes agree with the table, and in
//! the end nothing is left (RFC 3261 §17).

use super::*;

const STEPS: usize = 3000;

/// A generator of the kind xorshift, so that each seed is one storm.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.throw(of.len() as u64)).unwrap()].clone()
    }
}

struct Storm {
    side: Side,
    dice: Dice,
    served: Vec<(ServerId, String)>,
    asked: Vec<String>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let limits = Limits {
            transactions: 40,
            per_peer: 25,
            reserve: 3,
            ..Limits::default()
        };
        Self {
            side: Side::with(Transport::Udp, limits),
            dice: Dice(seed),
            served: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn step(&mut self) {
        let transports = [Transport::Udp, Transport::Tcp];
        self.side.transport = self.dice.one(&transports);
        self.side.peer = Peer(u32::try_from(self.dice.throw(2)).unwrap());
        match self.dice.throw(12) {
            0..4 => self.hear(),
            4 => self.ask(),
            5 | 6 => self.be_answered(),
            7 | 8 => self.answer(),
            9 => self.fail(),
            _ => {
                let pause = self.dice.one(&[1, 100, 700, 5000, 33_000]);
                let until = self.side.now + pause;
                self.side.run(until);
            }
        }
        self.check();
    }

    fn hear(&mut self) {
        let methods = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "ODD"];
        let branches = ["z9hG4bKa", "z9hG4bKb", "z9hG4bKc", "old", "z9hG4bK-d"];
        let tag = self.dice.one(&[None, Some("theirs")]);
        let branch = self.dice.one(&branches);
        let mut text = request(self.dice.one(&methods), branch, tag);
        if self.dice.throw(2) == 0 {
            text = text.replace(&format!("from-{branch}"), "same");
        }
        let urgent = self.dice.throw(9) == 0;
        let outputs = self.side.receive_urgent(&text, urgent);
        for id in every_request(&outputs) {
            self.served.push((id, text.clone()));
        }
    }

    fn ask(&mut self) {
        let methods = [Method::Invite, Method::Bye, Method::Other("ODD")];
        let branch = u128::from(self.dice.throw(50));
        let outputs = self.side.send(self.dice.one(&methods), branch);
        if !matches!(outputs[..], [Output::Refused(_)]) {
            self.asked.push(sent(&outputs));
        }
        if self.dice.throw(2) == 0 {
            self.side.input(Input::Cancel {
                client: Branch::new(branch),
                reason: None,
            });
        }
    }

    fn be_answered(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let code = self.dice.one(&[100, 180, 200, 302, 486, 600]);
        let mut text = response(code, &self.dice.one(&self.asked));
        if self.dice.throw(4) == 0 {
            text = text.replace(" INVITE\r\n", " CANCEL\r\n");
        }
        self.side.receive(&text);
    }

    fn answer(&mut self) {
        if self.served.is_empty() {
            return;
        }
        let code = self.dice.one(&[100, 183, 200, 200, 404, 408, 487]);
        let (id, text) = self.dice.one(&self.served);
        self.side.respond(id, code, &text);
    }

    fn fail(&mut self) {
        if self.dice.throw(3) == 0 {
            let far = self.side.far();
            self.side.input(Input::Unreachable(far));
        } else if !self.served.is_empty() {
            let (id, _) = self.dice.one(&self.served);
            self.side.input(Input::Unsent(Transaction::Server(id)));
        }
    }

    fn check(&self) {
        let layer = &self.side.layer;
        assert!(layer.shared.queue.len() <= layer.len());
        assert!(layer.servers.is_consistent(), "{:?}", layer.servers);
        assert!(layer.clients.is_consistent(), "{:?}", layer.clients);
        assert!(layer.servers.len() <= 40, "{}", layer.servers.len());
    }
}

#[test]
fn no_storm_leaves_anything_behind() {
    let mut moved = [0; 10];
    for seed in 1..=20_u64 {
        let mut storm = Storm::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..STEPS {
            storm.step();
        }
        // What waits for its TU, or for a peer that may ring for ever.
        for (id, _) in core::mem::take(&mut storm.served) {
            storm.side.input(Input::Forget(Transaction::Server(id)));
        }
        for branch in 0..50 {
            let client = Transaction::Client(Branch::new(branch));
            storm.side.input(Input::Forget(client));
        }
        let end = storm.side.now + 100_000;
        storm.side.run(end);
        storm.side.assert_nothing_left();
        let counters = storm.side.counters();
        let counted = [
            counters.repeated_requests,
            counters.ignored_responses,
            counters.stray_responses,
            counters.unmatched_acks,
            counters.stray_cancels,
            counters.merged,
            counters.unsent_responses,
            counters.retransmitted,
            counters.timeouts,
            counters.transport_errors,
        ];
        for (sum, count) in moved.iter_mut().zip(counted) {
            *sum += count;
        }
    }
    assert!(!moved.contains(&0), "spared by every storm: {moved:?}");
}
