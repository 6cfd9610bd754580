//! A QEMU whose virtio devices any vhost-user process can serve, which Debian 12's own can't: Debian 13's newest.
//!
//! It is unpacked into the cache folder with all that it depends on, and started by its own dynamic linker; nothing is
//! installed, and it needs no root.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::host::Device;
use crate::apt;
use crate::images;
use crate::paths::Paths;
use crate::shell;

const PACKAGE: &str = "qemu-system-x86";
const PROGRAM: &str = "usr/bin/qemu-system-x86_64";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Its firmware.
const DATA: [&str; 2] = ["usr/share/qemu", "usr/share/seabios"];
/// The device that it is wanted for; of QEMU 11 and later.
const DEVICE: &str = "vhost-user-test-device-pci";

/// The folder, complete.
#[derive(Debug)]
pub struct Qemu {
    dir: PathBuf,
}

impl Qemu {
    /// Returns it from the cache, downloaded first where it is missing.
    pub fn ensure(paths: &Paths) -> Result<Self> {
        let qemu = Self {
            dir: paths.cache.join("qemu-13-v1"),
        };
        if qemu.dir.exists() {
            return Ok(qemu);
        }
        paths.ensure_cache()?;
        let _lock = Paths::lock(&paths.cache.join("locks"))?;
        if !qemu.dir.exists() {
            let fresh = Self {
                dir: paths.cache.join("part-qemu-13"),
            };
            images::remove(&fresh.dir)?;
            shell::timed("newer QEMU: download and unpack", || fresh.unpack(paths))?;
            // Under its name only when complete, so that an interrupted run leaves none.
            fs::rename(&fresh.dir, &qemu.dir)?;
        }
        Ok(qemu)
    }

    fn unpack(&self, paths: &Paths) -> Result<()> {
        let debs = self.dir.join("debs");
        fs::create_dir_all(&debs)?;
        apt::View::complete(paths)?.download_all(&debs, PACKAGE)?;
        for entry in fs::read_dir(&debs)? {
            let deb = entry?.path();
            if deb.extension().is_some_and(|e| e == "deb") {
                shell::quiet(Command::new("dpkg").arg("-x").arg(deb).arg(&self.dir))?;
            }
        }
        images::remove(&debs)?;
        // Not by a list of all devices: that would load modules, this machine's own QEMU's too.
        let device = format!("{DEVICE},help");
        shell::quiet(self.command().args(["-device", &device])).with_context(|| {
            format!("the newest QEMU of Debian 13 has no device {DEVICE}: want version 11 or later")
        })?;
        Ok(())
    }

    /// Its command line, to be added to.
    pub fn command(&self) -> Command {
        let libraries = self.dir.join(LIBRARIES);
        let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
        command
            .arg("--library-path")
            .arg(&libraries)
            .arg(self.dir.join(PROGRAM))
            .env("QEMU_MODULE_DIR", libraries.join("qemu"));
        for data in DATA {
            command.arg("-L").arg(self.dir.join(data));
        }
        command
    }
}

/// Options that give a guest `mib` of memory which others can map, and a device for each of the host's.
pub fn devices(mib: u32, devices: &[Device]) -> Result<Vec<String>> {
    let mut options = vec![
        "-object".to_owned(),
        format!("memory-backend-memfd,id=memory,size={mib}M,share=on"),
        "-machine".to_owned(),
        "memory-backend=memory".to_owned(),
    ];
    for (number, device) in devices.iter().enumerate() {
        let virtio_id = device.virtio_id;
        // Its own way of writing a comma in a value.
        let socket = device.socket.to_str().context("a path that is no text")?;
        let socket = socket.replace(',', ",,");
        options.extend([
            "-chardev".to_owned(),
            format!("socket,id=helper{number},path={socket}"),
            "-device".to_owned(),
            format!(
                "{DEVICE},chardev=helper{number},virtio-id={virtio_id},num_vqs=2,config_size=128"
            ),
        ]);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_is_a_device() {
        let two = [("/a,b/0", 22), ("/c/1", 2)].map(|(socket, virtio_id)| Device {
            socket: socket.into(),
            virtio_id,
        });
        let options = devices(512, &two).unwrap().join(" ");
        assert!(options.contains("size=512M,share=on"), "{options}");
        assert!(
            options.contains("socket,id=helper0,path=/a,,b/0"),
            "{options}"
        );
        assert!(
            options.contains("chardev=helper1,virtio-id=2,"),
            "{options}"
        );
    }
}
