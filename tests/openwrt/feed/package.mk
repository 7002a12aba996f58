define BuildPackage
.PHONY: install
install:
	@mkdir -p $$(DEST)
	$(call Package/$(1)/install,$$(DEST))
endef

.PHONY: print
print:
	$(info $($(NAME)))
	@:
