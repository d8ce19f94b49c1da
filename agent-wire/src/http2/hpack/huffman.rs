//! HPACK's Huffman code (RFC 7541 section 5.2 and appendix B). The code is canonical, so the lengths say everything.

/// Length of the code of each byte, and of EOS at the end.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];

const EOS: u16 = 256;
const LONGEST: u32 = 30;
/// Codes up to this length are found by one look; no code of text that people write is longer.
const SHORT: u32 = 10;

/// The canonical code, laid out for decoding.
struct Code {
    /// Symbols by length of their code, then by value.
    symbols: [u16; 257],
    /// First code of each length.
    first: [u32; 31],
    /// Number of codes of each length.
    count: [u32; 31],
    /// Where the symbols of each length begin.
    place: [u32; 31],
    /// Symbol and length for every start of `SHORT` bits; length 0 where the code is longer.
    short: [(u8, u8); 1 << SHORT],
}

static CODE: Code = Code::new();

impl Code {
    #[expect(
        clippy::indexing_slicing,
        reason = "run by the compiler: an index out of bounds would not compile"
    )]
    #[expect(clippy::cast_possible_truncation, reason = "symbols are below 257, lengths below 31")]
    const fn new() -> Self {
        let mut code = Self {
            symbols: [0; 257],
            first: [0; 31],
            count: [0; 31],
            place: [0; 31],
            short: [(0, 0); 1 << SHORT],
        };
        let (mut next, mut filled, mut length) = (0_u32, 0_u32, 1);
        while length <= LONGEST as usize {
            next <<= 1;
            code.first[length] = next;
            code.place[length] = filled;
            let mut symbol = 0;
            while symbol < LENGTHS.len() {
                if LENGTHS[symbol] as usize == length {
                    code.symbols[filled as usize] = symbol as u16;
                    if length <= SHORT as usize {
                        let free = SHORT - length as u32;
                        let mut low = 0;
                        while low < 1 << free {
                            code.short[((next << free) | low) as usize] = (symbol as u8, length as u8);
                            low += 1;
                        }
                    }
                    filled += 1;
                    next += 1;
                }
                symbol += 1;
            }
            code.count[length] = next - code.first[length];
            length += 1;
        }
        code
    }

    /// The symbol at the beginning of `LONGEST` bits, and the length of its code.
    fn symbol(&self, bits: u32) -> Option<(u16, u32)> {
        let start = usize::try_from(bits >> (LONGEST - SHORT)).ok()?;
        match self.short.get(start) {
            Some((symbol, length)) if *length > 0 => return Some((u16::from(*symbol), u32::from(*length))),
            _ => {}
        }
        (SHORT + 1..=LONGEST).find_map(|length| {
            let at = length as usize;
            let above = (bits >> (LONGEST - length)).checked_sub(*self.first.get(at)?)?;
            if above >= *self.count.get(at)? {
                return None;
            }
            let symbol = self.symbols.get((self.place.get(at)? + above) as usize)?;
            Some((*symbol, length))
        })
    }
}

/// The bytes of a coded string. `None`: EOS inside it, or padding that is too long or not the beginning of EOS.
pub(super) fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(coded.len() + coded.len() / 2);
    let mut input = coded.iter();
    // The last `held` bits of `bits` are still to be decoded.
    let (mut bits, mut held) = (0_u64, 0_u32);
    loop {
        while held <= 56
            && let Some(byte) = input.next()
        {
            bits = bits << 8 | u64::from(*byte);
            held += 8;
        }
        let ones = |count: u32| (1_u64 << count) - 1;
        let window = match held.checked_sub(LONGEST) {
            Some(more) => bits >> more,
            None => bits << (LONGEST - held) | ones(LONGEST - held),
        };
        let window = u32::try_from(window & ones(LONGEST)).ok()?;
        match CODE.symbol(window) {
            Some((symbol, length)) if symbol != EOS && length <= held => {
                out.push(u8::try_from(symbol).ok()?);
                held -= length;
            }
            _ => return (held < 8 && bits & ones(held) == ones(held)).then_some(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same code the other way round, from the same lengths: one bit after the other, without the tables.
    fn encode(text: &[u8]) -> Vec<u8> {
        let mut order: Vec<usize> = (0..LENGTHS.len()).collect();
        order.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let mut codes = vec![(0_u32, 0_u8); LENGTHS.len()];
        let (mut code, mut before) = (0, 0);
        for symbol in order {
            code <<= LENGTHS[symbol] - before;
            before = LENGTHS[symbol];
            codes[symbol] = (code, before);
            code += 1;
        }
        let mut bits: Vec<bool> = Vec::new();
        for byte in text {
            let (code, length) = codes[usize::from(*byte)];
            bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
        }
        bits.resize(bits.len().div_ceil(8) * 8, true);
        bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
    }

    #[test]
    fn the_code_is_complete() {
        // Kraft's sum of a complete code is one.
        let sum: u64 = LENGTHS.iter().map(|length| 1 << (LONGEST - u32::from(*length))).sum();
        assert_eq!(sum, 1 << LONGEST);
        assert_eq!(CODE.symbol((1 << LONGEST) - 1), Some((EOS, LONGEST)), "EOS is all ones");
        // Some codes of appendix B, of several lengths.
        for (bits, length, symbol) in [
            (0x0, 5, b'0'),
            (0x1f, 6, b'9'),
            (0x7b, 7, b'z'),
            (0xfc, 8, b'X'),
            (0x3f8, 10, b'!'),
            (0x1ff8, 13, 0),
            (0x7ffe, 15, b'{'),
            (0x3fff_fffe, 30, 22),
        ] {
            assert_eq!(
                CODE.symbol(bits << (LONGEST - length)),
                Some((u16::from(symbol), length)),
                "{symbol}"
            );
        }
    }

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=255 {
            for around in [&b""[..], b"a", b"\xff~", b"abc"] {
                let text = [around, &[byte], around].concat();
                assert_eq!(decode(&encode(&text)), Some(text), "{byte}");
            }
        }
    }

    #[test]
    fn strings_of_appendix_c() {
        for (coded, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("aec3771a4b", "private"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
            ("640eff", "307"),
            ("9bd9ab", "gzip"),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            let bytes: Vec<u8> = (0..coded.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&coded[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(decode(&bytes).as_deref(), Some(text.as_bytes()), "{text}");
            assert_eq!(encode(text.as_bytes()), bytes, "{text}");
        }
    }

    #[test]
    fn padding_is_checked() {
        assert_eq!(decode(b""), Some(Vec::new()));
        assert_eq!(decode(&[0b0000_0111]), Some(b"0".to_vec()));
        assert_eq!(decode(&[0b0000_0110]), None, "padding of zeros");
        assert_eq!(decode(&[0b0000_0111, 0xff]), None, "more than seven bits of padding");
        assert_eq!(decode(&[0xff; 4]), None, "EOS");
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xfc]), None, "EOS and more");
    }
}
