# As upstream's: what lies in htdocs and root goes to /www and /.
.PHONY: install
install:
	@mkdir -p $(DEST)/www && cp -r htdocs/. $(DEST)/www/ && cp -r root/. $(DEST)/

.PHONY: print
print:
	$(info $($(NAME)))
	@:
