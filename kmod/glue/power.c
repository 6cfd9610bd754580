// SPDX-License-Identifier: GPL-2.0
/* Sleep states: tells the core before processes are frozen and after they are thawed. */
#include <linux/delay.h>
#include <linux/suspend.h>
#include "glue.h"

static int kgpu_power(struct notifier_block *block, unsigned long event, void *unused)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		kgpu_rust_pause(1);
		/* Not for long: the core takes back what a helper does not finish. */
		while (!kgpu_rust_is_drained())
			msleep(1);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		kgpu_rust_pause(0);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block kgpu_power_block = {
	.notifier_call = kgpu_power,
};

int kgpu_power_init(void)
{
	return register_pm_notifier(&kgpu_power_block);
}

void kgpu_power_exit(void)
{
	unregister_pm_notifier(&kgpu_power_block);
}
