// SPDX-License-Identifier: GPL-2.0
/* include/kgpu.h: transforms and requests of other modules, and how the fallback computes them. */
#include <linux/slab.h>
#include <crypto/hash.h>
#include <crypto/scatterwalk.h>
#include "../include/kgpu.h"
#include "glue.h"

struct kgpu_tfm {
	struct kgpu_algorithm info;
	struct kgpu_tfm_core *core;
	struct crypto_skcipher *skcipher; /* the fallback: one of the two */
	struct crypto_shash *shash;
};

struct kgpu_api_request {
	struct kgpu_request public;
	struct crypto_async_request base; /* for the queue */
	struct kgpu_description submission;
	/* Last: the job ends in the fallback's request context. */
	struct kgpu_job job;
};

struct kgpu_api_buf {
	struct kgpu_buf public;
	struct kgpu_place place;  /* in a session's pool, ... */
	struct kgpu_pages *pages; /* ... or pages of its own */
	struct sg_table table;
	bool lost; /* a late helper may still write to it */
};

static struct kgpu_api_request *kgpu_api_of(struct kgpu_request *req)
{
	return container_of(req, struct kgpu_api_request, public);
}

static struct kgpu_api_buf *kgpu_buf_of(struct kgpu_buf *buf)
{
	return container_of(buf, struct kgpu_api_buf, public);
}

struct kgpu_request *kgpu_api_request(struct crypto_async_request *areq)
{
	return &container_of(areq, struct kgpu_api_request, base)->public;
}

struct kgpu_job *kgpu_api_job(struct kgpu_request *request)
{
	return &kgpu_api_of(request)->job;
}

/* ---- Transforms ---- */

static struct kgpu_tfm *kgpu_tfm_new(int index)
{
	struct kgpu_tfm *tfm;
	int err = index;

	if (index < 0)
		return ERR_PTR(index);
	tfm = kzalloc(sizeof(*tfm), GFP_KERNEL);
	if (!tfm)
		return ERR_PTR(-ENOMEM);
	kgpu_rust_algorithm(index, &tfm->info);
	if (tfm->info.is_skcipher) {
		tfm->skcipher = kgpu_stock_skcipher(tfm->info.name);
		err = PTR_ERR_OR_ZERO(tfm->skcipher);
	} else {
		tfm->shash = crypto_alloc_shash(tfm->info.shash, 0, 0);
		err = PTR_ERR_OR_ZERO(tfm->shash);
	}
	if (err)
		goto free;
	err = kgpu_rust_tfm_new(index, &tfm->core);
	if (!err)
		return tfm;
	if (tfm->skcipher)
		crypto_free_skcipher(tfm->skcipher);
	else
		crypto_free_shash(tfm->shash);
free:
	kfree(tfm);
	return ERR_PTR(err);
}

struct kgpu_tfm *kgpu_tfm_alloc(const char *name)
{
	size_t len = strlen(name);

	return kgpu_tfm_new(len ? kgpu_rust_find(name, len, 0) : -ENOENT);
}
EXPORT_SYMBOL_GPL(kgpu_tfm_alloc);

struct kgpu_tfm *kgpu_tfm_alloc_by_id(u16 id)
{
	return kgpu_tfm_new(kgpu_rust_find(NULL, 0, id));
}
EXPORT_SYMBOL_GPL(kgpu_tfm_alloc_by_id);

void kgpu_tfm_free(struct kgpu_tfm *tfm)
{
	kgpu_rust_tfm_free(tfm->core);
	if (tfm->skcipher)
		crypto_free_skcipher(tfm->skcipher);
	if (tfm->shash)
		crypto_free_shash(tfm->shash);
	kfree(tfm);
}
EXPORT_SYMBOL_GPL(kgpu_tfm_free);

