//! One octet of G.711 in, the same sound in the other law or as linear PCM out
//! (ITU-T G.711, tables 1 to 4; the linear forms are 16 bit, left-justified).

/// What a quiet line sounds like in A-law: the smallest positive value.
pub const SILENCE_A: u8 = 0xd5;
/// What a quiet line sounds like in µ-law.
pub const SILENCE_U: u8 = 0xff;

/// Turns a payload of A-law into µ-law, in place (G.711 table 4).
pub fn a_to_u(payload: &mut [u8]) {
    convert(payload, &A_TO_U);
}

/// Turns a payload of µ-law into A-law, in place (G.711 table 3).
pub fn u_to_a(payload: &mut [u8]) {
    convert(payload, &U_TO_A);
}

#[expect(clippy::indexing_slicing, reason = "an octet always lies inside 256")]
fn convert(payload: &mut [u8], table: &[u8; 256]) {
    for octet in payload {
        *octet = table[usize::from(*octet)];
    }
}

/// Returns the 16-bit sample that an A-law octet stands for (G.711 table 1).
pub const fn a_to_linear(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let exponent = (code >> 4) & 7;
    let mantissa = (code & 0x0f) as i16;
    let step = (mantissa << 4) + 8;
    let size = match exponent {
        0 => step,
        _ => (step + 0x100) << (exponent - 1),
    };
    if code & 0x80 == 0 { -size } else { size }
}

/// Returns the 16-bit sample that a µ-law octet stands for (G.711 table 2).
pub const fn u_to_linear(octet: u8) -> i16 {
    let code = !octet;
    let exponent = (code >> 4) & 7;
    let mantissa = (code & 0x0f) as i16;
    let size = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if code & 0x80 == 0 { size } else { -size }
}

