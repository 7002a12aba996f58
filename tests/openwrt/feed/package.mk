define BuildPackage
.PHONY: install
install:
	@mkdir -p $$(DEST)
	$(call Package/$(1)/install,$$(DEST))
endef

print-%:
	@echo '$($*)'

define field
$(strip $(patsubst $(1):=%,%,$(filter $(1):=%,$(Package/$(PKG_NAME)))))
endef
