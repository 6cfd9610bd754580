// SPDX-License-Identifier: GPL-2.0
/*
 * A pass of kgpu_measure.ko: threads that keep their requests under way until time is over, how long that took, and
 * whose processor time.
 */
#include <linux/kernel_stat.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/tick.h>
#include "measure.h"

#define BATCH 64 /* requests handed over together */

static u32 bucket(u64 value)
{
	u32 high = ilog2(value | 16);

	return (high - 4) * 16 + (u32)(value >> (high - 4));
}

/* The largest value of a bucket. */
static u64 bucket_end(u32 bucket)
{
	u32 shift = bucket / 16;

	if (!shift)
		return bucket;
	shift--;
	return ((u64)(bucket % 16 + 17) << shift) - 1;
}

/* The nanoseconds that so many percent of the requests took at most. */
u64 run_percentile(const struct measure *m, unsigned int percent)
{
	u64 total = 0, seen = 0;
	u32 t, b;

	for (t = 0; t < m->threads; t++)
		total += m->runners[t].requests;
	for (b = 0; b < BUCKETS; b++) {
		for (t = 0; t < m->threads; t++)
			seen += m->runners[t].latency[b];
		if (seen && seen * 100 >= total * percent)
			return bucket_end(b);
	}
	return 0;
}

/* From any context, and often from another processor. */
void run_done(struct slot *slot, int err)
{
	struct runner *runner = slot->runner;

	slot->took = ktime_get_ns() - slot->start;
	slot->err = err;
	/* The first one in a row wakes; the slot belongs to the runner from here on. */
	if (llist_add(&slot->node, &runner->done))
		wake_up(&runner->wait);
}

static void account(struct runner *runner, struct slot *slot)
{
	struct kgpu_request *req = slot->kgpu;

	runner->in_flight--;
	runner->requests++;
	runner->latency[min_t(u32, bucket(slot->took), BUCKETS - 1)]++;
	if (slot->err)
		runner->errors++;
	if (req && req->src_buf && req->result == req->src_buf) {
		runner->taken_back++;
		slot->spoiled = true;
	}
}

static void run_start(struct runner *runner, struct slot **batch, unsigned int *count)
{
	runner->in_flight += *count;
	slots_start(batch, *count);
	*count = 0;
}

/* Each request once, and again as long as time is left; the first one whatever the time. */
static void run_requests(struct runner *runner)
{
	struct measure *m = runner->measure;
	/* A driver that computes at once gets one at a time, for a look at the clock between two. */
	unsigned int most = m->way == WAY_STOCK ? 1 : BATCH, count = 0, i;
	struct slot *batch[BATCH];

	for (i = 0; i < runner->slot_count && (!i || !m->end || ktime_get_ns() < m->end); i++) {
		batch[count++] = &runner->slots[i];
		if (count == most)
			run_start(runner, batch, &count);
		cond_resched();
	}
	run_start(runner, batch, &count);
	while (runner->in_flight) {
		struct llist_node *node;
		struct slot *slot, *next;

		wait_event(runner->wait, !llist_empty(&runner->done));
		node = llist_reverse_order(llist_del_all(&runner->done));
		llist_for_each_entry_safe(slot, next, node, node) {
			account(runner, slot);
			if (slot->err || ktime_get_ns() >= m->end)
				continue;
			batch[count++] = slot;
			if (count == most)
				run_start(runner, batch, &count);
		}
		run_start(runner, batch, &count);
		cond_resched();
	}
}

