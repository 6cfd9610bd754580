// SPDX-License-Identifier: GPL-2.0
/*
 * A caller of kgpu.h, to read and to start from.
 *
 * On load it runs mixed requests of every algorithm, compares each result byte for byte with what
 * the kernel's own driver computes, says in one line of the log how it went, and fails the load if
 * anything differs. The parameter `results` tells the same afterwards, by algorithm.
 *
 * Where to look for what:
 *
 *	keyed_new()		select an algorithm, set its key
 *	describe_*()		say what is to be done: length, data units, IV; scatterlists or pool buffers
 *	run_call()		hand a request over and wait
 *	run_submit()		hand requests over one by one, be called back
 *	run_submit_many()	hand many over at once
 *	result_is()		where the result lies
 */
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <crypto/hash.h>
#include <crypto/skcipher.h>
#include "kgpu.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

static unsigned int requests = 10000;
module_param(requests, uint, 0644);
MODULE_PARM_DESC(requests, "how many requests to run (default 10000); lower it to end a run early");
static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "the same seed gives the same requests (default 1)");
static unsigned int depth = 64;
module_param(depth, uint, 0444);
MODULE_PARM_DESC(depth, "most requests under way at once, 1 to 256 (default 64)");
static bool pool = true;
module_param(pool, bool, 0444);
MODULE_PARM_DESC(pool, "a quarter of the requests in pool buffers (default Y); what a hostile helper writes there is not kgpu's fault");
static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "only the algorithm of this name (default: all)");
static bool verbose;
module_param(verbose, bool, 0444);
MODULE_PARM_DESC(verbose, "log a line for each algorithm too");

#define ID_MAX 300			 /* algorithms have numbers from 1 to this */
#define ALGORITHMS_MAX 64
#define KEYS 3				 /* keys of each algorithm at a time */
#define LEN_SHIFT_MAX 16
#define LEN_MAX (1U << LEN_SHIFT_MAX)	 /* source bytes of a request */
#define ENTRIES_MAX 64			 /* of a scatterlist */
#define GAP_MAX 9			 /* bytes between two of its entries */
#define AREA (LEN_MAX + 4 * PAGE_SIZE)	 /* memory behind a scatterlist, gaps included */
#define NOISE (4 * LEN_MAX)
#define GUARD 0xa5			 /* what lies in the gaps */
#define COMPLAINTS 5			 /* lines about single requests */

/* A transform with a key, and the kernel's own with the same key: one of the two kinds. */
struct keyed {
	struct kgpu_tfm *tfm;
	struct crypto_skcipher *cipher;
	struct skcipher_request *cipher_req;
	struct crypto_shash *digest;
};

struct algorithm {
	char name[CRYPTO_MAX_ALG_NAME];
	u32 block;	/* lengths are multiples of it, ... */
	u32 chunk;	/* and data units that others follow, of this */
	u32 iv_size;
	u32 per_unit;	/* output bytes per data unit, if not as many as input bytes */
	struct keyed keyed[KEYS];
	u64 requests, bytes;
};

/* A request with its memory. */
struct slot {
	struct kgpu_request *req;
	struct algorithm *algorithm;
	struct keyed *keyed;
	u8 *input;		/* a copy of the source, to compute the expected result from */
	u8 *src, *dst;		/* areas behind the scatterlists */
	u32 output;
	int err;
	unsigned int completions;
	struct scatterlist src_sg[ENTRIES_MAX], dst_sg[ENTRIES_MAX];
};

static struct algorithm *algorithms;
static unsigned int algorithm_count;
static struct slot *slots;
static u8 *noise, *expected;
static struct rnd_state rnd;

/* Requests under way, and one more while they are being handed over. */
static atomic_t pending;
static DECLARE_COMPLETION(all_done);

static struct {
	u64 requests, bytes, mismatches, errors;
	u64 calls, submitted, many;	/* how they were handed over */
	u64 in_place, buffers;		/* where the data was */
	u64 taken_back;			/* results in the source buffer */
	u64 kgpu_ns, stock_ns;
} tally;

static u32 below(u32 bound)
{
	return ((u64)prandom_u32_state(&rnd) * bound) >> 32;
}

static bool one_in(u32 n)
{
	return !below(n);
}

static void random_bytes(u8 *to, u32 len)
{
	memcpy(to, noise + below(NOISE - len), len);
}

/* ---- Algorithms and keys ---- */

