# Sleep states under load: processes are frozen and thawed, as before suspend and hibernation, while a volume is
# verified. Requests go to the fallback meanwhile, no deadline is missed, and the helper is there again afterwards.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh
. /suite/sample.sh

DEADLINE_MS=3000
FROZEN_S=4
DELAY=/sys/module/suspend/parameters/pm_test_delay
mkdir -p /mnt/luks

# frozen STATE: as far as freezing processes towards a sleep state, for FROZEN_S, and back. An interrupt that wakes the
# machine ends it early: then again, as a busy host makes many of them.
frozen() {
	for _try in 1 2 3 4 5 6 7 8 9 10 11 12; do
		_since=$(cut -d. -f1 /proc/uptime)
		echo "$1" >/sys/power/state || return
		[ $((($(cut -d. -f1 /proc/uptime) - _since) * 1000)) -lt $DEADLINE_MS ] || return 0
		echo "woken early, by interrupt $(cat /sys/power/pm_wakeup_irq 2>&1)"
	done
	return 1
}

# what the freezes must not change; what they must change is compared with `more`.
missed() { counted '\.fallback\.deadline\.requests$'; }
helped() { counter 'xts(twofish).helper.requests'; }
suspended() { counted '\.fallback\.suspended\.requests$'; }

phase stock
[ -e /sys/power/pm_test ] || {
	skip "suspend under load" "this kernel has no /sys/power/pm_test (CONFIG_PM_DEBUG)"
	exit 0
}
echo freezer >/sys/power/pm_test
echo 1 >/sys/power/pm_debug_messages
echo $FROZEN_S >$DELAY
disk=$(disk plain 64)
check "a volume: made" luks_format "$disk" twofish-xts-plain64 512 4096
check "a volume: opens" luks_open "$disk" vol
# Nothing made later: its thread would wait for the loop device, whose work is frozen before it, and refuse to freeze.
check "a volume: ext4" mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/vol
check "a volume: mounts" mount -t ext4 /dev/mapper/vol /mnt/luks
check "it is verified" fio_verify /mnt/luks/fio 2
check "processes are frozen and thawed without kgpu" frozen mem
check "the volume unmounts" umount /mnt/luks
check "the volume closes" luks_close vol

phase kgpu
load priority='*=1000' crossover='*=0' deadline_ms=$DEADLINE_MS full_ms=1000
start_helper
check "the volume opens with kgpu" luks_open "$disk" vol
check "the volume mounts" mount -t ext4 /dev/mapper/vol /mnt/luks
# Eight that each wait for a block, rather than one with eight under way: on 7.3 a freeze can leave that one in io_getevents
# with nothing under way, neither here nor in the volume nor in the loop device, until the next signal.
load_start /mnt/luks/fio 1 --ioengine=psync --numjobs=8 --offset_increment=1M
grows "the helper computes" '^xts[(]twofish[)]\.helper\.requests$' 0

sessions=$(counter sessions)
states="mem mem mem"
grep -qw disk /sys/power/state && states="$states disk"
before_all=$(suspended)
for state in $states; do
	missed=$(missed) suspended=$(suspended)
	check "frozen towards $state under load, for longer than the deadline" frozen "$state"
	same "$state: no deadline is missed" "$missed" "$(missed)"
	row "frozen towards $state: $(($(suspended) - suspended)) requests went to the fallback"
	check "$state: the helper is live" state_is live
	load_runs "$state: fio is there"
	grows "$state: the helper computes again" '^xts[(]twofish[)]\.helper\.requests$' "$(helped)"
done
check "requests went to the fallback because of it" [ "$(suspended)" -gt "$before_all" ]
same "all in one session" "$sessions" "$(counter sessions)"

note "a helper attaches right before"
quarantines=$(counter quarantines)
for after in 0 0.15 0.3 0.6; do
	stop_helper
	wait_for_state "no helper" 20
	missed=$(missed)
	kgpu serve >>/tmp/helper.log 2>&1 &
	HELPER=$!
	sleep $after
	seen=$(state)
	check "frozen $after s after a helper was started" frozen mem
	row "frozen $after s after a helper was started: the state was \`$seen\`"
	check "after $after s: the helper is live" wait_for_state live 60
	load_runs "after $after s: fio is there"
	grows "after $after s: the helper computes" '^xts[(]twofish[)]\.helper\.requests$' "$(helped)"
	same "after $after s: no deadline is missed" "$missed" "$(missed)"
done
same "no helper was quarantined" "$quarantines" "$(counter quarantines)"

load_stop "fio verified all the time, without an error"
check "the volume unmounts" umount /mnt/luks
check "the volume closes" luks_close vol
same "every accepted request was answered" "$(counted '\.accepted$')" "$(counted '\.completed$')"
same "no errors" 0 "$(counted '\.errors$')"
stop_helper
unload
