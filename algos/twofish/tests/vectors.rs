//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_twofish::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn ecb_ival() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ecb-ival.txt"))?;
    assert_eq!(count, 3);
    Ok(())
}

#[test]
fn ecb_tbl() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ecb-tbl.txt"))?;
    assert_eq!(count, 147);
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