static void keyed_free(struct keyed *keyed)
{
	if (!IS_ERR_OR_NULL(keyed->tfm))
		kgpu_tfm_free(keyed->tfm);
	skcipher_request_free(keyed->cipher_req);
	if (!IS_ERR_OR_NULL(keyed->cipher))
		crypto_free_skcipher(keyed->cipher);
	if (!IS_ERR_OR_NULL(keyed->digest))
		crypto_free_shash(keyed->digest);
	memset(keyed, 0, sizeof(*keyed));
}

/* A fresh key of any length that the algorithm has. Nothing may be under way with the old one. */
static int keyed_rekey(struct keyed *keyed)
{
	u32 min, max, tries;
	u8 key[KGPU_KEY_BYTES_MAX];
	int err = -EINVAL;

	if (!keyed->cipher)
		return 0;
	min = crypto_skcipher_min_keysize(keyed->cipher);
	max = min_t(u32, crypto_skcipher_max_keysize(keyed->cipher), sizeof(key));
	for (tries = 0; tries < 1000 && err; tries++) {
		u32 len = min + below(max - min + 1);

		prandom_bytes_state(&rnd, key, len);
		err = kgpu_tfm_set_key(keyed->tfm, key, len) ?:
		      crypto_skcipher_setkey(keyed->cipher, key, len);
	}
	memzero_explicit(key, sizeof(key));
	return err;
}

static int keyed_new(struct keyed *keyed, u16 id)
{
	const char *name;
	int err;

	/* By number, so that no algorithm is named here. Usually: kgpu_tfm_alloc("xts(twofish)"). */
	keyed->tfm = kgpu_tfm_alloc_by_id(id);
	if (IS_ERR(keyed->tfm))
		return PTR_ERR(keyed->tfm);
	name = kgpu_tfm_name(keyed->tfm);
	if (kgpu_tfm_output_per_unit(keyed->tfm)) {
		keyed->digest = crypto_alloc_shash(name, 0, 0);
		err = PTR_ERR_OR_ZERO(keyed->digest);
	} else {
		/* kgpu's own drivers need a fallback: any other will do. */
		keyed->cipher = crypto_alloc_skcipher(name, 0, CRYPTO_ALG_NEED_FALLBACK);
		err = PTR_ERR_OR_ZERO(keyed->cipher);
		if (!err) {
			keyed->cipher_req = skcipher_request_alloc(keyed->cipher, GFP_KERNEL);
			err = keyed->cipher_req ? 0 : -ENOMEM;
		}
	}
	err = err ?: keyed_rekey(keyed);
	if (err)
		keyed_free(keyed);
	return err;
}

static void algorithms_free(void)
{
	unsigned int i, k;

	for (i = 0; i < algorithm_count; i++)
		for (k = 0; k < KEYS; k++)
			keyed_free(&algorithms[i].keyed[k]);
	kvfree(algorithms);
}

static int algorithms_find(void)
{
	unsigned int id, k;

	algorithms = kvcalloc(ALGORITHMS_MAX, sizeof(*algorithms), GFP_KERNEL);
	if (!algorithms)
		return -ENOMEM;
	for (id = 1; id <= ID_MAX && algorithm_count < ALGORITHMS_MAX; id++) {
		struct algorithm *algorithm = &algorithms[algorithm_count];
		struct keyed *first = &algorithm->keyed[0];
		int err = keyed_new(first, id);

		if (err == -ENOENT)
			continue;
		if (err) {
			pr_err("algorithm %u: error %d\n", id, err);
			return err;
		}
		if (*what && strcmp(what, kgpu_tfm_name(first->tfm))) {
			keyed_free(first);
			continue;
		}
		algorithm_count++;
		strscpy(algorithm->name, kgpu_tfm_name(first->tfm), sizeof(algorithm->name));
		algorithm->iv_size = kgpu_tfm_iv_size(first->tfm);
		algorithm->per_unit = kgpu_tfm_output_per_unit(first->tfm);
		algorithm->block = first->cipher ? crypto_skcipher_blocksize(first->cipher) : 1;
		algorithm->chunk = first->cipher ? crypto_skcipher_chunksize(first->cipher) : 1;
		for (k = 1; k < KEYS; k++) {
			err = keyed_new(&algorithm->keyed[k], id);
			if (err)
				return err;
		}
	}
	if (!algorithm_count) {
		pr_err("no algorithm is named '%s'\n", what);
		return -ENOENT;
	}
	return 0;
}

