// SPDX-License-Identifier: GPL-2.0
/*
 * Guest devices: a virtio driver that hands every question to the core. What a device says is in
 * kgpu-core/src/abi/guest.rs.
 */
#include <linux/delay.h>
#include <linux/kref.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "../include/kgpu_abi.h"
#include "glue.h"

/* A device that finds none waits with what it has to tell. So many are taken at a time, too. */
#define KGPU_GUEST_EVENTS 8

struct kgpu_guest {
	struct kref ref;
	struct virtio_device *device;
	struct kgpu_guest_core *core;
	spinlock_t lock; /* the queues, and all below but the wait queue */
	struct virtqueue *setup, *events; /* NULL while the device is not in use */
	bool stopping;
	bool polling; /* events are poll's, and it is queued or runs */
	struct delayed_work work;
	struct work_struct poll;
	wait_queue_head_t wait;
	u64 answer;
	u64 event[KGPU_GUEST_EVENTS];
};

static unsigned int virtio_id;
module_param(virtio_id, uint, 0444);
MODULE_PARM_DESC(virtio_id, "virtio id of guest devices, as the host's machine was told (default 22)");

static struct workqueue_struct *kgpu_guest_queue;

void kgpu_glue_guest_get(struct kgpu_guest *guest)
{
	kref_get(&guest->ref);
}

static void kgpu_guest_release(struct kref *ref)
{
	kfree(container_of(ref, struct kgpu_guest, ref));
}

void kgpu_glue_guest_put(struct kgpu_guest *guest)
{
	kref_put(&guest->ref, kgpu_guest_release);
}

int kgpu_glue_guest_notify(struct kgpu_guest *guest)
{
	unsigned long flags;
	bool done;

	spin_lock_irqsave(&guest->lock, flags);
	done = guest->setup && virtqueue_notify(guest->setup);
	spin_unlock_irqrestore(&guest->lock, flags);
	return done;
}

int kgpu_glue_guest_is_broken(struct kgpu_guest *guest)
{
	unsigned long flags;
	bool broken;

	spin_lock_irqsave(&guest->lock, flags);
	broken = !guest->setup || virtqueue_is_broken(guest->setup);
	spin_unlock_irqrestore(&guest->lock, flags);
	return broken;
}

/* Has the work run after so many milliseconds, unless it runs earlier or the device is going. */
static void kgpu_guest_later(struct kgpu_guest *guest, unsigned int ms)
{
	unsigned long flags;

	spin_lock_irqsave(&guest->lock, flags);
	if (guest->stopping)
		;
	else if (ms)
		queue_delayed_work(kgpu_guest_queue, &guest->work, msecs_to_jiffies(ms));
	else
		mod_delayed_work(kgpu_guest_queue, &guest->work, 0);
	spin_unlock_irqrestore(&guest->lock, flags);
}

void kgpu_glue_guest_wake(struct kgpu_guest *guest)
{
	kgpu_guest_later(guest, 0);
	wake_up_all(&guest->wait);
}

static void kgpu_guest_work(struct work_struct *work)
{
	struct kgpu_guest *guest = container_of(work, struct kgpu_guest, work.work);
	u32 ms = kgpu_rust_guest_work(guest->core);

	if (ms)
		kgpu_guest_later(guest, ms);
}

void kgpu_glue_guest_read(struct kgpu_guest *guest, u8 *to, size_t len)
{
	virtio_cread_bytes(guest->device, 0, to, len);
}

