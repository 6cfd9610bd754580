//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_blowfish::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn schneier_ecb() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/schneier-ecb.txt"))?;
    assert_eq!(count, 33);
    Ok(())
}

#[test]
fn schneier_set_key() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/schneier-set-key.txt"))?;
    assert_eq!(count, 21);
    Ok(())
}

#[test]
fn schneier_cbc() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/schneier-cbc.txt"))?;
    assert_eq!(count, 1);
    Ok(())
}

#[test]
fn cbc() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/cbc.txt"))?;
    assert_eq!(count, 3);
    Ok(())
}

#[test]
fn ctr() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ctr.txt"))?;
    assert_eq!(count, 5);
    Ok(())
}
