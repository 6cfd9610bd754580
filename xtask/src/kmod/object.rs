//! What the kernel's module loader accepts, asserted on the Rust object: symbols, relocations, registers.

use anyhow::{Context, Result, bail};
use object::read::archive::ArchiveFile;
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionIndex,
};

use super::target::Target;

/// The one member of `archive` whose name starts with `prefix`: the crate's own object.
///
/// Fat LTO has put everything it uses in there; the archive's other members are left out on purpose.
pub fn extract<'data>(archive: &'data [u8], prefix: &str) -> Result<&'data [u8]> {
    let file = ArchiveFile::parse(archive).context("the staticlib is not an archive")?;
    let mut found = Vec::new();
    for member in file.members() {
        let member = member?;
        if member.name().starts_with(prefix.as_bytes()) {
            found.push(member.data(archive)?);
        }
    }
    match found[..] {
        [one] => Ok(one),
        _ => bail!(
            "the staticlib has {} members named {prefix}*, expected 1: keep `codegen-units = 1` and `lto = \"fat\"`",
            found.len()
        ),
    }
}

/// Fails with every symbol and relocation that a kernel of `target` would not resolve, and where each is used.
pub fn check(bytes: &[u8], target: &Target) -> Result<()> {
    let file = object::File::parse(bytes).context("not an ELF object")?;
    let mut faults = Vec::new();
    for section in file.sections() {
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type } = relocation.flags() else {
                continue;
            };
            let to = match relocation.target() {
                RelocationTarget::Symbol(index) => Some(file.symbol_by_index(index)?),
                _ => None,
            };
            let name = to.as_ref().map_or(Ok("?"), |symbol| symbol.name())?;
            let user = containing(&file, section.index(), offset).unwrap_or(section.name()?);
            if to.as_ref().is_some_and(|s| s.is_undefined()) && !target.allows(name) {
                faults.push(format!("undefined symbol {name}, used by {user}"));
            }
            if target.relocations.iter().all(|(known, _)| *known != r_type) {
                faults.push(format!("relocation type {r_type} to {name} in {user}"));
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort();
    faults.dedup();
    let names: Vec<&str> = target.relocations.iter().map(|(_, name)| *name).collect();
    bail!(
        "{}\nallowed are the symbols {} and the relocations {}",
        faults.join("\n"),
        target.allowed(),
        names.join(", ")
    )
}

/// The function or object that holds `offset` of a section.
fn containing<'a>(file: &object::File<'a>, section: SectionIndex, offset: u64) -> Option<&'a str> {
    let holds = |s: &object::Symbol<'a, '_>| {
        s.section_index() == Some(section)
            && (s.address()..s.address() + s.size()).contains(&offset)
    };
    file.symbols().find(holds).and_then(|s| s.name().ok())
}

/// Fails when a disassembly uses vector or floating-point registers: the kernel does not save them for us.
pub fn check_registers(listing: &str) -> Result<()> {
    let mut function = "";
    for line in listing.lines() {
        if line.ends_with(">:") {
            function = line;
        }
        if ["%xmm", "%ymm", "%zmm", "%mm", "%st"]
            .iter()
            .any(|r| line.contains(r))
        {
            bail!("vector or floating-point register in the Rust object:\n{function}\n{line}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_registers_are_found_with_their_function() {
        assert!(check_registers("0 <f>:\n  1: mov %rax,%rbx\n").is_ok());
        let error = check_registers("0 <f>:\n  1: movaps %xmm0,(%rsp)\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("<f>") && error.contains("%xmm0"), "{error}");
    }

    #[test]
    fn a_wrong_archive_is_refused() {
        assert!(extract(b"!<arch>\n", "kgpu_kmod-").is_err());
        assert!(extract(b"nonsense", "kgpu_kmod-").is_err());
    }
}
