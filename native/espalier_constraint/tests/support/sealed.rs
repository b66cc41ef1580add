//! Serialised bytes that were changed, with a checksum that is right again.

use xxhash_rust::xxh3::Xxh3;

/// Where the checksum stands in the header.
const CHECKSUM: std::ops::Range<usize> = 19..27;
const LENGTH: std::ops::Range<usize> = 11..19;

/// Sets length and checksum to what they should be; does nothing to bytes without a header.
pub(crate) fn seal(bytes: &mut [u8]) {
    if bytes.len() < CHECKSUM.end {
        return;
    }
    let length = (bytes.len() - CHECKSUM.end) as u64;
    bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
    let mut hasher = Xxh3::new();
    hasher.update(&bytes[..CHECKSUM.start]);
    hasher.update(&bytes[CHECKSUM.end..]);
    bytes[CHECKSUM].copy_from_slice(&hasher.digest().to_le_bytes());
}
