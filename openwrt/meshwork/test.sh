#!/bin/sh
# Run by the packages feed after a build: test.sh PACKAGE VERSION. The program knows its version and is whole.
[ "$1" = meshwork ] || exit 0
version=${2%-r*}
meshwork version | grep -F "$version" || {
	echo "meshwork version says: $(meshwork version); expected $version"
	exit 1
}
meshwork config check --print >/dev/null
