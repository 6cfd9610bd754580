# kgpu.h through the sample caller: every algorithm, each result compared with the kernel's own driver.
. /suite/lib.sh
. /suite/sample.sh

phase kgpu
load deadline_ms=20000
sample "requests without a helper are right" requests=1500 seed=1
same "all of them for want of a helper" "$(counted 'fallback[.]no-helper[.]requests')" "$(counted '([.]helper|[.]fallback.*)[.]requests$')"
check_fails "a name that no algorithm has" modprobe kgpu_sample what=rot13
expect_log "no algorithm is named"

start_helper
small=$(counted 'fallback[.]small[.]requests')
sample "a default crossover sends some to the helper" requests=1500 seed=7
grows "and what is not worth it to the kernel's own ciphers" 'fallback[.]small[.]requests' "$small"
check "the helper got some" more_than 0 '[.]helper[.]requests'
echo '*=0' >/sys/module/kgpu/parameters/crossover
sample "10,000 mixed requests are right" requests=10000 seed=2 verbose=1
same "the helper worked for every algorithm" "" "$(awk '/\.helper\.requests / && $2 == 0 { print $1 }' $COUNTERS)"
same "data stayed in the pool for every algorithm" "" "$(awk '/\.zero-copy / && $2 == 0 { print $1 }' $COUNTERS)"
same "no request failed, and the helper failed none" 0 "$(counted '([.]errors|fallback[.]failed[.]requests)')"
sample "the CRC32C service with units of any size" what=crc32c requests=1000 seed=3
sample "one request at a time" depth=1 requests=300 seed=4

note "the helper is killed and replaced"
sample_start seed=5
sleep 2
for round in 1 2 3; do
	before=$(counted '^taken-over')
	kill_helper
	wait_for_state "no helper" 20
	note "round $round: $(($(counted '^taken-over') - before)) requests taken back"
	start_helper
	sleep 0.$round
done
sample_end "every result is right while helpers die"
stop_helper
wait_for_state "no helper"

note "where everything is scarce"
cd /sys/module/kgpu/parameters || exit 1
echo 8 >ring_entries
echo 1 >pool_mib
echo 4 >key_slots
echo 50 >full_ms
start_helper
full=$(counted 'fallback.(full|share|no-slot|shape).requests')
sample "small ring, pool and key table: results are right" requests=1500 seed=6
grows "some requests found no room" 'fallback.(full|share|no-slot|shape).requests' "$full"
same "no request failed at all" 0 "$(counted '[.]errors')"
stop_helper
wait_for_state "no helper"
cd /
unload
