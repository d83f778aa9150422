//! Filesystems written, read back, and shown to other people's programs.

use std::process::Command;

use super::*;

const FORM: Form<'static> = Form {
    size: 96 << 20,
    label: "SBC-ESP",
    serial: 0x5bc0_0001,
    time: 1_764_028_800,
};

fn sample() -> Files {
    let long = "EFI/Linux/sbc-a_0.1.0+3.efi";
    let mut files: Files = [
        ("EFI/BOOT/BOOTX64.EFI", &b"loader"[..]),
        (long, &[7; 5000]),
        ("loader/loader.conf", b"timeout 0\n"),
        ("grub/grubenv", &[b'#'; 1024]),
        ("empty", b""),
    ]
    .map(|(path, bytes)| (path.to_owned(), bytes.to_vec()))
    .into();
    for number in 0..40 {
        files.insert(
            format!("many/a rather long name {number}.txt"),
            vec![number; 99],
        );
    }
    files
}

#[test]
fn what_is_written_is_read_back() {
    let bytes = write(&FORM, &sample()).unwrap();
    assert_eq!(read(&bytes), Ok(sample()));
    assert_eq!(write(&FORM, &sample()), Ok(bytes), "the same again");
}

#[test]
fn other_programs_find_no_fault_and_the_same_files() {
    let path = std::env::temp_dir().join(format!("sbc-fat-{}", std::process::id()));
    std::fs::write(&path, write(&FORM, &sample()).unwrap()).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(FORM.size as u64).unwrap();
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(program)
            .args(words)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output();
        // Without the program there is no second opinion; the reader has its own test.
        output.ok().map(|output| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.success(), said)
        })
    };
    let place = path.display().to_string();
    if let Some((whole, said)) = run("fsck.fat", &["-n", &place]) {
        assert!(whole, "{said}");
    }
    if let Some((whole, said)) = run("mtype", &["-i", &place, "::/EFI/Linux/sbc-a_0.1.0+3.efi"]) {
        assert!(whole && said.len() == 5000, "{} octets", said.len());
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let small = Form {
        size: 20 << 20,
        ..FORM
    };
    let there = 20_397;
    let told = write(&small, &sample());
    assert!(
        matches!(told, Err(Unfit::Size { wanted: CLUSTERS_MIN, there: t }) if t <= there + 200)
    );
    let huge = Files::from([("huge".into(), vec![0; 97 << 20])]);
    assert!(matches!(write(&FORM, &huge), Err(Unfit::Size { .. })));
}

#[test]
fn a_chain_that_goes_round_ends() {
    let mut bytes = write(&FORM, &sample()).unwrap();
    let reader = Reader::new(&bytes).unwrap();
    let length = reader.table.len();
    for table in [RESERVED * SECTOR, RESERVED * SECTOR + length] {
        bytes[table + 8..table + 12].copy_from_slice(&2_u32.to_le_bytes());
    }
    // The root repeats itself; its names read the same again until it is too long.
    assert_eq!(
        read(&bytes),
        Err(Unfit::Malformed("a chain that goes round"))
    );
}

#[test]
fn days_are_those_of_the_calendar() {
    assert_eq!(civil(0), (1970, 1, 1));
    assert_eq!(civil(11_016), (2000, 2, 29));
    assert_eq!(civil(20_782), (2026, 11, 25));
}
