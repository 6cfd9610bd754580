// SPDX-License-Identifier: GPL-2.0
/* For kernels without virtio: there are no guest devices, so nobody asks anything of one. */
#include "glue.h"

void kgpu_glue_guest_get(struct kgpu_guest *guest)
{
}

void kgpu_glue_guest_put(struct kgpu_guest *guest)
{
}

int kgpu_glue_guest_notify(struct kgpu_guest *guest)
{
	return 0;
}

int kgpu_glue_guest_is_broken(struct kgpu_guest *guest)
{
	return 1;
}

void kgpu_glue_guest_wake(struct kgpu_guest *guest)
{
}

void kgpu_glue_guest_read(struct kgpu_guest *guest, u8 *to, size_t len)
{
}

int kgpu_glue_guest_set_up(struct kgpu_guest *guest, struct kgpu_pages *pages, u64 bytes)
{
	return -ENODEV;
}

int kgpu_guest_init(void)
{
	return 0;
}

void kgpu_guest_exit(void)
{
}
