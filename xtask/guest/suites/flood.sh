# host-helpers: 1
# host-helper: evil-helper events
# A device that uses each buffer for events again at once, with every code there is and some that there are not, beside a
# helper that serves. The guest, best with one processor, goes on: to this script's end, for which the time limit stands.
. /suite/lib.sh
. /suite/hosted.sh
. /suite/sample.sh

# The flood's lines in the log so far.
lines() { dmesg | grep -c 'guest device virtio[01]: .*ignored'; }
floods() { [ "$(lines)" -gt "$1" ]; }
# still NAME: events come, and are taken. Forgets the log, so that what follows is of now.
still() {
	hand_log
	check "$1" wait_until 30 floods 0
}
# not_broken: no buffer was used that the device did not have, which would have ended the flood.
not_broken() { ! dmesg | grep -q 'is not a head'; }
count() {
	_n=0
	while [ $_n -lt 20000 ]; do _n=$((_n + 1)); done
	echo $_n
}

phase kgpu
modprobe -q virtio_pci
load deadline_ms=300000
check "a helper on the host is live beside it" wait_for_state live 60
still "events come without end"
same "the guest's processor does other work" 20000 "$(count)"

echo '*=0' >/sys/module/kgpu/parameters/crossover
sample "2,000 mixed requests are right" requests=2000 seed=7
same "the helper worked for every algorithm" "" "$(awk '/\.helper\.requests / && $2 == 0 { print $1 }' $COUNTERS)"
same "no request failed, and no helper failed one" 0 "$(counted '([.]errors|fallback[.]failed[.]requests)')"
same "no completion was refused, no ring word wrong" 0 "$(counted '^(rejected|ring-errors)[.]')"
same "one session" 1 "$(counted '^sessions$')"
check "no buffer was used that was not the device's" not_broken

phase end
# Ten lines in 5 s is what the module allows, of each of three kinds; a flood is thousands each second.
hand_log
began=$(cut -d. -f1 /proc/uptime)
check "events still come" wait_until 30 floods 0
sleep 5
seconds=$(($(cut -d. -f1 /proc/uptime) - began))
most=$((20 * (seconds / 5 + 2)))
some=$(lines)
if [ "$some" -le $most ]; then ok "the log has few lines of it: $some"; else fail "the log has few lines of it" "$some in $seconds s"; fi

unload
load deadline_ms=300000
check "the helper is found anew" wait_for_state live 60
still "and the flood"
sample "300 requests are right" requests=300 seed=8
check "no buffer was used that was not the device's" not_broken
