/* SPDX-License-Identifier: GPL-2.0 OR MIT OR Apache-2.0 */
/*
 * The ABI between the kgpu module and its helper. Generated from kgpu-core: do not edit.
 *
 *   cargo run -p kgpu-core --example c_header > kmod/include/kgpu_abi.h
 *
 * What the fields mean: kgpu-core/src/abi and docs/abi.md.
 */
#ifndef KGPU_ABI_H
#define KGPU_ABI_H

#include <linux/types.h>

/* Revision */
#define KGPU_ABI_MAGIC 0x6962612d7570676bULL
#define KGPU_ABI_MAJOR 1
#define KGPU_ABI_MINOR 3

/* The device node, and the file offsets of its three mappings */
#define KGPU_DEVICE_PATH "/dev/kgpu"
#define KGPU_MAP_CONTROL 0x0ULL
#define KGPU_MAP_HELPER 0x100000000ULL
#define KGPU_MAP_POOL 0x200000000ULL

/* Sizes in bytes */
#define KGPU_PAGE 4096
#define KGPU_HEADER_BYTES 4096
#define KGPU_KEY_BYTES_MAX 112
#define KGPU_BACKEND_NAME_BYTES 16
#define KGPU_IV_BYTES_MAX 16

/* Words of the control mapping, written by the module */
#define KGPU_WORD_SQ_TAIL 512
#define KGPU_WORD_CQ_HEAD 576
#define KGPU_WORD_STATE 640
#define KGPU_WORD_KICK_NEEDED 704

/* Words of the helper mapping, written by the helper */
#define KGPU_WORD_SQ_HEAD 0
#define KGPU_WORD_CQ_TAIL 64
#define KGPU_WORD_HEARTBEAT 128
#define KGPU_WORD_ASLEEP 136
#define KGPU_WORD_SOURCES 1024

/* Guest devices: virtio id, queues, most runs of a set-up, most areas of sources */
#define KGPU_VIRTIO_ID 22
#define KGPU_QUEUE_SETUP 0
#define KGPU_QUEUE_EVENTS 1
#define KGPU_RUNS_MAX 65536
#define KGPU_AREAS_MAX 8

/* What a guest device answers a set-up, and what it tells */
#define KGPU_SETUP_SERVING 1
#define KGPU_SETUP_REFUSED 2
#define KGPU_SETUP_FAILED 3
#define KGPU_EVENT_KICK 1
#define KGPU_EVENT_DETACH 2
#define KGPU_EVENT_ATTACH 3

/* The word at KGPU_WORD_STATE */
#define KGPU_STATE_ATTACHED 1
#define KGPU_STATE_TESTING 2
#define KGPU_STATE_LIVE 3
#define KGPU_STATE_RETIRED 4
#define KGPU_STATE_QUARANTINED 5
#define KGPU_STATE_REPLACED 6

/* Operations */
#define KGPU_OP_ENCRYPT 1
#define KGPU_OP_DECRYPT 2
#define KGPU_OP_COMPUTE 3

/* How an IV steps from data unit to data unit */
#define KGPU_IV_STEP_NONE 0
#define KGPU_IV_STEP_LE64 1
#define KGPU_IV_STEP_BE64 2
#define KGPU_IV_STEP_LE128 3
#define KGPU_IV_STEP_BE128 4

/* Status of a completion */
#define KGPU_STATUS_OK 0
#define KGPU_STATUS_MALFORMED 1
#define KGPU_STATUS_UNSUPPORTED 2
#define KGPU_STATUS_STALE_KEY 3
#define KGPU_STATUS_BACKEND_FAILED 4
#define KGPU_STATUS_SHUTTING_DOWN 5

/* Flags; a bit without a name is refused */
#define KGPU_FEATURE_SERVICES 0x1
#define KGPU_FEATURE_GUEST_SOURCES 0x2
#define KGPU_ATTACH_SLEEPS 0x1
#define KGPU_ATTACH_TAKEOVER 0x2
#define KGPU_TILE_GUEST_SOURCE 0x1

/* ioctls */
#define KGPU_IOC_ATTACH 0xc0804b01U
#define KGPU_IOC_START 0x00004b02U
#define KGPU_IOC_KICK 0x00004b03U
#define KGPU_IOC_DETACH 0x00004b04U

