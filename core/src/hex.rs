/// Bytes as pairs of lower-case hexadecimal digits, all in ASCII; [`as_flattened`](slice::as_flattened) has them in a row.
///
/// Without a table and a branch, the compiler does many at a time.
///
/// # Example
/// ```
/// assert_eq!(countersign::hex(&[0x1f, 0xa0]).as_flattened(), b"1fa0");
/// ```
pub fn hex<const N: usize>(bytes: &[u8; N]) -> [[u8; 2]; N] {
    let digit = |value: u8| value + b'0' + if value > 9 { b'a' - b'9' - 1 } else { 0 };
    bytes.map(|byte| [digit(byte >> 4), digit(byte & 15)])
}
