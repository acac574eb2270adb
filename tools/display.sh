#!/bin/sh
# Run a command on the display there is, or on a virtual one: sh tools/display.sh COMMAND...
# Without a command: succeed when there is a display.
set -eu

has_display() {
    case ${DISPLAY:-} in
        '') [ -n "${WAYLAND_DISPLAY:-}" ] || [ "$(uname)" = Darwin ] ;;
        :*) number=${DISPLAY#:} && [ -S "/tmp/.X11-unix/X${number%%.*}" ] ;; # a server of this machine
    esac
}

if [ $# -eq 0 ]; then has_display; exit; fi
if has_display; then exec "$@"; fi

echo "[display] no display here: using a virtual one"
folder=$(mktemp -d)
mkfifo "$folder/number"
# The server picks a free number itself and writes it to descriptor 3 once it answers.
Xvfb -displayfd 3 -screen 0 1600x1200x24 -nolisten tcp 3>"$folder/number" 2>"$folder/log" &
server=$!
trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
read -r number <"$folder/number" || { cat "$folder/log" >&2; exit 1; }

status=0
DISPLAY=:$number XDG_RUNTIME_DIR=$folder "$@" || status=$?
exit $status
