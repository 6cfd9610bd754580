// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of requests and what the core may do with one: read its source, write its result,
 * compute it with the fallback, complete it. A queue is the crypto API's own, so that the backlog
 * contract is kept by the code that defines it.
 */
#include <crypto/scatterwalk.h>
#include "glue.h"

/* One for each processor, so that submitters do not wait for each other. */
struct kgpu_queue {
	spinlock_t lock;
	struct crypto_queue queue;
};

static struct kgpu_queue __percpu *kgpu_queues;
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
	/* Any processor's would do. */
	struct kgpu_queue *queue = raw_cpu_ptr(kgpu_queues);
	unsigned long flags;
	int told;

	spin_lock_irqsave(&queue->lock, flags);
	told = crypto_enqueue_request(&queue->queue, job->areq);
	spin_unlock_irqrestore(&queue->lock, flags);
	return told;
}

/* The engine's alone: taken out of a queue and not handed to it yet. */
static LIST_HEAD(kgpu_taken);

static u32 kgpu_take(struct kgpu_job **jobs, u32 most)
{
	struct crypto_async_request *areq;
	u32 count = 0;

	while (count < most && !list_empty(&kgpu_taken)) {
		areq = list_first_entry(&kgpu_taken, struct crypto_async_request, list);
		list_del(&areq->list);
		jobs[count++] = kgpu_job_of(areq);
	}
	return count;
}

/*
 * Takes all of a queue. While some of its requests are backlog that is one after the other, until one's submitter is to
 * be told that there is room for it.
 */
static void kgpu_empty(struct kgpu_queue *queue)
{
	struct crypto_async_request *areq, *backlog = NULL;
	unsigned long flags;

	/* Who fills it after this look wakes the engine. */
	if (!READ_ONCE(queue->queue.qlen))
		return;
	spin_lock_irqsave(&queue->lock, flags);
	if (queue->queue.backlog == &queue->queue.list) {
		/* Looking at each of them is for when its submitter need not wait for this lock. */
		list_splice_tail_init(&queue->queue.list, &kgpu_taken);
		queue->queue.qlen = 0;
	}
	while (!backlog && queue->queue.qlen) {
		backlog = crypto_get_backlog(&queue->queue);
		areq = crypto_dequeue_request(&queue->queue);
		list_add_tail(&areq->list, &kgpu_taken);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (backlog && backlog->tfm) {
		local_bh_disable();
		crypto_request_complete(backlog, -EINPROGRESS);
		local_bh_enable();
	}
}

/* Of one processor after the other, so that none is forgotten. For the engine's thread alone. */
u32 kgpu_glue_dequeue(struct kgpu_job **jobs, u32 most)
{
	static unsigned int cpu;
	unsigned int looked;

	for (looked = 0; looked < nr_cpu_ids && list_empty(&kgpu_taken); looked++) {
		if (cpu_possible(cpu))
			kgpu_empty(per_cpu_ptr(kgpu_queues, cpu));
		cpu = (cpu + 1) % nr_cpu_ids;
	}
	return kgpu_take(jobs, most);
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

static struct work_struct kgpu_deliverers[KGPU_DELIVERERS];

static void kgpu_deliver_work(struct work_struct *work)
{
	while (kgpu_rust_deliver(work - kgpu_deliverers))
		cond_resched();
}

void kgpu_glue_deliver_later(u32 number)
{
	queue_work(kgpu_deliver_wq, &kgpu_deliverers[number]);
}

struct scatterlist *kgpu_glue_source(struct kgpu_job *job)
{
	struct scatterlist *src, *dst;

	kgpu_scatter(job, &src, &dst);
	return src;
}

u32 kgpu_glue_source_run(struct scatterlist **at, u64 *address)
{
	struct scatterlist *sg = *at;
	u32 bytes, more;

	if (!sg)
		return 0;
	*address = sg_phys(sg);
	bytes = sg->length;
	while ((sg = sg_next(sg)) && sg_phys(sg) == *address + bytes &&
	       !check_add_overflow(bytes, sg->length, &more))
		bytes = more;
	*at = sg;
	return bytes;
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
	unsigned int cpu, i;

	for (i = 0; i < KGPU_DELIVERERS; i++)
		INIT_WORK(&kgpu_deliverers[i], kgpu_deliver_work);
	kgpu_queues = alloc_percpu(struct kgpu_queue);
	if (!kgpu_queues)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct kgpu_queue *queue = per_cpu_ptr(kgpu_queues, cpu);

		spin_lock_init(&queue->lock);
		crypto_init_queue(&queue->queue, kgpu_rust_queue_limit());
	}
	kgpu_fallback_wq = alloc_workqueue("kgpu-fallback", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!kgpu_fallback_wq)
		goto free_queues;
	kgpu_deliver_wq = alloc_workqueue("kgpu-deliver", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!kgpu_deliver_wq)
		goto destroy_fallback;
	return 0;

destroy_fallback:
	destroy_workqueue(kgpu_fallback_wq);
free_queues:
	free_percpu(kgpu_queues);
	return -ENOMEM;
}

void kgpu_job_exit(void)
{
	destroy_workqueue(kgpu_deliver_wq);
	destroy_workqueue(kgpu_fallback_wq);
	free_percpu(kgpu_queues);
}
