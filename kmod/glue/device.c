// SPDX-License-Identifier: GPL-2.0
/* /dev/kgpu: file operations that hand every question to the core. */
#include <linux/miscdevice.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include "glue.h"

static DECLARE_WAIT_QUEUE_HEAD(kgpu_helper_wait);

void kgpu_glue_wake_helper(void)
{
	if (wq_has_sleeper(&kgpu_helper_wait))
		wake_up_all(&kgpu_helper_wait);
}

static int kgpu_open(struct inode *inode, struct file *file)
{
	struct kgpu_opener *opener;
	int err;

	err = kgpu_rust_open(&opener);
	if (err)
		return err;
	file->private_data = opener;
	return 0;
}

static int kgpu_release(struct inode *inode, struct file *file)
{
	struct kgpu_opener *opener = file->private_data;

	kgpu_rust_close(opener);
	wait_event(kgpu_helper_wait, kgpu_rust_is_closed(opener));
	kgpu_rust_closed(opener);
	return 0;
}

static long kgpu_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	return kgpu_rust_ioctl(file->private_data, request, argument);
}

/* vm_flags_set() and vm_flags_clear() exist since 6.3; before, the flags are a plain field. */
static void kgpu_vm_flags(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags & ~clear) | set;
#endif
}

static int kgpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	bool writable = vma->vm_flags & VM_WRITE;
	struct kgpu_pages *pages;
	int err;

	err = kgpu_rust_map(file->private_data, (u64)vma->vm_pgoff << PAGE_SHIFT,
			    vma->vm_end - vma->vm_start, writable, !!(vma->vm_flags & VM_SHARED),
			    !!(vma->vm_flags & VM_EXEC), &pages);
	if (err)
		return err;
	/* What is mapped read-only stays so; children and core dumps get nothing. */
	kgpu_vm_flags(vma, VM_DONTCOPY | VM_DONTDUMP | VM_DONTEXPAND,
		      (writable ? 0 : VM_MAYWRITE) | VM_MAYEXEC);
	/* The whole part whatever the file offset, which only names it. */
	return vm_map_pages_zero(vma, pages->page, pages->count);
}

static __poll_t kgpu_poll(struct file *file, poll_table *table)
{
	u32 ready;

	poll_wait(file, &kgpu_helper_wait, table);
	ready = kgpu_rust_poll(file->private_data);
	return (ready & 1 ? EPOLLIN | EPOLLRDNORM : 0) | (ready & 2 ? EPOLLHUP | EPOLLERR : 0);
}

static const struct file_operations kgpu_fops = {
	.owner = THIS_MODULE,
	.open = kgpu_open,
	.release = kgpu_release,
	.unlocked_ioctl = kgpu_ioctl,
	.mmap = kgpu_mmap,
	.poll = kgpu_poll,
};

static struct miscdevice kgpu_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kgpu",
	.mode = 0600,
	.fops = &kgpu_fops,
};

int kgpu_device_init(void)
{
	return misc_register(&kgpu_device);
}

void kgpu_device_exit(void)
{
	misc_deregister(&kgpu_device);
}
