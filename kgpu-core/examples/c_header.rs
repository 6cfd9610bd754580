//! Prints the C header of the ABI; `kmod/include/kgpu_abi.h` is its output, and a test compares
//! the two.

#[path = "../tests/support/c_header.rs"]
mod c_header;
#[path = "../tests/support/mod.rs"]
mod support;

fn main() -> std::fmt::Result {
    print!("{}", c_header::generate()?);
    Ok(())
}
