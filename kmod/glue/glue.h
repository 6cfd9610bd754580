/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the C glue and the Rust core. The glue holds what is inline or a macro in the
 * kernel's headers, and no policy; every decision is made in rust/.
 *
 * Each function here is declared with the same words in rust/src/ffi/glue.rs (kgpu_glue_*) or
 * defined in rust/src/ffi/exports.rs (kgpu_rust_*).
 */
#ifndef KGPU_GLUE_H
#define KGPU_GLUE_H

#include <linux/crypto.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <crypto/algapi.h>
#include <crypto/internal/skcipher.h>
#include <crypto/skcipher.h>

#undef pr_fmt
#define pr_fmt(fmt) "kgpu: " fmt

/* The core's part of a request: JOB_BYTES in rust/src/job.rs; compared at load. */
#define KGPU_JOB_BYTES 168

/* Work items that deliver results: DELIVERERS in rust/src/engine/landed.rs; compared at load. */
#define KGPU_DELIVERERS 16

struct kgpu_tfm_core; /* the core's transform, opaque here */
struct kgpu_opener;   /* the core's part of an open file */
struct kgpu_guest_core; /* the core's part of a guest device */
struct kgpu_guest;
struct kgpu_request;

/* One request, inside the crypto API's request or struct kgpu_request. */
struct kgpu_job {
	u64 core[KGPU_JOB_BYTES / sizeof(u64)];
	struct work_struct work;
	struct crypto_async_request *areq; /* what the queue holds */
	struct kgpu_request *api;          /* set for requests of kgpu.h */
	int decrypt;                       /* crypto API requests */
	int taken_over;                    /* a helper had the destination buffer */
	/* Last: followed by the fallback's own request context. */
	struct skcipher_request sub CRYPTO_MINALIGN_ATTR;
};

/* Pages of a region (services.c). */
struct kgpu_pages {
	unsigned long count;
	void *address;
	struct page *page[];
};

struct kgpu_algorithm {
	char name[64], driver[64], shash[64];
	u32 block_size, iv_size, key_min, key_max, output_per_unit;
	int priority;
	u32 is_skcipher, chunk_size;
};
static_assert(sizeof(struct kgpu_algorithm) == 224);

/* A request of kgpu.h for the core. */
struct kgpu_description {
	u32 len, data_unit_size;
	u8 iv[16];
	u8 op, iv_step;
	u16 buffers;
	u32 session[2];
	u32 reserved;
	u64 offset[2];
};
static_assert(sizeof(struct kgpu_description) == 56);

/* Pool bytes that a caller of kgpu.h holds. */
struct kgpu_place {
	const void *owner;
	struct kgpu_pages *pages;
	u64 offset;
	u32 session, len;
};
static_assert(sizeof(struct kgpu_place) == 32);

/* Module parameters that the core keeps: rust/src/params.rs. */
enum kgpu_param {
	KGPU_PARAM_PRIORITY,
	KGPU_PARAM_CROSSOVER,
	KGPU_PARAM_DEADLINE_MS,
	KGPU_PARAM_FULL_MS,
	KGPU_PARAM_POLL_US,
	KGPU_PARAM_RING_ENTRIES,
	KGPU_PARAM_POOL_MIB,
	KGPU_PARAM_KEY_SLOTS,
	KGPU_PARAM_SHARE_PERCENT,
	KGPU_PARAM_QUEUE_LIMIT,
	KGPU_PARAM_RECHECK,
	KGPU_PARAM_DELIVER_KIB,
	KGPU_PARAM_MERGE_KIB,
};

/* ---- The core ---- */
int kgpu_rust_init(size_t job_bytes, u32 deliverers);
void kgpu_rust_exit(void);
u64 kgpu_rust_pass(void);
int kgpu_rust_algorithm(u32 index, struct kgpu_algorithm *out);
int kgpu_rust_find(const char *name, size_t len, u16 id);
int kgpu_rust_tfm_new(u32 index, struct kgpu_tfm_core **out);
void kgpu_rust_tfm_free(struct kgpu_tfm_core *tfm);
int kgpu_rust_tfm_set_key(const struct kgpu_tfm_core *tfm, const u8 *key, size_t len);
void kgpu_rust_tfm_clear_key(const struct kgpu_tfm_core *tfm);
int kgpu_rust_skcipher(const struct kgpu_tfm_core *tfm, struct kgpu_job *job, int decrypt, int waits,
		       u32 len, const u8 *iv);
s64 kgpu_rust_check(const struct kgpu_tfm_core *tfm, const struct kgpu_description *request);
int kgpu_rust_submit(const struct kgpu_tfm_core *tfm, struct kgpu_job *job,
		     const struct kgpu_description *request);
void kgpu_rust_unit_iv(const struct kgpu_job *job, u32 unit, u8 *iv);
void kgpu_rust_fallback_done(struct kgpu_job *job, int error);
int kgpu_rust_deliver(u32 number);
int kgpu_rust_buffer_new(u32 len, struct kgpu_place *out);
void kgpu_rust_buffer_free(const struct kgpu_place *place, int lost);
int kgpu_rust_open(struct kgpu_opener **out);
int kgpu_rust_ioctl(const struct kgpu_opener *opener, u32 request, size_t argument);
int kgpu_rust_map(const struct kgpu_opener *opener, u64 offset, u64 bytes, int writable, int shared,
		  int executable, struct kgpu_pages **pages);