struct kgpu_header {
	__u64 magic;
	__u16 major;
	__u16 minor;
	__u32 session;
	__u64 features;
	__u16 struct_sizes[4];
	__u32 sq_entries;
	__u32 cq_entries;
	__u32 tile_entries;
	__u32 key_slots;
	__u64 sq_offset;
	__u64 tile_offset;
	__u64 key_offset;
	__u64 cq_offset;
	__u64 control_bytes;
	__u64 helper_bytes;
	__u64 pool_bytes;
	__u64 deadline_ns;
	__u64 reserved[2];
};
_Static_assert(sizeof(struct kgpu_header) == 128, "struct kgpu_header");
_Static_assert(__builtin_offsetof(struct kgpu_header, magic) == 0, "struct kgpu_header.magic");
_Static_assert(__builtin_offsetof(struct kgpu_header, major) == 8, "struct kgpu_header.major");
_Static_assert(__builtin_offsetof(struct kgpu_header, minor) == 10, "struct kgpu_header.minor");
_Static_assert(__builtin_offsetof(struct kgpu_header, session) == 12, "struct kgpu_header.session");
_Static_assert(__builtin_offsetof(struct kgpu_header, features) == 16, "struct kgpu_header.features");
_Static_assert(__builtin_offsetof(struct kgpu_header, struct_sizes) == 24, "struct kgpu_header.struct_sizes");
_Static_assert(__builtin_offsetof(struct kgpu_header, sq_entries) == 32, "struct kgpu_header.sq_entries");
_Static_assert(__builtin_offsetof(struct kgpu_header, cq_entries) == 36, "struct kgpu_header.cq_entries");
_Static_assert(__builtin_offsetof(struct kgpu_header, tile_entries) == 40, "struct kgpu_header.tile_entries");
_Static_assert(__builtin_offsetof(struct kgpu_header, key_slots) == 44, "struct kgpu_header.key_slots");
_Static_assert(__builtin_offsetof(struct kgpu_header, sq_offset) == 48, "struct kgpu_header.sq_offset");
_Static_assert(__builtin_offsetof(struct kgpu_header, tile_offset) == 56, "struct kgpu_header.tile_offset");
_Static_assert(__builtin_offsetof(struct kgpu_header, key_offset) == 64, "struct kgpu_header.key_offset");
_Static_assert(__builtin_offsetof(struct kgpu_header, cq_offset) == 72, "struct kgpu_header.cq_offset");
_Static_assert(__builtin_offsetof(struct kgpu_header, control_bytes) == 80, "struct kgpu_header.control_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_header, helper_bytes) == 88, "struct kgpu_header.helper_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_header, pool_bytes) == 96, "struct kgpu_header.pool_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_header, deadline_ns) == 104, "struct kgpu_header.deadline_ns");
_Static_assert(__builtin_offsetof(struct kgpu_header, reserved) == 112, "struct kgpu_header.reserved");

struct kgpu_helper_words {
	__u64 sq_head;
	__u64 reserved0[7];
	__u64 cq_tail;
	__u64 reserved1[7];
	__u64 heartbeat;
	__u64 asleep;
	__u64 reserved2[6];
};
_Static_assert(sizeof(struct kgpu_helper_words) == 192, "struct kgpu_helper_words");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, sq_head) == 0, "struct kgpu_helper_words.sq_head");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, reserved0) == 8, "struct kgpu_helper_words.reserved0");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, cq_tail) == 64, "struct kgpu_helper_words.cq_tail");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, reserved1) == 72, "struct kgpu_helper_words.reserved1");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, heartbeat) == 128, "struct kgpu_helper_words.heartbeat");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, asleep) == 136, "struct kgpu_helper_words.asleep");
_Static_assert(__builtin_offsetof(struct kgpu_helper_words, reserved2) == 144, "struct kgpu_helper_words.reserved2");

