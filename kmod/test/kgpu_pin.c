// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests: pins a process's mapping as a GPU driver pins the helper's pool, for as long as it
 * likes, and writes to the pinned pages whenever it likes, as a GPU that still runs would.
 *
 * In debugfs, folder kgpu_pin:
 *
 *	pin	write "PID ADDRESS BYTES" (address in hex): pins, and numbers the pin from 0 on
 *	fill	write "PIN BYTE": writes the byte all over the pinned pages
 *	unpin	write "PIN": gives the pages back
 *	status	a line for each pin: how many pages, how many of them nobody but the pin holds, how many
 *		hold zeroes only, how many hold the last fill still, how many another pin has as well
 *
 * Unloading gives back what is left.
 */
#include <linux/debugfs.h>
#include <linux/highmem.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#define PINS_MAX 8

struct pin {
	struct page **pages;
	unsigned long count;
	u8 filled;
};

static struct pin pins[PINS_MAX];
static unsigned int pin_count;
static DEFINE_MUTEX(pin_mutex);
static struct dentry *pin_dir;

/* FOLL_WRITE | FOLL_LONGTERM, as the DMA mappings of GPU drivers have it. */
static long pin_pages(struct mm_struct *mm, unsigned long address, unsigned long count,
		      struct page **pages)
{
	unsigned int flags = FOLL_WRITE | FOLL_LONGTERM;
	long got;

	mmap_read_lock(mm);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	got = pin_user_pages_remote(mm, address, count, flags, pages, NULL);
#else
	got = pin_user_pages_remote(mm, address, count, flags, pages, NULL, NULL);
#endif
	mmap_read_unlock(mm);
	return got;
}

static struct mm_struct *mm_of(int number)
{
	struct pid *pid = find_get_pid(number);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;

	if (task)
		put_task_struct(task);
	put_pid(pid);
	return mm;
}

static int pin_new(int number, unsigned long address, unsigned long bytes)
{
	struct pin *pin = &pins[pin_count];
	unsigned long count = bytes >> PAGE_SHIFT;
	struct mm_struct *mm;
	long got;

	if (pin_count == PINS_MAX)
		return -ENOSPC;
	if (!count || offset_in_page(address | bytes))
		return -EINVAL;
	pin->pages = kvcalloc(count, sizeof(*pin->pages), GFP_KERNEL);
	if (!pin->pages)
		return -ENOMEM;
	mm = mm_of(number);
	got = mm ? pin_pages(mm, address, count, pin->pages) : -ESRCH;
	if (mm)
		mmput(mm);
	if (got == count) {
		pin->count = count;
		pin_count++;
		return 0;
	}
	if (got > 0)
		unpin_user_pages(pin->pages, got);
	kvfree(pin->pages);
	pin->pages = NULL;
	return got < 0 ? got : -EFAULT;
}

static int pin_fill(unsigned int which, unsigned int byte)
{
	unsigned long i;

	if (which >= pin_count || byte > U8_MAX)
		return -EINVAL;
	for (i = 0; i < pins[which].count; i++) {
		void *at = kmap_local_page(pins[which].pages[i]);

		memset(at, byte, PAGE_SIZE);
		kunmap_local(at);
		cond_resched();
	}
	pins[which].filled = byte;
	return 0;
}

static int pin_free(unsigned int which)
{
	if (which >= pin_count)
		return -EINVAL;
	if (pins[which].count)
		unpin_user_pages_dirty_lock(pins[which].pages, pins[which].count, true);
	kvfree(pins[which].pages);
	pins[which].pages = NULL;
	pins[which].count = 0;
	return 0;
}

static ssize_t command(const char __user *from, size_t len, int (*run)(const char *text))
{
	char text[64];
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = 0;
	mutex_lock(&pin_mutex);
	err = run(text);
	mutex_unlock(&pin_mutex);
	return err ?: len;
}

static int run_pin(const char *text)
{
	unsigned long address, bytes;
	int number;

	return sscanf(text, "%d %lx %lu", &number, &address, &bytes) == 3 ?
		       pin_new(number, address, bytes) : -EINVAL;
}

static int run_fill(const char *text)
{
	unsigned int which, byte;

	return sscanf(text, "%u %u", &which, &byte) == 2 ? pin_fill(which, byte) : -EINVAL;
}

static int run_unpin(const char *text)
{
	unsigned int which;

	return sscanf(text, "%u", &which) == 1 ? pin_free(which) : -EINVAL;
}

#define COMMAND(name)                                                                             \
	static ssize_t name##_write(struct file *file, const char __user *from, size_t len,       \
				    loff_t *at)                                                   \
	{                                                                                         \
		return command(from, len, run_##name);                                            \
	}                                                                                         \
	static const struct file_operations name##_fops = {                                       \
		.owner = THIS_MODULE,                                                             \
		.write = name##_write,                                                            \
	}

COMMAND(pin);
COMMAND(fill);
COMMAND(unpin);

static bool page_is(struct page *page, u8 byte)
{
	void *at = kmap_local_page(page);
	bool is = !memchr_inv(at, byte, PAGE_SIZE);

	kunmap_local(at);
	return is;
}

static bool pinned_elsewhere(unsigned int which, struct page *page)
{
	unsigned int other;
	unsigned long i;

	for (other = 0; other < pin_count; other++)
		for (i = 0; other != which && i < pins[other].count; i++)
			if (pins[other].pages[i] == page)
				return true;
	return false;
}

static int status_show(struct seq_file *seq, void *unused)
{
	unsigned int which;
	unsigned long i;

	mutex_lock(&pin_mutex);
	for (which = 0; which < pin_count; which++) {
		const struct pin *pin = &pins[which];
		unsigned long alone = 0, zero = 0, filled = 0, shared = 0;

		for (i = 0; i < pin->count; i++) {
			struct page *page = pin->pages[i];

			/* A pin of a single page is a bias of its reference count. */
			alone += page_ref_count(page) == GUP_PIN_COUNTING_BIAS;
			zero += page_is(page, 0);
			filled += page_is(page, pin->filled);
			shared += pinned_elsewhere(which, page);
			cond_resched();
		}
		seq_printf(seq, "pin %u: %lu pages, %lu alone, %lu zero, %lu filled, %lu shared\n",
			   which, pin->count, alone, zero, filled, shared);
	}
	mutex_unlock(&pin_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(status);

static int __init kgpu_pin_init(void)
{
	pin_dir = debugfs_create_dir("kgpu_pin", NULL);
	debugfs_create_file("pin", 0200, pin_dir, NULL, &pin_fops);
	debugfs_create_file("fill", 0200, pin_dir, NULL, &fill_fops);
	debugfs_create_file("unpin", 0200, pin_dir, NULL, &unpin_fops);
	debugfs_create_file("status", 0400, pin_dir, NULL, &status_fops);
	return PTR_ERR_OR_ZERO(pin_dir);
}

static void __exit kgpu_pin_exit(void)
{
	unsigned int which;

	debugfs_remove(pin_dir);
	for (which = 0; which < pin_count; which++)
		pin_free(which);
}

module_init(kgpu_pin_init);
module_exit(kgpu_pin_exit);
MODULE_DESCRIPTION("Test of kgpu: pins pages as a GPU driver does");
MODULE_AUTHOR("The kgpu authors");
MODULE_LICENSE("GPL");
