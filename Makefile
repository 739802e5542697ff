# dereason.c: `make` builds, `make demo` shows it at work, `make test` tests everything. dev/setup.sh installs what a
# target needs.
#
# Builds of one source, each with its own folder of objects:
#   build/        release        (what users run)
#   build/asan/   ASan + UBSan   (what the tests run)
#   build/simt/   the CUDA kernels compiled for the CPU against test/simt/ (race/: every access watched; asan/: ASan + UBSan)
# The CPU kernels are compiled once per instruction set (see kernels/cpu/backend.c); the rest runs on any machine. Where nvcc is, the
# release build gets the CUDA backend too (build/cuda/ holds its objects); without it the same programs are built without a GPU.

ifeq ($(origin CC),default)
CC      := gcc
endif
B       := build
SMALL_LIBS := -ljansson -lpcre2-8 -lutf8proc -lxxhash -lprotobuf-c -lz -lm
# only programs that ask servers, are asked, compare answers or edit lines are linked with these
SOME_LIBS := -Wl,--push-state,--as-needed -lcurl -lmicrohttpd -lmpc -lmpfr -lgmp -ledit -Wl,--pop-state
LIBS    := $(SMALL_LIBS) $(SOME_LIBS)
WARN    := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
# -g1: places in the source, which is what sanitizers and a backtrace tell; variables too would take half as long again to compile (EXTRA=-g)
CFLAGS  := -std=c11 -D_GNU_SOURCE -I. -I$(B)/generated -g1 -O3 -ffp-contract=off -fno-math-errno -fopenmp $(WARN) -MMD -MP $(EXTRA)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1

.DEFAULT_GOAL := all
include dev/cuda.mk

# the commit being built; files that contain it are rebuilt when it changes
VERSION := $(shell git describe --always --dirty --tags 2>/dev/null || echo unversioned)
$(shell mkdir -p $(B); echo '$(VERSION)' | cmp -s - $(B)/version.txt || echo '$(VERSION)' >$(B)/version.txt)

ROOMS   := base system json html log options ranks tokenizer kernels safetensors checkpoint server answers answers/words answers/units answers/chemistry \
           answers/formula answers/compare model sharded pretrained fit shards rows live engine session asking chat serving data decontamination intake inspect difficulty judges pools run rl metrics view evaluation tasks figures benchmarks
