//! Bundles that are whole, and every way not to be.

use std::io::Cursor;

use ed25519_dalek::{Signer, SigningKey};

use super::*;

const PIECES: [&[u8]; 3] = [b"program", b"root", b"tree"];

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn manifest(version: &str, floor: &str) -> String {
    let mut text = format!("version={version}\nfloor={floor}\nhardware=box\n");
    for ((name, _), piece) in PARTS.iter().zip(PIECES) {
        let sum = hex(&Sha256::digest(piece));
        text.push_str(&format!("{name}={} {sum}\n", piece.len()));
    }
    text
}

fn signer(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn known() -> Vec<Key> {
    [1, 2]
        .map(|seed| (format!("key-{seed}"), signer(seed).verifying_key()))
        .into()
}

fn signed(text: &str, seed: u8) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(
        signer(seed)
            .sign(&[CONTEXT, text.as_bytes()].concat())
            .to_bytes(),
    );
    bytes.extend(text.bytes());
    bytes.extend(PIECES.concat());
    bytes
}

fn opened(bytes: &[u8]) -> Result<Bundle<Cursor<Vec<u8>>>, Refusal> {
    Bundle::read(Cursor::new(bytes.to_vec()), bytes.len() as u64, &known())
}

/// Looks at every part.
fn verify(bundle: &mut Bundle<Cursor<Vec<u8>>>) -> Result<(), Refusal> {
    let mut names = PARTS.iter().map(|(name, _)| name);
    names.try_for_each(|name| bundle.part(name, &mut |_| Ok(())))
}

/// RFC 8032 §5.1.7: only what the holder of the key signed is taken.
#[test]
fn a_bundle_by_either_key_is_whole_and_its_parts_are_handed_over() {
    for seed in [1, 2] {
        let mut bundle = opened(&signed(&manifest("0.2.0", "0.1.0"), seed)).unwrap();
        assert_eq!(bundle.key, format!("key-{seed}"));
        assert_eq!(bundle.manifest.version.to_string(), "0.2.0");
        verify(&mut bundle).unwrap();
        let mut root: Vec<u8> = Vec::new();
        let mut take = |piece: &[u8]| {
            root.extend_from_slice(piece);
            Ok(())
        };
        bundle.part("root", &mut take).unwrap();
        assert_eq!(root, b"root");
    }
}

#[test]
fn a_stranger_s_bundle_is_refused() {
    let refused = opened(&signed(&manifest("0.2.0", "0.1.0"), 3)).unwrap_err();
    assert_eq!(refused.code(), "SBC-2112", "{refused}");
    let bytes = signed(&manifest("0.2.0", "0.1.0"), 1);
    let none = Bundle::read(Cursor::new(bytes.clone()), bytes.len() as u64, &[]);
    assert_eq!(none.unwrap_err().code(), "SBC-2112");
}

#[test]
fn one_changed_octet_anywhere_is_a_refusal() {
    let bytes = signed(&manifest("0.2.0", "0.1.0"), 1);
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let looked = opened(&changed).and_then(|mut bundle| verify(&mut bundle));
            assert!(looked.is_err(), "octet {at} of {}", bytes.len());
        }
    }
}

#[test]
fn a_bundle_that_is_cut_or_has_something_behind_it_is_refused() {
    let bytes = signed(&manifest("0.2.0", "0.1.0"), 1);
    for length in 0..bytes.len() {
        assert!(opened(&bytes[..length]).is_err(), "{length} octets");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert_eq!(opened(&longer).unwrap_err().code(), "SBC-2111");
}

#[test]
fn a_signed_manifest_of_another_form_is_refused() {
    let good = manifest("0.2.0", "0.1.0");
    let others = [
        good.replace("floor=0.1.0", "floor=0.3.0"),
        good.replace("hardware=box\n", ""),
        good.replace("root=4", "root=99999999999"),
        good.replace("root=4", "root=0"),
        good.replace("root=", "boot="),
        format!("{good}more=1\n"),
        good.trim_end().to_owned(),
    ];
    for text in others {
        let refused = opened(&signed(&text, 1)).unwrap_err();
        assert_eq!(refused.code(), "SBC-2111", "{text}");
    }
}

#[test]
fn another_machine_s_an_older_and_the_same_version_do_not_fit() {
    let bundle = opened(&signed(&manifest("0.2.0", "0.1.0"), 1)).unwrap();
    let version = |text| Version::parse(text).unwrap();
    let fits = |here, floor, running| {
        let fits = bundle.manifest.fits(here, version(floor), version(running));
        fits.map_err(|refused| refused.code())
    };
    assert_eq!(fits("box", "0.1.0", "0.1.0"), Ok(()));
    assert_eq!(fits("box", "0.2.0", "0.3.0"), Ok(()), "not below the floor");
    assert_eq!(fits("box", "0.2.1", "0.2.1"), Err("SBC-2114"));
    assert_eq!(fits("box", "0.1.0", "0.2.0"), Err("SBC-2114"));
    assert_eq!(fits("toaster", "0.1.0", "0.1.0"), Err("SBC-2113"));
}

#[test]
fn a_key_is_64_digits_of_a_point() {
    let text = format!("{}\n", hex(signer(1).verifying_key().as_bytes()));
    assert_eq!(key(&text), Some(signer(1).verifying_key()));
    assert_eq!(key("00"), None);
    assert_eq!(key(&text.to_uppercase()), None);
}
