//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_serpent::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn ecb_published() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ecb-published.txt"))?;
    assert_eq!(count, 11);
    Ok(())
}

#[test]
fn ecb_nessie() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ecb-nessie.txt"))?;
    assert_eq!(count, 69);
    Ok(())
}

#[test]
fn ecb_key_lengths() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ecb-key-lengths.txt"))?;
    assert_eq!(count, 33);
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
    assert_eq!(count, 3);
    Ok(())
}

#[test]
fn xts() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/xts.txt"))?;
    assert_eq!(count, 8);
    Ok(())
}