LIBRARY := $(wildcard $(addsuffix /*.c,$(ROOMS)))
ARCH    := $(shell uname -m)
ifeq ($(ARCH),x86_64)
VARIANTS := avx512 avx2 plain
MARCH_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
MARCH_avx2   := -march=x86-64-v3
MARCH_plain  := -march=x86-64
else
VARIANTS := plain
MARCH_plain :=
endif

JOBS     := $(shell nproc 2>/dev/null || echo 1)
PROGRAMS := prepare train_sft train_rl score generate evaluate serve
TOOLS    := $(patsubst dev/tools/%.c,%,$(wildcard dev/tools/*.c))
BENCHES  := $(patsubst lab/bench/%.c,%,$(filter-out lab/bench/without_network.c,$(wildcard lab/bench/*.c)))
TESTS    := $(patsubst %.c,%,$(wildcard test/unit/*.c test/parity/*.c))
HELPERS  := $(patsubst %.c,%,$(wildcard test/support/*.c))
FUZZERS  := $(patsubst %.c,%,$(wildcard test/fuzz/fuzz_*.c))

# as many compilers as cores, unless -j is given
all: $(B)/libraries
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS)) programs
programs: $(PROGRAMS) $(addprefix $(B)/,$(TOOLS))
$(B)/libraries: dev/setup.sh
	@dev/setup.sh check
	@mkdir -p $(@D) && touch $@

# protobuf-c's compiler makes C of messages
PROTOS  := $(wildcard $(addsuffix /*.proto,$(ROOMS)))
$(B)/generated/%.pb-c.c: %.proto
	@mkdir -p $(B)/generated
	@echo "  PROTO $@"
	@protoc-c --c_out=$(B)/generated $<

# one rule set per build folder
define BUILD
$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$$(CC) $$(CFLAGS) $(2) -c $$< -o $$@
$(1)/%.o: %.cu
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$$(CC) -x c $$(CFLAGS) $(2) -c $$< -o $$@
$(foreach v,$(VARIANTS),
$(1)/kernels/cpu/backend_$(v).o: kernels/cpu/backend.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$$(CC) $$(CFLAGS) $(2) $(MARCH_$(v)) -DCPU_VARIANT=$(v) -c $$< -o $$@
)
$(PROTOS:%.proto=$(1)/%.pb-c.o): $(1)/%.pb-c.o: $(B)/generated/%.pb-c.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$$(CC) $$(CFLAGS) $(2) -c $$< -o $$@
$(1)/log/events.o: $(PROTOS:%.proto=$(B)/generated/%.pb-c.c)
$(1)/tasks/tasks.o: $(wildcard tasks/*.task)
$(1)/html/html_text.o: html/page.css html/page.js
$(1)/figures/page_text.o: figures/page.css figures/page.js
$(1)/live/live_text.o: live/live.js
$(1)/view/view_text.o: view/view.css view/view.js view/embedded.js
$(1)/serving/page.o: serving/page.css serving/page.js
$(1)/benchmarks/judging.o: benchmarks/equality.txt
$(1)/base/version.o: CFLAGS += -DVERSION='"$(VERSION)"'
$(1)/base/version.o: $(B)/version.txt
$(1)/libdereason.a: $(LIBRARY:%.c=$(1)/%.o) $(PROTOS:%.proto=$(1)/%.pb-c.o) $(foreach v,$(VARIANTS),$(1)/kernels/cpu/backend_$(v).o)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(eval $(call BUILD,$(B),))
ifneq ($(NVCC),)
$(B)/kernels/open.o: CFLAGS += -DHAVE_CUDA
LIBS := $(CUDA_LIBS) $(CUDA_RPATH) $(SMALL_LIBS) $(SOME_LIBS)
endif
$(eval $(call BUILD,$(B)/asan,$(SANITIZE)))

$(PROGRAMS): %: $(B)/%.o $(B)/libdereason.a $(CUDA_ARCHIVE)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(filter-out %.o,$^) $(LIBS)
$(addprefix $(B)/asan/,$(PROGRAMS)): $(B)/asan/%: $(B)/asan/%.o $(B)/asan/libdereason.a
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.o,$^) $(filter-out %.o,$^) $(LIBS)

# tools that users and tests need, and benchmarks; a tool's further files stand in a folder of its name
$(addprefix $(B)/,$(TOOLS)): $(B)/%: $(B)/dev/tools/%.o $(B)/libdereason.a $(CUDA_ARCHIVE)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(filter-out %.o,$^) $(LIBS)
$(addprefix $(B)/asan/,$(TOOLS)): $(B)/asan/%: $(B)/asan/dev/tools/%.o $(B)/asan/libdereason.a
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.o,$^) $(filter-out %.o,$^) $(LIBS)
$(B)/plot: $(B)/dev/tools/plot/runs.o
$(B)/asan/plot: $(B)/asan/dev/tools/plot/runs.o
$(addprefix $(B)/,$(BENCHES)): $(B)/%: $(B)/lab/bench/%.o $(B)/libdereason.a $(CUDA_ARCHIVE)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LIBS) -ldl
$(B)/lab/bench/matmul_bench.o: CFLAGS += -march=native

# tests, in release and with the sanitizers, and what scripts run beside them; a fuzz target is linked with a driver that replays and mutates its corpus
$(addprefix $(B)/,$(TESTS)): %: %.o $(B)/libdereason.a $(CUDA_ARCHIVE)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(addprefix $(B)/asan/,$(TESTS)): %: %.o $(B)/asan/libdereason.a
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(LIBS) -lcmocka
$(addprefix $(B)/,$(HELPERS)): %: %.o $(B)/libdereason.a $(CUDA_ARCHIVE)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LIBS)
$(addprefix $(B)/asan/,$(FUZZERS)): %: %.o $(B)/asan/test/fuzz/driver.o $(B)/asan/libdereason.a
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ $(LIBS)

# makes a call of a program fail, once, as test/crash/faults.sh asks
FAULTS := $(B)/test/faults/faults.so
$(FAULTS): test/faults/faults.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -fPIC -shared -o $@ $<

include test/simt/simt.mk

setup-build:
	@dev/setup.sh build
setup-test:
	@dev/setup.sh test

# `all` by itself: its programs are built by a make of their own
test-programs: setup-test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory -j$(JOBS) $(FAULTS) $(addprefix $(B)/,$(HELPERS) $(BENCHES)) $$(test/run.sh released) $(addprefix $(B)/asan/,$(PROGRAMS) $(TOOLS) $(TESTS) $(FUZZERS)) \
	    $(SIMT_TESTS)
test: test-programs
	@test/run.sh short
# has all that `test` has, at more sizes
test-long: test-programs
	@$(MAKE) --no-print-directory -j$(JOBS) $(SIMT_LONG)
	@test/run.sh long
demo: setup-build
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@dev/demo/demo.sh
bench: setup-build
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory -j$(JOBS) $(addprefix $(B)/,$(BENCHES))
	@lab/bench/run.sh

docs: all
	@dev/docs.sh
format:
	@dev/format.sh
check-format:
	@dev/format.sh --check
lint:
	@dev/lint.sh

# programs, manual pages and completion for bash; DESTDIR is for packages
PREFIX ?= /usr/local
SHARE  := $(DESTDIR)$(PREFIX)/share
install: all
	@install -d "$(DESTDIR)$(PREFIX)/bin" "$(SHARE)/man/man1" "$(SHARE)/bash-completion/completions"
	@install $(PROGRAMS) "$(DESTDIR)$(PREFIX)/bin"
	@for program in $(PROGRAMS); do \
	    ./$$program --help=man >"$(SHARE)/man/man1/$$program.1" && \
	    ./$$program --help=bash >"$(SHARE)/bash-completion/completions/$$program" || exit 1; \
	done

clean:
	rm -rf $(B) $(PROGRAMS)

.PHONY: all programs ladder docs format check-format lint install clean setup-build setup-test test-programs test test-long simt cuda-check demo bench
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
