//! Answers to the messages of the guest's machine (vhost-user). Each is quick, but for those that stop a queue.

use std::fs::File;
use std::sync::Arc;

use kgpu_core::num::index;
use vhost::VhostUserMemoryRegionBase;
use vhost::vhost_user::message::{
    VhostTransferStateDirection, VhostTransferStatePhase, VhostUserConfigFlags, VhostUserInflight,
    VhostUserLog, VhostUserMemoryRegion, VhostUserProtocolFeatures, VhostUserShMemConfig,
    VhostUserSharedMsg, VhostUserSingleMemoryRegion, VhostUserVirtioFeatures,
    VhostUserVringAddrFlags, VhostUserVringState,
};
use vhost::vhost_user::{
    Backend, Error, GpuBackend, Result, VhostUserBackendReqHandlerMut as Requests,
};

use super::memory::Memory;
use super::shared::Shared;

/// The device keeps to virtio 1 (`VIRTIO_F_VERSION_1`).
const VERSION_1: u64 = 1 << 32;
/// Buffers may be described by tables of their own (`VIRTIO_RING_F_INDIRECT_DESC`).
const INDIRECT: u64 = 1 << 28;
/// What the device offers. No used or available event indices: there is next to nothing to be saved by them here.
const FEATURES: u64 = VERSION_1 | INDIRECT | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
/// How far the protocol is spoken. Notifications inside the socket's stream would be slower than by eventfd.
const PROTOCOL: VhostUserProtocolFeatures = VhostUserProtocolFeatures::MQ
    .union(VhostUserProtocolFeatures::CONFIG)
    .union(VhostUserProtocolFeatures::BACKEND_REQ);

/// What answers.
pub struct Handler {
    shared: Arc<Shared>,
    /// The configuration space.
    offer: Vec<u8>,
    acked: u64,
    /// Kept because the guest's machine sees by its end that the helper is gone.
    back: Option<Backend>,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler")
            .field("shared", &self.shared)
            .field("acked", &self.acked)
            .finish_non_exhaustive()
    }
}

impl Handler {
    /// What answers for a device that offers `offer` in its configuration space.
    pub const fn new(shared: Arc<Shared>, offer: Vec<u8>) -> Self {
        Self {
            shared,
            offer,
            acked: 0,
            back: None,
        }
    }

    /// Without protocol features, queues are enabled from the start.
    fn enable_all(&self, enabled: bool) -> Result<()> {
        (0..2).try_for_each(|queue| {
            self.shared.changed(queue, |vring| {
                vring.enable(enabled);
                Ok(())
            })
        })
    }
}

const NOT_SPOKEN: Error = Error::InvalidOperation("this device does not have it");

