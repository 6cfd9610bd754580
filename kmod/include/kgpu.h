/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kgpu for other kernel modules: ciphers and other services on a GPU, with the kernel's own drivers
 * as fallback. Every accepted request completes exactly once, helper or no helper.
 *
 *	struct kgpu_tfm *tfm = kgpu_tfm_alloc("xts(twofish)");
 *	kgpu_tfm_set_key(tfm, key, 64);
 *	struct kgpu_request *req = kgpu_request_alloc(tfm, GFP_KERNEL);
 *	req->op = KGPU_OP_ENCRYPT;
 *	req->src = req->dst = sg;
 *	req->len = 1 << 20;
 *	req->data_unit_size = 4096;		// 256 sectors,
 *	req->iv_step = KGPU_IV_STEP_LE64;	// numbered as dm-crypt's plain64 does
 *	err = kgpu_call(req);			// or kgpu_submit(), with req->complete
 *
 * Operations (KGPU_OP_*) and IV steps (KGPU_IV_STEP_*) are those of kgpu_abi.h.
 */
#ifndef KGPU_H
#define KGPU_H

#include <linux/scatterlist.h>
#include <linux/types.h>
#include "kgpu_abi.h"

struct kgpu_tfm;

/*
 * A buffer of the pool that the helper works in: a request over two of these copies nothing.
 * Without a helper it is ordinary memory. The helper can read and write pool buffers at any time:
 * check what you find in one before you rely on it, and keep nothing secret there.
 */
struct kgpu_buf {
	void *data;
	u32 len;
	/* private */
	void *priv;
};

/* The queue is full: accept the request nevertheless, and return -EBUSY for -EINPROGRESS. */
#define KGPU_REQ_MAY_BACKLOG 1U

struct kgpu_request {
	/* Set by the caller. What is not used stays 0. */
	struct kgpu_tfm *tfm; /* set by kgpu_request_alloc() */
	u8 op;                /* KGPU_OP_* */
	u8 iv_step;           /* KGPU_IV_STEP_*: how the IV steps from data unit to data unit */
	u32 flags;            /* KGPU_REQ_* */
	u32 len;              /* source bytes */
	u32 data_unit_size;   /* bytes of a data unit; 0: the whole request is one */
	u8 iv[KGPU_IV_BYTES_MAX]; /* IV of the first data unit */
	/*
	 * Either scatterlists (the same one twice for in place) ...
	 */
	struct scatterlist *src, *dst;
	/*
	 * ... or pool buffers. Source and destination must differ. The source's contents are
	 * undefined afterwards, and `result` says which of the two holds the result: the source
	 * where the kernel had to take the request back from a helper. So it needs room for the
	 * result, and a service's data unit must not be shorter than the unit's result.
	 */
	struct kgpu_buf *src_buf, *dst_buf;
	/*
	 * Called once, with bottom halves disabled: it must not sleep. `err` is 0 or what the
	 * fallback said.
	 */
	void (*complete)(struct kgpu_request *req, int err);
	void *context; /* for the caller */

	/* Set when complete */
	struct kgpu_buf *result;
};

/* By the kernel's name ("cbc(aes)"), the driver's ("cbc-aes-kgpu"), or the ABI's number. May sleep. */
struct kgpu_tfm *kgpu_tfm_alloc(const char *name);
struct kgpu_tfm *kgpu_tfm_alloc_by_id(u16 id);
void kgpu_tfm_free(struct kgpu_tfm *tfm);
/*
 * Never fails for want of a key slot. No request may be under way. When a key is refused, the one
 * before it is gone too. May sleep.
 */
int kgpu_tfm_set_key(struct kgpu_tfm *tfm, const u8 *key, unsigned int len);
/* The kernel's name of the algorithm: "cbc(aes)". Valid as long as the transform. */
const char *kgpu_tfm_name(const struct kgpu_tfm *tfm);
/* Bytes of the IV; 0 for none. */
unsigned int kgpu_tfm_iv_size(const struct kgpu_tfm *tfm);
/* Bytes of output for each data unit, for services whose output is not as long as the input; else 0. */
unsigned int kgpu_tfm_output_per_unit(const struct kgpu_tfm *tfm);

struct kgpu_request *kgpu_request_alloc(struct kgpu_tfm *tfm, gfp_t gfp);
void kgpu_request_free(struct kgpu_request *req);

/*
 * Hands a request over, from any context: -EINPROGRESS (or -EBUSY, see KGPU_REQ_MAY_BACKLOG), and
 * `complete` will be called; or it was not accepted: -ENOSPC (queue full), -EINVAL (a length, unit,
 * step or operation that the algorithm does not have), -ENOKEY.
 */
int kgpu_submit(struct kgpu_request *req);
/* Hands over `count` requests; the result is how many were accepted, or the first one's error. */
int kgpu_submit_many(struct kgpu_request **reqs, unsigned int count);
/* Hands a request over and waits; `complete` and `context` are not used. May sleep. */
int kgpu_call(struct kgpu_request *req);

/* May sleep. */
struct kgpu_buf *kgpu_buf_alloc(u32 len);
/* May sleep. */
void kgpu_buf_free(struct kgpu_buf *buf);

#endif
