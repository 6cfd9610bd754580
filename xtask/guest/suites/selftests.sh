# The kernel's self-tests of every cipher through the helper. Where the kernel has them (the sanitizer kernel), the
# extra tests too: guest_fuzz= iterations of each of their loops, with random shapes and against the generic drivers.
# The CRC32C service is no algorithm of the crypto API's, so the kernel has no test for it.
. /suite/lib.sh
. /suite/chain.sh

TESTMGR=/sys/module/cryptomgr/parameters
# Reasons for a fallback that are a fault here: all but a shape that is not tiled.
OTHER='no-helper|small|full|share|no-slot|stalled|deadline|death|failed|quarantine'

names() { awk '$2 ~ /-kgpu$/ && $1 ~ /\(/ { print $1 }' $STATUS; }
registered() { grep -c '^driver.*-kgpu$' /proc/crypto; }
all_registered() { [ "$(registered)" -eq "$WANT" ]; }
all_tested() { [ "$(passed_selftests)" -eq "$WANT" ]; }

# tested LABEL SECONDS: loads, serves until every driver has passed, leaves the counts in /tmp/count.LABEL.
tested() {
	load register=attach crossover='*=0' deadline_ms=600000 full_ms=600000
	same "$1: nothing is registered before a helper attached" 0 "$(registered)"
	WANT=$(names | wc -l)
	start_helper --backend cpu
	check "$1: $WANT drivers are registered after it" wait_until "$2" all_registered
	check "$1: all of them pass" wait_until "$2" all_tested
	awk '/^driver/ { d = $3 } /^selftest/ && d ~ /-kgpu$/ && $3 != "passed" { print d }' /proc/crypto >/tmp/unpassed
	same "$1: none is left" "" "$(cat /tmp/unpassed)"
	for _name in $(names); do echo "$_name $(counter "$_name.helper.requests")"; done >/tmp/count."$1"
	same "$1: no request went elsewhere but for its shape" "" \
		"$(awk -v other="fallback[.]($OTHER)[.]requests" '$1 ~ other && $2 > 0 { print $1, $2 }' $COUNTERS)"
	same "$1: no request failed" "" "$(awk '/[.]errors / && $2 > 0 { print $1 }' $COUNTERS)"
	result_table
	stop_helper
	unload
}

phase kgpu
# What the extra tests compare with, and what it is made of: without it they are left out silently.
load register=attach
CIPHERS=$(names | sed 's/.*(//; s/)//' | sort -u)
MODES=$(names | sed 's/(.*//' | sort -u)
unload
# generic CIPHER: its driver in C is there: as a module, or built into a kernel whose cipher is part of its own library.
generic() { modprobe "$1_generic" || grep -q "/crypto/$1[.]ko$" "/lib/modules/$(uname -r)/modules.builtin"; }
for mode in $MODES; do check "$mode is there" modprobe "$mode"; done
for cipher in $CIPHERS; do check "the generic driver of $cipher is there" generic "$cipher"; done

tested plain 300
while read -r name plain; do
	check "$name: its self-tests ran on the helper" [ "$plain" -gt 10 ]
done </tmp/count.plain

if [ -e $TESTMGR/fuzz_iterations ]; then
	FUZZ=$(cmdline guest_fuzz || echo 100)
	echo "$FUZZ" >$TESTMGR/fuzz_iterations
	echo 0 >$TESTMGR/noextratests
	note "extra tests with $FUZZ iterations"
	tested extra 3000
	same "every driver was compared with the generic one" "" \
		"$(dmesg | sed -n 's/.*skipping comparison tests for \([^ ]*-kgpu\) .*/\1/p' | sort -u)"
	# One known vector, both directions, random shapes, and the random vectors: more than all plain tests give. Half of
	# the random lengths are no whole blocks, which go elsewhere.
	while read -r name plain; do
		extra=$(awk -v n="$name" '$1 == n { print $2 }' /tmp/count.extra)
		if [ "$extra" -ge $((plain + 4 * FUZZ)) ]; then
			ok "$name: the helper computed $extra requests, $plain of them without the extra tests"
		else
			fail "$name: the extra tests ran on the helper" "$extra requests, $plain without them"
		fi
	done </tmp/count.plain
else
	skip "extra tests against the generic drivers" "only the sanitizer kernel has them"
fi