static int run_thread(void *context)
{
	struct runner *runner = context;
	struct measure *m = runner->measure;

	wait_for_completion(&m->go);
	run_requests(runner);
	if (atomic_dec_and_test(&m->running))
		complete(&m->ended);
	/* Its code and memory stay until kthread_stop(). */
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* ---- Processor time ---- */

#ifdef CONFIG_UML
/*
 * Here a kernel knows what ran of nobody: threads and programs are told in ticks, and from 7.3 on idle time is whole ticks
 * too, on top of what is exact, wherever the tick goes on. But this kernel is a program, its processors are threads of
 * it, each address space is a process that it made, and the host knows what they ran. Nothing that a module can call asks
 * it, so that its calls are made here, by number.
 */
static long host_call(long number, long first, void *second)
{
	long ret;

	asm volatile("syscall" : "=a"(ret) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
	return ret;
}

#define HOST_GETRUSAGE	   98
#define HOST_CLOCK_GETTIME 228
#define OWN_CPU_CLOCK	   2		    /* CLOCK_PROCESS_CPUTIME_ID */
#define CPU_CLOCK_OF(pid)  (~(long)(pid) << 3 | 2) /* as clock_getcpuclockid() has it */

static u64 host_clock_ns(long clock)
{
	struct {
		s64 seconds, nanoseconds;
	} ran = {};

	return host_call(HOST_CLOCK_GETTIME, clock, &ran) ? 0 : ran.seconds * NSEC_PER_SEC + ran.nanoseconds;
}

/* Nanoseconds that the kernel's own code ran. */
static u64 kernel_ns(void)
{
	return host_clock_ns(OWN_CPU_CLOCK);
}

/* Nanoseconds that a process's program ran: without what the kernel did for it, which is among the kernel's. */
static u64 process_task_ns(struct task_struct *process)
{
	int pid;

	task_lock(process);
	pid = process->mm ? process->mm->context.id.pid : 0;
	task_unlock(process);
	return pid > 0 ? host_clock_ns(CPU_CLOCK_OF(pid)) : 0;
}

/* Nanoseconds that programs ran: those that ended, which are children waited for, and those there are. */
static u64 user_ns(void)
{
	struct {
		s64 user_s, user_us, system_s, system_us, others[14];
	} ended = {};
	struct task_struct *p;
	u64 sum;

	host_call(HOST_GETRUSAGE, -1, &ended);
	sum = (ended.user_s + ended.system_s) * NSEC_PER_SEC + (ended.user_us + ended.system_us) * NSEC_PER_USEC;
	rcu_read_lock();
	for_each_process(p)
		/* Not twice where a child has its parent's until it has a program of its own. */
		if (READ_ONCE(p->mm) != READ_ONCE(rcu_dereference(p->real_parent)->mm))
			sum += process_task_ns(p);
	rcu_read_unlock();
	return sum;
}

u64 busy_ns(void)
{
	return kernel_ns() + user_ns();
}

/* All that is a program during a pass is the helper. */
static u64 pass_busy_ns(u64 start, u64 helper)
{
	return kernel_ns() - start + helper;
}

static u64 pass_start_ns(void)
{
	return kernel_ns();
}
#else
/* Nanoseconds that all processors were idle, to the microsecond; -1 where the kernel counts ticks only. */
static s64 idle_ns(void)
{
	s64 sum = 0;
	int cpu;

	for_each_online_cpu(cpu) {
		u64 idle = get_cpu_idle_time_us(cpu, NULL), waiting = get_cpu_iowait_time_us(cpu, NULL);

		if (idle == -1ULL || waiting == -1ULL)
			return -1;
		sum += (idle + waiting) * NSEC_PER_USEC;
	}
	return sum;
}

/* Nanoseconds that all processors were busy, programs included, from an arbitrary moment on; 0 where nobody knows. */
u64 busy_ns(void)
{
	s64 idle = idle_ns();

	return idle < 0 ? 0 : ktime_get_ns() * num_online_cpus() - idle;
}

/* The kernel's work for it included; threads that ended too; one that runs now is up to a tick behind. */
static u64 process_task_ns(struct task_struct *process)
{
	struct task_struct *thread;
	u64 sum = process->signal->sum_sched_runtime;

	for_each_thread(process, thread)
		sum += thread->se.sum_exec_runtime;
	return sum;
}

static u64 pass_start_ns(void)
{
	return busy_ns();
}

static u64 pass_busy_ns(u64 start, u64 helper)
{
	return max_t(s64, 0, busy_ns() - start);
}
#endif

/* Nanoseconds that a process ran. */
u64 process_ns(u32 pid)
{
	struct task_struct *process;
	u64 sum = 0;

	if (!pid)
		return 0;
	rcu_read_lock();
	process = pid_task(find_vpid(pid), PIDTYPE_TGID);
	if (process)
		sum = process_task_ns(process);
	rcu_read_unlock();
	return sum;
}

static void runner_new(struct measure *m, u32 t)
{
	struct runner *runner = &m->runners[t];
	u32 first = (u64)m->depth * t / m->threads, i;

	memset(runner, 0, sizeof(*runner));
	runner->measure = m;
	runner->slots = &m->slots[first];
	runner->slot_count = (u64)m->depth * (t + 1) / m->threads - first;
	init_llist_head(&runner->done);
	init_waitqueue_head(&runner->wait);
	for (i = 0; i < runner->slot_count; i++)
		runner->slots[i].runner = runner;
	runner->task = kthread_create(run_thread, runner, "kgpu_measure/%u", t);
}

/* Runs all threads for `ns` nanoseconds, or each request once for 0. */
int run_pass(struct measure *m, u64 ns)
{
	u64 start, helper, busy;
	u32 t;
	int err = 0;

	init_completion(&m->go);
	init_completion(&m->ended);
	atomic_set(&m->running, m->threads);
	for (t = 0; t < m->threads && !err; t++) {
		runner_new(m, t);
		err = PTR_ERR_OR_ZERO(m->runners[t].task);
	}
	if (err) {
		/* Those that never ran just go. */
		for (t--; t-- > 0;)
			kthread_stop(m->runners[t].task);
		return err;
	}
	for (t = 0; t < m->threads; t++)
		wake_up_process(m->runners[t].task);
	helper = process_ns(m->pid);
	busy = pass_start_ns();
	start = ktime_get_ns();
	m->end = ns ? start + ns : 0;
	complete_all(&m->go);
	wait_for_completion(&m->ended);
	m->ns = ktime_get_ns() - start;
	m->helper_ns = process_ns(m->pid) - helper;
	m->busy_ns = pass_busy_ns(busy, m->helper_ns);
	for (t = 0; t < m->threads; t++)
		kthread_stop(m->runners[t].task);
	/*
	 * The last callback may still be returning to kgpu. It runs with bottom halves disabled, so
	 * that this waits for it before what it looks at goes.
	 */
	synchronize_rcu();
	return 0;
}