u32 kgpu_rust_poll(const struct kgpu_opener *opener);
void kgpu_rust_close(const struct kgpu_opener *opener);
int kgpu_rust_is_closed(const struct kgpu_opener *opener);
void kgpu_rust_closed(struct kgpu_opener *opener);
int kgpu_rust_guest_new(struct kgpu_guest *guest, u32 number, struct kgpu_guest_core **out);
void kgpu_rust_guest_free(struct kgpu_guest_core *core);
void kgpu_rust_guest_event(const struct kgpu_guest_core *core, u64 code, u32 bytes);
void kgpu_rust_guest_answer(const struct kgpu_guest_core *core, u64 code, u32 bytes);
u32 kgpu_rust_guest_work(const struct kgpu_guest_core *core);
void kgpu_rust_guest_start(const struct kgpu_guest_core *core);
void kgpu_rust_guest_stop(const struct kgpu_guest_core *core);
int kgpu_rust_guest_is_closed(const struct kgpu_guest_core *core);
void kgpu_rust_guest_stopped(const struct kgpu_guest_core *core);
u32 kgpu_rust_guest_kept(void);
int kgpu_rust_param_set(u32 which, const char *text, size_t len);
int kgpu_rust_param_get(u32 which, char *to, size_t len);
u32 kgpu_rust_queue_limit(void);
void kgpu_rust_pause(int paused);
int kgpu_rust_is_drained(void);
void kgpu_rust_report(u32 which, void *seq);

/* ---- Services for the core: services.c ---- */
void kgpu_glue_log(int level, const u8 *text, size_t len);
void *kgpu_glue_alloc(size_t size);
void kgpu_glue_free(void *memory);
void kgpu_glue_bug(void);
u64 kgpu_glue_now(void);
u64 kgpu_glue_lock(void);
void kgpu_glue_unlock(u64 flags);
u32 kgpu_glue_random(void);
void kgpu_glue_relax(void);
u64 kgpu_glue_owner(void);
u32 kgpu_glue_processors(void);
int kgpu_glue_pid(void);
int kgpu_glue_capable(void);
struct kgpu_pages *kgpu_glue_pages_new(size_t count);
void *kgpu_glue_pages_address(struct kgpu_pages *pages);
void kgpu_glue_pages_free(struct kgpu_pages *pages);
u64 kgpu_glue_pages_run(struct kgpu_pages *pages, size_t first, u64 *address);
int kgpu_glue_copy_from_user(u8 *to, size_t from, size_t len);
int kgpu_glue_copy_to_user(size_t to, const u8 *from, size_t len);
void kgpu_glue_report(void *seq, const u8 *text, size_t len);

/* ---- The engine's thread: main.c ---- */
void kgpu_glue_wake_engine(void);

/* ---- Sleep states: power.c ---- */
int kgpu_power_init(void);
void kgpu_power_exit(void);

/* ---- The helper's wait queue: device.c ---- */
void kgpu_glue_wake_helper(void);
int kgpu_device_init(void);
void kgpu_device_exit(void);

/* ---- Guest devices: virtio.c, or virtio_none.c where the kernel has no virtio ---- */
void kgpu_glue_guest_get(struct kgpu_guest *guest);
void kgpu_glue_guest_put(struct kgpu_guest *guest);
int kgpu_glue_guest_notify(struct kgpu_guest *guest);
int kgpu_glue_guest_is_broken(struct kgpu_guest *guest);
void kgpu_glue_guest_wake(struct kgpu_guest *guest);
void kgpu_glue_guest_read(struct kgpu_guest *guest, u8 *to, size_t len);
int kgpu_glue_guest_set_up(struct kgpu_guest *guest, struct kgpu_pages *pages, u64 bytes);
int kgpu_guest_init(void);
void kgpu_guest_exit(void);

/* ---- Jobs: job.c ---- */
int kgpu_glue_enqueue(struct kgpu_job *job);
u32 kgpu_glue_dequeue(struct kgpu_job **jobs, u32 most);
void kgpu_glue_fallback_later(struct kgpu_job *job, int taken_over);
void kgpu_glue_deliver_later(u32 number);
struct scatterlist *kgpu_glue_source(struct kgpu_job *job);
u32 kgpu_glue_source_run(struct scatterlist **at, u64 *address);
void kgpu_glue_read_source(struct kgpu_job *job, u32 at, u8 *to, u32 len);
void kgpu_glue_read_result(struct kgpu_job *job, u32 at, u8 *to, u32 len);
void kgpu_glue_write_result(struct kgpu_job *job, const u8 *from, u32 len);
void kgpu_glue_set_iv(struct kgpu_job *job, const u8 *iv, u32 len);
void kgpu_glue_name_result(struct kgpu_job *job, int taken_over);
void kgpu_glue_complete(struct kgpu_job *job, int error);
int kgpu_job_init(void);
void kgpu_job_exit(void);

/* ---- Crypto API: skcipher.c ---- */
int kgpu_glue_fallback_now(struct kgpu_job *job);
int kgpu_skcipher_compute(struct kgpu_job *job);
void kgpu_glue_set_priority(u32 index, int priority);
void kgpu_glue_register_later(void);
const u8 *kgpu_glue_fallback_driver(u32 index, size_t *len);
/* The driver that a stock dm-crypt would get for this name. */
struct crypto_skcipher *kgpu_stock_skcipher(const char *name);
int kgpu_skcipher_init(void);
void kgpu_skcipher_register(void);
void kgpu_skcipher_exit(void);

/* ---- kgpu.h: api.c ---- */
int kgpu_api_compute(struct kgpu_job *job);
void kgpu_api_complete(struct kgpu_job *job, int error);
void kgpu_api_result(struct kgpu_job *job, int taken_over);
struct kgpu_request *kgpu_api_request(struct crypto_async_request *areq);
struct kgpu_job *kgpu_api_job(struct kgpu_request *request);
void kgpu_api_scatter(struct kgpu_job *job, struct scatterlist **src, struct scatterlist **dst);

/* ---- Status files: report.c ---- */
int kgpu_report_init(void);
void kgpu_report_exit(void);

#endif