/* ---- Memory ---- */

static void slots_free(void)
{
	unsigned int i;

	for (i = 0; slots && i < depth; i++) {
		u8 *area[] = { slots[i].input, slots[i].src, slots[i].dst };
		unsigned int a;

		for (a = 0; a < ARRAY_SIZE(area); a++)
			if (area[a])
				free_pages_exact(area[a], AREA);
	}
	kvfree(slots);
	if (expected)
		free_pages_exact(expected, AREA);
	vfree(noise);
}

static int slots_new(void)
{
	unsigned int i;

	noise = vmalloc(NOISE);
	expected = alloc_pages_exact(AREA, GFP_KERNEL);
	slots = kvcalloc(depth, sizeof(*slots), GFP_KERNEL);
	if (!noise || !expected || !slots)
		return -ENOMEM;
	prandom_bytes_state(&rnd, noise, NOISE);
	for (i = 0; i < depth; i++) {
		slots[i].input = alloc_pages_exact(AREA, GFP_KERNEL);
		slots[i].src = alloc_pages_exact(AREA, GFP_KERNEL);
		slots[i].dst = alloc_pages_exact(AREA, GFP_KERNEL);
		if (!slots[i].input || !slots[i].src || !slots[i].dst)
			return -ENOMEM;
	}
	return 0;
}

/*
 * An odd scatterlist for `len` bytes of an area: one entry or many, at any alignment, with gaps
 * between them. Whatever is not in an entry holds GUARD.
 */
static void scatter(struct scatterlist *sg, u8 *area, u32 len)
{
	u32 most = one_in(3) ? 1 : 1 + below(ENTRIES_MAX);
	u32 largest = one_in(2) ? 64 : 8192;
	u32 at = below(64), count = 0;

	sg_init_table(sg, ENTRIES_MAX);
	memset(area, GUARD, min_t(u32, AREA, len + ENTRIES_MAX * GAP_MAX + 128));
	while (len) {
		u32 piece = ++count == most ? len : min(len, 1 + below(largest));

		sg_set_buf(sg, area + at, piece);
		at += piece + below(GAP_MAX);
		len -= piece;
		if (len)
			sg++;
	}
	sg_mark_end(sg);
}

/* Whether a scatterlist holds `bytes`, and what lies before and between its entries is untouched. */
static bool scattered_is(struct scatterlist *sg, const u8 *area, const u8 *bytes)
{
	for (; sg; sg = sg_next(sg)) {
		const u8 *entry = sg_virt(sg);

		if (memchr_inv(area, GUARD, entry - area) || memcmp(entry, bytes, sg->length))
			return false;
		area = entry + sg->length;
		bytes += sg->length;
	}
	return !memchr_inv(area, GUARD, GAP_MAX);
}

/* ---- Requests ---- */

/* Operation, length, data units, IV. */
static void describe_work(struct slot *slot)
{
	struct algorithm *algorithm = slot->algorithm;
	struct kgpu_request *req = slot->req;
	/* As many requests between 256 and 512 bytes as between 32 and 64 KiB. */
	u32 len = 1U << below(LEN_SHIFT_MAX + 1);
	u32 unit;

	len = 1 + below(len);
	switch (below(4)) {
	case 0:
		unit = 0; /* the whole request is one data unit, under one IV */
		break;
	case 1:
		unit = 512;
		break;
	case 2:
		unit = 4096;
		break;
	default:
		unit = algorithm->chunk * (1 + below(300));
	}
	if (algorithm->per_unit) {
		req->op = KGPU_OP_COMPUTE;
		/* Short units make more output than input. */
		if (unit)
			len = min(len, LEN_MAX / algorithm->per_unit * unit);
	} else {
		req->op = one_in(2) ? KGPU_OP_ENCRYPT : KGPU_OP_DECRYPT;
		if (algorithm->block > 1)
			len = roundup(len, unit ?: algorithm->block);
		if (len > LEN_MAX)
			len -= unit;
	}
	req->len = len;
	req->data_unit_size = unit;
	slot->output = algorithm->per_unit ? DIV_ROUND_UP(len, unit ?: len) * algorithm->per_unit : len;

	random_bytes(req->iv, algorithm->iv_size);
	if (one_in(8))
		memset(req->iv, 0xff, algorithm->iv_size); /* counters wrap */
	switch (algorithm->iv_size) {
	case 0:
		req->iv_step = KGPU_IV_STEP_NONE;
		break;
	case 16:
		req->iv_step = below(KGPU_IV_STEP_BE128 + 1);
		break;
	default:
		req->iv_step = below(KGPU_IV_STEP_BE64 + 1); /* too short for 128-bit counters */
	}
	if (one_in(2))
		req->flags = KGPU_REQ_MAY_BACKLOG;
}

