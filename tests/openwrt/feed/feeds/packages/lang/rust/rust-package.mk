# As upstream's: features and --locked go to cargo, arguments of the package have to be added after it.
RUST_ARCH_DEPENDS:=@(mips||mipsel||arm||aarch64||x86_64)
CARGO_PKG_ARGS:=--locked
RustBinPackage=
