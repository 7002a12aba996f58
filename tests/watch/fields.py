"""What formats hold, and whether a document does."""

# What yanic reads, and as what. Source: yanic, data/nodeinfo.go, statistics.go, neighbours.go. Go's decoder refuses a
# whole answer in which a field has another type; what may be missing has "?".
NUMBER, WHOLE, TEXT, FLAG, ANY = (int, float), int, str, bool, object
TRAFFIC = {"bytes?": NUMBER, "packets?": NUMBER, "dropped?": NUMBER}
YANIC = {
    "nodeinfo": {
        "node_id": TEXT,
        "hostname": TEXT,
        "network": {
            "mac": TEXT,
            "addresses": [TEXT],
            "mesh": {"*": {"interfaces": {"wireless?": [TEXT], "other?": [TEXT], "tunnel?": [TEXT]}}},
        },
        "owner?": {"contact": TEXT},
        "system?": {"site_code?": TEXT, "domain_code?": TEXT, "primary_domain_code?": TEXT},
        "location?": {"longitude": NUMBER, "latitude": NUMBER, "altitude?": NUMBER},
        "software": {
            "autoupdater?": {"enabled?": FLAG, "branch?": TEXT},
            "batman-adv": {"version": TEXT, "compat": WHOLE},
            "firmware": {"base": TEXT, "release": TEXT, "target?": TEXT, "subtarget?": TEXT, "image_name?": TEXT},
        },
        "hardware": {"nproc": WHOLE, "model?": TEXT},
        "vpn?": FLAG,
    },
    "statistics": {
        "node_id": TEXT,
        "clients": {"total": WHOLE, "wifi": WHOLE, "wifi24?": WHOLE, "wifi5?": WHOLE},
        "rootfs_usage?": NUMBER,
        "loadavg": NUMBER,
        "memory": {"total": WHOLE, "free": WHOLE, "available": WHOLE, "buffers": WHOLE, "cached": WHOLE},
        "uptime": NUMBER,
        "idletime?": NUMBER,
        "gateway?": TEXT,
        "gateway_nexthop?": TEXT,
        "gateway_tq?": NUMBER,
        "traffic": {kind: TRAFFIC for kind in ["tx", "rx", "forward", "mgmt_tx", "mgmt_rx"]},
    },
    "neighbours": {
        "node_id": TEXT,
        "batadv": {"*": {"neighbours": {"*": {"tq": WHOLE, "lastseen": NUMBER, "best?": FLAG}}}},
        # Our own key; yanic passes over it.
        "meshwork": {
            "*": {"neighbours": {"*": {"orig_address?": TEXT, "echo_count?": WHOLE, "receive_count?": WHOLE,
                                       "throughput_kbits?": WHOLE, "meshwork": FLAG}}}
        },
    },
}


def fits(value, shape, where="answer"):
    """What of a value is not as the format has it, a sentence each. Fields that the format does not know count."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        if "*" in shape:
            return [bad for key, inner in value.items() for bad in fits(inner, shape["*"], f"{where}.{key}")]
        known = {key.rstrip("?"): (inner, key.endswith("?")) for key, inner in shape.items()}
        bad = [f"{where}.{key} is missing" for key, (_, optional) in known.items() if not optional and key not in value]
        bad += [f"{where}.{key} is not of the format" for key in value if key not in known]
        return bad + [b for key in value if key in known for b in fits(value[key], known[key][0], f"{where}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [bad for inner in value for bad in fits(inner, shape[0], where)]
    good = shape is ANY or isinstance(value, shape) and (shape is FLAG or not isinstance(value, bool))
    return [] if good else [f"{where} is {value!r}"]


# Source: netjson, schema/network-graph.json and device-monitoring.json, with what OpenWISP reads beside them.
ANYTHING = {"*": ANY}
NETJSON = {
    "/api/v1/topology": {
        "type": TEXT, "protocol": TEXT, "version": TEXT, "metric": TEXT, "router_id?": TEXT, "label?": TEXT,
        "revision?": TEXT, "topology_id?": TEXT,
        "nodes": [{"id": TEXT, "label?": TEXT, "local_addresses?": [TEXT], "properties?": ANYTHING}],
        "links": [{"source": TEXT, "target": TEXT, "cost": NUMBER, "cost_text?": TEXT, "properties?": ANYTHING}],
    },
    "/api/v1/device": {
        "type": TEXT,
        "general": {"hostname?": TEXT, "local_time": WHOLE, "uptime": WHOLE},
        "resources": {
            "load": [NUMBER], "load_average?": [NUMBER], "memory": {"*": WHOLE}, "swap?": {"*": WHOLE},
        },
        "interfaces": [{
            "name": TEXT, "type?": TEXT, "up?": FLAG, "uptime?": WHOLE, "mac?": TEXT, "mtu?": WHOLE,
            "statistics?": {"*": WHOLE}, "wireless?": ANYTHING,
        }],
        "neighbors": [{"interface": TEXT, "mac?": TEXT, "ip?": TEXT, "state?": TEXT, "vendor?": TEXT}],
    },
}
