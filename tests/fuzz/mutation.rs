//! Mutations of an input: what a careless or hostile sender, or a damaged disk, makes of it.

/// A small generator of pseudo-random numbers (xorshift): the same seed gives the same run.
pub struct Random(u64);

impl Random {
    /// A generator that begins at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`; zero where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

/// Bytes and words that parsers stumble over.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"9007199254740993",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"%00",
    b"%2F",
    b"../",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80",
    b"'",
    b"%",
    b"_",
    b"(",
    b"NOT ",
    b"=",
    b"==",
    b".",
    b"eyJhbGciOiJub25lIn0.",
];

/// Longest input that a mutation makes.
const BYTES_MAX: usize = 16_384;

/// Changes `input` in one to four places; `other` is a second input to take pieces from.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        match random.below(8) {
            0 => input.truncate(at),
            1 => insert(input, at, WORDS[random.below(WORDS.len())]),
            2 => flip(input, at, random),
            3 => set(input, at, random),
            4 => {
                let end = (at + random.below(16)).min(input.len());
                input.drain(at..end);
            }
            5 => {
                let end = (at + random.below(64)).min(input.len());
                let piece = input[at..end].to_vec();
                insert(input, at, &piece);
            }
            6 => {
                let from = random.below(other.len() + 1);
                let end = (from + random.below(64)).min(other.len());
                insert(input, at, &other[from..end]);
            }
            _ => {
                let count = 1 << random.below(10);
                let byte = input.get(at).copied().unwrap_or(b'[');
                insert(input, at, &vec![byte; count]);
            }
        }
    }
    input.truncate(BYTES_MAX);
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

fn flip(input: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn set(input: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(at) {
        *byte = [0, 1, 0x7f, 0x80, 0xff][random.below(5)];
    }
}
