//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_aes_ctr::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn rfc3686() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/rfc3686.txt"))?;
    assert_eq!(count, 9);
    Ok(())
}

#[test]
fn sp800_38a() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/sp800-38a.txt"))?;
    assert_eq!(count, 3);
    Ok(())
}
