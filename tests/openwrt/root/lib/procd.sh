# shellcheck shell=dash
# Stand-in for procd: what procd_* calls say is kept in a folder for each instance, and /sbin/procd-instance runs
# it. A service that is set again: what is gone is stopped, what is new started; what changed gets its reload
# signal, or is started anew where it has none; what is the same runs on.

PROCD=/tmp/procd

procd_open_service() { # SERVICE
	_service=$1
	_new=$PROCD/new.$$
	rm -rf "$_new"
	mkdir -p "$_new" "$PROCD/run/$_service"
}
procd_open_instance() { # [NAME]
	_count=$((_count + 1))
	_instance=$_new/${1:-instance$_count}
	mkdir -p "$_instance"
}
procd_set_param() { # KEY VALUE...: one value a line
	local key=$1
	shift
	printf '%s\n' "$@" > "$_instance/$key"
}
procd_append_param() {
	local key=$1
	shift
	printf '%s\n' "$@" >> "$_instance/$key"
}
# The image has no ujail; scripts that ask for one all the same get none.
procd_add_jail() { :; }
procd_add_jail_mount() { :; }
procd_add_jail_mount_rw() { :; }
procd_close_instance() {
	local file
	if [ -e "$_instance/file" ]; then
		while read -r file; do md5sum "$file" 2>&1; done < "$_instance/file" > "$_instance/checksums"
	fi
	if [ -e "$_instance/netdev" ]; then
		while read -r file; do cat "/sys/class/net/$file/ifindex" 2>&1; done < "$_instance/netdev" > "$_instance/indexes"
	fi
	(cd "$_instance" && for file in *; do echo "$file"; cat "$file"; done | md5sum) > "$_new/sum"
	mv "$_new/sum" "$_instance/sum"
}
procd_close_service() {
	local old new
	for old in "$PROCD/run/$_service"/*; do
		if [ -d "$old" ] && [ ! -d "$_new/${old##*/}" ]; then procd_stop_instance "$old"; fi
	done
	for new in "$_new"/*; do
		[ -d "$new" ] || continue
		old=$PROCD/run/$_service/${new##*/}
		if [ ! -d "$old" ]; then
			procd_start_instance "$new" "$old"
		elif ! cmp -s "$old/sum" "$new/sum"; then
			if [ -e "$new/reload_signal" ]; then
				cp "$new"/* "$old/"
				kill "-$(cat "$new/reload_signal")" "$(cat "$old/pid")"
			else
				procd_stop_instance "$old"
				procd_start_instance "$new" "$old"
			fi
		fi
	done
	rm -rf "$_new"
}
procd_start_instance() { # FROM FOLDER
	mv "$1" "$2"
	setsid /sbin/procd-instance "$2" < /dev/null > /dev/null 2>&1 &
}
procd_stop_instance() { # FOLDER
	local pid left
	left=$(($(cat "$1/term_timeout" 2> /dev/null || echo 5) * 10))
	touch "$1/stop"
	pid=$(cat "$1/pid" 2> /dev/null)
	[ -z "$pid" ] || kill "$pid" 2> /dev/null
	while [ -n "$pid" ] && [ -e "/proc/$pid" ]; do
		if [ "$left" = 0 ]; then
			echo "procd: $1 does not end, killed" >> /var/log/messages
			kill -9 "$pid" 2> /dev/null
		fi
		left=$((left - 1))
		sleep 0.1
	done
	kill "$(cat "$1/runner" 2> /dev/null)" 2> /dev/null
	rm -rf "$1"
}
procd_kill() { # SERVICE
	local old
	for old in "$PROCD/run/$1"/*; do
		[ ! -d "$old" ] || procd_stop_instance "$old"
	done
	rm -f "$PROCD/triggers/$1"
}
procd_running() { # SERVICE
	local pid
	for pid in "$PROCD/run/$1"/*/pid; do
		if [ -e "$pid" ] && [ -e "/proc/$(cat "$pid")" ]; then return 0; fi
	done
	return 1
}

# Triggers: the files that a service wants to be reloaded for, and their checksums. See /sbin/reload_config.
procd_triggers() { # SERVICE FUNCTION
	mkdir -p "$PROCD/triggers"
	_triggers=$PROCD/triggers/$1
	: > "$_triggers"
	"$2"
}
procd_add_reload_trigger() { # FILE...
	local file
	for file; do
		echo "$file $(md5sum "/etc/config/$file" 2>&1)" >> "$_triggers"
	done
}
procd_add_raw_trigger() { :; }
procd_add_reload_interface_trigger() { :; }
procd_add_validation() { :; }
