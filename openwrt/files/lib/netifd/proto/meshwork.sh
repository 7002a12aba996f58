#!/bin/sh
# shellcheck shell=dash
# netifd's protocols meshwork (the mesh interface), meshwork_hardif (a hard interface) and meshwork_vlan.
# They own nothing: the service does. They tell it what netifd knows, and netifd what the service made.

[ -n "$INCLUDE_ONLY" ] || {
	. /lib/functions.sh
	. ../netifd-proto.sh
	init_proto "$@"
}

MESHWORK_DEVICES=${MESHWORK_DEVICES:-/var/run/meshwork/devices}
# Seconds until a mesh interface that should be there has to be there.
MESHWORK_WAIT=${MESHWORK_WAIT:-10}

# Has the service read its configuration again. Without an instance of this mesh it is started: it may be new.
meshwork_reload() {
	[ -x /etc/init.d/meshwork ] && /etc/init.d/meshwork reload
}

proto_meshwork_init_config() {
	no_device=1
	available=1
	proto_config_add_string routing_algo
	proto_config_add_boolean aggregated_ogms:bool
	proto_config_add_boolean ap_isolation:bool
	proto_config_add_boolean bonding:bool
	proto_config_add_boolean bridge_loop_avoidance:bool
	proto_config_add_boolean distributed_arp_table:bool
	proto_config_add_boolean fragmentation:bool
	proto_config_add_string gw_mode
	proto_config_add_string gw_bandwidth
	proto_config_add_int gw_sel_class
	proto_config_add_int hop_penalty
	proto_config_add_boolean multicast_mode:bool
	proto_config_add_int multicast_fanout
	proto_config_add_int orig_interval
}

proto_meshwork_setup() { # CONFIG
	local config="$1" waited=0
	meshwork_reload
	# The interface comes with the first hard interface that is there.
	while [ ! -e "/sys/class/net/$config" ]; do
		[ "$waited" -lt "$MESHWORK_WAIT" ] || {
			proto_notify_error "$config" NO_MESH_INTERFACE
			# No block: netifd tries again, and succeeds once a radio is up.
			proto_setup_failed "$config"
			return 1
		}
		sleep 1
		waited=$((waited + 1))
	done
	proto_init_update "$config" 1
	proto_send_update "$config"
}

proto_meshwork_teardown() { # CONFIG
	proto_init_update "$1" 0
	proto_send_update "$1"
}

proto_meshwork_hardif_init_config() {
	proto_config_add_string master
	proto_config_add_int elp_interval
	proto_config_add_int hop_penalty
	proto_config_add_string throughput_override
}

proto_meshwork_hardif_setup() { # CONFIG DEVICE
	local config="$1" device="$2" master
	json_get_vars master
	[ -n "$master" ] || {
		proto_notify_error "$config" NO_MASTER
		proto_block_restart "$config"
		return 1
	}
	mkdir -p "$MESHWORK_DEVICES"
	# The name that this interface has now: a radio's is made up at every start.
	echo "$device" > "$MESHWORK_DEVICES/$config"
	meshwork_reload
	proto_init_update "$device" 1
	proto_send_update "$config"
}

proto_meshwork_hardif_teardown() { # CONFIG
	rm -f "$MESHWORK_DEVICES/$1"
	meshwork_reload
	proto_init_update "*" 0
	proto_send_update "$1"
}

proto_meshwork_vlan_init_config() {
	proto_config_add_boolean ap_isolation:bool
}

proto_meshwork_vlan_setup() { # CONFIG DEVICE
	proto_init_update "$2" 1
	proto_send_update "$1"
}

proto_meshwork_vlan_teardown() { # CONFIG
	proto_init_update "*" 0
	proto_send_update "$1"
}

[ -n "$INCLUDE_ONLY" ] || {
	add_protocol meshwork
	add_protocol meshwork_hardif
	add_protocol meshwork_vlan
}
