//! Digest challenges: header lines of a 401 come in; what is answered is one header
//! value without the password, what is not is a typed refusal (RFC 7616, RFC 3261 §22).

use sbc_sip::digest::{Attempt, Client, Credentials, Side, read};

/// Each line of the input is one challenge line.
pub fn challenge(octets: &[u8]) {
    const PASSWORD: &str = "Tr0ub4dor&3-correct-horse";
    let text = String::from_utf8_lossy(octets);
    for line in text.lines() {
        assert!(
            read(line).len() <= 17,
            "the number of challenges is bounded"
        );
    }
    for realm in ["example.com", "r"] {
        let credentials = Credentials::new(realm, "user", PASSWORD).expect("they are sound");
        let mut client = Client::new(credentials, 1_u8);
        let mut attempt = Attempt::default();
        for round in 0..3 {
            let from = u8::from(round < 2);
            let taken = client.challenged(&mut attempt, &from, Side::Proxy, text.lines());
            assert!(
                round < 2 || taken.is_err(),
                "a challenge from elsewhere is not taken"
            );
            assert!(
                client
                    .authorize(&mut attempt, &0, "INVITE", "sip:b@example.com", 7)
                    .is_empty()
            );
            for answer in client.authorize(&mut attempt, &1, "INVITE", "sip:b@example.com", 7) {
                assert!(!answer.value.contains(PASSWORD));
                assert!(
                    !answer.value.contains(['\r', '\n', '\0']),
                    "{:?}",
                    answer.value
                );
                assert!(answer.value.starts_with("Digest "));
            }
        }
    }
}
