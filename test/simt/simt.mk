# The CUDA sources on the CPU: see the Makefile, of which this is a part, and test/simt/simt.h.

# ---- SIMT: the CUDA sources, compiled by the C++ compiler, against the runtime in test/simt/. Two builds, because the compiler cannot
# do both at once: race/ sees every load and store of a kernel (the callbacks of -fsanitize=thread are ours, test/simt/tsan.cc; its
# library is not linked), asan/ has the edges of every array watched.
CXX          := $(if $(filter default,$(origin CXX)),g++,$(CXX))
SIMT_CHECKS  := $(basename $(notdir $(wildcard test/simt/test_*.cc))) # the runtime's own tests
SIMT_SOURCES := $(filter-out $(SIMT_CHECKS:%=test/simt/%.cc),$(wildcard test/simt/*.cc))
SIMT_FLAGS   := -std=c++17 -D_GNU_SOURCE -Itest/simt -I. -g1 -O2 -ffp-contract=off -fno-strict-aliasing -Wall -Wextra \
                -Wno-unused-parameter -Wno-unknown-pragmas -Wno-psabi -DHAVE_WGMMA -MMD -MP
LADDER       := $(basename $(wildcard dev/ladder/*.cc dev/ladder/*.cu))
# libraries that stand in for NVIDIA's are opened at run time, and call the runtime back
STANDINS     := $(B)/simt/libnccl.so.2 $(B)/simt/libcuda.so.1 $(B)/simt/libcudnn.so.9
# With the address sanitizer it is its library that opens them, so that a program's own RUNPATH does not count; RPATH does.
SIMT_LINK     = $(CXX) -fopenmp -Wl,--export-dynamic-symbol=simt_stream_push,--export-dynamic-symbol=simt_move -Wl,-rpath,'$$ORIGIN/..'
$(B)/simt/libnccl.so.2: test/simt/nccl.c
$(B)/simt/libcuda.so.1: test/simt/driver.c
$(B)/simt/libcudnn.so.9: test/simt/cudnn.c
$(STANDINS):
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -Wno-missing-prototypes -fPIC -shared -o $@ $< -lm
# folder, sanitizers of the kernels, sanitizers of the rest, the library's folder
define SIMT_BUILD
$(1)/%_bf16.o: kernels/cuda/%.cu
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(2) $$(NVCCFLAGS_bf16) -x c++ -c $$< -o $$@
$(1)/%_fp32.o: kernels/cuda/%.cu
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(2) $$(NVCCFLAGS_fp32) -x c++ -c $$< -o $$@
$(1)/%.o: test/simt/%.cc
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(3) -c $$< -o $$@
$(SIMT_CHECKS:%=$(1)/%.o): $(1)/%.o: test/simt/%.cc
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(2) $$(NVCCFLAGS_bf16) -c $$< -o $$@
$(1)/cuda_%.o: test/cuda/%.cc
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) -fopenmp $(3) -c $$< -o $$@
$(1)/%.o: lab/bench/%.cc
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(3) $$(NVCCFLAGS_bf16) -c $$< -o $$@
$(1)/%.o: lab/bench/%.cu
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(2) $$(NVCCFLAGS_bf16) -x c++ -c $$< -o $$@
$(1)/ladder/%.o: dev/ladder/%.cc
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(3) $$(NVCCFLAGS_bf16) -c $$< -o $$@
$(1)/ladder/%.o: dev/ladder/%.cu
	@mkdir -p $$(@D)
	@echo "  SIMT  $$@"
	@$$(CXX) $$(SIMT_FLAGS) $(2) $$(NVCCFLAGS_bf16) -x c++ -c $$< -o $$@
$(1)/ladder/ladder: $$(LADDER:dev/ladder/%=$(1)/ladder/%.o) $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a
	@echo "  LINK  $$@"
	@$$(CXX) -fopenmp $(3) -o $$@ $$^ $$(SMALL_LIBS)
$(1)/kernel_bench: $(1)/kernel_bench.o $(BENCH_PARTS:%=$(1)/%.o) $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a | $$(STANDINS)
	@echo "  LINK  $$@"
	@$$(SIMT_LINK) $(3) -o $$@ $$^ $$(SMALL_LIBS)
$(1)/chain_check: $(1)/chain_check.o $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a
	@echo "  LINK  $$@"
	@$$(CXX) -fopenmp $(3) -o $$@ $$^ $$(SMALL_LIBS)
$(1)/cudnn_plans: $(1)/cudnn_plans.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a | $$(STANDINS)
	@echo "  LINK  $$@"
	@$$(SIMT_LINK) $(3) -o $$@ $$^ $$(SMALL_LIBS)
$(1)/open.o: kernels/open.c
	@mkdir -p $$(@D)
	@$$(CC) $$(CFLAGS) $(3) -DHAVE_CUDA -c $$< -o $$@
$(1)/libkernels.a: $$(call cuda_objects,$(1))
	@rm -f $$@
	@ar rcs $$@ $$^
$(1)/libsimt.a: $(SIMT_SOURCES:test/simt/%.cc=$(1)/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^
$(1)/test_cuda: $(CUDA_TESTS:test/cuda/%.cc=$(1)/cuda_%.o) $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a | $$(STANDINS)
	@echo "  LINK  $$@"
	@$$(SIMT_LINK) -Wl,--disable-new-dtags $(3) -o $$@ $$^ $$(SMALL_LIBS)
$(SIMT_CHECKS:%=$(1)/%): $(1)/%: $(1)/%.o $(1)/libsimt.a $(4)/libdereason.a
	@echo "  LINK  $$@"
	@$$(CXX) -fopenmp $(3) -o $$@ $$^ $$(SMALL_LIBS)
$(1)/train_sft $(1)/train_rl $(1)/generate: $(1)/%: $(4)/%.o $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a | $$(STANDINS)
	@echo "  LINK  $$@"
	@$$(SIMT_LINK) $(3) -o $$@ $$^ $$(SMALL_LIBS) $$(SOME_LIBS)
$(1)/test_link.o: test/simt/test_link.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$$(CC) $$(CFLAGS) $(3) -c $$< -o $$@
$(1)/test_link: $(1)/test_link.o $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a | $$(STANDINS)
	@echo "  LINK  $$@"
	@$$(SIMT_LINK) $(3) -o $$@ $$^ $$(SMALL_LIBS) -lcmocka
$(1)/generate_bench $(1)/rl_bench: $(1)/%: $(4)/lab/bench/%.o $(1)/open.o $(1)/libkernels.a $(1)/libsimt.a $(4)/libdereason.a
	@echo "  LINK  $$@"
	@$$(CXX) -fopenmp $(3) -o $$@ $$^ $$(SMALL_LIBS) $$(SOME_LIBS)
endef
$(eval $(call SIMT_BUILD,$(B)/simt/race,-fsanitize=thread,,$(B)))
$(eval $(call SIMT_BUILD,$(B)/simt/asan,$(SANITIZE) -O2,$(SANITIZE),$(B)/asan))
SIMT_TESTS := $(addprefix $(B)/simt/,race/test_cuda race/train_sft race/train_rl race/generate race/generate_bench race/rl_bench \
              race/cudnn_plans race/test_link $(addprefix race/,$(SIMT_CHECKS)) $(addprefix race/,$(GPU_BENCHES) ladder/ladder))
SIMT_LONG  := $(addprefix $(B)/simt/asan/,test_cuda $(SIMT_CHECKS))

simt: setup-test
	@$(MAKE) --no-print-directory -j$(JOBS) programs $(B)/asan/train_sft $(SIMT_TESTS)
	@test/run.sh simt

# three kernels from the first that one would write to ours, rung by rung: docs/ladder.md
ladder: setup-build
	@$(MAKE) --no-print-directory -j$(JOBS) $(B)/simt/race/ladder/ladder
	@$(B)/simt/race/ladder/ladder
