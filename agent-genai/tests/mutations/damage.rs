//! Random places, the same in every run, and the counts of a usage.

use agent_genai::call::Usage;

/// A generator (SplitMix64, Steele, Lea and Flood 2014): small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by a name.
    pub(crate) fn of(name: &str) -> Self {
        // FNV-1a.
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 when there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap()
    }

    /// `count` places within a length.
    pub(crate) fn places(&mut self, length: usize, count: usize) -> impl Iterator<Item = usize> + use<> {
        let count = if length == 0 { 0 } else { count };
        (0..count).map(|_| self.below(length)).collect::<Vec<_>>().into_iter()
    }
}

/// The counts by name.
pub(crate) fn numbers(usage: &Usage) -> Vec<(&'static str, u64)> {
    let pairs = [
        ("input", usage.input),
        ("output", usage.output),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("reasoning", usage.reasoning),
        ("audio_input", usage.audio_input),
        ("audio_output", usage.audio_output),
        ("image_input", usage.image_input),
        ("image_output", usage.image_output),
        ("web_searches", usage.web_searches),
    ];
    pairs.into_iter().filter_map(|(name, count)| count.map(|count| (name, count))).collect()
}