int kgpu_glue_guest_set_up(struct kgpu_guest *guest, struct kgpu_pages *pages, u64 bytes)
{
	unsigned int i, count = DIV_ROUND_UP(bytes, PAGE_SIZE);
	struct scatterlist *out, in, *both[2];
	unsigned long flags;
	int err = -ENODEV;

	out = kvmalloc_array(count, sizeof(*out), GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	sg_init_table(out, count);
	for (i = 0; i < count; i++, bytes -= PAGE_SIZE)
		sg_set_page(&out[i], pages->page[i], min_t(u64, bytes, PAGE_SIZE), 0);
	guest->answer = 0;
	sg_init_one(&in, &guest->answer, sizeof(guest->answer));
	both[0] = out;
	both[1] = &in;
	spin_lock_irqsave(&guest->lock, flags);
	if (guest->setup)
		err = virtqueue_add_sgs(guest->setup, both, 1, 1, guest, GFP_ATOMIC);
	if (!err)
		virtqueue_kick(guest->setup);
	spin_unlock_irqrestore(&guest->lock, flags);
	kvfree(out);
	return err;
}

/*
 * The core is asked without the lock: it may wake the device. What is taken here is not handed out again, so there are
 * no more turns than set-ups outstanding, which is one; a buffer that the device was not given breaks its queue, which
 * ends both loops.
 */
static void kgpu_guest_answered(struct virtqueue *queue)
{
	struct kgpu_guest *guest = queue->vdev->priv;
	unsigned long flags;
	unsigned int len;

	spin_lock_irqsave(&guest->lock, flags);
	/* Interrupts may be told to stop and come all the same. */
	do {
		virtqueue_disable_cb(queue);
		while (virtqueue_get_buf(queue, &len)) {
			u64 answer = READ_ONCE(guest->answer);

			spin_unlock_irqrestore(&guest->lock, flags);
			kgpu_rust_guest_answer(guest->core, answer, len);
			spin_lock_irqsave(&guest->lock, flags);
		}
	} while (!virtqueue_enable_cb(queue));
	spin_unlock_irqrestore(&guest->lock, flags);
}

static void kgpu_guest_post(struct virtqueue *queue, u64 *event)
{
	struct scatterlist in;

	*event = 0;
	sg_init_one(&in, event, sizeof(*event));
	/* There is room: the queue was found to have some for each. */
	virtqueue_add_inbuf(queue, &in, 1, event, GFP_ATOMIC);
}

/*
 * Takes some events, with the lock held but for the core, which may wake the device. Whether there may be more, and
 * interrupts are not wanted; no others come from a device that has been let go of.
 */
static bool kgpu_guest_take(struct kgpu_guest *guest, unsigned long *flags)
{
	unsigned int len, left = KGPU_GUEST_EVENTS;
	u64 *event, code;

	if (guest->events)
		virtqueue_disable_cb(guest->events);
	for (; guest->events && left; left--) {
		event = virtqueue_get_buf(guest->events, &len);
		if (!event) {
			virtqueue_kick(guest->events);
			if (virtqueue_enable_cb(guest->events))
				return false;
			/* One came meanwhile. */
			virtqueue_disable_cb(guest->events);
			continue;
		}
		code = READ_ONCE(*event);
		kgpu_guest_post(guest->events, event);
		spin_unlock_irqrestore(&guest->lock, *flags);
		kgpu_rust_guest_event(guest->core, code, len);
		spin_lock_irqsave(&guest->lock, *flags);
	}
	if (guest->events)
		virtqueue_kick(guest->events);
	return guest->events;
}

/*
 * A device may use a buffer again as soon as it has it back: an interrupt takes some events, and what is left is for
 * work that the scheduler sees, as long as there are any.
 */
static void kgpu_guest_told(struct virtqueue *queue)
{
	struct kgpu_guest *guest = queue->vdev->priv;
	unsigned long flags;

	spin_lock_irqsave(&guest->lock, flags);
	/* Interrupts may be told to stop and come all the same. */
	if (!guest->polling && kgpu_guest_take(guest, &flags)) {
		guest->polling = true;
		queue_work(kgpu_guest_queue, &guest->poll);
	}
	spin_unlock_irqrestore(&guest->lock, flags);
}

static void kgpu_guest_poll(struct work_struct *work)
{
	struct kgpu_guest *guest = container_of(work, struct kgpu_guest, poll);
	unsigned long flags;

	spin_lock_irqsave(&guest->lock, flags);
	guest->polling = kgpu_guest_take(guest, &flags);
	if (guest->polling)
		queue_work(kgpu_guest_queue, &guest->poll);
	spin_unlock_irqrestore(&guest->lock, flags);
}

/* Since 6.11 names and callbacks are one array. */
static int kgpu_guest_find(struct virtio_device *device, struct virtqueue *queues[2])
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct virtqueue_info info[2] = {
		{ .name = "kgpu-setup", .callback = kgpu_guest_answered },
		{ .name = "kgpu-events", .callback = kgpu_guest_told },
	};

	return virtio_find_vqs(device, 2, queues, info, NULL);
#else
	vq_callback_t *callbacks[2] = { kgpu_guest_answered, kgpu_guest_told };
	static const char *const names[2] = { "kgpu-setup", "kgpu-events" };

	return virtio_find_vqs(device, 2, queues, callbacks, names, NULL);
#endif
}

