# Pool pages that a GPU driver has pinned survive the helper that mapped them: they are not used for anything
# else until the pin goes, so that a GPU that still writes hits nothing.
. /suite/lib.sh
. /suite/sample.sh

PIN=/sys/kernel/debug/kgpu_pin

# pool_of PID: "ADDRESS BYTES" of the pool mapping.
pool_of() {
	_range=$(awk '$6 == "/dev/kgpu" && $3 == "200000000" { print $1 }' /proc/"$1"/maps)
	[ -n "$_range" ] && echo "${_range%-*} $((0x${_range#*-} - 0x${_range%-*}))"
}
# pinned PIN WHAT: a number of the status line.
pinned() { awk -v pin="$1:" -v what="$2" '$2 == pin { for (i = 3; i < NF; i += 2) { sub(",", "", $(i + 1)); if ($(i + 1) == what) print $i } }' $PIN/status; }
pin_is() { [ "$(pinned "$1" "$2")" = "$3" ]; }
# vm_flags PID: the flags of the pool mapping.
vm_flags() { awk '/^[0-9a-f]+-[0-9a-f]+ / { ours = $3 == "200000000" } ours && /^VmFlags:/ { print; ours = 0 }' /proc/"$1"/smaps; }

phase kgpu
load deadline_ms=20000 pool_mib=8 crossover='*=0'
check "load kgpu_pin" modprobe kgpu_pin
start_helper
flags=$(vm_flags "$HELPER")
for flag in dc dd; do
	check "pool mapping has $flag" sh -c "echo '$flags ' | grep -q ' $flag '"
done
for flag in io pf; do
	check_fails "pool mapping lacks $flag" sh -c "echo '$flags ' | grep -q ' $flag '"
done
note "pool of helper $HELPER: $(pool_of "$HELPER")"
check "the pool is pinned for writing, for long" sh -c "echo '$HELPER $(pool_of "$HELPER")' >$PIN/pin"
pages=$(pinned 0 pages)
same "all of it" 2048 "$pages"
same "others hold its pages too" 0 "$(pinned 0 alone)"

sample_start seed=11
sleep 3
before=$(counted '^taken-over')
kill_helper
check "a killed helper's session ends in spite of the pin" wait_for_state "no helper" 20
note "$(($(counted '^taken-over') - before)) requests taken back"
check "only the pin holds the pages now" wait_until 20 pin_is 0 alone "$pages"
same "nothing is left in them" "$pages" "$(pinned 0 zero)"

start_helper
check "the next helper's pool is pinned" sh -c "echo '$HELPER $(pool_of "$HELPER")' >$PIN/pin"
same "it shares no page with the old one" 0 "$(pinned 1 shared)"
before=$(counted '[.]helper[.]requests')
for byte in 85 170 255 85 170 255; do
	check "late writes of $byte to the old pages" sh -c "echo '0 $byte' >$PIN/fill"
	sleep 0.5
	same "nobody else writes there" "$pages" "$(pinned 0 filled)"
done
grows "the new helper works meanwhile" '[.]helper[.]requests' "$before"
sample_end "every result is right under late writes"

check "the old pages are given back" sh -c "echo 0 >$PIN/unpin"
sample "results are right afterwards" requests=500 seed=12
stop_helper
wait_for_state "no helper"
check "only the second pin holds its pages" wait_until 20 pin_is 1 alone "$pages"
unload
check "late writes without the module" sh -c "echo '1 90' >$PIN/fill"
same "hit the pinned pages alone" "$pages" "$(pinned 1 filled)"
check "unload kgpu_pin, which gives them back" rmmod kgpu_pin
load crossover='*=0'
start_helper
sample "a third helper after all that" requests=300 seed=13
stop_helper
wait_for_state "no helper"
unload
