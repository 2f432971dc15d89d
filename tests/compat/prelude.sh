# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bash functions for the command lines of cases/; read by compat.py before each of them.

# hold UNSHARE-OPTION... [SCRIPT]: a process in new namespaces, $held, until the line ends; $said is the first line
# which SCRIPT prints.
hold() {
	local options=()

	while [ "${1#-}" != "${1:-}" ]; do
		options+=("$1")
		shift
	done
	[ $# -gt 0 ] || set -- echo
	mkfifo .hold
	# shellcheck disable=SC2016 # the dollar is the inner shell's
	unshare "${options[@]}" sh -c 'eval "$1"; exec sleep 60' sh "$1" >.hold 2>/dev/null &
	held=$!
	# shellcheck disable=SC2034 # for the lines
	read -r said <.hold
	trap 'end_tree $held' EXIT
}

# end_tree PID: kills a process and all that descend from it.
end_tree() {
	local child

	# shellcheck disable=SC2013 # one line of words
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		end_tree "$child"
	done
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}
