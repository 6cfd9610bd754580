//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_crc32c::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn check() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/check.txt"))?;
    assert_eq!(count, 2);
    Ok(())
}

#[test]
fn rfc3720() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/rfc3720.txt"))?;
    assert_eq!(count, 5);
    Ok(())
}
