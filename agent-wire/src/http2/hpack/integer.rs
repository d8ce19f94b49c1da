//! HPACK's integers and strings (RFC 7541 section 5), read from a header block.

use super::huffman;

/// Reads a header block from its beginning.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// The byte that says what comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// An integer in the low `prefix` bits of the next byte, 1 to 8, and the bytes after it. `None`: unfinished, or more than 32 bits.
    pub(super) fn integer(&mut self, prefix: u8) -> Option<usize> {
        let (first, mut rest) = self.rest.split_first()?;
        let most = u32::from(u8::MAX >> (8 - prefix));
        let mut value = u32::from(*first) & most;
        if value == most {
            let mut shift = 0;
            loop {
                let (byte, after) = rest.split_first()?;
                rest = after;
                let bits = u32::from(byte & 0x7f);
                // Zeros may follow each other without end; more than a few are an attack, not a number.
                let added = bits.checked_shl(shift).filter(|added| shift < 35 && added >> shift == bits)?;
                value = value.checked_add(added)?;
                if byte & 0x80 == 0 {
                    break;
                }
                shift += 7;
            }
        }
        self.rest = rest;
        usize::try_from(value).ok()
    }

    /// A string. `None`: unfinished, or broken Huffman code.
    pub(super) fn string(&mut self) -> Option<Vec<u8>> {
        let coded = self.peek()? & 0x80 != 0;
        let length = self.integer(7)?;
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        if coded { huffman::decode(text) } else { Some(text.to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_appendix_c_1() {
        for (bytes, prefix, value) in [
            (&[0b0000_1010][..], 5, 10),
            (&[0b1111_1111, 154, 10], 5, 1337),
            (&[42], 8, 42),
            (&[0xff, 0], 8, 255),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.integer(prefix), Some(value));
            assert_eq!(reader.peek(), None);
        }
    }

    #[test]
    fn integers_that_are_none() {
        for bytes in [
            &[][..],
            &[0x1f],
            &[0x1f, 0x80],
            &[0x1f, 0xff, 0xff, 0xff, 0xff, 0x1f],
            &[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            assert_eq!(Reader::new(bytes).integer(5), None, "{bytes:?}");
        }
        // As large as 32 bits can be.
        assert_eq!(Reader::new(&[0x1f, 0xe0, 0xff, 0xff, 0xff, 0x0f]).integer(5), Some(u32::MAX as usize));
    }

    #[test]
    fn strings_end_where_they_say() {
        let mut reader = Reader::new(b"\x02abc");
        assert_eq!(reader.string(), Some(b"ab".to_vec()));
        assert_eq!(reader.peek(), Some(b'c'));
        assert_eq!(Reader::new(b"\x04abc").string(), None);
        assert_eq!(Reader::new(b"").string(), None);
    }
}