/* Data in the caller's memory. */
static void describe_scattered(struct slot *slot)
{
	struct kgpu_request *req = slot->req;

	scatter(slot->src_sg, slot->src, req->len);
	sg_copy_from_buffer(slot->src_sg, sg_nents(slot->src_sg), slot->input, req->len);
	req->src = slot->src_sg;
	if (slot->output == req->len && one_in(2)) {
		req->dst = slot->src_sg;
		tally.in_place++;
	} else {
		scatter(slot->dst_sg, slot->dst, slot->output);
		req->dst = slot->dst_sg;
	}
}

/* Data in pool buffers, which a helper works on directly. */
static int describe_buffers(struct slot *slot)
{
	struct kgpu_request *req = slot->req;

	/* A result may have to be written over the data it is of: see kgpu.h. */
	req->src_buf = kgpu_buf_alloc(max(req->len, slot->output));
	if (IS_ERR(req->src_buf))
		return PTR_ERR(req->src_buf);
	req->dst_buf = kgpu_buf_alloc(slot->output);
	if (IS_ERR(req->dst_buf)) {
		kgpu_buf_free(req->src_buf);
		return PTR_ERR(req->dst_buf);
	}
	memcpy(req->src_buf->data, slot->input, req->len);
	tally.buffers++;
	return 0;
}

static void slot_done(struct kgpu_request *req, int err)
{
	struct slot *slot = req->context;

	slot->err = err;
	slot->completions++;
	if (atomic_dec_and_test(&pending))
		complete(&all_done);
}

static int slot_prepare(struct slot *slot)
{
	struct algorithm *algorithm = &algorithms[below(algorithm_count)];
	int err = 0;

	slot->algorithm = algorithm;
	slot->keyed = &algorithm->keyed[below(KEYS)];
	slot->err = -EINPROGRESS;
	slot->completions = 0;
	slot->req = kgpu_request_alloc(slot->keyed->tfm, GFP_KERNEL);
	if (!slot->req)
		return -ENOMEM;
	describe_work(slot);
	random_bytes(slot->input, slot->req->len);
	if (pool && one_in(4) && (slot->req->data_unit_size ?: slot->req->len) >= algorithm->per_unit)
		err = describe_buffers(slot);
	else
		describe_scattered(slot);
	if (err) {
		kgpu_request_free(slot->req);
		return err;
	}
	slot->req->complete = slot_done;
	slot->req->context = slot;
	return 0;
}

static void slot_finish(struct slot *slot)
{
	if (slot->req->src_buf) {
		kgpu_buf_free(slot->req->src_buf);
		kgpu_buf_free(slot->req->dst_buf);
	}
	kgpu_request_free(slot->req);
}

/* ---- Handing requests over ---- */

/* One after the other, waiting for each. */
static void run_call(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		slots[i].err = kgpu_call(slots[i].req);
		slots[i].completions = 1;
	}
	tally.calls += count;
}

static void wait_for_all(void)
{
	if (!atomic_dec_and_test(&pending))
		wait_for_completion(&all_done);
}

static bool accepted(int err)
{
	return err == -EINPROGRESS || err == -EBUSY;
}

static void run_submit(unsigned int count)
{
	unsigned int i;

	reinit_completion(&all_done);
	atomic_set(&pending, 1);
	for (i = 0; i < count; i++) {
		int err;

		atomic_inc(&pending);
		/* Without KGPU_REQ_MAY_BACKLOG a full queue refuses: come again. */
		while ((err = kgpu_submit(slots[i].req)) == -ENOSPC)
			schedule_timeout_uninterruptible(1);
		if (!accepted(err)) {
			slots[i].err = err;
			atomic_dec(&pending);
		}
	}
	wait_for_all();
	tally.submitted += count;
}

