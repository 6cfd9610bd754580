// SPDX-License-Identifier: GPL-2.0
/*
 * Measures in the kernel what a caller gets: requests of one size, so many under way, through kgpu.h (in pool buffers
 * or with scatterlists) or through the kernel's own best driver.
 *
 *	echo 'by=pool what=xts(twofish) key=32 op=encrypt size=65536 unit=4096 depth=64 threads=1 ms=200' \
 *		> /sys/module/kgpu_measure/parameters/run
 *	cat /sys/module/kgpu_measure/parameters/results
 *
 * Each run begins with every request once, and a sample of results is compared with what the kernel's own
 * driver makes of the same bytes, before and after the time that counts; a wrong one fails the write.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include "measure.h"

#define SIZE_MAX_BYTES (4U << 20)
#define DEPTH_MAX 4096U
#define THREADS_MAX 256U

/* ---- The plan ---- */

static int plan_number(struct measure *m, const char *name, const char *value)
{
	const struct {
		const char *name;
		u32 *to;
	} numbers[] = {
		{ "key", &m->key },   { "size", &m->size },	  { "unit", &m->unit }, { "depth", &m->depth },
		{ "ms", &m->ms },     { "threads", &m->threads }, { "mib", &m->mib },	{ "pid", &m->pid },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(name, numbers[i].name))
			return kstrtouint(value, 10, numbers[i].to);
	return -EINVAL;
}

static int plan_word(struct measure *m, const char *name, const char *value)
{
	if (!strcmp(name, "by"))
		return strscpy(m->by, value, sizeof(m->by)) < 0 ? -EINVAL : 0;
	if (!strcmp(name, "what"))
		return strscpy(m->what, value, sizeof(m->what)) < 0 ? -EINVAL : 0;
	if (!strcmp(name, "op"))
		return strscpy(m->op_name, value, sizeof(m->op_name)) < 0 ? -EINVAL : 0;
	return plan_number(m, name, value);
}

static int plan_ways(struct measure *m)
{
	static const char *const ways[] = { "pool", "sg", "stock" };
	static const char *const ops[] = { "encrypt", "decrypt", "compute" };
	int way = match_string(ways, ARRAY_SIZE(ways), m->by);
	int op = match_string(ops, ARRAY_SIZE(ops), m->op_name);

	if (way < 0 || op < 0) {
		pr_err("by=%s op=%s: by is pool, sg or stock; op is encrypt, decrypt or compute\n", m->by,
		       m->op_name);
		return -EINVAL;
	}
	m->way = way;
	m->op = KGPU_OP_ENCRYPT + op;
	return 0;
}

static int plan_read(struct measure *m, char *text)
{
	char *word;
	int err = 0;

	m->size = 4096;
	m->depth = m->threads = 1;
	m->ms = 100;
	m->mib = 64;
	while (!err && (word = strsep(&text, " \n"))) {
		char *value = strchr(word, '=');

		if (!*word)
			continue;
		if (value)
			*value++ = 0;
		err = value ? plan_word(m, word, value) : -EINVAL;
		if (err)
			pr_err("'%s': not a word of a plan, or with a value that makes no sense\n", word);
	}
	return err ?: plan_ways(m);
}

/* Sizes that fit together; the stock driver gets data units one by one, each within a page. */
static int plan_fit(struct measure *m)
{
	m->unit = m->unit ?: m->size;
	m->units = m->size / max(m->unit, 1U);
	m->output = m->per_unit ? m->units * m->per_unit : m->size;
	if (!m->size || m->size > SIZE_MAX_BYTES || m->size % m->unit ||
	    (m->unit != m->size && PAGE_SIZE % m->unit) || !m->ms || m->ms > 3600000 || m->mib > 4095 ||
	    (m->per_unit && m->op != KGPU_OP_COMPUTE) || (!m->per_unit && m->op == KGPU_OP_COMPUTE)) {
		pr_err("size=%u unit=%u ms=%u op=%s for %s: sizes up to %u in units that divide them and a page\n",
		       m->size, m->unit, m->ms, m->op_name, m->what, SIZE_MAX_BYTES);
		return -EINVAL;
	}
	m->iv_step = m->units > 1 && m->iv_size ? KGPU_IV_STEP_LE64 : KGPU_IV_STEP_NONE;
	/* Source and destination of all requests in so many MiB. */
	m->depth = min3(m->depth, DEPTH_MAX, max(1U, (m->mib << 19) / m->size));
	m->depth = max(m->depth, 1U);
	m->threads = clamp(m->threads, 1U, min(m->depth, THREADS_MAX));
	return 0;
}

/* ---- Transforms ---- */

static int tfms_new(struct measure *m)
{
	struct rnd_state rnd;
	u8 key[KGPU_KEY_BYTES_MAX];
	int err;

	m->tfm = kgpu_tfm_alloc(m->what);
	if (IS_ERR(m->tfm)) {
		pr_err("what=%s: kgpu has no such algorithm (%ld)\n", m->what, PTR_ERR(m->tfm));
		return PTR_ERR(m->tfm);
	}
	m->iv_size = kgpu_tfm_iv_size(m->tfm);
	m->per_unit = kgpu_tfm_output_per_unit(m->tfm);
	if (m->per_unit) {
		m->digest = crypto_alloc_shash(m->what, 0, 0);
		return PTR_ERR_OR_ZERO(m->digest);
	}
	/* kgpu's own drivers need a fallback: the best of the others, asynchronous or not. */
	m->cipher = crypto_alloc_skcipher(m->what, 0, CRYPTO_ALG_NEED_FALLBACK);
	if (IS_ERR(m->cipher))
		return PTR_ERR(m->cipher);
	m->key = m->key ?: crypto_skcipher_max_keysize(m->cipher);
	if (m->key > sizeof(key))
		return -EINVAL;
	prandom_seed_state(&rnd, m->key);
	prandom_bytes_state(&rnd, key, m->key);
	err = kgpu_tfm_set_key(m->tfm, key, m->key) ?: crypto_skcipher_setkey(m->cipher, key, m->key);
	memzero_explicit(key, sizeof(key));
	if (err)
		pr_err("key=%u: %s takes no key of so many bytes\n", m->key, m->what);
	return err;
}

