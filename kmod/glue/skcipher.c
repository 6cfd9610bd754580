// SPDX-License-Identifier: GPL-2.0
/* The crypto API's side: one skcipher for each algorithm of the registry, and their fallbacks. */
#include <linux/slab.h>
#include "glue.h"

struct kgpu_skcipher {
	struct skcipher_alg alg;
	struct kgpu_algorithm info;
	u32 index;
	bool registered;
	char fallback[CRYPTO_MAX_ALG_NAME];
};

struct kgpu_skcipher_ctx {
	struct crypto_skcipher *fallback;
	struct kgpu_tfm_core *core;
};

static struct kgpu_skcipher *kgpu_skciphers;
static u32 kgpu_count;
static DEFINE_MUTEX(kgpu_register_mutex);

struct crypto_skcipher *kgpu_stock_skcipher(const char *name)
{
	/*
	 * What dm-crypt asks for, but never ourselves. Not masking ASYNC: the fast SIMD drivers are
	 * asynchronous wrappers.
	 */
	return crypto_alloc_skcipher(name, 0, CRYPTO_ALG_NEED_FALLBACK |
						      CRYPTO_ALG_ALLOCATES_MEMORY);
}

static int kgpu_skcipher_init_tfm(struct crypto_skcipher *tfm)
{
	struct kgpu_skcipher *owner =
		container_of(crypto_skcipher_alg(tfm), struct kgpu_skcipher, alg);
	struct kgpu_skcipher_ctx *ctx = crypto_skcipher_ctx(tfm);
	int err;

	ctx->fallback = kgpu_stock_skcipher(owner->info.name);
	if (IS_ERR(ctx->fallback))
		return PTR_ERR(ctx->fallback);
	err = kgpu_rust_tfm_new(owner->index, &ctx->core);
	if (err) {
		crypto_free_skcipher(ctx->fallback);
		return err;
	}
	crypto_skcipher_set_reqsize(tfm, sizeof(struct kgpu_job) +
						 crypto_skcipher_reqsize(ctx->fallback));
	return 0;
}

static void kgpu_skcipher_exit_tfm(struct crypto_skcipher *tfm)
{
	struct kgpu_skcipher_ctx *ctx = crypto_skcipher_ctx(tfm);

	kgpu_rust_tfm_free(ctx->core);
	crypto_free_skcipher(ctx->fallback);
}

static int kgpu_skcipher_setkey(struct crypto_skcipher *tfm, const u8 *key, unsigned int len)
{
	struct kgpu_skcipher_ctx *ctx = crypto_skcipher_ctx(tfm);
	int err;

	/* The fallback first: what it refuses (a weak key, say) is refused with its own words. */
	crypto_skcipher_clear_flags(ctx->fallback, CRYPTO_TFM_REQ_MASK);
	crypto_skcipher_set_flags(ctx->fallback,
				  crypto_skcipher_get_flags(tfm) & CRYPTO_TFM_REQ_MASK);
	err = crypto_skcipher_setkey(ctx->fallback, key, len);
	return err ? err : kgpu_rust_tfm_set_key(ctx->core, key, len);
}

static int kgpu_skcipher_crypt(struct skcipher_request *req, int decrypt)
{
	struct kgpu_skcipher_ctx *ctx = crypto_skcipher_ctx(crypto_skcipher_reqtfm(req));
	struct kgpu_job *job = skcipher_request_ctx(req);

	job->areq = &req->base;
	job->api = NULL;
	job->decrypt = decrypt;
	return kgpu_rust_skcipher(ctx->core, job, decrypt,
				  !!(req->base.flags & CRYPTO_TFM_REQ_MAY_BACKLOG), req->cryptlen,
				  req->iv);
}

static int kgpu_skcipher_encrypt(struct skcipher_request *req)
{
	return kgpu_skcipher_crypt(req, 0);
}

static int kgpu_skcipher_decrypt(struct skcipher_request *req)
{
	return kgpu_skcipher_crypt(req, 1);
}

static struct skcipher_request *kgpu_fallback_request(struct kgpu_job *job, u32 flags,
						      crypto_completion_t complete, void *data)
{
	struct skcipher_request *req = skcipher_request_cast(job->areq);
	struct kgpu_skcipher_ctx *ctx = crypto_skcipher_ctx(crypto_skcipher_reqtfm(req));

	skcipher_request_set_tfm(&job->sub, ctx->fallback);
	skcipher_request_set_callback(&job->sub, flags, complete, data);
	skcipher_request_set_crypt(&job->sub, req->src, req->dst, req->cryptlen, req->iv);
	return &job->sub;
}

/* In the submitter's context: its callback, flags and result are the fallback's. */
int kgpu_glue_fallback_now(struct kgpu_job *job)
{
	struct crypto_async_request *areq = job->areq;
	struct skcipher_request *sub =
		kgpu_fallback_request(job, areq->flags, areq->complete, areq->data);

	return job->decrypt ? crypto_skcipher_decrypt(sub) : crypto_skcipher_encrypt(sub);
}

