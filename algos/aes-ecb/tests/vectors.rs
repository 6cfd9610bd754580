//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_aes_ecb::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn fips_197() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/fips-197.txt"))?;
    assert_eq!(count, 3);
    Ok(())
}

#[test]
fn sp800_38a() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/sp800-38a.txt"))?;
    assert_eq!(count, 3);
    Ok(())
}