static int kgpu_guest_begin(struct kgpu_guest *guest)
{
	struct virtqueue *queues[2];
	unsigned int i;
	int err;

	err = kgpu_guest_find(guest->device, queues);
	if (err)
		return err;
	if (virtqueue_get_vring_size(queues[1]) < KGPU_GUEST_EVENTS) {
		dev_err(&guest->device->dev, "kgpu: fewer than %d places for events\n",
			KGPU_GUEST_EVENTS);
		guest->device->config->del_vqs(guest->device);
		return -EINVAL;
	}
	kgpu_rust_guest_start(guest->core);
	spin_lock_irq(&guest->lock);
	guest->setup = queues[0];
	guest->events = queues[1];
	guest->stopping = false;
	/* It was cancelled with the events that it was queued for. */
	guest->polling = false;
	/* With the lock: a device may use them before it is told that it is ready. */
	for (i = 0; i < KGPU_GUEST_EVENTS; i++)
		kgpu_guest_post(guest->events, &guest->event[i]);
	spin_unlock_irq(&guest->lock);
	virtio_device_ready(guest->device);
	spin_lock_irq(&guest->lock);
	virtqueue_kick(guest->events);
	spin_unlock_irq(&guest->lock);
	return 0;
}

static void kgpu_guest_end(struct kgpu_guest *guest)
{
	/* No work after this, whatever the device says and whoever wakes it. */
	spin_lock_irq(&guest->lock);
	guest->stopping = true;
	spin_unlock_irq(&guest->lock);
	cancel_delayed_work_sync(&guest->work);
	kgpu_rust_guest_stop(guest->core);
	wait_event(guest->wait, kgpu_rust_guest_is_closed(guest->core));
	spin_lock_irq(&guest->lock);
	guest->setup = NULL;
	guest->events = NULL;
	spin_unlock_irq(&guest->lock);
	/* Not queued again, as it is where there are events only. */
	cancel_work_sync(&guest->poll);
	/* The helper has unmapped the region when this is done, if it is alive. */
	virtio_reset_device(guest->device);
	guest->device->config->del_vqs(guest->device);
	kgpu_rust_guest_stopped(guest->core);
}

static int kgpu_guest_probe(struct virtio_device *device)
{
	struct kgpu_guest *guest;
	int err;

	if (virtio_has_feature(device, VIRTIO_F_ACCESS_PLATFORM)) {
		dev_err(&device->dev, "kgpu: behind an IOMMU or with encrypted memory the host's helper cannot map the region\n");
		return -EINVAL;
	}
	guest = kzalloc(sizeof(*guest), GFP_KERNEL);
	if (!guest)
		return -ENOMEM;
	kref_init(&guest->ref);
	guest->device = device;
	spin_lock_init(&guest->lock);
	INIT_DELAYED_WORK(&guest->work, kgpu_guest_work);
	INIT_WORK(&guest->poll, kgpu_guest_poll);
	init_waitqueue_head(&guest->wait);
	err = kgpu_rust_guest_new(guest, device->index, &guest->core);
	if (err)
		goto put;
	device->priv = guest;
	err = kgpu_guest_begin(guest);
	if (err)
		goto free;
	return 0;
free:
	kgpu_rust_guest_free(guest->core);
put:
	kgpu_glue_guest_put(guest);
	return err;
}

static void kgpu_guest_remove(struct virtio_device *device)
{
	struct kgpu_guest *guest = device->priv;

	/* Not if it was found again in vain after a sleep state. */
	if (guest->setup)
		kgpu_guest_end(guest);
	kgpu_rust_guest_free(guest->core);
	kgpu_glue_guest_put(guest);
}

#ifdef CONFIG_PM_SLEEP
static int kgpu_guest_freeze(struct virtio_device *device)
{
	kgpu_guest_end(device->priv);
	return 0;
}

static int kgpu_guest_restore(struct virtio_device *device)
{
	return kgpu_guest_begin(device->priv);
}
#endif

static struct virtio_device_id kgpu_guest_ids[] = {
	{ KGPU_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, kgpu_guest_ids);

static struct virtio_driver kgpu_guest_driver = {
	.driver.name = "kgpu",
	.driver.owner = THIS_MODULE,
	.id_table = kgpu_guest_ids,
	.probe = kgpu_guest_probe,
	.remove = kgpu_guest_remove,
#ifdef CONFIG_PM_SLEEP
	.freeze = kgpu_guest_freeze,
	.restore = kgpu_guest_restore,
#endif
};

int kgpu_guest_init(void)
{
	int err;

	if (virtio_id)
		kgpu_guest_ids[0].device = virtio_id;
	else
		virtio_id = kgpu_guest_ids[0].device;
	kgpu_guest_queue = alloc_workqueue("kgpu-guest", WQ_UNBOUND, 0);
	if (!kgpu_guest_queue)
		return -ENOMEM;
	err = register_virtio_driver(&kgpu_guest_driver);
	if (err)
		destroy_workqueue(kgpu_guest_queue);
	return err;
}

void kgpu_guest_exit(void)
{
	unregister_virtio_driver(&kgpu_guest_driver);
	destroy_workqueue(kgpu_guest_queue);
	/* The engine, which still runs, lets go of them. */
	while (kgpu_rust_guest_kept())
		msleep(100);
}