/// Returns the A-law octet whose interval holds `sample` (G.711 table 1).
pub const fn linear_to_a(sample: i16) -> u8 {
    let size = if sample < 0 {
        !sample >> 4
    } else {
        sample >> 4
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    if size < 16 {
        return (size as u8 | sign) ^ 0x55;
    }
    // 11 bits at most: the leading one gives the segment, the next four the place in it.
    let exponent = (size as u16).ilog2() as u8 - 3;
    let mantissa = (size >> (exponent - 1)) as u8 & 0x0f;
    ((exponent << 4) | mantissa | sign) ^ 0x55
}

/// Returns the µ-law octet whose interval holds `sample` (G.711 table 2).
pub const fn linear_to_u(sample: i16) -> u8 {
    let size = if sample < 0 {
        !sample >> 2
    } else {
        sample >> 2
    } as u16
        + 33;
    let size = if size > 0x1fff { 0x1fff } else { size };
    let exponent = size.ilog2() as u8 - 5;
    let mantissa = (size >> (exponent + 1)) as u8 & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !((exponent << 4) | mantissa | sign)
}

const A_TO_U: [u8; 256] = both_signs(&A_TO_U_HALF, 0x55, 0x7f, 0);
const U_TO_A: [u8; 256] = both_signs(&U_TO_A_HALF, 0x7f, 0x55, 1);

/// Spreads a table over both signs: `from` and `to` are the inversions of each
/// law below the sign bit, `first` is the number the table calls its lowest value.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler alone")]
const fn both_signs(half: &[u8; 128], from: u8, to: u8, first: u8) -> [u8; 256] {
    let mut whole = [0; 256];
    let mut magnitude = 0;
    while magnitude < 128 {
        let value = half[magnitude] - first;
        let place = magnitude as u8 ^ from;
        whole[place as usize] = value ^ to;
        whole[(place | 0x80) as usize] = (value ^ to) | 0x80;
        magnitude += 1;
    }
    whole
}

/// G.711 table 3: the A-law value number (from 1) for each µ-law value number (from 0).
#[rustfmt::skip]
const U_TO_A_HALF: [u8; 128] = [
      1,   1,   2,   2,   3,   3,   4,   4,   5,   5,   6,   6,   7,   7,   8,   8,
      9,  10,  11,  12,  13,  14,  15,  16,  17,  18,  19,  20,  21,  22,  23,  24,
     25,  27,  29,  31,  33,  34,  35,  36,  37,  38,  39,  40,  41,  42,  43,  44,
     46,  48,  49,  50,  51,  52,  53,  54,  55,  56,  57,  58,  59,  60,  61,  62,
     64,  65,  66,  67,  68,  69,  70,  71,  72,  73,  74,  75,  76,  77,  78,  79,
     80,  82,  83,  84,  85,  86,  87,  88,  89,  90,  91,  92,  93,  94,  95,  96,
     97,  98,  99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
    113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128,
];

/// G.711 table 4: the µ-law value number (from 0) for each A-law value number less one.
#[rustfmt::skip]
const A_TO_U_HALF: [u8; 128] = [
      1,   3,   5,   7,   9,  11,  13,  15,  16,  17,  18,  19,  20,  21,  22,  23,
     24,  25,  26,  27,  28,  29,  30,  31,  32,  32,  33,  33,  34,  34,  35,  35,
     36,  37,  38,  39,  40,  41,  42,  43,  44,  45,  46,  47,  48,  48,  49,  49,
     50,  51,  52,  53,  54,  55,  56,  57,  58,  59,  60,  61,  62,  63,  64,  64,
     65,  66,  67,  68,  69,  70,  71,  72,  73,  74,  75,  76,  77,  78,  79,  80,
     80,  81,  82,  83,  84,  85,  86,  87,  88,  89,  90,  91,  92,  93,  94,  95,
     96,  97,  98,  99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
    112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127,
];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Decision values of G.711 in units of the law's own bit width: segments of
    /// 16 equal steps, each twice as wide as the one before.
    fn decisions(law: char) -> Vec<i32> {
        let (mut edge, mut edges) = (0, Vec::from([0]));
        // µ-law begins with one step of 1 and fifteen of 2; A-law with 32 steps of 2
        // counted on 13 bits, which is 1 on 12.
        let widths: &[(i32, usize)] = match law {
            'u' => &[
                (1, 1),
                (2, 15),
                (4, 16),
                (8, 16),
                (16, 16),
                (32, 16),
                (64, 16),
                (128, 16),
                (256, 16),
            ],
            _ => &[
                (1, 32),
                (2, 16),
                (4, 16),
                (8, 16),
                (16, 16),
                (32, 16),
                (64, 16),
            ],
        };
        for (width, count) in widths {
            for _ in 0..*count {
                edge += width;
                edges.push(edge);
            }
        }
        edges
    }

    fn interval(edges: &[i32], value: i32) -> u8 {
        u8::try_from(edges.partition_point(|edge| *edge <= value) - 1)
            .unwrap()
            .min(127)
    }

    #[test]
    fn every_sample_falls_into_the_a_law_interval_of_table_1() {
        let edges = decisions('a');
        for sample in i16::MIN..=i16::MAX {
            let size = i32::from(if sample < 0 { !sample } else { sample }) >> 4;
            let sign = if sample < 0 { 0 } else { 0x80 };
            let wanted = (interval(&edges, size) | sign) ^ 0x55;
            assert_eq!(linear_to_a(sample), wanted, "{sample}");
        }
    }

    #[test]
    fn every_sample_falls_into_the_u_law_interval_of_table_2() {
        let edges = decisions('u');
        for sample in i16::MIN..=i16::MAX {
            let size = i32::from(if sample < 0 { !sample } else { sample }) >> 2;
            let sign = if sample < 0 { 0x80 } else { 0 };
            let wanted = !(interval(&edges, size.min(8158)) | sign);
            assert_eq!(linear_to_u(sample), wanted, "{sample}");
        }
    }

    #[test]
    fn every_octet_stands_for_the_middle_of_its_interval() {
        let (a, u) = (decisions('a'), decisions('u'));
        for number in 0..=127_u8 {
            let n = usize::from(number);
            let middle = (a[n] + a[n + 1]) << 3;
            assert_eq!(i32::from(a_to_linear((number | 0x80) ^ 0x55)), middle);
            assert_eq!(i32::from(a_to_linear(number ^ 0x55)), -middle);
            let middle = if number == 0 {
                0
            } else {
                (u[n] + u[n + 1]) << 1
            };
            assert_eq!(i32::from(u_to_linear(!number)), middle);
            assert_eq!(i32::from(u_to_linear(!(number | 0x80))), -middle);
        }
    }

    #[test]
    fn encoding_what_was_decoded_gives_the_octet_back() {
        for octet in 0..=255_u8 {
            assert_eq!(linear_to_a(a_to_linear(octet)), octet);
            // µ-law has two zeroes; the negative one decodes to plain 0.
            let wanted = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(linear_to_u(u_to_linear(octet)), wanted);
        }
    }

    #[test]
    fn conversion_between_the_laws_keeps_sign_order_and_loudness() {
        for octet in 0..=255_u8 {
            let (mut to_u, mut to_a) = ([octet], [octet]);
            a_to_u(&mut to_u);
            u_to_a(&mut to_a);
            let (a, u) = (a_to_linear(octet), u_to_linear(octet));
            near(a, u_to_linear(to_u[0]));
            near(u, a_to_linear(to_a[0]));
        }
        for magnitude in 0..127_usize {
            assert!(A_TO_U_HALF[magnitude] <= A_TO_U_HALF[magnitude + 1]);
            assert!(U_TO_A_HALF[magnitude] <= U_TO_A_HALF[magnitude + 1]);
        }
    }

    /// The two laws' values lie within half of the wider step of one another.
    fn near(before: i16, after: i16) {
        let (before, after) = (i32::from(before), i32::from(after));
        assert!(before.signum() * after.signum() >= 0, "{before} {after}");
        let step = 16.max(before.abs() / 16);
        assert!((before - after).abs() <= step, "{before} became {after}");
    }

    /// A conversion there and back alters no more than the least
    /// significant bit, and a second round nothing at all.
    #[test]
    fn there_and_back_again_settles_after_one_round() {
        for octet in 0..=255_u8 {
            let (mut once, mut twice) = ([octet], [octet]);
            a_to_u(&mut once);
            u_to_a(&mut once);
            assert!((once[0] ^ 0x55).abs_diff(octet ^ 0x55) <= 1, "{octet:#x}");
            for _ in 0..2 {
                a_to_u(&mut twice);
                u_to_a(&mut twice);
            }
            assert_eq!(twice, once);
        }
    }

    #[test]
    fn known_octets_of_the_tables_come_out_bit_for_bit() {
        // (A-law, µ-law) of table 4: value numbers 1, 2, 24, 64, 80, 81, 82 and 128.
        let pairs = [
            (0xd5, 0xfe),
            (0xd4, 0xfc),
            (0xc2, 0xe0),
            (0xea, 0xbf),
            (0x9a, 0xaf),
            (0x85, 0xaf),
            (0x84, 0xae),
            (0xaa, 0x80),
        ];
        for (a, u) in pairs {
            let (mut high, mut low) = ([a], [a ^ 0x80]);
            a_to_u(&mut high);
            a_to_u(&mut low);
            assert_eq!((high[0], low[0]), (u, u ^ 0x80), "{a:#x}");
        }
        let mut quiet = [SILENCE_U];
        u_to_a(&mut quiet);
        assert_eq!(quiet, [SILENCE_A]);
    }
}