/* On the work queue: waits. */
int kgpu_skcipher_compute(struct kgpu_job *job)
{
	DECLARE_CRYPTO_WAIT(wait);
	u32 flags = (job->areq->flags & CRYPTO_TFM_REQ_MAY_SLEEP) | CRYPTO_TFM_REQ_MAY_BACKLOG;
	struct skcipher_request *sub = kgpu_fallback_request(job, flags, crypto_req_done, &wait);

	return crypto_wait_req(job->decrypt ? crypto_skcipher_decrypt(sub) :
					      crypto_skcipher_encrypt(sub),
			       &wait);
}

void kgpu_glue_set_priority(u32 index, int priority)
{
	/* The crypto API reads it at each look-up. Before registration the core is asked for it. */
	if (index < kgpu_count && kgpu_skciphers)
		WRITE_ONCE(kgpu_skciphers[index].alg.base.cra_priority, priority);
}

const u8 *kgpu_glue_fallback_driver(u32 index, size_t *len)
{
	if (index >= kgpu_count || !kgpu_skciphers || !kgpu_skciphers[index].fallback[0])
		return NULL;
	*len = strlen(kgpu_skciphers[index].fallback);
	return kgpu_skciphers[index].fallback;
}

static void kgpu_describe(struct kgpu_skcipher *skcipher)
{
	const struct kgpu_algorithm *info = &skcipher->info;
	struct crypto_alg *base = &skcipher->alg.base;

	strscpy(base->cra_name, info->name, sizeof(base->cra_name));
	strscpy(base->cra_driver_name, info->driver, sizeof(base->cra_driver_name));
	base->cra_priority = info->priority;
	base->cra_flags = CRYPTO_ALG_ASYNC | CRYPTO_ALG_NEED_FALLBACK;
	base->cra_blocksize = info->block_size;
	base->cra_ctxsize = sizeof(struct kgpu_skcipher_ctx);
	base->cra_module = THIS_MODULE;
	skcipher->alg.min_keysize = info->key_min;
	skcipher->alg.max_keysize = info->key_max;
	skcipher->alg.ivsize = info->iv_size;
	skcipher->alg.chunksize = info->chunk_size;
	skcipher->alg.init = kgpu_skcipher_init_tfm;
	skcipher->alg.exit = kgpu_skcipher_exit_tfm;
	skcipher->alg.setkey = kgpu_skcipher_setkey;
	skcipher->alg.encrypt = kgpu_skcipher_encrypt;
	skcipher->alg.decrypt = kgpu_skcipher_decrypt;
}

static void kgpu_register(struct work_struct *unused)
{
	u32 i;

	mutex_lock(&kgpu_register_mutex);
	for (i = 0; i < kgpu_count; i++) {
		struct kgpu_skcipher *skcipher = &kgpu_skciphers[i];
		int err;

		if (skcipher->registered || !skcipher->info.is_skcipher || !skcipher->fallback[0])
			continue;
		err = crypto_register_skcipher(&skcipher->alg);
		skcipher->registered = !err;
		if (err)
			pr_err("registering %s: error %d\n", skcipher->info.driver, err);
	}
	mutex_unlock(&kgpu_register_mutex);
}

static DECLARE_WORK(kgpu_register_work, kgpu_register);

void kgpu_glue_register_later(void)
{
	queue_work(system_long_wq, &kgpu_register_work);
}

/* Has the stock drivers loaded if need be, and notes the name of the one that is preferred. */
static void kgpu_find_fallback(struct kgpu_skcipher *skcipher)
{
	struct crypto_skcipher *fallback;

	if (!skcipher->info.is_skcipher) {
		strscpy(skcipher->fallback, skcipher->info.shash, sizeof(skcipher->fallback));
		return;
	}
	fallback = kgpu_stock_skcipher(skcipher->info.name);
	if (IS_ERR(fallback)) {
		skcipher->fallback[0] = '\0';
		return;
	}
	strscpy(skcipher->fallback, crypto_skcipher_driver_name(fallback),
		sizeof(skcipher->fallback));
	crypto_free_skcipher(fallback);
}

int kgpu_skcipher_init(void)
{
	struct kgpu_algorithm info;
	u32 i, count = 0;

	while (!kgpu_rust_algorithm(count, &info))
		count++;
	kgpu_skciphers = kcalloc(count, sizeof(*kgpu_skciphers), GFP_KERNEL);
	if (!kgpu_skciphers)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		kgpu_skciphers[i].index = i;
		kgpu_rust_algorithm(i, &kgpu_skciphers[i].info);
		kgpu_describe(&kgpu_skciphers[i]);
		kgpu_find_fallback(&kgpu_skciphers[i]);
	}
	/* Again: what the first round had loaded for one name may hold a better driver for another. */
	for (i = 0; i < count; i++) {
		kgpu_find_fallback(&kgpu_skciphers[i]);
		if (!kgpu_skciphers[i].fallback[0])
			pr_notice("%s not offered: this kernel has no driver for it to fall back to\n",
				  kgpu_skciphers[i].info.name);
	}
	kgpu_count = count;
	return 0;
}

void kgpu_skcipher_register(void)
{
	kgpu_register(NULL);
}

void kgpu_skcipher_exit(void)
{
	u32 i;

	cancel_work_sync(&kgpu_register_work);
	for (i = 0; i < kgpu_count; i++)
		if (kgpu_skciphers[i].registered)
			crypto_unregister_skcipher(&kgpu_skciphers[i].alg);
	kgpu_count = 0;
	kfree(kgpu_skciphers);
	kgpu_skciphers = NULL;
}
