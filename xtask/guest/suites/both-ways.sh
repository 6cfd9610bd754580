# What the demo does, with less data: the main job on every kernel.
FILES=2
SMALL=1
REQUESTS=1000
. /suite/demo.sh
