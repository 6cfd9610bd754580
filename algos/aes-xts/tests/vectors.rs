//! The vector files in `data/`, each of which names its source, against the CPU path.

use kgpu_aes_xts::ALGORITHMS;
use kgpu_verify::Failure;
use kgpu_verify::known::check_file;

#[test]
fn ieee1619() -> Result<(), Failure> {
    let count = check_file(ALGORITHMS, include_str!("data/ieee1619.txt"))?;
    assert_eq!(count, 14);
    Ok(())
}
