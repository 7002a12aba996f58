# shellcheck shell=dash
# Stand-in for OpenWrt's functions.sh: reading UCI, and the standard scripts of packages.

# A UCI file is read as shell: package, config, option and list are functions.
package() { :; }
config() { # TYPE [NAME]
	CONFIG_NUMBER=$((CONFIG_NUMBER + 1))
	CONFIG_SECTION=${2:-cfg$CONFIG_NUMBER}
	CONFIG_SECTIONS="$CONFIG_SECTIONS $CONFIG_SECTION"
	config_set "$CONFIG_SECTION" TYPE "$1"
}
option() { config_set "$CONFIG_SECTION" "$1" "$2"; }
list() {
	local before count
	config_get before "$CONFIG_SECTION" "$1"
	config_get count "$CONFIG_SECTION" "$1_LENGTH" 0
	count=$((count + 1))
	config_set "$CONFIG_SECTION" "$1" "${before:+$before }$2"
	config_set "$CONFIG_SECTION" "$1_ITEM$count" "$2"
	config_set "$CONFIG_SECTION" "$1_LENGTH" "$count"
}

config_load() { # FILE
	local old
	for old in $(set | sed -n 's/^\(CONFIG_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$old"; done
	# shellcheck source=/dev/null
	[ ! -e "/etc/config/$1" ] || . "/etc/config/$1"
}
config_set() { eval "CONFIG_${1}_$2=\$3"; }
config_get() { eval "$1=\${CONFIG_${2}_$3:-\$4}"; } # VARIABLE SECTION OPTION DEFAULT
config_get_bool() {
	local value
	config_get value "$2" "$3" "$4"
	case $value in
	1 | on | true | yes | enabled) value=1;;
	0 | off | false | no | disabled) value=0;;
	*) value=$4;;
	esac
	eval "$1=\$value"
}
config_foreach() { # FUNCTION TYPE ARGUMENT...
	local function=$1 type=$2 section found
	shift 2
	for section in $CONFIG_SECTIONS; do
		config_get found "$section" TYPE
		[ "$found" != "$type" ] || "$function" "$section" "$@"
	done
}
config_list_foreach() { # SECTION OPTION FUNCTION ARGUMENT...
	local section=$1 option=$2 function=$3 count n=1 item
	shift 3
	config_get count "$section" "${option}_LENGTH" 0
	while [ "$n" -le "$count" ]; do
		config_get item "$section" "${option}_ITEM$n"
		"$function" "$item" "$@"
		n=$((n + 1))
	done
}

user_exists() { grep -qs "^$1:" "$IPKG_INSTROOT/etc/passwd"; }

# The users that a package asks for, as USER:GROUP, get the next free number.
add_group_and_user() { # SCRIPT
	local pair number
	for pair in $(sed -n 's/^Require-User: //p' "$IPKG_INSTROOT/usr/lib/opkg/info/$(basename "${1%.*}").control"); do
		if user_exists "${pair%%:*}"; then continue; fi
		number=$((32768 + $(wc -l < "$IPKG_INSTROOT/etc/passwd")))
		echo "${pair#*:}:x:$number:" >> "$IPKG_INSTROOT/etc/group"
		echo "${pair%%:*}:x:$number:$number:${pair%%:*}:/var/run/${pair%%:*}:/bin/false" >> "$IPKG_INSTROOT/etc/passwd"
	done
}

# Files of a package that lie in a folder.
package_files() { # SCRIPT FOLDER
	grep -s "^$2" "$IPKG_INSTROOT/usr/lib/opkg/info/$(basename "${1%.*}").list"
}
default_postinst() { # SCRIPT
	local file
	add_group_and_user "$1"
	for file in $(package_files "$1" /etc/init.d/); do
		if [ -n "$IPKG_INSTROOT" ]; then
			sh "$IPKG_INSTROOT/etc/rc.common" "$file" enable
			continue
		fi
		[ "$PKG_UPGRADE" = 1 ] || "$file" enable
	done
	[ -z "$IPKG_INSTROOT" ] || return 0
	for file in $(package_files "$1" /etc/uci-defaults/); do
		# shellcheck source=/dev/null
		if (. "$file"); then rm -f "$file"; fi
	done
	for file in $(package_files "$1" /etc/init.d/); do
		"$file" start
	done
}
default_prerm() { # SCRIPT
	local file
	for file in $(package_files "$1" /etc/init.d/); do
		[ "$PKG_UPGRADE" = 1 ] || "$file" disable
		"$file" stop
	done
}