int kgpu_tfm_set_key(struct kgpu_tfm *tfm, const u8 *key, unsigned int len)
{
	int err = tfm->skcipher ? crypto_skcipher_setkey(tfm->skcipher, key, len) : -EINVAL;

	/*
	 * A refusal must leave both without a key, not with two different ones. (An empty key will
	 * not do: some ciphers have it.)
	 */
	if (err) {
		kgpu_rust_tfm_clear_key(tfm->core);
		return err;
	}
	return kgpu_rust_tfm_set_key(tfm->core, key, len);
}
EXPORT_SYMBOL_GPL(kgpu_tfm_set_key);

const char *kgpu_tfm_name(const struct kgpu_tfm *tfm)
{
	return tfm->info.name;
}
EXPORT_SYMBOL_GPL(kgpu_tfm_name);

unsigned int kgpu_tfm_iv_size(const struct kgpu_tfm *tfm)
{
	return tfm->info.iv_size;
}
EXPORT_SYMBOL_GPL(kgpu_tfm_iv_size);

unsigned int kgpu_tfm_output_per_unit(const struct kgpu_tfm *tfm)
{
	return tfm->info.output_per_unit;
}
EXPORT_SYMBOL_GPL(kgpu_tfm_output_per_unit);

/* ---- Pool buffers ---- */

struct kgpu_buf *kgpu_buf_alloc(u32 len)
{
	struct kgpu_api_buf *buf;
	struct kgpu_pages *pages;
	u64 offset = 0;
	int err;

	if (!len)
		return ERR_PTR(-EINVAL);
	buf = kzalloc(sizeof(*buf), GFP_KERNEL);
	if (!buf)
		return ERR_PTR(-ENOMEM);
	if (kgpu_rust_buffer_new(len, &buf->place)) {
		buf->pages = kgpu_glue_pages_new(DIV_ROUND_UP(len, PAGE_SIZE));
		if (!buf->pages) {
			kfree(buf);
			return ERR_PTR(-ENOMEM);
		}
		pages = buf->pages;
	} else {
		pages = buf->place.pages;
		offset = buf->place.offset;
	}
	buf->public.data = pages->address + offset;
	buf->public.len = len;
	err = sg_alloc_table_from_pages(&buf->table, pages->page + (offset >> PAGE_SHIFT),
					DIV_ROUND_UP(offset_in_page(offset) + len, PAGE_SIZE),
					offset_in_page(offset), len, GFP_KERNEL);
	if (err) {
		kgpu_buf_free(&buf->public);
		return ERR_PTR(err);
	}
	return &buf->public;
}
EXPORT_SYMBOL_GPL(kgpu_buf_alloc);

void kgpu_buf_free(struct kgpu_buf *public)
{
	struct kgpu_api_buf *buf = kgpu_buf_of(public);

	sg_free_table(&buf->table);
	if (buf->pages)
		kgpu_glue_pages_free(buf->pages);
	else
		kgpu_rust_buffer_free(&buf->place, buf->lost);
	kfree(buf);
}
EXPORT_SYMBOL_GPL(kgpu_buf_free);

/* ---- Requests ---- */

struct kgpu_request *kgpu_request_alloc(struct kgpu_tfm *tfm, gfp_t gfp)
{
	unsigned int tail = tfm->skcipher ? crypto_skcipher_reqsize(tfm->skcipher) :
					    crypto_shash_descsize(tfm->shash);
	struct kgpu_api_request *request = kzalloc(sizeof(*request) + tail, gfp);

	if (!request)
		return NULL;
	request->public.tfm = tfm;
	request->job.areq = &request->base;
	request->job.api = &request->public;
	return &request->public;
}
EXPORT_SYMBOL_GPL(kgpu_request_alloc);

void kgpu_request_free(struct kgpu_request *req)
{
	kfree_sensitive(kgpu_api_of(req));
}
EXPORT_SYMBOL_GPL(kgpu_request_free);

