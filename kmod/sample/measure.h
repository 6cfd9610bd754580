/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of kgpu_measure.ko share: a run's plan, its requests and what came out. */
#ifndef KGPU_MEASURE_H
#define KGPU_MEASURE_H

#include <linux/crypto.h>
#include <linux/llist.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <crypto/hash.h>
#include <crypto/skcipher.h>
#include "kgpu.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

enum way {
	WAY_POOL,  /* kgpu.h, in pool buffers: nothing is copied */
	WAY_SG,	   /* kgpu.h, in the caller's memory */
	WAY_STOCK, /* the kernel's own best driver, asynchronous or not */
};

#define BUCKETS (64 * 16) /* of latencies: 16 for each power of two */

/* Memory of a request: pages one by one, as a page cache has them. */
struct area {
	u8 *data;
	struct page **pages;
	struct sg_table table;
};

/* A request. */
struct slot {
	struct measure *measure;
	struct runner *runner;
	struct llist_node node;
	struct kgpu_request *kgpu;	  /* through kgpu.h */
	struct skcipher_request *cipher; /* or through the crypto API, a data unit at a time */
	struct scatterlist unit_src, unit_dst;
	struct area src, dst;
	u8 *input; /* what the result is to be computed from, where it will be checked */
	u8 first_iv[KGPU_IV_BYTES_MAX];
	/* Of the data unit that the crypto API does next, and a copy for the driver, which writes it. */
	u8 iv[KGPU_IV_BYTES_MAX], used_iv[KGPU_IV_BYTES_MAX];
	u32 at; /* bytes that the crypto API has done */
	u64 start, took;
	int err;
	bool ran;     /* in this pass */
	bool spoiled; /* its source was overwritten by a result that kgpu took back */
};

/* A thread with requests of its own. */
struct runner {
	struct measure *measure;
	struct task_struct *task;
	struct slot *slots;
	unsigned int slot_count, in_flight;
	struct llist_head done;
	wait_queue_head_t wait;
	u64 requests, errors, taken_back;
	u32 latency[BUCKETS];
};

struct measure {
	/* The plan, as the parameter `run` says it. */
	char by[8], what[CRYPTO_MAX_ALG_NAME], op_name[8];
	u32 key, size, unit, depth, threads, ms, mib, pid;
	/* What follows from it. */
	enum way way;
	u8 op, iv_step;
	u32 iv_size, per_unit, output, units;
	struct kgpu_tfm *tfm;
	struct crypto_skcipher *cipher;
	struct crypto_shash *digest;
	struct slot *slots;
	struct runner *runners;
	/* A pass. */
	u64 end;
	struct completion go, ended;
	atomic_t running;
	/* What came out. */
	u64 ns, busy_ns, helper_ns, checked, wrong;
};

/* measure_slot.c: requests and their memory, how one is started, and whether a result is right. */
int slots_new(struct measure *m);
void slots_free(struct measure *m);
void slots_fill(struct measure *m, u32 round);
int slots_check(struct measure *m);
void slots_start(struct slot **slots, unsigned int count);

/* measure_run.c: threads, clocks and processor time. */
int run_pass(struct measure *m, u64 ns);
void run_done(struct slot *slot, int err);
u64 busy_ns(void);
u64 process_ns(u32 pid);
u64 run_percentile(const struct measure *m, unsigned int percent);

#endif