static void run_submit_many(unsigned int count)
{
	struct kgpu_request *reqs[32];
	unsigned int first, i;

	reinit_completion(&all_done);
	atomic_set(&pending, 1);
	for (first = 0; first < count;) {
		unsigned int n = min_t(unsigned int, ARRAY_SIZE(reqs), count - first);
		int taken;

		for (i = 0; i < n; i++)
			reqs[i] = slots[first + i].req;
		atomic_add(n, &pending);
		taken = kgpu_submit_many(reqs, n);
		atomic_sub(n - max(taken, 0), &pending);
		if (taken > 0) {
			first += taken;
		} else if (taken == -ENOSPC) {
			schedule_timeout_uninterruptible(1);
		} else {
			/* The first one was refused; go on behind it. */
			slots[first].err = taken;
			first++;
		}
	}
	wait_for_all();
	tally.many += count;
}

/* ---- What should have come out ---- */

static void step_iv(u8 *iv, u32 size, u8 step)
{
	bool little = step == KGPU_IV_STEP_LE64 || step == KGPU_IV_STEP_LE128;
	u32 width = step == KGPU_IV_STEP_LE64 || step == KGPU_IV_STEP_BE64 ? 8 : 16;
	u32 i;

	if (step == KGPU_IV_STEP_NONE)
		return;
	for (i = 0; i < width; i++)
		if (++iv[little ? i : size - 1 - i])
			return;
}

/* With the kernel's own driver, data unit by data unit. */
static int compute_expected(const struct slot *slot)
{
	const struct kgpu_request *req = slot->req;
	struct keyed *keyed = slot->keyed;
	u32 unit = req->data_unit_size ?: req->len, at;
	u8 iv[KGPU_IV_BYTES_MAX];
	u8 *digest = expected;
	int err = 0;

	memcpy(iv, req->iv, sizeof(iv));
	if (keyed->cipher)
		memcpy(expected, slot->input, req->len);
	for (at = 0; at < req->len && !err; at += unit) {
		u32 len = min(unit, req->len - at);
		DECLARE_CRYPTO_WAIT(wait);
		struct scatterlist sg;
		u8 unit_iv[KGPU_IV_BYTES_MAX];

		if (keyed->digest) {
			err = crypto_shash_tfm_digest(keyed->digest, slot->input + at, len, digest);
			digest += slot->algorithm->per_unit;
			continue;
		}
		memcpy(unit_iv, iv, sizeof(iv)); /* drivers write the IV back */
		sg_init_one(&sg, expected + at, len);
		skcipher_request_set_callback(keyed->cipher_req,
					      CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_MAY_BACKLOG,
					      crypto_req_done, &wait);
		skcipher_request_set_crypt(keyed->cipher_req, &sg, &sg, len, unit_iv);
		err = crypto_wait_req(req->op == KGPU_OP_ENCRYPT ?
					      crypto_skcipher_encrypt(keyed->cipher_req) :
					      crypto_skcipher_decrypt(keyed->cipher_req),
				      &wait);
		step_iv(iv, slot->algorithm->iv_size, req->iv_step);
	}
	return err;
}

/* Whether the result is as expected, where it was wanted, and nothing else was touched. */
static bool result_is(struct slot *slot, const u8 *bytes)
{
	struct kgpu_request *req = slot->req;

	if (req->src_buf) {
		/* `result` names the buffer to read: the source if a helper had to give up. */
		if (req->result == req->src_buf)
			tally.taken_back++;
		else if (req->result != req->dst_buf)
			return false;
		return !memcmp(req->result->data, bytes, slot->output);
	}
	if (req->dst == slot->src_sg)
		return scattered_is(slot->src_sg, slot->src, bytes);
	return scattered_is(slot->dst_sg, slot->dst, bytes) &&
	       scattered_is(slot->src_sg, slot->src, slot->input);
}

static void complain(const struct slot *slot, const char *about, int err)
{
	const struct kgpu_request *req = slot->req;

	if (tally.mismatches + tally.errors > COMPLAINTS)
		return;
	pr_err("%s: %s (%d): operation %u, %u bytes in units of %u, IV step %u, %s, %u completions\n",
	       slot->algorithm->name, about, err, req->op, req->len, req->data_unit_size,
	       req->iv_step,
	       req->src_buf ? "buffers" : req->src == req->dst ? "in place" : "scattered",
	       slot->completions);
}

static void slot_check(struct slot *slot)
{
	u64 start = ktime_get_ns();
	int err = compute_expected(slot);

	tally.stock_ns += ktime_get_ns() - start;
	if (err || slot->err) {
		tally.errors++;
		complain(slot, err ? "the stock driver failed" : "failed", err ?: slot->err);
	} else if (slot->completions != 1 || !result_is(slot, expected)) {
		tally.mismatches++;
		complain(slot, "wrong result", 0);
	}
	tally.requests++;
	tally.bytes += slot->req->len;
	slot->algorithm->requests++;
	slot->algorithm->bytes += slot->req->len;
}

