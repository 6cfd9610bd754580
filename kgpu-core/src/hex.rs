//! Hexadecimal constants decoded at compile time: known answers read as in their publications.

/// Decodes `N` bytes of hexadecimal digits; spaces and newlines are skipped. For constants: a wrong
/// digit or length fails the build.
///
/// # Panics
/// When `text` is not exactly `N` bytes of hexadecimal.
#[must_use]
pub const fn hex<const N: usize>(text: &str) -> [u8; N] {
    let text = text.as_bytes();
    let mut out = [0; N];
    let mut digits = 0;
    let mut at = 0;
    while at < text.len() {
        let value = match text[at] {
            c @ b'0'..=b'9' => c - b'0',
            c @ b'a'..=b'f' => c - b'a' + 10,
            c @ b'A'..=b'F' => c - b'A' + 10,
            b' ' | b'\n' => {
                at += 1;
                continue;
            }
            _ => panic!("not a hexadecimal digit"),
        };
        assert!(digits < 2 * N, "too many hexadecimal digits");
        out[digits / 2] = (out[digits / 2] << 4) | value;
        digits += 1;
        at += 1;
    }
    assert!(digits == 2 * N, "too few hexadecimal digits");
    out
}
