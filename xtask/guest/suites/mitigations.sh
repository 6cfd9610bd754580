# The module under the mitigations that patch calls and returns of loaded code (6.12, a CPU of Skylake's kind,
# retbleed=stuff spectre_v2=retpoline), then what the suites smoke and attach do.
. /suite/lib.sh

vulnerabilities=/sys/devices/system/cpu/vulnerabilities
check "returns are stuffed" grep -q Stuffing $vulnerabilities/retbleed
check "indirect calls are retpolines" grep -q Retpolines $vulnerabilities/spectre_v2
. /suite/smoke.sh
. /suite/attach.sh
