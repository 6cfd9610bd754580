// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of kgpu_measure.ko and their memory: how one is handed to kgpu or to the kernel's own driver,
 * and whether its result is what that driver makes of the same bytes.
 */
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include "measure.h"

#define GUARD 0xa5		    /* what a destination holds beforehand */
#define CHECKED_SLOTS 4		    /* results that are compared, ... */
#define CHECKED_BYTES (1U << 20)    /* and about how many bytes of them */

/* ---- Memory ---- */

static void area_free(struct area *area)
{
	if (area->table.sgl)
		sg_free_table(&area->table);
	kvfree(area->pages);
	vfree(area->data);
	memset(area, 0, sizeof(*area));
}

static int area_new(struct area *area, u32 len)
{
	u32 count = DIV_ROUND_UP(len, PAGE_SIZE), i;

	area->data = vzalloc(len);
	area->pages = kvcalloc(count, sizeof(*area->pages), GFP_KERNEL);
	if (!area->data || !area->pages)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		area->pages[i] = vmalloc_to_page(area->data + i * PAGE_SIZE);
	return sg_alloc_table_from_pages(&area->table, area->pages, count, 0, len, GFP_KERNEL);
}

static void kgpu_done(struct kgpu_request *req, int err)
{
	run_done(req->context, err);
}

static int slot_kgpu(struct measure *m, struct slot *slot)
{
	struct kgpu_request *req = kgpu_request_alloc(m->tfm, GFP_KERNEL);
	struct kgpu_buf *buf;
	int err;

	if (!req)
		return -ENOMEM;
	slot->kgpu = req;
	req->op = m->op;
	req->iv_step = m->iv_step;
	req->flags = KGPU_REQ_MAY_BACKLOG;
	req->len = m->size;
	req->data_unit_size = m->unit;
	memcpy(req->iv, slot->first_iv, sizeof(req->iv));
	req->complete = kgpu_done;
	req->context = slot;
	if (m->way == WAY_SG) {
		err = area_new(&slot->src, m->size) ?: area_new(&slot->dst, m->output);
		req->src = slot->src.table.sgl;
		req->dst = slot->dst.table.sgl;
		return err;
	}
	buf = kgpu_buf_alloc(max(m->size, m->output));
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	req->src_buf = buf;
	buf = kgpu_buf_alloc(m->output);
	if (IS_ERR(buf))
		return PTR_ERR(buf);
	req->dst_buf = buf;
	return 0;
}

static int slot_stock(struct measure *m, struct slot *slot)
{
	int err = area_new(&slot->src, m->size) ?: area_new(&slot->dst, m->output);

	if (err || m->digest)
		return err;
	slot->cipher = skcipher_request_alloc(m->cipher, GFP_KERNEL);
	sg_init_table(&slot->unit_src, 1);
	sg_init_table(&slot->unit_dst, 1);
	return slot->cipher ? 0 : -ENOMEM;
}

void slots_free(struct measure *m)
{
	u32 i;

	for (i = 0; m->slots && i < m->depth; i++) {
		struct slot *slot = &m->slots[i];

		if (slot->kgpu) {
			if (slot->kgpu->src_buf)
				kgpu_buf_free(slot->kgpu->src_buf);
			if (slot->kgpu->dst_buf)
				kgpu_buf_free(slot->kgpu->dst_buf);
			kgpu_request_free(slot->kgpu);
		}
		skcipher_request_free(slot->cipher);
		area_free(&slot->src);
		area_free(&slot->dst);
		vfree(slot->input);
	}
	kvfree(m->slots);
	m->slots = NULL;
}