struct kgpu_submission {
	__u64 request;
	__u32 session;
	__u32 tile_first;
	__u32 tile_count;
	__u32 bytes;
	__u32 written_len;
	__u16 algorithm;
	__u8 op;
	__u8 flags;
};
_Static_assert(sizeof(struct kgpu_submission) == 32, "struct kgpu_submission");
_Static_assert(__builtin_offsetof(struct kgpu_submission, request) == 0, "struct kgpu_submission.request");
_Static_assert(__builtin_offsetof(struct kgpu_submission, session) == 8, "struct kgpu_submission.session");
_Static_assert(__builtin_offsetof(struct kgpu_submission, tile_first) == 12, "struct kgpu_submission.tile_first");
_Static_assert(__builtin_offsetof(struct kgpu_submission, tile_count) == 16, "struct kgpu_submission.tile_count");
_Static_assert(__builtin_offsetof(struct kgpu_submission, bytes) == 20, "struct kgpu_submission.bytes");
_Static_assert(__builtin_offsetof(struct kgpu_submission, written_len) == 24, "struct kgpu_submission.written_len");
_Static_assert(__builtin_offsetof(struct kgpu_submission, algorithm) == 28, "struct kgpu_submission.algorithm");
_Static_assert(__builtin_offsetof(struct kgpu_submission, op) == 30, "struct kgpu_submission.op");
_Static_assert(__builtin_offsetof(struct kgpu_submission, flags) == 31, "struct kgpu_submission.flags");

struct kgpu_completion {
	__u64 request;
	__u32 session;
	__u32 written_len;
	__u16 status;
	__u16 backend;
	__u32 reserved;
	__u64 detail;
};
_Static_assert(sizeof(struct kgpu_completion) == 32, "struct kgpu_completion");
_Static_assert(__builtin_offsetof(struct kgpu_completion, request) == 0, "struct kgpu_completion.request");
_Static_assert(__builtin_offsetof(struct kgpu_completion, session) == 8, "struct kgpu_completion.session");
_Static_assert(__builtin_offsetof(struct kgpu_completion, written_len) == 12, "struct kgpu_completion.written_len");
_Static_assert(__builtin_offsetof(struct kgpu_completion, status) == 16, "struct kgpu_completion.status");
_Static_assert(__builtin_offsetof(struct kgpu_completion, backend) == 18, "struct kgpu_completion.backend");
_Static_assert(__builtin_offsetof(struct kgpu_completion, reserved) == 20, "struct kgpu_completion.reserved");
_Static_assert(__builtin_offsetof(struct kgpu_completion, detail) == 24, "struct kgpu_completion.detail");

struct kgpu_tile {
	__u64 src;
	__u64 dst;
	__u32 len;
	__u32 dst_len;
	__u32 key_slot;
	__u32 key_generation;
	__u32 data_unit_size;
	__u32 first_block;
	__u8 iv[16];
	__u16 algorithm;
	__u8 op;
	__u8 iv_step;
	__u32 flags;
};
_Static_assert(sizeof(struct kgpu_tile) == 64, "struct kgpu_tile");
_Static_assert(__builtin_offsetof(struct kgpu_tile, src) == 0, "struct kgpu_tile.src");
_Static_assert(__builtin_offsetof(struct kgpu_tile, dst) == 8, "struct kgpu_tile.dst");
_Static_assert(__builtin_offsetof(struct kgpu_tile, len) == 16, "struct kgpu_tile.len");
_Static_assert(__builtin_offsetof(struct kgpu_tile, dst_len) == 20, "struct kgpu_tile.dst_len");
_Static_assert(__builtin_offsetof(struct kgpu_tile, key_slot) == 24, "struct kgpu_tile.key_slot");
_Static_assert(__builtin_offsetof(struct kgpu_tile, key_generation) == 28, "struct kgpu_tile.key_generation");
_Static_assert(__builtin_offsetof(struct kgpu_tile, data_unit_size) == 32, "struct kgpu_tile.data_unit_size");
_Static_assert(__builtin_offsetof(struct kgpu_tile, first_block) == 36, "struct kgpu_tile.first_block");
_Static_assert(__builtin_offsetof(struct kgpu_tile, iv) == 40, "struct kgpu_tile.iv");
_Static_assert(__builtin_offsetof(struct kgpu_tile, algorithm) == 56, "struct kgpu_tile.algorithm");
_Static_assert(__builtin_offsetof(struct kgpu_tile, op) == 58, "struct kgpu_tile.op");
_Static_assert(__builtin_offsetof(struct kgpu_tile, iv_step) == 59, "struct kgpu_tile.iv_step");
_Static_assert(__builtin_offsetof(struct kgpu_tile, flags) == 60, "struct kgpu_tile.flags");

