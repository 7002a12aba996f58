# Stand-ins for OpenWrt's makefiles: what a package's Makefile says can be printed and installed, nothing is built.
INCLUDE_DIR:=$(TOPDIR)
INSTALL_DIR:=install -d -m 0755
PKG_INSTALL_DIR:=$(BUILT)