static void tfms_free(struct measure *m)
{
	if (!IS_ERR_OR_NULL(m->tfm))
		kgpu_tfm_free(m->tfm);
	if (!IS_ERR_OR_NULL(m->cipher))
		crypto_free_skcipher(m->cipher);
	if (!IS_ERR_OR_NULL(m->digest))
		crypto_free_shash(m->digest);
}

static const char *stock_name(const struct measure *m)
{
	return m->digest ? crypto_tfm_alg_driver_name(crypto_shash_tfm(m->digest)) :
			   crypto_skcipher_driver_name(m->cipher);
}

/* ---- A run ---- */

static char results[1024];

/* All numbers of the pass that counts; times in nanoseconds, the key in bytes. */
static void tell(const struct measure *m)
{
	u64 requests = 0, errors = 0, taken_back = 0;
	u32 t;

	for (t = 0; t < m->threads; t++) {
		requests += m->runners[t].requests;
		errors += m->runners[t].errors;
		taken_back += m->runners[t].taken_back;
	}
	scnprintf(results, sizeof(results),
		  "by=%s what=%s stock=%s key=%u op=%s size=%u unit=%u depth=%u threads=%u requests=%llu bytes=%llu ns=%llu p50-ns=%llu p99-ns=%llu cpus=%u busy-ns=%llu helper-ns=%llu taken-back=%llu errors=%llu checked=%llu wrong=%llu",
		  m->by, m->what, stock_name(m), m->digest ? 0 : m->key, m->op_name, m->size, m->unit,
		  m->depth, m->threads, requests, requests * m->size, m->ns, run_percentile(m, 50),
		  run_percentile(m, 99), num_online_cpus(), m->busy_ns, m->helper_ns, taken_back, errors,
		  m->checked, m->wrong);
}

static u64 failures(const struct measure *m)
{
	u64 sum = m->wrong;
	u32 t;

	for (t = 0; t < m->threads; t++)
		sum += m->runners[t].errors;
	return sum;
}

static int measure(struct measure *m)
{
	int err = tfms_new(m) ?: plan_fit(m);

	if (err)
		return err;
	m->runners = kvcalloc(m->threads, sizeof(*m->runners), GFP_KERNEL);
	err = m->runners ? slots_new(m) : -ENOMEM;
	if (!err) {
		slots_fill(m, 1);
		err = run_pass(m, 0) ?: slots_check(m);
	}
	if (!err && failures(m)) {
		tell(m);
		return -EBADMSG;
	}
	if (!err) {
		/* Other bytes, so that no result of before can pass for one of now. */
		slots_fill(m, 2);
		err = run_pass(m, (u64)m->ms * NSEC_PER_MSEC) ?: slots_check(m);
	}
	if (err)
		return err;
	tell(m);
	return failures(m) ? -EBADMSG : 0;
}

static int run_set(const char *text, const struct kernel_param *param)
{
	struct measure *m = kzalloc(sizeof(*m), GFP_KERNEL);
	char *copy = kstrdup(text, GFP_KERNEL);
	int err = m && copy ? plan_read(m, copy) : -ENOMEM;

	*results = 0;
	if (!err)
		err = measure(m);
	if (err)
		pr_err("error %d: %.*s\n", err, (int)strcspn(*results ? results : text, "\n"),
		       *results ? results : text);
	if (m) {
		slots_free(m);
		kvfree(m->runners);
		tfms_free(m);
	}
	kfree(copy);
	kfree(m);
	return err;
}

static int results_get(char *to, const struct kernel_param *param)
{
	return scnprintf(to, PAGE_SIZE, "%s\n", results);
}

/* Writes and reads of parameters exclude each other: one run at a time. */
static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "measures: by=pool|sg|stock what=NAME op=encrypt|decrypt|compute [key=BYTES size=BYTES unit=BYTES depth=N threads=N ms=N mib=N pid=HELPER]");
static const struct kernel_param_ops results_ops = { .get = results_get };
module_param_cb(results, &results_ops, NULL, 0400);
MODULE_PARM_DESC(results, "what came out");

static unsigned int helper;
module_param(helper, uint, 0600);
MODULE_PARM_DESC(helper, "process of a helper in this kernel, for `busy`");

static int busy_get(char *to, const struct kernel_param *param)
{
	return scnprintf(to, PAGE_SIZE, "%llu %llu\n", busy_ns(), process_ns(helper));
}
static const struct kernel_param_ops busy_ops = { .get = busy_get };
module_param_cb(busy, &busy_ops, NULL, 0400);
MODULE_PARM_DESC(busy, "nanoseconds that all processors were busy, programs included, from an arbitrary moment on, and that the helper ran");

static int __init measure_init(void)
{
	return 0;
}

static void __exit measure_exit(void)
{
}

module_init(measure_init);
module_exit(measure_exit);
MODULE_DESCRIPTION("Measures requests through kgpu and through the kernel's own drivers");
MODULE_AUTHOR("The kgpu authors");
MODULE_LICENSE("GPL");
