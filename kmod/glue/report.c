// SPDX-License-Identifier: GPL-2.0
/* /proc/kgpu for everybody, counters and latencies in debugfs. The text is the core's. */
#include <linux/debugfs.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include "glue.h"

static struct dentry *kgpu_debugfs;

static int kgpu_status_show(struct seq_file *seq, void *unused)
{
	kgpu_rust_report(0, seq);
	return 0;
}

static int counters_show(struct seq_file *seq, void *unused)
{
	kgpu_rust_report(1, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int latency_show(struct seq_file *seq, void *unused)
{
	kgpu_rust_report(2, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(latency);

int kgpu_report_init(void)
{
	if (!proc_create_single("kgpu", 0444, NULL, kgpu_status_show))
		return -ENOMEM;
	kgpu_debugfs = debugfs_create_dir("kgpu", NULL);
	debugfs_create_file("counters", 0400, kgpu_debugfs, NULL, &counters_fops);
	debugfs_create_file("latency", 0400, kgpu_debugfs, NULL, &latency_fops);
	return 0;
}

void kgpu_report_exit(void)
{
	debugfs_remove(kgpu_debugfs);
	remove_proc_entry("kgpu", NULL);
}
