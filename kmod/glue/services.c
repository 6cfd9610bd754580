// SPDX-License-Identifier: GPL-2.0
/* Services of the kernel for the Rust core: log, memory, time, the lock, pages, user copies. */
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <linux/vmalloc.h>
#include "glue.h"

void kgpu_glue_log(int level, const u8 *text, size_t len)
{
	/*
	 * Whatever a helper can provoke must not flood the log, nor may the limit itself: by default it
	 * logs a warning about what it left out.
	 */
	static struct ratelimit_state limits[] = {
		RATELIMIT_STATE_INIT_FLAGS("kgpu", 5 * HZ, 10, RATELIMIT_MSG_ON_RELEASE),
		/* What became of a helper: must not drown in what it did. */
		RATELIMIT_STATE_INIT_FLAGS("kgpu", 5 * HZ, 10, RATELIMIT_MSG_ON_RELEASE),
		/* Helpers that come and go. */
		RATELIMIT_STATE_INIT_FLAGS("kgpu", 5 * HZ, 40, RATELIMIT_MSG_ON_RELEASE),
	};

	if (level <= 3)
		pr_err("%.*s\n", (int)len, text);
	else if (!__ratelimit(&limits[clamp(level, 4, 6) - 4]))
		return;
	else if (level >= 6)
		pr_info("%.*s\n", (int)len, text);
	else
		pr_notice("%.*s\n", (int)len, text);
}

void *kgpu_glue_alloc(size_t size)
{
	return kvmalloc(size, GFP_KERNEL);
}

void kgpu_glue_free(void *memory)
{
	kvfree(memory);
}

void kgpu_glue_bug(void)
{
	BUG();
}

u64 kgpu_glue_now(void)
{
	return ktime_get_ns();
}

static DEFINE_SPINLOCK(kgpu_lock);

u64 kgpu_glue_lock(void)
{
	unsigned long flags;

	spin_lock_irqsave(&kgpu_lock, flags);
	return flags;
}

void kgpu_glue_unlock(u64 flags)
{
	spin_unlock_irqrestore(&kgpu_lock, flags);
}

u32 kgpu_glue_random(void)
{
	return get_random_u32();
}

void kgpu_glue_relax(void)
{
	cpu_relax();
}

u64 kgpu_glue_owner(void)
{
	u32 uid = from_kuid(&init_user_ns, current_uid());

	/* Root's processes are told apart; a user's are not, lest he multiply by forking. */
	return uid ? uid : (u64)task_tgid_nr(current) | 1ULL << 32;
}

u32 kgpu_glue_processors(void)
{
	return num_online_cpus();
}

int kgpu_glue_pid(void)
{
	return task_tgid_nr(current);
}

int kgpu_glue_capable(void)
{
	return capable(CAP_SYS_ADMIN);
}

struct kgpu_pages *kgpu_glue_pages_new(size_t count)
{
	struct kgpu_pages *pages = kvzalloc(struct_size(pages, page, count), GFP_KERNEL);
	unsigned int order = 9;
	unsigned long i;
	gfp_t gfp;

	if (!pages)
		return NULL;
	while (pages->count < count) {
		struct page *page;

		/* Large pieces are few runs for a guest's host to map. */
		order = min_t(unsigned int, order, ilog2(count - pages->count));
		gfp = GFP_KERNEL | __GFP_ZERO | __GFP_HIGHMEM;
		if (order)
			gfp |= __GFP_NOWARN | __GFP_NORETRY;
		page = alloc_pages(gfp, order);
		if (!page && !order)
			goto fail;
		if (!page) {
			order--;
			continue;
		}
		/* Single pages from here: each goes back when its own last reference goes. */
		split_page(page, order);
		for (i = 0; i < 1UL << order; i++)
			pages->page[pages->count++] = page + i;
		cond_resched();
	}
	pages->address = vmap(pages->page, pages->count, VM_MAP, PAGE_KERNEL);
	if (!pages->address)
		goto fail;
	return pages;
fail:
	kgpu_glue_pages_free(pages);
	return NULL;
}

void *kgpu_glue_pages_address(struct kgpu_pages *pages)
{
	return pages->address;
}

void kgpu_glue_pages_free(struct kgpu_pages *pages)
{
	unsigned long i;

	if (pages->address) {
		memset(pages->address, 0, pages->count << PAGE_SHIFT);
		vunmap(pages->address);
	}
	/* Our reference only: a page that is still pinned or mapped stays allocated. */
	for (i = 0; i < pages->count; i++)
		put_page(pages->page[i]);
	kvfree(pages);
}

u64 kgpu_glue_pages_run(struct kgpu_pages *pages, size_t first, u64 *address)
{
	u64 bytes = PAGE_SIZE;

	*address = page_to_phys(pages->page[first]);
	while (++first < pages->count && page_to_phys(pages->page[first]) == *address + bytes)
		bytes += PAGE_SIZE;
	return bytes;
}

int kgpu_glue_copy_from_user(u8 *to, size_t from, size_t len)
{
	return copy_from_user(to, (const void __user *)from, len) ? -EFAULT : 0;
}

int kgpu_glue_copy_to_user(size_t to, const u8 *from, size_t len)
{
	return copy_to_user((void __user *)to, from, len) ? -EFAULT : 0;
}

void kgpu_glue_report(void *seq, const u8 *text, size_t len)
{
	seq_write(seq, text, len);
}