/* ---- The run ---- */

static int run_batch(unsigned int count)
{
	unsigned int prepared, i;
	u32 how = below(8);
	u64 start;
	int err = 0;

	if (!how)
		count = min(count, 8U);
	for (prepared = 0; prepared < count && !err; prepared++)
		err = slot_prepare(&slots[prepared]);
	if (err)
		count = prepared - 1;
	start = ktime_get_ns();
	if (!how)
		run_call(count);
	else if (how < 5)
		run_submit(count);
	else
		run_submit_many(count);
	tally.kgpu_ns += ktime_get_ns() - start;
	for (i = 0; i < count; i++) {
		slot_check(&slots[i]);
		slot_finish(&slots[i]);
		cond_resched();
	}
	return err;
}

static int run(void)
{
	int err = 0;

	while (!err) {
		unsigned int wanted = READ_ONCE(requests);

		if (tally.requests >= wanted)
			break;
		err = run_batch(min_t(u64, wanted - tally.requests, depth));
		if (fatal_signal_pending(current))
			err = -EINTR;
		/* Nothing is under way: the moment to change a key. */
		if (!err && one_in(2))
			err = keyed_rekey(&algorithms[below(algorithm_count)].keyed[below(KEYS)]);
	}
	return err;
}

static u64 per_second(u64 count, u64 ns)
{
	return ns ? mul_u64_u64_div_u64(count, NSEC_PER_SEC, ns) : 0;
}

static int summary(char *to, size_t size)
{
	return scnprintf(to, size,
			 "%llu requests, %llu bytes, %llu mismatches, %llu errors; kgpu %llu requests/s, %llu KB/s; stock %llu requests/s, %llu KB/s",
			 tally.requests, tally.bytes, tally.mismatches, tally.errors,
			 per_second(tally.requests, tally.kgpu_ns),
			 per_second(tally.bytes, tally.kgpu_ns) / 1000,
			 per_second(tally.requests, tally.stock_ns),
			 per_second(tally.bytes, tally.stock_ns) / 1000);
}

/* Kept for the parameter when the run is over and its memory gone. */
static char report[PAGE_SIZE];

static void make_report(void)
{
	int at = summary(report, sizeof(report));
	unsigned int i;

	at += scnprintf(report + at, sizeof(report) - at,
			"\n%llu called, %llu submitted, %llu submitted together; %llu in place, %llu in pool buffers, %llu of them taken back\n",
			tally.calls, tally.submitted, tally.many, tally.in_place, tally.buffers,
			tally.taken_back);
	for (i = 0; i < algorithm_count; i++) {
		struct algorithm *algorithm = &algorithms[i];

		at += scnprintf(report + at, sizeof(report) - at, "%s %llu requests %llu bytes\n",
				algorithm->name, algorithm->requests, algorithm->bytes);
		if (verbose)
			pr_info("%s: %llu requests, %llu bytes\n", algorithm->name,
				algorithm->requests, algorithm->bytes);
	}
}

static int results_get(char *to, const struct kernel_param *param)
{
	return scnprintf(to, PAGE_SIZE, "%s", report);
}

static const struct kernel_param_ops results_ops = { .get = results_get };
module_param_cb(results, &results_ops, NULL, 0444);
MODULE_PARM_DESC(results, "what came out");

static int __init sample_init(void)
{
	char line[256];
	int err;

	depth = clamp(depth, 1U, 256U);
	prandom_seed_state(&rnd, seed);
	err = slots_new() ?: algorithms_find() ?: run();
	make_report();
	summary(line, sizeof(line));
	pr_info("%s\n", line);
	/*
	 * The last callback may still be returning to kgpu. It runs with bottom halves disabled, so
	 * that this waits for it before its code can go away.
	 */
	synchronize_rcu();
	algorithms_free();
	slots_free();
	if (tally.mismatches)
		return -EBADMSG;
	return tally.errors ? -EIO : err;
}

static void __exit sample_exit(void)
{
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_DESCRIPTION("Runs mixed requests through kgpu and checks them against the kernel's own drivers");
MODULE_AUTHOR("The kgpu authors");
MODULE_LICENSE("GPL");