int slots_new(struct measure *m)
{
	u32 checked = clamp(CHECKED_BYTES / m->size, 1U, (u32)CHECKED_SLOTS), i;
	int err = 0;

	m->slots = kvcalloc(m->depth, sizeof(*m->slots), GFP_KERNEL);
	if (!m->slots)
		return -ENOMEM;
	for (i = 0; i < m->depth && !err; i++) {
		struct slot *slot = &m->slots[i];
		__le64 sector = cpu_to_le64((u64)i * m->units);

		slot->measure = m;
		/* As dm-crypt's plain64 numbers sectors. */
		memcpy(slot->first_iv, &sector, min_t(u32, m->iv_size, sizeof(sector)));
		/* Spread over all of them, the first and the last one among them. */
		if (i == m->depth - 1 || (i % DIV_ROUND_UP(m->depth, checked)) == 0) {
			slot->input = vmalloc(m->size);
			if (!slot->input)
				return -ENOMEM;
		}
		err = m->way == WAY_STOCK ? slot_stock(m, slot) : slot_kgpu(m, slot);
	}
	return err;
}

static u8 *slot_src(struct slot *slot)
{
	return slot->kgpu && slot->kgpu->src_buf ? slot->kgpu->src_buf->data : slot->src.data;
}

static u8 *slot_dst(struct slot *slot)
{
	return slot->kgpu && slot->kgpu->dst_buf ? slot->kgpu->dst_buf->data : slot->dst.data;
}

void slots_fill(struct measure *m, u32 round)
{
	struct rnd_state rnd;
	u32 i;

	prandom_seed_state(&rnd, round);
	for (i = 0; i < m->depth; i++) {
		struct slot *slot = &m->slots[i];

		prandom_bytes_state(&rnd, slot_src(slot), m->size);
		memset(slot_dst(slot), GUARD, m->output);
		if (slot->input)
			memcpy(slot->input, slot_src(slot), m->size);
		slot->ran = slot->spoiled = false;
	}
}

/* ---- Starting ---- */

static void iv_next(const struct measure *m, u8 *iv)
{
	u32 i;

	for (i = 0; m->iv_step == KGPU_IV_STEP_LE64 && i < 8; i++)
		if (++iv[i])
			return;
}

static void unit_set(struct scatterlist *sg, const struct area *area, u32 at, u32 len)
{
	sg_set_page(sg, area->pages[at >> PAGE_SHIFT], len, offset_in_page(at));
}

/* Does data units until one is under way, or all are done. */
static void stock_go_on(struct slot *slot)
{
	struct measure *m = slot->measure;
	bool whole = m->unit == m->size;

	while (slot->at < m->size) {
		int err;

		if (!whole) {
			unit_set(&slot->unit_src, &slot->src, slot->at, m->unit);
			unit_set(&slot->unit_dst, &slot->dst, slot->at, m->unit);
		}
		memcpy(slot->used_iv, slot->iv, sizeof(slot->iv));
		iv_next(m, slot->iv);
		slot->at += m->unit;
		skcipher_request_set_crypt(slot->cipher, whole ? slot->src.table.sgl : &slot->unit_src,
					   whole ? slot->dst.table.sgl : &slot->unit_dst, m->unit,
					   slot->used_iv);
		err = m->op == KGPU_OP_ENCRYPT ? crypto_skcipher_encrypt(slot->cipher) :
						 crypto_skcipher_decrypt(slot->cipher);
		if (err == -EINPROGRESS || err == -EBUSY)
			return;
		if (err) {
			run_done(slot, err);
			return;
		}
	}
	run_done(slot, 0);
}