/* Describes the request to the core. */
static int kgpu_describe(struct kgpu_api_request *request)
{
	const struct kgpu_request *req = &request->public;
	struct kgpu_description *to = &request->submission;
	s64 output;

	memset(to, 0, sizeof(*to));
	to->len = req->len;
	to->data_unit_size = req->data_unit_size;
	to->op = req->op;
	to->iv_step = req->iv_step;
	memcpy(to->iv, req->iv, req->tfm->info.iv_size);
	if (req->src_buf && req->dst_buf && req->src_buf != req->dst_buf) {
		struct kgpu_api_buf *src = kgpu_buf_of(req->src_buf);
		struct kgpu_api_buf *dst = kgpu_buf_of(req->dst_buf);

		if (dst->lost)
			return -ESTALE;
		to->buffers = 1;
		/* Session 0 is none: buffers of their own pages are copied as scatterlists are. */
		to->session[0] = src->place.session;
		to->session[1] = dst->place.session;
		to->offset[0] = src->place.offset;
		to->offset[1] = dst->place.offset;
	} else if (req->src_buf || req->dst_buf || !req->src || !req->dst) {
		return -EINVAL;
	}
	output = kgpu_rust_check(req->tfm->core, to);
	if (output < 0)
		return output;
	/* The result may have to go over the source: see kgpu_api_scatter(). */
	if (to->buffers ? req->src_buf->len < max_t(s64, req->len, output) ||
				  req->dst_buf->len < output :
			  sg_nents_for_len(req->src, req->len) < 0 ||
				  sg_nents_for_len(req->dst, output) < 0)
		return -EINVAL;
	return 0;
}

int kgpu_submit(struct kgpu_request *req)
{
	struct kgpu_api_request *request = kgpu_api_of(req);
	int err = kgpu_describe(request);

	if (err)
		return err;
	req->result = NULL;
	request->base.tfm = NULL;
	request->base.flags = req->flags & KGPU_REQ_MAY_BACKLOG ? CRYPTO_TFM_REQ_MAY_BACKLOG : 0;
	return kgpu_rust_submit(req->tfm->core, &request->job, &request->submission);
}
EXPORT_SYMBOL_GPL(kgpu_submit);

int kgpu_submit_many(struct kgpu_request **reqs, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		int err = kgpu_submit(reqs[i]);

		if (err != -EINPROGRESS && err != -EBUSY)
			return i ? (int)i : err;
	}
	return count;
}
EXPORT_SYMBOL_GPL(kgpu_submit_many);

struct kgpu_wait {
	struct completion done;
	int err;
};

static void kgpu_call_done(struct kgpu_request *req, int err)
{
	struct kgpu_wait *wait = req->context;

	wait->err = err;
	complete(&wait->done);
}

int kgpu_call(struct kgpu_request *req)
{
	struct kgpu_wait wait = { .done = COMPLETION_INITIALIZER_ONSTACK(wait.done) };
	u32 flags = req->flags;
	int err;

	req->complete = kgpu_call_done;
	req->context = &wait;
	req->flags |= KGPU_REQ_MAY_BACKLOG;
	err = kgpu_submit(req);
	req->flags = flags;
	if (err != -EINPROGRESS && err != -EBUSY)
		return err;
	wait_for_completion(&wait.done);
	return wait.err;
}
EXPORT_SYMBOL_GPL(kgpu_call);

/* ---- What the core asks of a request ---- */

void kgpu_api_scatter(struct kgpu_job *job, struct scatterlist **src, struct scatterlist **dst)
{
	struct kgpu_request *req = job->api;

	if (!req->src_buf) {
		*src = req->src;
		*dst = req->dst;
		return;
	}
	*src = kgpu_buf_of(req->src_buf)->table.sgl;
	/* What a helper had as destination is not touched any more: over the source, then. */
	*dst = job->taken_over ? *src : kgpu_buf_of(req->dst_buf)->table.sgl;
}

void kgpu_api_result(struct kgpu_job *job, int taken_over)
{
	struct kgpu_request *req = job->api;

	if (!req->src_buf)
		return;
	req->result = taken_over ? req->src_buf : req->dst_buf;
	if (taken_over)
		kgpu_buf_of(req->dst_buf)->lost = true;
}

