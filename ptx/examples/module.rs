//! Prints the device module, for assemblers and readers.

fn main() {
    print!("{}", kgpu_ptx::MODULE);
}
