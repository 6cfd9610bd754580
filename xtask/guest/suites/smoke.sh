# The module loads, taints the kernel in the two expected ways only, and can be removed again.
. /suite/lib.sh

phase kgpu
same "kernel is not tainted before" 0 "$(cat /proc/sys/kernel/tainted)"
load
check "module is there" loaded kgpu
check "taint is that of an out-of-tree module only" taint_is_ours
check "log has the taint lines" sh -c 'dmesg | grep -q "kgpu: loading out-of-tree module taints kernel"'
unload
check_fails "module is gone" grep -q '^kgpu ' /proc/modules
check "module loads a second time" modprobe kgpu
unload