void kgpu_api_complete(struct kgpu_job *job, int error)
{
	job->api->complete(job->api, error);
}

/* ---- The fallback's computation: sleeps, on the work queue ---- */

/* Moves `*sg` to the entry that holds its byte `*at`, and `*at` along. */
static void kgpu_advance(struct scatterlist **sg, u32 *at)
{
	while (*at >= (*sg)->length && !sg_is_last(*sg)) {
		*at -= (*sg)->length;
		*sg = sg_next(*sg);
	}
}

/* The scatterlist from `*at` bytes behind `*sg` on; both move along. */
static struct scatterlist *kgpu_forward(struct scatterlist tail[2], struct scatterlist **sg, u32 *at)
{
	kgpu_advance(sg, at);
	return scatterwalk_ffwd(tail, *sg, *at);
}

static int kgpu_compute_cipher(struct kgpu_job *job, struct scatterlist *src, struct scatterlist *dst)
{
	struct kgpu_api_request *request = kgpu_api_of(job->api);
	const struct kgpu_description *what = &request->submission;
	u32 unit = what->data_unit_size ?: what->len;
	struct scatterlist src_tail[2], dst_tail[2];
	bool in_place = src == dst;
	u32 src_at = 0, dst_at = 0, done, index;

	for (done = 0, index = 0; done < what->len; done += unit, index++) {
		u32 len = min(unit, what->len - done);
		DECLARE_CRYPTO_WAIT(wait);
		struct scatterlist *from = kgpu_forward(src_tail, &src, &src_at);
		struct scatterlist *to = in_place ? from : kgpu_forward(dst_tail, &dst, &dst_at);
		u8 iv[KGPU_IV_BYTES_MAX];
		int err;

		kgpu_rust_unit_iv(job, index, iv);
		skcipher_request_set_tfm(&job->sub, request->public.tfm->skcipher);
		skcipher_request_set_callback(&job->sub,
					      CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_MAY_BACKLOG,
					      crypto_req_done, &wait);
		skcipher_request_set_crypt(&job->sub, from, to, len, iv);
		err = crypto_wait_req(what->op == KGPU_OP_DECRYPT ?
					      crypto_skcipher_decrypt(&job->sub) :
					      crypto_skcipher_encrypt(&job->sub),
				      &wait);
		if (err)
			return err;
		src_at += len;
		dst_at += len;
	}
	return 0;
}

static int kgpu_compute_digest(struct kgpu_job *job, struct scatterlist *src, struct scatterlist *dst)
{
	struct kgpu_api_request *request = kgpu_api_of(job->api);
	const struct kgpu_description *what = &request->submission;
	u32 unit = what->data_unit_size ?: what->len;
	u32 size = request->public.tfm->info.output_per_unit;
	/* The job ends in room for the description. */
	struct shash_desc *desc = (struct shash_desc *)&job->sub;
	u32 done = 0, out = 0, at = 0;
	struct scatterlist *sg = src;
	int err = 0;

	desc->tfm = request->public.tfm->shash;
	while (done < what->len && !err) {
		u32 end = min(done + unit, what->len);
		u8 digest[HASH_MAX_DIGESTSIZE];

		err = crypto_shash_init(desc);
		while (done < end && !err) {
			u8 piece[64];
			u32 len = min_t(u32, sizeof(piece), end - done);

			kgpu_advance(&sg, &at);
			scatterwalk_map_and_copy(piece, sg, at, len, 0);
			err = crypto_shash_update(desc, piece, len);
			done += len;
			at += len;
		}
		err = err ?: crypto_shash_final(desc, digest);
		if (!err)
			scatterwalk_map_and_copy(digest, dst, out, size, 1);
		out += size;
	}
	return err;
}

int kgpu_api_compute(struct kgpu_job *job)
{
	struct scatterlist *src, *dst;

	kgpu_api_scatter(job, &src, &dst);
	return job->api->tfm->skcipher ? kgpu_compute_cipher(job, src, dst) :
					 kgpu_compute_digest(job, src, dst);
}
