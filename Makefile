# make demo   see the main job done, end to end
# make test   everything that must hold; installs the Debian packages it needs
# make bench  how fast it is, against vblade and any other target; make bench-disk against fio;
#             make bench-control, the control tree with 10,000 exports
# make torture   what it makes of a bad network: TORTUREFLAGS="-time 1m -rounds 5"
# make soak   30 minutes at full load while all that can be changed is: no leak of memory, descriptors, goroutines
# make fuzz   every fuzz target for FUZZTIME each, and a table of executions
# make deb    packages for Debian; make packaging tries them on a fresh one
# The rest: build, lint, interop, interop-ceph, install, clean.

PREFIX  ?= /usr/local
DESTDIR ?=
BIN     ?= bin
# LINKFLAGS=-force replaces programs called vblade, ggaoed and so on that are there.
LINKFLAGS =
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo unreleased)
# Of packages, which must grow: before the first release by the time of the commit.
DEBVERSION ?= $(shell git describe --tags 2>/dev/null || git log -1 --date=format:%Y%m%d.%H%M%S --format='0~%cd.%h' 2>/dev/null || echo 0~unreleased)

GO          = go
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# What boots a virtual machine runs once, without the race detector.
RACE_PKGS   = $(shell $(GO) list ./... | grep -v -e /scripts/)

# For make bench and bench-disk; go run ./scripts/bench -h lists more for BENCHFLAGS.
ROUNDS     = 3
SECONDS    = 2
BENCHFLAGS =
BENCH      = $(GO) run ./scripts/bench -rounds $(ROUNDS) -seconds $(SECONDS)

.PHONY: build test check race interop interop-ceph lint demo torture soak fuzz bench bench-disk bench-nbd bench-control install deb packaging clean setup

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o $(BIN)/ ./cmd/vbladefs ./cmd/aoebench

setup:
	@scripts/setup.sh all race

test: setup build lint check race

check:
	$(GO) test -count=1 -timeout 20m ./...

race:
	$(GO) test -race -count=1 -timeout 20m $(RACE_PKGS)

interop: setup
	$(GO) test -count=1 -v -timeout 20m ./scripts/interop/

# Not in CI: two hosts that export an image of a Ceph cluster, which it makes and removes; some three minutes.
interop-ceph:
	@scripts/setup.sh net ceph
	VBLADEFS_CEPH=1 $(GO) test -count=1 -v -timeout 15m -run 'TestCeph$$' ./cmd/vbladefs

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

demo: build
	@scripts/setup.sh net fs vm
	@scripts/demo.sh

# Set TORTUREFLAGS to -h for what there is. Without any, the report ends with so much of every fuzz target; TORTUREFUZZ= leaves that out.
TORTUREFLAGS =
TORTUREFUZZ = 1000x

torture: build
	@scripts/setup.sh net fs
	$(GO) run ./scripts/torture -program bin/vbladefs $(TORTUREFLAGS)
	@$(if $(strip $(TORTUREFLAGS)),,$(if $(TORTUREFUZZ),echo; FUZZTIME=$(TORTUREFUZZ) scripts/fuzz.sh))

# make soak SOAK=10m for less.
SOAK = 30m

soak: build
	@scripts/setup.sh net fs
	$(GO) run ./scripts/torture -program bin/vbladefs -only - -stale 0 -cuts 0 -crashes 0 -takeovers 0 -soak $(SOAK)

# Of each target; FUZZONLY=Frame runs those of that name.
FUZZTIME = 10s
FUZZONLY =

fuzz:
	@FUZZTIME=$(FUZZTIME) FUZZONLY=$(FUZZONLY) scripts/fuzz.sh

bench: build
	@scripts/setup.sh client bench
	$(GO) test -run '^$$' -bench 'Decode|Encode|Lookup|Turn' -benchtime 200ms -benchmem ./target/...
	$(BENCH) $(BENCHFLAGS)

# What the NBD client does against fio's on the same server, both ratio and rates: medians of five runs each, in turns.
bench-nbd:
	@scripts/setup.sh nbd bench-disk
	$(GO) test -run '^$$' -bench AgainstFio -benchtime 5x ./disk/nbd

bench-disk: build
	@scripts/setup.sh client bench-disk
	$(BENCH) -disk $(BENCHFLAGS)

bench-control: build
	@scripts/setup.sh net fs
	$(BENCH) -control $(BENCHFLAGS)

# The units name the program where PREFIX has it. /etc/default/vbladefs is left as it is once it is there.
SYSCONFDIR ?= /etc
D           = $(DESTDIR)$(PREFIX)
UNITS       = $(wildcard scripts/systemd/*.service)
DAEMONS     = vblade vbladed ggaoed ggaoectl qaoed qdctl sqaoed

install: build
	install -D -m 755 $(BIN)/vbladefs $(D)/sbin/vbladefs
	install -D -m 755 $(BIN)/aoebench $(D)/bin/aoebench
	install -m 755 scripts/kvadd scripts/kvdel scripts/kvstat scripts/aoectrl $(D)/sbin/
	install -d $(D)/lib/systemd/system
	install -m 644 $(UNITS) $(D)/lib/systemd/system/
	sed -i 's,/usr/local/sbin/,$(PREFIX)/sbin/,' $(patsubst scripts/systemd/%,$(D)/lib/systemd/system/%,$(UNITS))
	install -D -m 644 scripts/systemd/vbladefs.sysusers $(D)/lib/sysusers.d/vbladefs.conf
	install -D -m 644 scripts/systemd/vbladefs.tmpfiles $(D)/lib/tmpfiles.d/vbladefs.conf
	[ -e $(DESTDIR)$(SYSCONFDIR)/default/vbladefs ] || install -D -m 644 scripts/systemd/vbladefs.default $(DESTDIR)$(SYSCONFDIR)/default/vbladefs
	install -d $(D)/share/man/man1 $(D)/share/man/man5 $(D)/share/man/man8
	install -m 644 $(wildcard docs/*.1) $(D)/share/man/man1/
	install -m 644 $(wildcard docs/*.5) $(D)/share/man/man5/
	install -m 644 $(wildcard docs/*.8) $(D)/share/man/man8/
	for name in $(DAEMONS); do echo .so man8/vbladefs-daemons.8 > $(D)/share/man/man8/$$name.8 || exit 1; done
	install -d $(D)/share/bash-completion/completions $(D)/share/zsh/vendor-completions $(D)/share/fish/vendor_completions.d
	$(BIN)/vbladefs completion bash > $(D)/share/bash-completion/completions/vbladefs
	for name in $(DAEMONS); do ln -sf vbladefs $(D)/share/bash-completion/completions/$$name || exit 1; done
	$(BIN)/vbladefs completion zsh > $(D)/share/zsh/vendor-completions/_vbladefs
	$(BIN)/vbladefs completion fish > $(D)/share/fish/vendor_completions.d/vbladefs.fish
	$(BIN)/vbladefs install-links $(LINKFLAGS) -to vbladefs $(D)/sbin

# Packages for Debian and what is made of it, in DEBDIR; scripts/packaging/deb.sh says what is in which.
DEBDIR ?= $(BIN)

deb: build
	@scripts/packaging/deb.sh $(BIN) $(DEBDIR) '$(DEBVERSION)'

# Installs them on a fresh Debian whose first process is systemd, in namespaces of this machine.
packaging: setup
	$(GO) test -count=1 -v -timeout 20m ./scripts/packaging/

clean:
	rm -rf bin
