//! A commit on the running node: done when the network is, or not at all.

use std::time::Duration;

use crate::stage::{Host, Stage, call};
use crate::vlans::{FILE, telephones};

const HOSTS: [Host; 3] = [
    ("itsp", 310, "172.20.31.1/29"),
    ("itsp-2", 311, "172.20.32.1/29"),
    ("med", 120, "10.20.120.2/29"),
];

fn another(device: &str) -> String {
    format!(
        "configure\nset interface line-2 zone private\nset interface line-2 device {device}\n\
         set interface line-2 vlan 311\nset interface line-2 address 172.20.32.2/29\n\
         set trunk itsp-2 via interface:line-2\nset trunk itsp-2 remote 172.20.32.1:5060/udp\n\
         set trunk itsp-2 max-simultaneous-calls 4\n"
    )
}

#[test]
fn a_commit_makes_the_network_or_fails_with_it_and_goes_back_unconfirmed() {
    let name = "a_commit_makes_the_network_or_fails_with_it_and_goes_back_unconfirmed";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    let (mut med, mut itsp) = telephones(&mut stage);
    let mut other = stage.phone(
        "itsp-2",
        "udp",
        "172.20.32.1:5060",
        "172.20.32.2:5060",
        "440",
    );
    stage.run(FILE);
    call(&mut itsp, &mut med, "+49691234001");

    // A device that is not there.
    let rules = stage.node.ok("nft -s list ruleset").unwrap();
    let links = stage.node.ok("ip -o link").unwrap();
    let said = stage.follows(&format!("{}commit\n", another("eth9")));
    assert!(said.contains("SBC-3019") && said.contains("eth9"), "{said}");
    assert_eq!(stage.node.ok("nft -s list ruleset").unwrap(), rules);
    assert_eq!(stage.node.ok("ip -o link").unwrap(), links);
    call(&mut itsp, &mut med, "+49691234001");

    // Nobody confirms.
    let said = stage.follows(&format!("{}commit confirmed 1\n", another("eth0")));
    assert!(said.contains("revision 2 is live"), "{said}");
    call(&mut other, &mut med, "+49691234002");
    let gone = |text: &str| !text.contains("vlan311");
    let minutes = Duration::from_secs(180);
    stage.node.until(minutes, "ip -o link", gone).unwrap();
    stage.log_until("back", |log| {
        log.contains("nobody confirmed: configuration went back")
    });
    assert_eq!(stage.node.ok("nft -s list ruleset").unwrap(), rules);
    call(&mut itsp, &mut med, "+49691234001");

    // For good.
    let said = stage.follows(&format!("{}commit\n", another("eth0")));
    assert!(said.contains("is live"), "{said}");
    call(&mut other, &mut med, "+49691234002");
    call(&mut itsp, &mut med, "+49691234001");
    assert!(!stage.log().contains("another hand"), "{}", stage.log());
}
