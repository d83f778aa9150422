//! The clock of the booted image: a hardware clock that is wrong, a server in a
//! namespace (SNTP, RFC 4330), and steps of years in the middle of a call.

use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sbc_tests::kit::firmware::{Box, Image, Line, Loader};
use sbc_tests::kit::net::Net;
use sbc_tests::kit::sys::enter_namespace;
use sbc_tests::kit::vswitch::Switch;

use super::console::{LINES, Neighbours, PATIENCE, claimed, pastes_all, says};
use super::folder;

const LIFE: Duration = Duration::from_secs(900);

/// Management on a VLAN of its own, and the server there.
const MANAGEMENT: &str = "set interface mgmt zone management\r\
    set interface mgmt device eth1\r\
    set interface mgmt vlan 99\r\
    set interface mgmt address [10.9.9.1/24]\r\
    set management interface mgmt\r\
    set system ntp [10.9.9.2]\r";

/// Seconds that two clocks may be apart: the emulated machine is slow to show its own.
const NEAR: u64 = 30;

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Answers in the namespace with the time of this machine, for as long as the test
/// lives.
fn serves(namespace: String) {
    std::thread::spawn(move || {
        enter_namespace(&namespace).unwrap();
        let socket = UdpSocket::bind("10.9.9.2:123").unwrap();
        let mut page = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut page) {
            let time = now();
            let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
            let stamp = ((time.as_secs() + 2_208_988_800) << 32) | fraction;
            let mut packet = [0; 48];
            (packet[0], packet[1]) = (0x24, 2);
            packet[24..32].copy_from_slice(&page[40..48]);
            packet[32..40].copy_from_slice(&stamp.to_be_bytes());
            packet[40..48].copy_from_slice(&stamp.to_be_bytes());
            socket.send_to(&packet, from).unwrap();
        }
    });
}

fn until(line: &mut Line<'_>, command: &str, words: &str) -> String {
    let since = Instant::now();
    loop {
        let said = says(line, command);
        if said.contains(words) {
            return said;
        }
        assert!(since.elapsed() < PATIENCE, "no {words:?} in {said}");
    }
}

/// Returns how many seconds the node's clock is from ours.
fn away(line: &mut Line<'_>) -> u64 {
    let said = says(line, "show clock | match epoch");
    let word = said.split_whitespace().nth(2).unwrap_or_default();
    let theirs: u64 = word.parse().unwrap_or_else(|_| panic!("{said}"));
    now().as_secs().abs_diff(theirs)
}

#[test]
fn a_wrong_clock_is_set_by_a_server_and_a_call_does_not_notice_steps_of_years() {
    let name = "a_wrong_clock_is_set_by_a_server_and_a_call_does_not_notice_steps_of_years";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let mut switch = Switch::new(&folder).unwrap();
    let cables = [
        switch.trunk("wan", &[]).unwrap(),
        switch.trunk("lan", &[]).unwrap(),
    ];
    let Some(mut neighbours) = Neighbours::join(name, &mut switch) else {
        return;
    };
    let mut net = Net::make(&[]).unwrap();
    net.add("noc").unwrap();
    let noc = net.name("noc");
    switch
        .tap("noc", &noc, "eth0", 99, Some("10.9.9.2/24"))
        .unwrap();
    serves(noc);
    let mut plan = Box::new("node", &folder, &image.path, Loader::Bios, true).unwrap();
    for cable in &cables {
        plan.plan.nic("virtio-net-pci", &cable.socket);
    }
    plan.plan.words(["-rtc", "base=2020-01-01T00:00:00"]);
    let booted = plan.start(LIFE).unwrap();
    let mut line = claimed(&booted);
    assert!(away(&mut line) > 86_400 * 365, "the hardware's clock holds");
    pastes_all(&mut line, &format!("{MANAGEMENT}{LINES}"));
    // It was never set, so the server sets it however far that is.
    until(&mut line, "show clock | match state", "  synchronised");
    let first = away(&mut line);
    assert!(first <= NEAR, "{first} s");
    println!("{}", says(&mut line, "show clock | no-more"));

    let placed = neighbours.itsp.ask("call +49691234001", "placed").unwrap();
    let ours = placed.split_whitespace().nth(1).unwrap().to_owned();
    let end = neighbours.itsp.hear(&format!("final {ours} "), PATIENCE);
    assert!(end.unwrap().contains(" 200"));
    let incoming = neighbours.med.hear("incoming", PATIENCE).unwrap();
    let theirs = incoming.split_whitespace().nth(1).unwrap().to_owned();
    // Years forth by hand, which the server may not take back without a word.
    let said = says(&mut line, "request clock set 2031-05-01T12:00");
    assert!(said.contains("stepped"), "{said}");
    assert!(away(&mut line) > 86_400 * 365);
    until(&mut line, "show clock | match why", " s away:");
    until(&mut line, "show calls | match itsp-a | count", "1 lines");
    // And back.
    let said = says(&mut line, "request clock accept");
    assert!(said.contains("stepped"), "{said}");
    assert!(away(&mut line) <= NEAR);
    until(&mut line, "show calls | match itsp-a | count", "1 lines");
    neighbours.itsp.say(&format!("bye {ours}")).unwrap();
    neighbours
        .med
        .hear(&format!("bye {theirs}"), PATIENCE)
        .unwrap();
    let text = booted.machine.console();
    assert_eq!(text.matches("SBC-READY").count(), 1, "{text}");
    std::fs::remove_dir_all(&folder).unwrap();
}