impl Requests for Handler {
    fn set_owner(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset_owner(&mut self) -> Result<()> {
        self.acked = 0;
        self.enable_all(false)
    }

    fn reset_device(&mut self) -> Result<()> {
        self.reset_owner()
    }

    fn get_features(&mut self) -> Result<u64> {
        Ok(FEATURES)
    }

    fn set_features(&mut self, features: u64) -> Result<()> {
        if features & !FEATURES != 0 {
            return Err(Error::InvalidParam);
        }
        self.acked = features;
        if features & VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits() == 0 {
            self.enable_all(true)?;
        }
        Ok(())
    }

    fn get_protocol_features(&mut self) -> Result<VhostUserProtocolFeatures> {
        Ok(PROTOCOL)
    }

    fn set_protocol_features(&mut self, features: u64) -> Result<()> {
        // The protocol's crate offers acknowledgements, and makes them, by itself.
        let spoken = PROTOCOL | VhostUserProtocolFeatures::REPLY_ACK;
        if features & !spoken.bits() == 0 {
            Ok(())
        } else {
            Err(Error::InvalidParam)
        }
    }

    fn set_mem_table(
        &mut self,
        regions: &[VhostUserMemoryRegion],
        files: Vec<File>,
        _: Option<bool>,
    ) -> Result<Option<Vec<VhostUserMemoryRegionBase>>> {
        let memory = Memory::new(regions, files).map_err(|error| {
            tracing::warn!("{error}");
            Error::InvalidParam
        })?;
        self.shared.set_memory(memory);
        Ok(None)
    }

    fn set_vring_num(&mut self, queue: u32, entries: u32) -> Result<()> {
        self.shared.device().queue(queue)?.set_size(entries)
    }

    fn set_vring_addr(
        &mut self,
        queue: u32,
        _: VhostUserVringAddrFlags,
        descriptors: u64,
        used: u64,
        available: u64,
        _log: u64,
    ) -> Result<()> {
        let mut device = self.shared.device();
        let memory = device.memory().map(Arc::clone);
        let memory = memory.ok_or(Error::InvalidParam)?;
        device
            .queue(queue)?
            .set_rings(&memory, descriptors, available, used)
    }

    fn set_vring_base(&mut self, queue: u32, base: u32) -> Result<()> {
        self.shared.device().queue(queue)?.set_base(base)
    }

    fn get_vring_base(&mut self, queue: u32) -> Result<VhostUserVringState> {
        let mut base = 0;
        self.shared.changed(queue, |vring| {
            vring.stop();
            base = vring.base();
            Ok(())
        })?;
        Ok(VhostUserVringState::new(queue, u32::from(base)))
    }

    fn set_vring_kick(&mut self, queue: u8, kick: Option<File>) -> Result<()> {
        self.shared.changed(u32::from(queue), |vring| {
            vring.set_kick(kick);
            Ok(())
        })
    }

    fn set_vring_call(&mut self, queue: u8, call: Option<File>) -> Result<()> {
        self.shared
            .device()
            .queue(u32::from(queue))
            .map(|vring| vring.set_call(call))
    }

    fn set_vring_err(&mut self, _: u8, _: Option<File>) -> Result<()> {
        Ok(())
    }

    fn get_queue_num(&mut self) -> Result<u64> {
        Ok(2)
    }

    fn set_vring_enable(&mut self, queue: u32, enabled: bool) -> Result<()> {
        self.shared.changed(queue, |vring| {
            vring.enable(enabled);
            Ok(())
        })
    }

    fn get_config(&mut self, offset: u32, size: u32, _: VhostUserConfigFlags) -> Result<Vec<u8>> {
        let from = self.offer.iter().skip(index(u64::from(offset)));
        let size = index(u64::from(size));
        // Beyond its end a configuration space reads as zero.
        let mut bytes: Vec<u8> = from.take(size).copied().collect();
        bytes.resize(size, 0);
        Ok(bytes)
    }

    fn set_config(&mut self, _: u32, _: &[u8], _: VhostUserConfigFlags) -> Result<()> {
        Err(NOT_SPOKEN)
    }

    fn set_backend_req_fd(&mut self, back: Backend) {
        self.back = Some(back);
    }

    fn set_gpu_socket(&mut self, _: GpuBackend) -> Result<()> {
        Err(NOT_SPOKEN)
    }

    fn get_shared_object(&mut self, _: VhostUserSharedMsg) -> Result<File> {
        Err(NOT_SPOKEN)
    }

    fn get_inflight_fd(&mut self, _: &VhostUserInflight) -> Result<(VhostUserInflight, File)> {
        Err(NOT_SPOKEN)
    }

    fn set_inflight_fd(&mut self, _: &VhostUserInflight, _: File) -> Result<()> {
        Err(NOT_SPOKEN)
    }

    fn get_max_mem_slots(&mut self) -> Result<u64> {
        Err(NOT_SPOKEN)
    }

    fn add_mem_region(
        &mut self,
        _: &VhostUserSingleMemoryRegion,
        _: File,
        _: Option<bool>,
    ) -> Result<Option<VhostUserMemoryRegionBase>> {
        Err(NOT_SPOKEN)
    }

    fn remove_mem_region(&mut self, _: &VhostUserSingleMemoryRegion) -> Result<()> {
        Err(NOT_SPOKEN)
    }

    fn set_device_state_fd(
        &mut self,
        _: VhostTransferStateDirection,
        _: VhostTransferStatePhase,
        _: File,
    ) -> Result<Option<File>> {
        Err(NOT_SPOKEN)
    }

    fn check_device_state(&mut self) -> Result<()> {
        Err(NOT_SPOKEN)
    }

    fn get_shmem_config(&mut self) -> Result<VhostUserShMemConfig> {
        Err(NOT_SPOKEN)
    }

    fn set_log_base(&mut self, _: &VhostUserLog, _: File) -> Result<()> {
        Err(NOT_SPOKEN)
    }
}
