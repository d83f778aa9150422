//! A Mediation Server that fails in every way it can: the next call goes to the
//! other one in time, and the first is used again once it is well.

use std::time::{Duration, Instant};

use super::stage::{
    CARRIER, PATIENCE, SERVER, SERVER_2, Stage, TO_CARRIER, TO_SERVER, TO_SERVER_2, word,
};
use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::node::send;

/// What a call may take longer when the server says no, and when it says nothing.
const AT_ONCE: Duration = Duration::from_millis(500);
const IN_SILENCE: Duration = Duration::from_secs(5);

/// A server that was asked has said so by then.
const SOON: Duration = Duration::from_millis(300);

struct Scene {
    stage: Stage,
    carrier: Actor,
    second: Actor,
}

impl Scene {
    fn set(test: &str) -> Option<Self> {
        let stage = Stage::set(test)?;
        let carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
        let second = stage.phone("med2", "tcp", SERVER_2, TO_SERVER_2);
        Some(Self {
            stage,
            carrier,
            second,
        })
    }

    fn first(&self) -> Actor {
        self.stage.phone("med1", "tcp", SERVER, TO_SERVER)
    }

    /// Places a call, waits for its answer and ends it; the second server has to
    /// be the one that answers. Returns how long the answer took.
    fn reaches_the_second(&mut self) -> Duration {
        let since = Instant::now();
        let call = self.places();
        let took = since.elapsed();
        self.second
            .hear("incoming", PATIENCE)
            .expect("the second server");
        let (bye, ended) = (format!("bye {call}"), format!("ended {call} 200"));
        self.carrier.ask(&bye, &ended).unwrap();
        took
    }

    fn places(&mut self) -> String {
        let placed = self.carrier.ask("call +49691231042", "placed").unwrap();
        let call = word(&placed, 1).to_owned();
        let end = self
            .carrier
            .hear(&format!("final {call} "), PATIENCE)
            .unwrap();
        assert_eq!(word(&end, 2), "200", "{end}");
        call
    }

    /// Waits until calls reach the first server again.
    fn returns_to(&mut self, first: &mut Actor, what: &str) -> Duration {
        first.forget();
        self.second.forget();
        let since = Instant::now();
        loop {
            let call = self.places();
            let bye = format!("bye {call}");
            self.carrier
                .ask(&bye, &format!("ended {call} 200"))
                .unwrap();
            // Not what the first says counts: it may still be told of old calls.
            if self.second.hear("incoming", SOON).is_err() {
                first
                    .hear("incoming", PATIENCE)
                    .expect("the call was answered by one of the two");
                return since.elapsed();
            }
            // Two answers to OPTIONS five seconds apart, after what a connection
            // takes to find its way again.
            assert!(
                since.elapsed() < Duration::from_secs(40),
                "{what}: never again"
            );
        }
    }

    /// The first call meets the trouble, the next ones profit from it.
    fn trouble(&mut self, what: &str, bound: Duration) {
        let took = [(); 3].map(|()| self.reaches_the_second());
        let ms = took.map(|took| took.as_millis());
        println!("{what}: calls answered by the other after {ms:?} ms");
        for took in took {
            assert!(took <= bound, "{what}: {ms:?} ms");
        }
    }
}

/// RFC 3261 §16.7, §21.5.4: a server that refuses in any way is passed over.
#[test]
fn a_server_that_resets_refuses_or_answers_503_costs_half_a_second() {
    let name = "a_server_that_resets_refuses_or_answers_503_costs_half_a_second";
    let Some(mut scene) = Scene::set(name) else {
        return;
    };
    let mut first = scene.first();
    scene.returns_to(&mut first, "at the start");
    first.ask("mood refuse 503", "mood").unwrap();
    scene.trouble("503", AT_ONCE);
    first.ask("mood answer", "mood").unwrap();
    let back = scene.returns_to(&mut first, "503");
    println!("503: used again after {} ms", back.as_millis());

    // Its process ends: the connection breaks, and the next one is refused.
    drop(first);
    scene.trouble("refused", AT_ONCE);
    let mut first = scene.first();
    let back = scene.returns_to(&mut first, "refused");
    println!("refused: used again after {} ms", back.as_millis());

    drop(first);
    let slammed = scene.stage.actor("med1", &["slam", SERVER]);
    scene.trouble("reset", AT_ONCE);
    drop(slammed);
    let mut first = scene.first();
    let back = scene.returns_to(&mut first, "reset");
    println!("reset: used again after {} ms", back.as_millis());
}

/// RFC 3261 §17.1.1.2: nobody waits for Timer B; silence is noticed sooner.
#[test]
fn a_server_that_is_stopped_or_black_holed_costs_five_seconds() {
    let name = "a_server_that_is_stopped_or_black_holed_costs_five_seconds";
    let Some(mut scene) = Scene::set(name) else {
        return;
    };
    let mut first = scene.first();
    scene.returns_to(&mut first, "at the start");
    // Its kernel goes on taking what is sent; the process does not.
    assert!(send("STOP", first.pid()));
    scene.trouble("stopped", IN_SILENCE);
    assert!(send("CONT", first.pid()));
    let back = scene.returns_to(&mut first, "stopped");
    println!("stopped: used again after {} ms", back.as_millis());

    // Its network swallows everything, on a connection that is up.
    let nft = |rules: &str| {
        let mut command = scene.stage.net.command("med1", "nft");
        super::stage::output(command.arg(rules));
    };
    nft("table ip hole { chain in { type filter hook input priority 0; policy drop; }; }");
    scene.trouble("black-holed", IN_SILENCE);
    let nft = |rules: &str| {
        let mut command = scene.stage.net.command("med1", "nft");
        super::stage::output(command.arg(rules));
    };
    nft("delete table ip hole");
    let back = scene.returns_to(&mut first, "black-holed");
    println!("black-holed: used again after {} ms", back.as_millis());
}
