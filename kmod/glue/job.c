// SPDX-License-Identifier: GPL-2.0
/*
 * The queue of requests and what the core may do with one: read its source, write its result,
 * compute it with the fallback, complete it. The queue is the crypto API's own, so that the backlog
 * contract is kept by the code that defines it.
 */
#include <crypto/scatterwalk.h>
#include "glue.h"

static struct crypto_queue kgpu_queue;
static DEFINE_SPINLOCK(kgpu_queue_lock);
static struct workqueue_struct *kgpu_fallback_wq, *kgpu_deliver_wq;

static struct kgpu_job *kgpu_job_of(struct crypto_async_request *areq)
{
	/* Requests of kgpu.h have no crypto API transform. */
	if (!areq->tfm)
		return kgpu_api_job(kgpu_api_request(areq));
	return skcipher_request_ctx(skcipher_request_cast(areq));
}

static void kgpu_scatter(struct kgpu_job *job, struct scatterlist **src, struct scatterlist **dst)
{
	if (job->api) {
		kgpu_api_scatter(job, src, dst);
	} else {
		struct skcipher_request *req = skcipher_request_cast(job->areq);

		*src = req->src;
		*dst = req->dst;
	}
}

int kgpu_glue_enqueue(struct kgpu_job *job)
{
	unsigned long flags;
	int told;

	spin_lock_irqsave(&kgpu_queue_lock, flags);
	told = crypto_enqueue_request(&kgpu_queue, job->areq);
	spin_unlock_irqrestore(&kgpu_queue_lock, flags);
	return told;
}

struct kgpu_job *kgpu_glue_dequeue(void)
{
	struct crypto_async_request *areq, *backlog;
	unsigned long flags;

	spin_lock_irqsave(&kgpu_queue_lock, flags);
	backlog = crypto_get_backlog(&kgpu_queue);
	areq = crypto_dequeue_request(&kgpu_queue);
	spin_unlock_irqrestore(&kgpu_queue_lock, flags);
	if (!areq)
		return NULL;
	if (backlog && backlog->tfm) {
		local_bh_disable();
		crypto_request_complete(backlog, -EINPROGRESS);
		local_bh_enable();
	}
	return kgpu_job_of(areq);
}

static void kgpu_fallback_work(struct work_struct *work)
{
	struct kgpu_job *job = container_of(work, struct kgpu_job, work);

	kgpu_rust_fallback_done(job, job->api ? kgpu_api_compute(job) : kgpu_skcipher_compute(job));
}

void kgpu_glue_fallback_later(struct kgpu_job *job, int taken_over)
{
	job->taken_over = taken_over;
	INIT_WORK(&job->work, kgpu_fallback_work);
	queue_work(kgpu_fallback_wq, &job->work);
}

static void kgpu_deliver_work(struct work_struct *work)
{
	kgpu_rust_deliver(container_of(work, struct kgpu_job, work));
}

void kgpu_glue_deliver_later(struct kgpu_job *job)
{
	INIT_WORK(&job->work, kgpu_deliver_work);
	queue_work(kgpu_deliver_wq, &job->work);
}

void kgpu_glue_read_source(struct kgpu_job *job, u32 at, u8 *to, u32 len)
{
	struct scatterlist *src, *dst;

	kgpu_scatter(job, &src, &dst);
	scatterwalk_map_and_copy(to, src, at, len, 0);
}

void kgpu_glue_read_result(struct kgpu_job *job, u32 at, u8 *to, u32 len)
{
	struct scatterlist *src, *dst;

	kgpu_scatter(job, &src, &dst);
	scatterwalk_map_and_copy(to, dst, at, len, 0);
}

void kgpu_glue_write_result(struct kgpu_job *job, const u8 *from, u32 len)
{
	struct scatterlist *src, *dst;

	kgpu_scatter(job, &src, &dst);
	scatterwalk_map_and_copy((u8 *)from, dst, 0, len, 1);
}

void kgpu_glue_set_iv(struct kgpu_job *job, const u8 *iv, u32 len)
{
	if (!job->api)
		memcpy(skcipher_request_cast(job->areq)->iv, iv, len);
}

void kgpu_glue_name_result(struct kgpu_job *job, int taken_over)
{
	if (job->api)
		kgpu_api_result(job, taken_over);
}

void kgpu_glue_complete(struct kgpu_job *job, int error)
{
	local_bh_disable();
	if (job->api)
		kgpu_api_complete(job, error);
	else
		skcipher_request_complete(skcipher_request_cast(job->areq), error);
	local_bh_enable();
}

int kgpu_job_init(void)
{
	crypto_init_queue(&kgpu_queue, kgpu_rust_queue_limit());
	kgpu_fallback_wq = alloc_workqueue("kgpu-fallback", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!kgpu_fallback_wq)
		return -ENOMEM;
	kgpu_deliver_wq = alloc_workqueue("kgpu-deliver", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!kgpu_deliver_wq) {
		destroy_workqueue(kgpu_fallback_wq);
		return -ENOMEM;
	}
	return 0;
}

void kgpu_job_exit(void)
{
	destroy_workqueue(kgpu_deliver_wq);
	destroy_workqueue(kgpu_fallback_wq);
}