struct kgpu_key_entry {
	__u32 generation;
	__u16 algorithm;
	__u16 key_len;
	__u64 reserved;
	__u8 key[112];
};
_Static_assert(sizeof(struct kgpu_key_entry) == 128, "struct kgpu_key_entry");
_Static_assert(__builtin_offsetof(struct kgpu_key_entry, generation) == 0, "struct kgpu_key_entry.generation");
_Static_assert(__builtin_offsetof(struct kgpu_key_entry, algorithm) == 4, "struct kgpu_key_entry.algorithm");
_Static_assert(__builtin_offsetof(struct kgpu_key_entry, key_len) == 6, "struct kgpu_key_entry.key_len");
_Static_assert(__builtin_offsetof(struct kgpu_key_entry, reserved) == 8, "struct kgpu_key_entry.reserved");
_Static_assert(__builtin_offsetof(struct kgpu_key_entry, key) == 16, "struct kgpu_key_entry.key");

struct kgpu_attach {
	__u64 magic;
	__u16 major;
	__u16 minor;
	__u32 flags;
	__u64 features;
	__u16 struct_sizes[4];
	__u32 tile_bytes;
	__u32 reserved_in;
	__u8 backend[16];
	__u32 session;
	__u32 reserved_out;
	__u64 features_in_force;
	__u64 control_bytes;
	__u64 helper_bytes;
	__u64 pool_bytes;
	__u64 reserved_tail[4];
};
_Static_assert(sizeof(struct kgpu_attach) == 128, "struct kgpu_attach");
_Static_assert(__builtin_offsetof(struct kgpu_attach, magic) == 0, "struct kgpu_attach.magic");
_Static_assert(__builtin_offsetof(struct kgpu_attach, major) == 8, "struct kgpu_attach.major");
_Static_assert(__builtin_offsetof(struct kgpu_attach, minor) == 10, "struct kgpu_attach.minor");
_Static_assert(__builtin_offsetof(struct kgpu_attach, flags) == 12, "struct kgpu_attach.flags");
_Static_assert(__builtin_offsetof(struct kgpu_attach, features) == 16, "struct kgpu_attach.features");
_Static_assert(__builtin_offsetof(struct kgpu_attach, struct_sizes) == 24, "struct kgpu_attach.struct_sizes");
_Static_assert(__builtin_offsetof(struct kgpu_attach, tile_bytes) == 32, "struct kgpu_attach.tile_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_attach, reserved_in) == 36, "struct kgpu_attach.reserved_in");
_Static_assert(__builtin_offsetof(struct kgpu_attach, backend) == 40, "struct kgpu_attach.backend");
_Static_assert(__builtin_offsetof(struct kgpu_attach, session) == 56, "struct kgpu_attach.session");
_Static_assert(__builtin_offsetof(struct kgpu_attach, reserved_out) == 60, "struct kgpu_attach.reserved_out");
_Static_assert(__builtin_offsetof(struct kgpu_attach, features_in_force) == 64, "struct kgpu_attach.features_in_force");
_Static_assert(__builtin_offsetof(struct kgpu_attach, control_bytes) == 72, "struct kgpu_attach.control_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_attach, helper_bytes) == 80, "struct kgpu_attach.helper_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_attach, pool_bytes) == 88, "struct kgpu_attach.pool_bytes");
_Static_assert(__builtin_offsetof(struct kgpu_attach, reserved_tail) == 96, "struct kgpu_attach.reserved_tail");

struct kgpu_page_run {
	__u64 address;
	__u64 bytes;
};
_Static_assert(sizeof(struct kgpu_page_run) == 16, "struct kgpu_page_run");
_Static_assert(__builtin_offsetof(struct kgpu_page_run, address) == 0, "struct kgpu_page_run.address");
_Static_assert(__builtin_offsetof(struct kgpu_page_run, bytes) == 8, "struct kgpu_page_run.bytes");

struct kgpu_source_areas {
	__u64 count;
	struct kgpu_page_run areas[8];
};
_Static_assert(sizeof(struct kgpu_source_areas) == 136, "struct kgpu_source_areas");
_Static_assert(__builtin_offsetof(struct kgpu_source_areas, count) == 0, "struct kgpu_source_areas.count");
_Static_assert(__builtin_offsetof(struct kgpu_source_areas, areas) == 8, "struct kgpu_source_areas.areas");

#endif /* KGPU_ABI_H */
