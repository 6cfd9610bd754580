# Helpers on the guest's host, each behind a virtio device: `. /suite/hosted.sh` after lib.sh.
. /suite/sample.sh

# on_host SIGNAL HELPER: has the host send one of its helpers a signal.
on_host() { emit "host $1 $2"; }
live_is_not() { state_is live && [ "$(field helper)" != "$1" ]; }
# hand_log: gives the host the kernel's log so far to judge, and forgets it here.
hand_log() {
	dmesg -rc | sed 's/^/@@ dmesg /' >$RESULTS
}

# kill_hosted: SIGKILL to the live helper with requests in hand: stopped first, so that it has some.
kill_hosted() {
	_device=$(field helper)
	_device=${_device#guest device virtio}
	hand_log
	on_host STOP "$_device"
	sleep 1
	check "the helper has requests in hand" wait_until 20 more_than 0 '^in-flight$'
	on_host KILL "$_device"
}
# only_the_connection: the machine's own driver warns of what it reads from a connection that is gone, with all that goes
# with a warning; nothing else may. Forgets it.
only_the_connection() {
	same "no warning but those about the connection" "" \
		"$(dmesg | grep -E 'WARNING:|BUG|Oops|kgpu: .*(wrong|impossible)' | grep -v 'WARNING: arch/um/drivers/virtio_uml.c:')"
	dmesg -c >/dev/null
}
