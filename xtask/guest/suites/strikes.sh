# evil-helper's strikes, each once, under a load that checks itself: the answer on its socket, what the module makes of
# it, and the exit code that tells how the session ended.
. /suite/lib.sh
. /suite/sample.sh

SOCKET=/tmp/evil.socket

# evil [ARGS...]: starts one that strikes when told to.
evil() {
	evil-helper serve --control $SOCKET "$@" >>/tmp/evil.log 2>&1 &
	EVIL=$!
	wait_for_state live || fail "evil-helper is live" "state $(state); $(tail -n 1 /tmp/evil.log)"
}

# strike KIND [ARG]: strikes, and checks the answer's shape: with a request in hand at least.
strike() {
	evil-helper tell $SOCKET strike "$@" >/tmp/struck
	case $(cat /tmp/struck) in
	"struck $1 in-flight "[1-9]*) ok "strike $*: $(cat /tmp/struck)" ;;
	*) fail "strike $*" "$(cat /tmp/struck)" ;;
	esac
}

# ends NAME CODE: it ends with this code, and its session with it.
ends() {
	wait $EVIL
	same "$1: exit code" "$2" $?
	check "$1: the session is over" wait_for_state "no helper"
}

phase kgpu
load deadline_ms=2000 crossover='*=0' pool_mib=8
sample_start seed=51 pool=N

evil --seed 1
check "status: it says how it is" sh -c "evil-helper tell $SOCKET status | grep -q '^state live session '"
check_fails "what is no command is refused" evil-helper tell $SOCKET strike gold
before=$(counted 'fallback.failed.requests')
strike error 5
grows "error: the kernel does those" 'fallback.failed.requests' $((before + 4))
before=$(counted '^taken-over')
stale=$(counted '^rejected.stale')
strike slow 3000
grows "slow: taken back at the deadline" '^taken-over' "$before"
grows "slow: the answers come late" '^rejected.stale' "$stale"
check "slow: it is back" wait_for_state live
before=$(counted 'fallback.deadline.requests')
strike stop
grows "stop: taken back at the deadline" 'fallback.deadline.requests' "$before"
kill -CONT $EVIL
check "stop: it is back" wait_for_state live
check "quit: it says good-bye" sh -c "evil-helper tell $SOCKET quit | grep -q '^bye '"
ends "quit" 0

before=$(counted '^rejected[.]')
evil --seed 2
strike garbage 40
ends "garbage: quarantined" 4
grows "garbage: counted" '^rejected[.]' $((before + 15))
before=$(counted '^ring-errors')
evil --seed 3
strike words
ends "words: quarantined" 4
grows "words: counted" '^ring-errors' "$before"
echo 1 >/sys/module/kgpu/parameters/recheck
before=$(counted '^rechecks-wrong')
evil --seed 4
strike wrong-data 2
ends "wrong-data, rechecked: quarantined" 4
grows "wrong-data: counted" '^rechecks-wrong' "$before"
echo 0 >/sys/module/kgpu/parameters/recheck
before=$(counted 'fallback.death.requests')
evil --seed 5
strike kill
ends "kill: killed" 137
grows "kill: what it had was taken back" 'fallback.death.requests' "$before"

evil --seed 6
old=$EVIL
was=$(sed -n 's/^session: //p' $STATUS)
SOCKET=/tmp/evil.other
evil --seed 7 --takeover
new_session() { [ "$(sed -n 's/^session: //p' $STATUS)" -gt "$was" ] && state_is live; }
check "takeover: the other one is live" wait_until 60 new_session
wait $old
same "takeover: the first one ends as replaced" 5 $?
check "takeover: quit" evil-helper tell $SOCKET quit
ends "takeover: quit" 0

sample_end "every result is right throughout"
same "no request failed" 0 "$(counted '[.]errors')"
table </tmp/evil.log
unload
