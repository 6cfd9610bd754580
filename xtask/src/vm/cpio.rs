//! The guest's file tree and its form as an initramfs (cpio "newc", kernel: `driver-api/early-userspace/buffer-format`).
//!
//! Written here instead of by cpio(1) so that owners and device nodes need no root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What a path in the guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Dir { mode: u32 },
    File { bytes: Vec<u8>, mode: u32 },
    Link { to: String },
    CharDevice { major: u32, minor: u32 },
}

/// The guest's root file system; paths are absolute and start with `/`.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFCHR: u32 = 0o020_000;

impl Tree {
    /// Adds a folder and those above it.
    pub fn dir(&mut self, path: &str, mode: u32) {
        self.parents(path);
        self.nodes.insert(path.to_owned(), Node::Dir { mode });
    }

    /// Adds a file with these bytes.
    pub fn file(&mut self, path: &str, bytes: Vec<u8>, mode: u32) {
        self.parents(path);
        self.nodes
            .insert(path.to_owned(), Node::File { bytes, mode });
    }

    /// Adds a copy of a file of this machine with its permissions.
    pub fn copy(&mut self, from: &Path, path: &str) -> Result<()> {
        let bytes = fs::read(from)
            .with_context(|| format!("cannot read {}: run `cargo xtask setup`", from.display()))?;
        let mode = fs::metadata(from)?.permissions().mode() & 0o777;
        self.file(path, bytes, mode);
        Ok(())
    }

    /// Adds all that lies below `from`.
    pub fn copy_all(&mut self, from: &Path, path: &str) -> Result<()> {
        let mut entries: Vec<PathBuf> = fs::read_dir(from)
            .with_context(|| format!("cannot list {}", from.display()))?
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        entries.sort();
        for entry in entries {
            let name = entry
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let inner = format!("{path}/{name}");
            if entry.is_dir() {
                self.copy_all(&entry, &inner)?
            } else {
                self.copy(&entry, &inner)?
            }
        }
        Ok(())
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.parents(path);
        self.nodes
            .insert(path.to_owned(), Node::Link { to: to.to_owned() });
    }

    /// Adds a character device.
    pub fn char_device(&mut self, path: &str, major: u32, minor: u32) {
        self.parents(path);
        self.nodes
            .insert(path.to_owned(), Node::CharDevice { major, minor });
    }

    /// Whether something is at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
            self.nodes
                .entry(path[..at].to_owned())
                .or_insert(Node::Dir { mode: 0o755 });
        }
    }

    /// The archive, uncompressed: unpacking a compressed one is the slow part under emulation.
    pub fn archive(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for (inode, (path, node)) in self.nodes.iter().enumerate() {
            let (mode, device, data): (u32, (u32, u32), &[u8]) = match node {
                Node::Dir { mode } => (S_IFDIR | mode, (0, 0), &[]),
                Node::File { bytes, mode } => (S_IFREG | mode, (0, 0), bytes),
                Node::Link { to } => (S_IFLNK | 0o777, (0, 0), to.as_bytes()),
                Node::CharDevice { major, minor } => (S_IFCHR | 0o600, (*major, *minor), &[]),
            };
            let inode = u32::try_from(inode + 1)?;
            entry(
                &mut out,
                path.trim_start_matches('/'),
                inode,
                mode,
                device,
                data,
            )?;
        }
        entry(&mut out, "TRAILER!!!", 0, 0, (0, 0), &[])?;
        Ok(out)
    }
}

/// One header, name and body, each padded to four bytes.
fn entry(
    out: &mut Vec<u8>,
    name: &str,
    inode: u32,
    mode: u32,
    device: (u32, u32),
    data: &[u8],
) -> Result<()> {
    let size = u32::try_from(data.len())
        .with_context(|| format!("{name} is too large for an initramfs"))?;
    let name_size = u32::try_from(name.len() + 1)?;
    let fields = [
        inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0,
    ];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(data);
    pad(out);
    Ok(())
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_110_byte_header_with_padding() {
        let mut tree = Tree::default();
        tree.file("/a/b", b"hello".to_vec(), 0o644);
        let bytes = tree.archive().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        // "a" comes before "a/b", or the kernel could not make the file.
        assert!(text.starts_with("070701"));
        assert_eq!(&bytes[110..112], b"a\0");
        assert!(text.contains("a/b\0"));
        assert!(text.contains("hello"));
        assert!(text.contains("TRAILER!!!"));
    }

    #[test]
    fn parents_keep_an_earlier_mode() {
        let mut tree = Tree::default();
        tree.dir("/tmp", 0o1777);
        tree.file("/tmp/x", Vec::new(), 0o600);
        assert_eq!(tree.nodes["/tmp"], Node::Dir { mode: 0o1777 });
    }
}