static void stock_unit_done(struct slot *slot, int err)
{
	if (err == -EINPROGRESS) /* it waited for room, and is under way now */
		return;
	if (err)
		run_done(slot, err);
	else
		stock_go_on(slot);
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
static void stock_complete(void *data, int err)
{
	stock_unit_done(data, err);
}
#else
static void stock_complete(struct crypto_async_request *req, int err)
{
	stock_unit_done(req->data, err);
}
#endif

static int stock_digest(struct slot *slot)
{
	struct measure *m = slot->measure;
	u32 i;
	int err = 0;

	for (i = 0; i < m->units && !err; i++)
		err = crypto_shash_tfm_digest(m->digest, slot->src.data + i * m->unit, m->unit,
					      slot->dst.data + i * m->per_unit);
	return err;
}

static void stock_start(struct slot *slot)
{
	if (slot->measure->digest) {
		run_done(slot, stock_digest(slot));
		return;
	}
	slot->at = 0;
	memcpy(slot->iv, slot->first_iv, sizeof(slot->iv));
	skcipher_request_set_callback(slot->cipher, CRYPTO_TFM_REQ_MAY_BACKLOG, stock_complete, slot);
	stock_go_on(slot);
}

/* Starts requests, at most 64, each of which ends in run_done(). */
void slots_start(struct slot **slots, unsigned int count)
{
	struct kgpu_request *reqs[64];
	unsigned int i, first;

	for (i = 0; i < count; i++) {
		slots[i]->ran = true;
		slots[i]->start = ktime_get_ns();
		if (slots[i]->measure->way == WAY_STOCK)
			stock_start(slots[i]);
		else
			reqs[i] = slots[i]->kgpu;
	}
	if (!count || slots[0]->measure->way == WAY_STOCK)
		return;
	for (first = 0; first < count;) {
		int taken = kgpu_submit_many(reqs + first, count - first);

		if (taken <= 0)
			run_done(slots[first], taken ?: -EIO); /* refused: go on behind it */
		first += max(taken, 1);
	}
}

/* ---- Results ---- */

/* With the kernel's own driver, one data unit after the other, in memory apart. */
static int expect(const struct slot *slot, u8 *expected)
{
	struct measure *m = slot->measure;
	struct skcipher_request *req;
	u8 iv[KGPU_IV_BYTES_MAX];
	struct area area = {};
	u32 i;
	int err;

	if (m->digest) {
		for (i = 0, err = 0; i < m->units && !err; i++)
			err = crypto_shash_tfm_digest(m->digest, slot->input + i * m->unit, m->unit,
						      expected + i * m->per_unit);
		return err;
	}
	req = skcipher_request_alloc(m->cipher, GFP_KERNEL);
	err = req ? area_new(&area, m->size) : -ENOMEM;
	if (!err)
		memcpy(area.data, slot->input, m->size);
	memcpy(iv, slot->first_iv, sizeof(iv));
	for (i = 0; i < m->units && !err; i++) {
		DECLARE_CRYPTO_WAIT(wait);
		struct scatterlist one, *sg = area.table.sgl;
		u8 unit_iv[KGPU_IV_BYTES_MAX];

		if (m->units > 1) {
			sg_init_table(&one, 1);
			unit_set(&one, &area, i * m->unit, m->unit);
			sg = &one;
		}
		memcpy(unit_iv, iv, sizeof(iv));
		iv_next(m, iv);
		skcipher_request_set_callback(req, CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
					      crypto_req_done, &wait);
		skcipher_request_set_crypt(req, sg, sg, m->unit, unit_iv);
		err = crypto_wait_req(m->op == KGPU_OP_ENCRYPT ? crypto_skcipher_encrypt(req) :
								 crypto_skcipher_decrypt(req),
				      &wait);
	}
	if (!err)
		memcpy(expected, area.data, m->output);
	skcipher_request_free(req);
	area_free(&area);
	return err;
}

/* Compares results where there is a copy of the source; `checked` and `wrong` count bytes and requests. */
int slots_check(struct measure *m)
{
	u8 *expected = vmalloc(m->output);
	u32 i;
	int err = expected ? 0 : -ENOMEM;

	for (i = 0; i < m->depth && !err; i++) {
		struct slot *slot = &m->slots[i];
		struct kgpu_request *req = slot->kgpu;
		u8 *result = slot_dst(slot);

		if (!slot->input || !slot->ran || slot->spoiled)
			continue;
		err = expect(slot, expected);
		if (req && req->src_buf)
			result = req->result ? req->result->data : NULL;
		m->checked += m->output;
		if (!err && (!result || memcmp(result, expected, m->output)))
			m->wrong++;
	}
	vfree(expected);
	return err;
}
