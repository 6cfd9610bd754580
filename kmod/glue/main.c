// SPDX-License-Identifier: GPL-2.0
/* Load and unload, module parameters, and the engine's thread. */
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include "glue.h"

static atomic_t kgpu_engine_wanted = ATOMIC_INIT(0);
/* Referenced as long as anything may wake it, also when it has stopped. */
static struct task_struct *kgpu_engine;

/*
 * Without a wait queue: its lock would be held while the engine's processor is told, and the engine, awake at
 * once, would spin for it.
 */
void kgpu_glue_wake_engine(void)
{
	/* What it is wanted for comes before the look whether it is wanted already. */
	smp_mb();
	if (atomic_read(&kgpu_engine_wanted))
		return;
	/* Who made it wanted wakes it; where it runs, it looks once more before it sleeps. */
	if (!atomic_xchg(&kgpu_engine_wanted, 1) && !task_is_running(kgpu_engine))
		wake_up_process(kgpu_engine);
}

/* Sleeps so many nanoseconds, or until it is wanted. */
static void kgpu_engine_sleep(u64 ns)
{
	long timeout = ns == U64_MAX ? MAX_SCHEDULE_TIMEOUT : nsecs_to_jiffies(ns) + 1;

	/* Asleep comes before the look whether it is wanted. */
	set_current_state(TASK_IDLE);
	if (!atomic_read(&kgpu_engine_wanted) && !kthread_should_stop())
		schedule_timeout(timeout);
	__set_current_state(TASK_RUNNING);
}

static int kgpu_engine_thread(void *unused)
{
	while (!kthread_should_stop()) {
		u64 ns;

		atomic_set(&kgpu_engine_wanted, 0);
		/* What was asked for before the reset is seen by the pass. */
		smp_mb();
		ns = kgpu_rust_pass();
		if (!ns)
			cond_resched();
		else
			kgpu_engine_sleep(ns);
	}
	return 0;
}

static int kgpu_param_set(const char *text, const struct kernel_param *param)
{
	return kgpu_rust_param_set((unsigned long)param->arg, text, strlen(text));
}

static int kgpu_param_get(char *to, const struct kernel_param *param)
{
	return kgpu_rust_param_get((unsigned long)param->arg, to, PAGE_SIZE);
}

static const struct kernel_param_ops kgpu_param_ops = {
	.set = kgpu_param_set,
	.get = kgpu_param_get,
};

#define KGPU_PARAM_MODE(name, which, mode, text)                                  \
	module_param_cb(name, &kgpu_param_ops, (void *)(unsigned long)which, mode); \
	MODULE_PARM_DESC(name, text)
#define KGPU_PARAM(name, which, text) KGPU_PARAM_MODE(name, which, 0644, text)

KGPU_PARAM(priority, KGPU_PARAM_PRIORITY,
	   "priority in the crypto API, name=value[,name=value...], * for all (default 50)");
KGPU_PARAM(crossover, KGPU_PARAM_CROSSOVER,
	   "bytes queued from which the helper is used, name=value[,...], * for all");
KGPU_PARAM(deadline_ms, KGPU_PARAM_DEADLINE_MS,
	   "milliseconds after which the kernel does a request itself (default 1000)");
KGPU_PARAM(full_ms, KGPU_PARAM_FULL_MS,
	   "milliseconds a request waits for room in the ring before the kernel does it (default 100)");
KGPU_PARAM(poll_us, KGPU_PARAM_POLL_US,
	   "microseconds of polling for completions before sleeping (default 20)");
KGPU_PARAM(ring_entries, KGPU_PARAM_RING_ENTRIES,
	   "ring entries of the next session, a power of two (default 1024)");
KGPU_PARAM(pool_mib, KGPU_PARAM_POOL_MIB, "MiB of pool of the next session (default 32)");
KGPU_PARAM(key_slots, KGPU_PARAM_KEY_SLOTS, "key slots of the next session (default 256)");
KGPU_PARAM(share_percent, KGPU_PARAM_SHARE_PERCENT,
	   "percent of pool and key slots for one transform or one user (default 50)");
KGPU_PARAM_MODE(queue_limit, KGPU_PARAM_QUEUE_LIMIT, 0444,
		"requests that may wait on a processor before submitters are held back (default 4096)");
KGPU_PARAM(recheck, KGPU_PARAM_RECHECK,
	   "one in so many results of a helper is computed again and compared (default 0: none)");
KGPU_PARAM(deliver_kib, KGPU_PARAM_DELIVER_KIB,
	   "KiB of results together from which other processors help to copy them (default 64, 0: never)");
KGPU_PARAM(merge_kib, KGPU_PARAM_MERGE_KIB,
	   "KiB of neighbouring requests that may go to the helper as one (default 64, 0: never)");

static char *register_when = "load";
module_param_named(register, register_when, charp, 0444);
MODULE_PARM_DESC(register, "when to register with the crypto API: load (default), or attach: "
			   "when a helper has passed its known answers, so that the self-tests see it");

static int __init kgpu_init(void)
{
	int err;

	if (strcmp(register_when, "load") && strcmp(register_when, "attach")) {
		pr_err("register=%s: want load or attach\n", register_when);
		return -EINVAL;
	}
	err = kgpu_rust_init(KGPU_JOB_BYTES, KGPU_DELIVERERS);
	if (err)
		return err;
	err = kgpu_job_init();
	if (err)
		goto exit_rust;
	kgpu_engine = kthread_create(kgpu_engine_thread, NULL, "kgpu");
	if (IS_ERR(kgpu_engine)) {
		err = PTR_ERR(kgpu_engine);
		goto exit_job;
	}
	get_task_struct(kgpu_engine);
	wake_up_process(kgpu_engine);
	err = kgpu_skcipher_init();
	if (err)
		goto stop_engine;
	err = kgpu_report_init();
	if (err)
		goto exit_skcipher;
	err = kgpu_power_init();
	if (err)
		goto exit_report;
	err = kgpu_device_init();
	if (err)
		goto exit_power;
	/* After all that a session needs: a device that is there already attaches at once. */
	err = kgpu_guest_init();
	if (err)
		goto exit_device;
	/*
	 * Last, when nothing can fail any more: the kernel tests what is registered in threads of its own, and
	 * a module whose start fails is freed under them.
	 */
	if (!strcmp(register_when, "load"))
		kgpu_skcipher_register();
	return 0;

exit_device:
	kgpu_device_exit();
exit_power:
	kgpu_power_exit();
exit_report:
	kgpu_report_exit();
exit_skcipher:
	kgpu_skcipher_exit();
stop_engine:
	kthread_stop(kgpu_engine);
exit_job:
	kgpu_job_exit();
exit_rust:
	kgpu_rust_exit();
	if (!IS_ERR_OR_NULL(kgpu_engine))
		put_task_struct(kgpu_engine);
	return err;
}

static void __exit kgpu_exit(void)
{
	kgpu_guest_exit();
	kgpu_device_exit();
	kgpu_power_exit();
	kgpu_report_exit();
	kgpu_skcipher_exit();
	kthread_stop(kgpu_engine);
	kgpu_job_exit();
	kgpu_rust_exit();
	put_task_struct(kgpu_engine);
}

module_init(kgpu_init);
module_exit(kgpu_exit);
MODULE_DESCRIPTION("Block-cipher work of the kernel on a GPU");
MODULE_AUTHOR("The kgpu authors");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: cryptd crypto_simd");
